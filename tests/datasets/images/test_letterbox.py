"""Images of any proportions in the network's, and boxes that still frame what they did."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threefold.datasets.images.letterbox import (
    FILL,
    find_frame,
    letterbox,
    scale_and_offset,
)

SIDES = st.integers(1, 400)


@settings(max_examples=200, deadline=None)
@given(SIDES, SIDES, SIDES, SIDES)
def test_an_image_fits_and_fills_one_direction(height, width, high, wide):
    frame = find_frame((height, width), (high, wide))
    assert 1 <= frame.height <= high and 1 <= frame.width <= wide
    assert frame.height == high or frame.width == wide
    assert 0 <= frame.top <= high - frame.height and 0 <= frame.left <= wide - frame.width
    # As near to the proportions as whole pixels come.
    exact = min(high / height, wide / width)
    assert abs(frame.height - height * exact) <= 0.5 + 1e-9 or frame.height == 1
    assert abs(frame.width - width * exact) <= 0.5 + 1e-9 or frame.width == 1


@pytest.mark.parametrize("size", [(40, 80), (80, 40), (33, 57), (64, 48)])
def test_a_box_frames_its_object_after_as_before(size):
    height, width = size
    box = np.array([width // 4, height // 2, width // 4 + 12, height // 2 + 10])
    image = np.full((*size, 1), 20, np.uint8)
    image[box[1] : box[3], box[0] : box[2]] = 250
    found = letterbox(image, (48, 64))
    scale, offset = scale_and_offset(size, (48, 64))
    moved = box * scale + offset
    down, right = np.nonzero(found[..., 0] > 135)
    around = [right.min(), down.min(), right.max() + 1, down.max() + 1]
    np.testing.assert_allclose(around, moved, atol=0.75)
    frame = find_frame(size, (48, 64))
    outside = np.ones((48, 64), bool)
    outside[frame.top : frame.top + frame.height, frame.left : frame.left + frame.width] = False
    assert (found[outside] == FILL).all() and (found[~outside] < FILL).any()
