"""Examples made of several: a pure function of seed, epoch and index, whose boxes frame objects."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threefold.datasets.images.combining import join_mosaics, mix_boxes, mixup


def blend(indices, epoch=0):
    """Return the shares of the originals in each mixed example, shape (batch, batch)."""
    return mixup({"share": np.eye(len(indices), dtype=np.float32)}, 0, epoch, indices)["share"]


def test_mixup_blends_images_and_targets_alike():
    generator = np.random.default_rng(0)
    images = generator.uniform(0, 255, (32, 5, 4, 3)).astype(np.float32)
    targets = np.eye(10, dtype=np.float32)[generator.integers(0, 10, 32)]
    indices = generator.permutation(1000)[:32]
    mixed = mixup({"image": images, "target": targets}, 0, 0, indices)
    shares = blend(indices)
    assert mixed["image"] == pytest.approx(np.einsum("ij,jhwc->ihwc", shares, images), abs=1e-3)
    assert mixed["target"] == pytest.approx(shares @ targets, abs=1e-6)
    assert mixed["target"].sum(axis=1) == pytest.approx(1)
    assert mixed["image"].dtype == np.float32


def test_mixup_takes_one_other_example_and_at_most_half_of_it():
    shares = blend(np.arange(500))
    assert np.all(np.diag(shares) >= 0.5)
    others = shares - np.diag(np.diag(shares))
    assert np.all((others > 0).sum(axis=1) <= 1) and np.all((others > 0).sum(axis=0) <= 1)
    # E[min(share, 1 - share)] of Beta(0.2, 0.2).
    assert others.sum(axis=1).mean() == pytest.approx(0.101, abs=0.02)
    assert not np.array_equal(shares, blend(np.arange(500), epoch=1))


def test_mixup_follows_the_examples_and_not_their_order_in_the_batch():
    indices = np.arange(40)
    order = np.random.default_rng(1).permutation(40)
    assert np.array_equal(blend(indices[order]), blend(indices)[order][:, order])


def test_mixup_refuses_class_numbers():
    with pytest.raises(ValueError, match="expected 'label' as floats"):
        mixup({"label": np.arange(3)}, 0, 0, np.arange(3))


GROUND, OBJECT = 10, 240
SIZE = (48, 40)


def scenes(count):
    """Return a reader of scenes with two bright boxes apart from each other, or fewer."""
    generator = np.random.default_rng(0)
    images = np.full((count, *SIZE, 1), GROUND, np.float32)
    boxes = np.zeros((count, 2, 4), np.float32)
    classes = np.full((count, 2), -1)
    masks = np.zeros((count, *SIZE), np.uint8)
    for scene in range(count):
        for place in range(scene % 3):
            top = generator.integers(0, SIZE[0] - 12)
            left = 22 * place + generator.integers(0, 6)
            high, wide = generator.integers(8, 13, 2)
            boxes[scene, place] = left, top, left + wide, top + high
            classes[scene, place] = place
            images[scene, top : top + high, left : left + wide] = OBJECT
            masks[scene, top : top + high, left : left + wide] = 1
    arrays = {"image": images, "boxes": boxes, "box_class": classes, "mask": masks}

    def read(indices):
        return {name: array[indices] for name, array in arrays.items()}

    return read


def combine(function, count=30, seed=0, epoch=1, indices=None):
    whole = scenes(count)
    indices = np.arange(count) if indices is None else indices

    def read(some):
        assert len(some), "not every source can read nothing"
        return whole(some)

    return function(read(indices), read, count, seed, epoch, indices)


def framed(box, shape):
    """Return which pixels have their middle in a box."""
    down, right = (np.arange(side) + 0.5 for side in shape)
    left, top, end, bottom = box
    return ((down > top) & (down < bottom))[:, None] & ((right > left) & (right < end))


def find_tiles(image):
    """Return the four parts of a mosaic, as slices, by the level that each image has of its own."""
    level = image[..., 1]
    (row,), (column,) = (np.flatnonzero(np.diff(edge)) + 1 for edge in (level[:, 0], level[0]))
    rows, columns = (slice(0, row), slice(row, None)), (slice(0, column), slice(column, None))
    return [(down, right) for down in rows for right in columns]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000))
def test_boxes_of_a_mosaic_frame_what_is_left_of_objects(seed):
    count, indices = 60, np.arange(60)
    box = np.array([12, 16, 26, 31], np.float32)
    image = np.where(framed(box, SIZE), OBJECT, GROUND).astype(np.float32)
    levels = np.broadcast_to(np.arange(60.0)[:, None, None], (count, *SIZE))
    arrays = {
        "image": np.stack([np.broadcast_to(image, levels.shape), levels], -1).astype(np.float32),
        "boxes": np.tile(box, (count, 1, 1)),
        "box_class": indices[:, None],
    }

    def read(some):
        return {name: array[some] for name, array in arrays.items()}

    found = join_mosaics(arrays, read, count, seed, 1, indices)
    assert found["boxes"].shape == (count, 4, 4) and found["boxes"].dtype == np.float32
    assert found["image"].shape == arrays["image"].shape and found["image"].dtype == np.float32
    joined = (found["image"] != arrays["image"]).any(axis=(1, 2, 3))
    assert 15 < joined.sum() < 45
    assert (found["boxes"][~joined, 0] == box).all() and (found["box_class"][~joined, 1:] < 0).all()
    for number in np.flatnonzero(joined):
        image, boxes, classes = (found[name][number] for name in arrays)
        for (down, right), box, label in zip(find_tiles(image), boxes, classes, strict=True):
            tile = image[down, right]
            rows, columns = np.nonzero(tile[..., 0] > 125)
            if label < 0:  # less than a quarter of what is at its largest 14 × 15 pixels
                assert len(rows) < 14 * 15 / 4 + 15 and not box.any()
                continue
            assert (tile[..., 1] == label).all()
            rows, columns = rows + (down.start or 0), columns + (right.start or 0)
            around = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            np.testing.assert_allclose(around, box, atol=0.51)
            # A quarter at least, of one that is half as large at least.
            assert (box[2:] - box[:2]).prod() > 14 * 15 / 16


def test_four_images_meet_near_the_middle_at_scales_of_their_own():
    ramp = np.arange(64, dtype=np.float32)[:, None].repeat(64, 1)
    levels = np.arange(200, dtype=np.float32)
    images = np.stack([np.stack([ramp, ramp * 0 + level], -1) for level in levels])
    found = join_mosaics({"image": images}, lambda some: {"image": images[some]}, 200, 3, 1,
                         np.arange(200))["image"]  # fmt: skip
    joined = [image for image in found if len(np.unique(image[..., 1])) > 1]
    corners, steps, firsts = [], [], []
    for image in joined:
        tiles = find_tiles(image)
        corners.append((tiles[0][0].stop, tiles[0][1].stop))
        steps += [np.diff(image[tile][2:-2, 0, 0]).mean() for tile in tiles]
        firsts += [image[tile][0, 0, 0] for tile in tiles]
    assert 70 < len(joined) < 130
    assert 16 <= np.min(corners) < 19 and 45 < np.max(corners) <= 48
    assert 0.99 < min(steps) < 1.01 and 1.8 < max(steps) < 2.01  # rows of an image in one here
    assert min(firsts) < 1 and max(firsts) > 30


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_masks_are_joined_as_their_images_are(seed):
    found = combine(join_mosaics, seed=seed)
    clear = np.abs(found["image"][..., 0] - 125) > 100
    assert ((found["image"][..., 0] > 125) == (found["mask"] == 1))[clear].all()
    assert clear.mean() > 0.9 and found["mask"].dtype == np.uint8


def test_a_blend_has_the_objects_of_both():
    read, indices = scenes(30), np.arange(30)
    whole, found = read(indices), combine(mix_boxes)
    assert found["boxes"].shape == (30, 4, 4) and (found["boxes"][:, :2] == whole["boxes"]).all()
    assert (found["box_class"][:, :2] == whole["box_class"]).all()
    middle = (GROUND + OBJECT) / 2
    for number in range(30):
        image = found["image"][number, ..., 0]
        count = np.zeros(SIZE, int)
        for box in found["boxes"][number][found["box_class"][number] >= 0]:
            count += framed(box, SIZE)
        alone = (image == whole["image"][number, ..., 0]).all()
        wanted = [GROUND, OBJECT, 0] if alone else [GROUND, middle, OBJECT]
        np.testing.assert_array_equal(image, np.array(wanted)[count])
    blended = (found["image"] != whole["image"]).any(axis=(1, 2, 3))
    assert 5 < blended.sum() < 25
    assert whole["box_class"][blended].max(axis=1).min() < 0  # one without objects is among them


@pytest.mark.parametrize("function", [join_mosaics, mix_boxes])
def test_what_is_made_follows_from_seed_epoch_and_index_alone(function):
    whole = combine(function)
    some = np.array([7, 3, 29, 0])
    for indices in (some, some[::-1], *some[:, None]):
        found = combine(function, indices=indices)
        for name, array in whole.items():
            np.testing.assert_array_equal(found[name], array[indices], err_msg=name)
            assert found[name].dtype == array.dtype
    for changed in ({"epoch": 2}, {"seed": 1}):
        assert (combine(function, **changed)["image"] != whole["image"]).any()


@pytest.mark.parametrize("function", [join_mosaics, mix_boxes])
def test_what_is_read_is_left_as_it_is(function):
    read, indices = scenes(30), np.arange(30)
    examples = read(indices)
    function(examples, read, 30, 0, 1, indices)
    for name, array in read(indices).items():
        np.testing.assert_array_equal(examples[name], array)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("function", [join_mosaics, mix_boxes])
def test_a_split_of_few_images_is_combined_with_what_there_is(function, count):
    for epoch in range(8):
        found = combine(function, count=count, epoch=epoch)
        assert np.isfinite(found["image"]).all() and len(found["image"]) == count
