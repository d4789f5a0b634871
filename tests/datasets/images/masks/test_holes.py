"""Holes: what they promise whatever the size, and where a user says they are."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from threefold.core.errors import UserError
from threefold.datasets.facts import ImageFacts
from threefold.datasets.images.masks.holes import fit_hole, sample_holes
from threefold.datasets.inference_inputs import read_inputs

FACTS = ImageFacts(image_shape=(8, 8, 3), class_names=("a",), class_counts=(9,)).raw()
READER = "images.masks.masked_inputs"
PINK = (255, 0, 255)


@pytest.mark.parametrize(
    "size", [(1, 2), (2, 1), (2, 2), (1, 9), (3, 3), (8, 8), (17, 40), (64, 5)]
)
def test_a_hole_leaves_something_and_takes_something(size):
    for seed in range(5):
        holes = sample_holes(seed, seed, np.arange(300), *size)
        assert holes.shape == (300, *size) and holes.dtype == np.uint8
        assert set(np.unique(holes)) == {0, 1}
        share = holes.mean(axis=(1, 2))
        assert share.min() > 0 and share.max() < 1
    assert len(np.unique(holes, axis=0)) > (200 if size[0] * size[1] > 60 else 1)


def test_a_hole_hangs_on_seed_epoch_and_example_alone():
    whole = sample_holes(3, 2, np.arange(20), 9, 11)
    np.testing.assert_array_equal(sample_holes(3, 2, np.array([7, 4]), 9, 11), whole[[7, 4]])
    for other in (
        sample_holes(4, 2, np.arange(20), 9, 11),
        sample_holes(3, 1, np.arange(20), 9, 11),
    ):
        assert not np.array_equal(other, whole)


def test_both_kinds_of_holes_come_up():
    holes = sample_holes(0, 0, np.arange(400), 32, 32)
    boxes = [hole[np.ix_(hole.any(axis=1), hole.any(axis=0))].all() for hole in holes]
    assert 0.15 < np.mean(boxes) < 0.5  # single rectangles: a quarter, and pairs that overlap
    assert 0.05 < holes.mean() < 0.35


@pytest.mark.parametrize("size", [(3, 3), (5, 9), (40, 7), (8, 8)])
def test_what_is_in_a_hole_is_in_no_pixel_outside_of_it_at_another_size(size):
    from threefold.datasets.images.resizing import resize

    for hole in sample_holes(0, 0, np.arange(50), 16, 16):
        fitted = fit_hole(255 * hole, *size)
        assert fitted.shape == size and fitted.any()
        leaked = resize(255.0 * hole[..., None], *size)[..., 0][fitted == 0]
        assert np.all(leaked < 0.05)


@pytest.fixture
def photo(in_tmp):
    """An image of 6 × 9 pixels with a pink part, its mask, and masks that cannot be."""
    image = np.random.default_rng(0).integers(0, 200, (6, 9, 3)).astype(np.uint8)
    image[1:3, 2:5] = PINK
    image[2, 2] = (250, 6, 249)  # as JPEG leaves it
    Image.fromarray(image).save("photo.png")
    hole = np.zeros((6, 9), np.uint8)
    hole[1:3, 2:5] = 255
    (in_tmp / "masks").mkdir()
    for name, mask in {"mask": hole, "masks/photo": hole, "small": hole[:5], "none": 0 * hole,
                       "all": 0 * hole + 255}.items():  # fmt: skip
        Image.fromarray(mask).save(f"{name}.png")
    return image, hole // 255


def read(mask, *words):
    given = {} if mask is None else {"mask": mask}
    return list(read_inputs(words or ["photo.png"], FACTS, io.BytesIO(), 8, READER, **given))


@pytest.mark.parametrize("mask", ["mask.png", "masks", "#FF00FF", "#ff00ff"])
def test_a_hole_is_a_file_a_namesake_in_a_folder_or_a_colour(photo, mask):
    (found,) = read(mask)
    np.testing.assert_array_equal(found.examples["image"][0], photo[0])
    np.testing.assert_array_equal(found.examples["mask"][0], photo[1])
    assert found.examples["mask"].dtype == np.uint8 and not found.errors


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        ("small.png", "photo.png: the mask small.png has 5 × 9 pixels, and the image 6 × 9"),
        ("none.png", "photo.png: the mask none.png covers nothing"),
        ("all.png", "photo.png: the mask all.png covers all of the image"),
        ("#00FF00", "photo.png: the colour #00FF00 covers nothing"),
        ("empty", "photo.png: the folder empty holds no mask of the name photo"),
        ("text.png", "cannot read 'text.png': not a JPEG"),
    ],
)
def test_a_hole_that_cannot_be_costs_its_image_alone(photo, mask, words, in_tmp):
    (in_tmp / "empty").mkdir()
    (in_tmp / "text.png").write_text("no image")
    (found,) = read(mask)
    assert not found.names and len(found.examples["image"]) == 0
    assert words in str(found.errors[0]) and "\n" not in str(found.errors[0])
    other = Image.open("photo.png").resize((4, 4))
    other.save("other.png")
    (both,) = read("masks", "other.png", "photo.png")
    assert both.names == ["photo.png"] and "no mask of the name other" in str(both.errors[0])


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (None, "where are the holes? -d mask=FILE"),
        ("#FF00F", "-d mask=#FF00F is no colour: expected six digits"),
        ("pink", "-d mask=pink is not there"),
    ],
)
def test_no_hole_at_all_is_refused_at_once(photo, mask, words):
    with pytest.raises(UserError, match=re.escape(words)):
        read(mask)
