"""Regions of images as COCO writes them, polygons or runs of pixels (RLE), and their pixels.

What is in a region is what COCO's own tools (pycocotools) say, so that masks are those on which
others train.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from threefold.datasets.images.coco_files import is_number, show

FINENESS = 5  # steps of a pixel to which the corners of a polygon are rounded
LEAST_POINTS = 3
MOST_DIGITS = 7  # of a number in a compressed string: 35 bits


class Region(NamedTuple):
    """The pixels of one annotation, in the image's own size.

    Args:
        value: int. What they have in a mask.
        polygons: tuple of float64 arrays of shape (points, 2). Across and down, in pixels.
        bounds: int64 array. Of runs of pixels, column after column: where the first begins, where
            it ends, where the second begins and so on; empty where there are polygons.
    """

    value: int
    polygons: tuple[np.ndarray, ...]
    bounds: np.ndarray


def parse_region(found: Any, value: int, size: tuple[int, int]) -> Region:
    """Return the region that a `segmentation` says.

    Args:
        found: list of polygons, or an object with `size` and `counts`, as in the file.
        value: int. What its pixels have in a mask.
        size: tuple of two ints. Height and width of the image.

    Raises:
        ValueError: that says what is wrong with it.
    """
    if isinstance(found, dict):
        return Region(value, (), _parse_runs(found, size))
    if not isinstance(found, list) or not all(isinstance(one, list) for one in found):
        raise ValueError(
            f"segmentation is {show(found)}, expected a list of polygons, each a list of x, y, "
            "x, y, ..., or an object with counts and size (RLE)"
        )
    return Region(value, tuple(map(_parse_polygon, found)), np.empty(0, np.int64))


def rasterize(regions: Sequence[Region], background: int, height: int, width: int) -> np.ndarray:
    """Return a mask of regions, each over those before it.

    Args:
        regions: sequence of Region.
        background: int. What pixels have that no region holds.
        height: int. Of the image.
        width: int. Of the image.

    Returns:
        uint8 array of shape (height, width). The value of the last region that holds the pixel.
    """
    columns = np.full(width * height, background, np.uint8)  # one after the other
    for region in regions:
        bounds = [_find_bounds(polygon, height, width) for polygon in region.polygons]
        for some in (*bounds, region.bounds):
            if len(some):
                inside = np.repeat(np.arange(len(some) - 1) % 2 == 0, np.diff(some))
                columns[some[0] : some[-1]][inside] = region.value
    return np.ascontiguousarray(columns.reshape(width, height).T)


def _parse_polygon(found: list) -> np.ndarray:
    if not all(map(is_number, found)):
        raise ValueError(f"a polygon is {show(found)}, expected numbers alone")
    if len(found) % 2:
        raise ValueError(f"a polygon has {len(found)} numbers, expected an x and a y each point")
    if len(found) < 2 * LEAST_POINTS:
        raise ValueError(f"a polygon has {len(found) // 2} points, expected {LEAST_POINTS} or more")
    return np.array(found, np.float64).reshape(-1, 2)


def _parse_runs(found: dict, size: tuple[int, int]) -> np.ndarray:
    """Return where runs of pixels begin and end, alternately."""
    counts = found.get("counts")
    if found.get("size") != list(size):
        raise ValueError(
            f"the size of its RLE is {show(found.get('size'))}, that of the image {list(size)} "
            "(height, width)"
        )
    if isinstance(counts, str):
        runs = _decompress(counts)
    elif isinstance(counts, list) and all(type(c) is int and is_number(c) for c in counts):
        runs = np.array(counts, np.int64)
    else:
        raise ValueError(f"counts is {show(counts)}, expected a list of whole numbers or a text")
    if (runs < 0).any():
        raise ValueError(f"its RLE has a run of {runs.min()} pixels")
    total, pixels = int(runs.sum()), size[0] * size[1]
    if total != pixels:
        raise ValueError(f"the counts of its RLE add up to {total:,}, expected {pixels:,} pixels")
    # Runs out of the region and in it take turns.
    bounds = np.cumsum(runs)
    return bounds if len(bounds) % 2 == 0 else bounds[:-1]


def _decompress(text: str) -> np.ndarray:
    """Return the counts in a string: digits of 5 bits, low ones first, in letters from `0` on.

    A sixth bit says that further digits follow. All numbers but the first three are differences to
    the one before the last.
    """
    letters = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.int64)
    digits = letters - ord("0")
    last = np.flatnonzero(digits & 32 == 0)  # digit of each number
    starts = np.concatenate([[0], last + 1])[:-1]
    lengths = last - starts + 1
    wrong = ((digits < 0) | (digits > 63)).any() or (lengths > MOST_DIGITS).any()
    if wrong or not len(digits) or digits[-1] & 32:
        raise ValueError(f"the compressed counts are damaged: {show(text)}")
    shifts = 5 * (np.arange(len(digits)) - starts.repeat(lengths))
    values = np.add.reduceat((digits & 31) << shifts, starts)
    negative = digits[last] & 16 != 0
    values = values - (negative.astype(np.int64) << 5 * lengths)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def _find_bounds(polygon: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return where runs of pixels in a polygon begin and end, as `Region` has them.

    Edges are drawn on a grid of `FINENESS` steps a pixel, as pycocotools does; where one crosses
    the middle of a column of pixels the region begins or ends. Here these places are computed
    alone, so that an edge far out of the image costs no more than one in it.
    """
    corners = np.trunc(FINENESS * polygon + 0.5).astype(np.int64)
    others = np.roll(corners, -1, axis=0)
    spans = np.abs(others - corners)
    flat = spans[:, 0] >= spans[:, 1]
    turned = np.where(flat, corners[:, 0] > others[:, 0], corners[:, 1] > others[:, 1])[:, None]
    begin, end = np.where(turned, others, corners), np.where(turned, corners, others)
    slope = np.where(flat, end[:, 1] - begin[:, 1], end[:, 0] - begin[:, 0])
    slope = slope / spans.max(axis=1).clip(1)
    middle = FINENESS // 2  # step of the grid after which the middle of a pixel is
    low = np.minimum(corners[:, 0], others[:, 0])
    high = np.maximum(corners[:, 0], others[:, 0])
    first = (-((middle - low) // FINENESS)).clip(0)
    counts = ((high - middle - 1) // FINENESS).clip(None, width - 1) - first + 1
    counts = counts.clip(0)
    edge = np.arange(len(corners)).repeat(counts)
    columns = first[edge] + np.arange(len(edge)) - (np.cumsum(counts) - counts)[edge]
    steps = FINENESS * columns + middle
    flat, slope, (x, y) = flat[edge], slope[edge], begin[edge].T
    along = steps - x
    rows = np.minimum(_round(y + slope * along), _round(y + slope * (along + 1)))
    rows = np.where(flat, rows, y + _steps_to_cross(steps, x, slope, flat) - 1)
    rows = np.ceil(((rows + 0.5) / FINENESS - 0.5).clip(0, height)).astype(np.int64)
    return np.sort(columns * height + rows)


def _steps_to_cross(
    columns: np.ndarray, x: np.ndarray, slope: np.ndarray, flat: np.ndarray
) -> np.ndarray:
    """Return at which step down a steep edge is beyond a column of the grid for the first time."""

    def crossed(steps: np.ndarray) -> np.ndarray:
        return (_round(x + slope * steps) > columns) == (slope > 0)

    safe = np.where(flat, 1, slope)  # of flat edges nothing is asked
    steps = np.ceil((columns + 0.5 - x) / safe).astype(np.int64)
    steps = steps - crossed(steps - 1)  # the division may be off by one
    return steps + ~crossed(steps)


def _round(values: np.ndarray) -> np.ndarray:
    return np.trunc(values + 0.5).astype(np.int64)
