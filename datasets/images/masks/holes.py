"""Holes in images: drawn at random, and brought from one size to another.

A hole is where nothing is known of an image: 1 in an array of its height and width, 0 elsewhere.
"""

import numpy as np

from threefold.datasets.batching import uniform
from threefold.datasets.images.resizing import resize

SIDES = 0.25, 0.5  # of a rectangle, in those of the image
LINES = 4  # of a stroke
REACH = 0.35  # how far a line leads, in sides of the image, at most
WIDTHS = 0.06, 0.2  # of a brush, in the image's shorter side
TOUCHED = 1e-4  # share of a pixel: less of a hole is none
_RECTANGLE = 4  # random numbers: top, left, height, width
_NUMBERS = 2 + 2 * _RECTANGLE + 3 + 2 * LINES


def sample_holes(seed: int, epoch: int, indices: np.ndarray, height: int, width: int) -> np.ndarray:
    """Draw a hole for each of some images: one or two rectangles, or a stroke of a brush.

    Args:
        seed: int. With the others, all that a hole depends on.
        epoch: int. Which epoch.
        indices: int array of shape (batch,). Which examples.
        height: int. Of an image; times width at least 2.
        width: int. Of an image.

    Returns:
        uint8 array of shape (batch, height, width). Neither all 0 nor all 1 in any image.
    """
    numbers = uniform(seed, epoch, indices, _NUMBERS)
    kind, second, rest = numbers[:, 0], numbers[:, 1], numbers[:, 2:]
    one = _sample_rectangles(rest[:, :_RECTANGLE], height, width)
    other = _sample_rectangles(rest[:, _RECTANGLE : 2 * _RECTANGLE], height, width)
    rectangles = one | (other & (second < 0.5)[:, None, None])
    strokes = _sample_strokes(rest[:, 2 * _RECTANGLE :], height, width)
    holes = np.where((kind < 0.5)[:, None, None], rectangles, strokes).astype(np.uint8)
    # Of a few pixels, all may be covered: a corner is left, by turns one of two.
    whole = np.flatnonzero(holes.all(axis=(1, 2)))
    corner = np.where(second[whole] < 0.5, 0, -1)
    holes[whole, corner, corner] = 0
    return holes


def _sample_rectangles(numbers: np.ndarray, height: int, width: int) -> np.ndarray:
    inside = []
    for side, place, size in ((height, 0, 2), (width, 1, 3)):
        low, high = SIDES
        length = np.maximum(1, np.rint(side * (low + (high - low) * numbers[:, size])))
        start = np.floor(numbers[:, place] * (side - length + 1))
        pixels = np.arange(side)
        inside.append((pixels >= start[:, None]) & (pixels < (start + length)[:, None]))
    return inside[0][:, :, None] & inside[1][:, None, :]


def _sample_strokes(numbers: np.ndarray, height: int, width: int) -> np.ndarray:
    """Draw lines that go on from one another; the first begins in the middle of a pixel."""
    sides = np.array([height, width])
    low, high = WIDTHS
    radius = min(height, width) * (low + (high - low) * numbers[:, 0]) / 2
    start = np.floor(numbers[:, 1:3] * sides)
    rows, columns = np.mgrid[:height, :width]
    pixels = np.stack([rows, columns], axis=-1)  # (height, width, 2)
    covered = (pixels == start[:, None, None]).all(axis=-1)
    for line in range(LINES):
        step = (numbers[:, 3 + 2 * line : 5 + 2 * line] - 0.5) * 2 * REACH * sides
        end = np.clip(start + step, 0, sides - 1)
        way, beyond = (end - start)[:, None, None], pixels - start[:, None, None]
        length = np.maximum((way**2).sum(axis=-1), 1e-12)
        share = np.clip((beyond * way).sum(axis=-1) / length, 0, 1)[..., None]
        distance = np.sqrt(((beyond - share * way) ** 2).sum(axis=-1))
        covered |= distance <= np.maximum(radius, 0.5)[:, None, None]
        start = end
    return covered


def fit_hole(hole: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bring a hole to another size: a pixel that it touches belongs to it, so that nothing of what
    is in it is left in an image of that size.

    Args:
        hole: uint8 array of shape (height, width). Any but 0 is in the hole.
        height: int. The new height.
        width: int. The new width.

    Returns:
        uint8 array of shape (height, width), 0 and 1.
    """
    whole = (hole != 0).astype(np.uint8)
    if hole.shape == (height, width):
        return whole
    return (resize(whole[..., None], height, width)[..., 0] > TOUCHED).astype(np.uint8)
