import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from threefold.core.errors import UserError
from threefold.datasets.images.augmentation import (
    AUGMENTATIONS,
    IGNORED,
    augment,
    augment_boxes,
    augment_masks,
)

CHANGES = tuple(name for name in AUGMENTATIONS if name not in ("mixup", "mosaic"))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (16, 12, 9, 3)).astype(np.uint8)


def dots(count, size=33):
    """Black images with a bright square in the middle."""
    images = np.zeros((count, size, size, 1), np.float32)
    images[:, size // 2 - 2 : size // 2 + 3, size // 2 - 2 : size // 2 + 3] = 200
    return images


def centres(images):
    """Return the centre of mass of each image as (row, column) from the middle."""
    weights = images[..., 0] / images[..., 0].sum(axis=(1, 2), keepdims=True)
    grid = np.indices(images.shape[1:3]) - (images.shape[1] - 1) / 2
    return np.einsum("bhw,chw->bc", weights, grid)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from(CHANGES), unique=True).map(tuple),
    st.integers(0, 1000),
    st.permutations(range(16)),
    st.integers(1, 16),
)
def test_what_happens_to_a_image_does_not_depend_on_its_batch(images, names, seed, order, size):
    indices = np.arange(100, 116)
    whole = augment(images, seed, 2, indices, names)
    some = np.array(order)[:size]
    assert np.array_equal(augment(images[some], seed, 2, indices[some], names), whole[some])
    assert whole.dtype == np.float32 and whole.shape == images.shape
    assert whole.min() >= -1e-3 and whole.max() <= 255 + 1e-3


@pytest.mark.parametrize("name", CHANGES)
def test_each_changes_images_anew_in_every_epoch_and_leaves_the_original(images, name):
    original, floats = images.copy(), images.astype(np.float32)
    indices = np.arange(16)
    first, second = (augment(floats, 0, epoch, indices, (name,)) for epoch in (0, 1))
    assert not np.array_equal(first, floats)
    assert not np.array_equal(first, second)
    assert np.array_equal(floats, original)
    assert np.array_equal(first, augment(original, 0, 0, indices, (name,)))


def test_no_names_leave_images_as_they_are(images):
    assert np.array_equal(augment(images, 0, 0, np.arange(16), ()), images)
    assert np.array_equal(augment(images, 0, 0, np.arange(16), ("mixup",)), images)


def test_flip_mirrors_about_half_of_the_images_exactly(images):
    many = np.tile(images, (20, 1, 1, 1))
    flipped = augment(many, 0, 0, np.arange(len(many)), ("flip",))
    mirrored = (flipped == many[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (mirrored | (flipped == many).all(axis=(1, 2, 3))).all()
    assert 0.4 < mirrored.mean() < 0.6


def test_shift_moves_by_up_to_an_eighth_both_ways():
    moved = centres(augment(dots(300), 0, 0, np.arange(300), ("shift",)))
    assert np.abs(moved).max() <= 33 / 8 + 0.01
    assert moved.max(axis=0) == pytest.approx(33 / 8, abs=0.2)
    assert moved.min(axis=0) == pytest.approx(-33 / 8, abs=0.2)
    assert abs(np.corrcoef(moved.T)[0, 1]) < 0.2


def test_rotate_agrees_with_pillow_and_stays_within_15_degrees():
    images = np.zeros((200, 41, 41, 1), np.float32)
    images[:, 19:22, 30:33] = 250  # a spot to the right of the middle
    turned = augment(images, 0, 0, np.arange(200), ("rotate",))
    spots = centres(turned)
    angles = np.rad2deg(np.arctan2(-spots[:, 0], spots[:, 1]))
    assert np.abs(angles).max() <= 15.1
    assert angles.max() > 13 and angles.min() < -13
    assert np.hypot(*spots.T) == pytest.approx(11, abs=0.1)
    for image, angle in zip(turned[:5], angles[:5], strict=True):
        by_pillow = Image.fromarray(images[0, ..., 0]).rotate(angle, Image.Resampling.BILINEAR)
        assert np.abs(np.asarray(by_pillow) - image[..., 0]).max() < 10


def test_crop_enlarges_a_part_of_60_to_100_percent():
    # A ramp down and a ramp to the right: their slopes tell the scale.
    ramp = np.stack(np.indices((64, 64)), axis=-1)[None].repeat(200, 0).astype(np.float32)
    images = np.concatenate([ramp, ramp[..., :1]], axis=-1)
    cropped = augment(images, 0, 0, np.arange(200), ("crop",))
    down = np.diff(cropped[:, 20:40, 32, 0], axis=1).mean(axis=1)
    right = np.diff(cropped[:, 32, 20:40, 1], axis=1).mean(axis=1)
    assert 0.55 < (down * right).min() < 0.7 and (down * right).max() > 0.9
    assert max(down.max(), right.max()) <= 1.001
    assert 3 / 4 - 0.01 < (down / right).min() < 0.85 and 1.2 < (down / right).max() < 4 / 3 + 0.01
    # Nothing beyond the border comes in: the part lies within the image.
    assert np.abs(np.diff(cropped[:, :, 32, 0], axis=1) - down[:, None]).max() < 0.51


@pytest.mark.parametrize("background", [0, 255])
def test_what_comes_in_from_outside_has_the_colour_of_the_background(background):
    images = np.full((50, 20, 20, 1), background, np.uint8)
    images[:, 5:15, 8:12] = 255 - background
    images[:, :15, 9] = 255 - background  # a stroke that touches the border
    moved = augment(images, 0, 0, np.arange(50), ("shift", "rotate"))
    corners = moved[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners == pytest.approx(np.full(corners.shape, background), abs=0.001)


def test_cutout_paints_one_square_in_the_mean_colour(images):
    images = np.random.default_rng(0).uniform(0, 255, (100, 40, 60, 3)).astype(np.float32)
    cut = augment(images, 0, 0, np.arange(100), ("cutout",))
    for before, after in zip(images, cut, strict=True):
        changed = (before != after).any(axis=-1)
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        assert len(rows) == len(columns) and changed.sum() == len(rows) ** 2
        assert 10 <= len(rows) <= 16
        assert np.allclose(after[changed], before.mean(axis=(0, 1)), atol=0.1)


def test_unknown_names_are_refused_with_the_closest(images):
    with pytest.raises(UserError, match="no augmentation 'rotat'; did you mean 'rotate'"):
        augment(images, 0, 0, np.arange(16), ("rotat",))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(CHANGES), unique=True).map(tuple), st.integers(0, 1000))
def test_a_mask_moves_with_its_image(names, seed):
    """What is bright in an image is where its mask says, but for the pixels along an edge."""
    masks = np.zeros((4, 32, 24), np.uint8)
    masks[:, 9:22, 6:17] = 1
    images = np.where(masks, 240.0, 10.0)[..., None].astype(np.float32)
    indices, kept = np.arange(4), tuple(name for name in names if name not in ("cutout", "colour"))
    moved = augment(images, seed, 1, indices, kept)[..., 0]
    found = augment_masks(masks, seed, 1, indices, names)
    clear = (np.abs(moved - 125) > 100) & (found != IGNORED)
    assert ((moved > 125) == (found == 1))[clear].all()
    least = 0.3 if "scale" in names else 0.5  # a smaller image leaves more that is ignored
    assert clear.mean() > least and (found == 1).any(axis=(1, 2)).all()


def test_what_comes_in_from_outside_has_no_class():
    masks = np.ones((64, 16, 16), np.uint8)
    found = augment_masks(masks, 0, 1, np.arange(64), ("shift",))
    assert set(np.unique(found)) == {1, IGNORED}
    assert (augment_masks(masks, 0, 1, np.arange(64), ("cutout",)) == masks).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(CHANGES), unique=True).map(tuple), st.integers(0, 1000))
# Turned and enlarged, so that the corner that is farthest to a side is beyond another.
@example(("flip", "shift", "crop", "rotate", "cutout", "scale"), 263)
def test_a_box_still_frames_its_object(names, seed):
    """What is bright in an image fills the box that went along, as far as it is in the image."""
    boxes = np.tile(np.array([[12, 15, 27, 35]], np.float32), (8, 1, 1))
    images = np.full((8, 48, 40, 1), 10, np.float32)
    images[:, 15:35, 12:27] = 240
    indices, kept = np.arange(8), tuple(name for name in names if name not in ("cutout", "colour"))
    moved = augment(images, seed, 1, indices, kept)[..., 0]
    classes = np.zeros((8, 1), np.int64)
    found, left = augment_boxes(boxes, classes, (48, 40), seed, 1, indices, names)
    assert found.dtype == np.float32 and left.dtype == np.int64
    for image, box, number in zip(moved, found[:, 0], left[:, 0], strict=True):
        assert number == 0  # no change takes three quarters of what is in the middle
        down, right = np.nonzero(image > 125)
        around = [right.min(), down.min(), right.max() + 1, down.max() + 1]
        np.testing.assert_allclose(around, box, atol=1)  # an edge between pixels; a corner is blunt


def test_an_object_that_has_left_the_image_is_none():
    boxes = np.tile(np.array([[0, 0, 3, 3], [20, 20, 40, 40]], np.float32), (64, 1, 1))
    classes = np.tile([4, 5], (64, 1))
    found, left = augment_boxes(boxes, classes, (64, 64), 0, 1, np.arange(64), ("shift",))
    assert set(left[:, 0]) == {-1, 4} and set(left[:, 1]) == {5}
    assert not found[left == -1].any()
    assert found.min() >= 0 and found.max() <= 64
    same, others = augment_boxes(boxes, classes, (64, 64), 0, 1, np.arange(64), ("colour",))
    assert (same == boxes).all() and (others == classes).all()
