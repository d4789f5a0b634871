"""Folders of masks in tiles: every pixel counts once, and training sees others each epoch."""

import re

import numpy as np
import pytest
from PIL import Image

from threefold.core.errors import UserError
from threefold.datasets import loading

SIZES = [(40, 70), (16, 16), (9, 33), (50, 17), (32, 48), (21, 21), (5, 4), (64, 16)]
FRACTIONS = {"validation_fraction": "0.25", "test_fraction": "0.25"}


@pytest.fixture
def folder(tmp_path):
    """Images whose red and green say where a pixel lies, and whose blue says in which image."""
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for number, (height, width) in enumerate(SIZES):
        image = np.full((height, width, 3), number, np.uint8)
        image[..., 0], image[..., 1] = np.arange(height)[:, None], np.arange(width)
        Image.fromarray(image).save(tmp_path / "images" / f"{number}.png")
        mask = image[..., :2].sum(axis=-1) % 3  # a pure function of the place
        Image.fromarray(mask.astype(np.uint8)).save(tmp_path / "masks" / f"{number}.png")
    return tmp_path


def load(folder, **options):
    options = {name: str(value) for name, value in options.items()}
    return loading.load(str(folder), FRACTIONS | options)


def read_all(source):
    return source[np.arange(len(source))]


def test_examples_are_tiles_of_images_in_their_own_size(folder):
    found = load(folder, tile_size=16)
    assert found.facts.image_shape == (16, 16, 3) and found.facts.tile_size == (16, 16)
    examples = read_all(found.splits["train"])
    assert examples["image"].dtype == np.float32 and examples["image"].shape[1:] == (16, 16, 3)
    known = examples["mask"] != 255
    places = examples["image"][..., :2].sum(axis=-1).astype(int)
    assert (examples["mask"][known] == places[known] % 3).all()


@pytest.mark.parametrize("tile_size", ["16", "8,24", "1", "100"])
def test_every_pixel_counts_once_in_one_split(folder, tile_size):
    splits = load(folder, tile_size=tile_size).splits
    seen, owners = [], {}
    for name, source in splits.items():
        examples = read_all(source)
        known = examples["mask"] != 255
        seen += map(tuple, examples["image"][known].astype(int).tolist())
        owners[name] = set(np.unique(examples["image"][..., 2]))
    assert len(seen) == len(set(seen)) == sum(height * width for height, width in SIZES)
    assert sum(map(len, owners.values())) == len(SIZES)
    assert len(splits) == 3


def test_training_takes_other_tiles_each_epoch_and_the_same_ones_again(folder):
    train = load(folder, tile_size="8,12").splits["train"]
    rows = np.arange(len(train))
    first = train.sample(3, 0, rows)
    known = first["mask"] != 255
    places = first["image"][..., :2].sum(axis=-1).astype(int)
    assert (first["mask"][known] == places[known] % 3).all()
    assert (first["image"][..., 2] == read_all(train)["image"][..., 2]).all()  # of the same images
    for seed, epoch in ((3, 1), (4, 0)):
        assert (train.sample(seed, epoch, rows)["image"] != first["image"]).any()
    some = np.random.default_rng(0).permutation(rows)[::2]  # whatever else is in the batch
    for name, array in train.sample(3, 0, some).items():
        np.testing.assert_array_equal(array, first[name][some])


def test_all_pixels_of_a_moved_tile_count_and_lie_in_its_image(folder):
    train = load(folder, tile_size="4,3", validation_fraction=0, test_fraction=0).splits["train"]
    tops = []
    for epoch in range(20):
        examples = train.sample(0, epoch, np.arange(len(train)))
        assert (examples["mask"] != 255).all()
        tops.append(examples["image"][0, 0, 0, 0])
    assert min(tops) == 0 and 0 < max(tops) <= 2  # by half a side at most


def test_regions_of_coco_are_cut_like_masks(folder):
    import json

    for mask in (folder / "masks").iterdir():
        mask.unlink()
    (folder / "masks").rmdir()
    images = [{"id": i, "file_name": f"{i}.png", "height": h, "width": w}
              for i, (h, w) in enumerate(SIZES)]  # fmt: skip
    square = [2, 1, 4, 1, 4, 3, 2, 3]
    found = [{"id": i, "image_id": i, "category_id": 1, "segmentation": [square],
              "bbox": [2, 1, 2, 2], "area": 4} for i in range(len(SIZES))]  # fmt: skip
    (folder / "annotations.json").write_text(
        json.dumps(
            {"images": images, "annotations": found, "categories": [{"id": 1, "name": "square"}]}
        )  # fmt: skip
    )
    options = FRACTIONS | {"tile_size": "4"}
    splits = loading.load(str(folder), options, task="image_segmentation").splits
    pixels = sum((read_all(source)["mask"] == 1).sum() for source in splits.values())
    assert pixels == 4 * len(SIZES)


def test_a_run_reads_other_images_in_its_own_tiles(folder):
    facts = load(folder, tile_size="8,24").facts
    found = loading.load(str(folder), FRACTIONS, facts=facts)
    assert found.facts == facts
    raw = loading.load(str(folder), FRACTIONS, facts=facts.raw()).splits["test"]
    examples = read_all(raw)
    assert examples["image"].dtype == np.uint8 and examples["image"].shape[1:] == (8, 24, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tile_size": 0}, "tile_size=0 does not fit: expected one number or HEIGHT,WIDTH, from 1"),
        ({"tile_size": "-4,8"}, "tile_size=-4,8 does not fit"),
        ({"tile_size": 5000}, "tile_size=5000 does not fit"),
        ({"tile_size": 16, "image_size": 32}, "image_size brings images to one size, tile_size"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(folder, options, message):
    with pytest.raises(UserError, match=re.escape(message)):
        load(folder, **options)


def test_a_run_takes_no_data_that_are_cut_otherwise(folder):
    with pytest.raises(UserError, match="the run was fitted on tiles of colour images of 16 × 16"):
        loading.load(str(folder), {"tile_size": "8"}, facts=load(folder, tile_size=16).facts)
    with pytest.raises(UserError, match="holds tiles of colour images of 16 × 16 pixels"):
        loading.load(str(folder), {"tile_size": "16"}, facts=load(folder, image_size=16).facts)


def test_data_that_are_not_cut_do_not_know_the_option():
    with pytest.raises(UserError, match="tile_size"):
        loading.load("digit_scenes", {"tile_size": "16"})
