"""Regions in the format of COCO: their pixels are those that COCO's own tools find."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as cocotools

from threefold.datasets.images.masks.regions import parse_region, rasterize


def pixels(segmentation, height, width):
    """Return which pixels are in one region."""
    region = parse_region(segmentation, 1, (height, width))
    return rasterize([region], 0, height, width)


def theirs(polygons, height, width):
    return cocotools.decode(cocotools.merge(cocotools.frPyObjects(polygons, height, width)))


def compress(mask):
    found = cocotools.encode(np.asfortranarray(mask))
    return {"size": list(mask.shape), "counts": found["counts"].decode()}


def runs(mask):
    """Return the lengths of runs of pixels, column after column, the first outside."""
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(np.diff(np.concatenate([[0], flat])))
    counts = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    return {"size": list(mask.shape), "counts": counts}


masks = arrays.arrays(
    np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.integers(0, 1)
)


@settings(deadline=None)
@given(masks, st.integers(1, 30))
def test_runs_are_decoded_as_by_pycocotools(mask, larger):
    mask = mask.repeat(larger, axis=0)  # runs of hundreds, which take several letters
    assert (pixels(compress(mask), *mask.shape) == mask).all()
    assert (pixels(runs(mask), *mask.shape) == mask).all()


sides = st.integers(1, 60)
places = st.one_of(
    st.integers(-20, 80), st.floats(-20, 80), st.integers(-40, 160).map(lambda n: n / 2)
)
polygons = st.lists(st.lists(st.tuples(places, places), min_size=3, max_size=12),
                    min_size=1, max_size=3)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(polygons, sides, sides)
def test_polygons_have_the_pixels_that_pycocotools_finds(corners, height, width):
    flat = [[float(place) for corner in polygon for place in corner] for polygon in corners]
    assert (pixels(flat, height, width) == theirs(flat, height, width)).all()


def test_outlines_of_many_points_agree_to_the_pixel():
    random = np.random.default_rng(0)
    for _ in range(100):
        angles = np.sort(random.uniform(0, 2 * np.pi, 60))
        radius = random.uniform(60, 160, (60, 1))
        outline = [120, 100] + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        polygon = [outline.round(2).ravel().tolist()]
        assert (pixels(polygon, 200, 240) == theirs(polygon, 200, 240)).all()


def test_a_polygon_far_out_of_its_image_costs_no_more_than_one_in_it():
    started = time.perf_counter()
    found = pixels([[-1e8, -1e8, 1e8, -1e8, 1e8, 1e8, -1e8, 1e8]], 40, 60)
    assert found.all() and time.perf_counter() - started < 1
    assert not pixels([[100, 100, 130, 100, 130, 120]], 40, 60).any()


def test_later_regions_lie_over_earlier_ones():
    squares = [[[0, 0, 4, 0, 4, 4, 0, 4]], [[2, 2, 6, 2, 6, 6, 2, 6]]]
    regions = [parse_region(square, 5 + n, (6, 6)) for n, square in enumerate(squares)]
    expected = np.full((6, 6), 9, np.uint8)
    expected[:4, :4] = 5
    expected[2:, 2:] = 6
    assert (rasterize(regions, 9, 6, 6) == expected).all()


COUNTS = compress(np.eye(6, dtype=np.uint8))["counts"]
DAMAGED = {
    "cut": COUNTS[:-1],
    "in a number": "P" * 3,
    "unknown letter": COUNTS[:2] + "~" + COUNTS[3:],
    "no letter": "é" + COUNTS,
    "blank": " " + COUNTS,
    "too long": "P" * 40 + "0",
    "nothing": "",
    "half a letter": "\ud800" + COUNTS,
    "below nothing": "N" + COUNTS,
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_string_is_refused(damage):
    with pytest.raises(ValueError, match="counts are damaged|add up to|has a run of -"):
        pixels({"size": [6, 6], "counts": DAMAGED[damage]}, 6, 6)


@given(st.text(max_size=12))
def test_any_text_is_a_region_or_refused(text):
    try:
        assert pixels({"size": [6, 6], "counts": text}, 6, 6).shape == (6, 6)
    except ValueError as error:
        assert "\n" not in str(error)
