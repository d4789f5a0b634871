"""Which point finds which object."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from threefold.blueprints.parts.points import locate_points
from threefold.tasks.boxes.assignment import BOX, CENTRE, CLASSES, OWNED, assign

POINTS = locate_points((64, 96), (4, 8, 16))


def assign_one(*objects):
    boxes = np.array([[box for box, _ in objects]], np.float32).reshape(1, -1, 4)
    classes = np.array([[number for _, number in objects]], np.int64)
    return assign(boxes, classes, POINTS, 3)[0]


def test_an_object_is_found_near_its_middle_on_the_level_of_its_size():
    small, large = ([8, 8, 20, 20], 1), ([2, 2, 94, 62], 2)
    targets = assign_one(small, large)
    for box, number in (small, large):
        owned = targets[:, CLASSES].argmax(axis=1) == number
        owned &= targets[:, OWNED] == 1
        assert owned.sum() >= 4
        assert np.unique(POINTS[owned, 2]).tolist() == [4 if number == 1 else 16]
        np.testing.assert_array_equal(targets[owned, BOX], np.tile(box, (owned.sum(), 1)))
        x, y = POINTS[owned, 0], POINTS[owned, 1]
        assert ((x > box[0]) & (x < box[2]) & (y > box[1]) & (y < box[3])).all()
        assert 0 < targets[owned, CENTRE].min() and targets[owned, CENTRE].max() > 0.6
    rest = targets[:, OWNED] == 0
    assert not targets[rest].any()


def test_of_two_objects_in_one_place_the_smaller_has_the_point():
    targets = assign_one(([10, 10, 24, 24], 0), ([12, 12, 22, 22], 1))
    middle = np.flatnonzero((POINTS[:, 2] == 4) & (POINTS[:, :2] == [18, 18]).all(axis=1))
    assert targets[middle, CLASSES].argmax() == 1
    assert (targets[:, CLASSES] == 1).any(axis=0)[:2].all()


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0, 95), st.floats(0, 63), st.floats(0.1, 96), st.floats(0.1, 64), st.integers(0, 2)
)
def test_an_object_of_any_size_is_found_by_some_point(left, top, width, height, number):
    box = [left, top, min(left + width, 96), min(top + height, 64)]
    targets = assign_one((box, number))
    owned = targets[:, OWNED] == 1
    assert owned.any() and np.isfinite(targets).all()
    assert (targets[owned, CLASSES].argmax(axis=1) == number).all()


def test_an_image_without_objects_has_no_target():
    assert not assign(np.zeros((2, 3, 4)), np.full((2, 3), -1), POINTS, 3).any()
    assert not assign(np.zeros((2, 0, 4)), np.zeros((2, 0), int), POINTS, 3).any()
