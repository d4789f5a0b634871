"""Folders of images and masks: what is read, and every way in which they do not fit."""

import re
import shutil

import numpy as np
import pytest
from PIL import Image

from threefold.core.errors import UserError
from threefold.datasets import loading
from threefold.datasets.images.masks.files import read_codes, resize_mask

RED, GREEN = (200, 0, 0), (0, 200, 0)


def write(root, masks, size=(6, 5), split="."):
    """Write an image for each mask; a mask is an array, or an image of Pillow's."""
    for place, mask in enumerate(masks):
        for folder in ("images", "masks"):
            (root / split / folder).mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(np.full(size, 10 * place, np.uint8))
        image.save(root / split / "images" / f"{place}.png")
        drawing = mask if isinstance(mask, Image.Image) else Image.fromarray(mask)
        drawing.save(root / split / "masks" / f"{place}.png")
    return root


def gray(*values, size=(6, 5)):
    """Return a mask of these values, in turn."""
    return np.resize(np.array(values, np.uint8), size)


def load(root, **options):
    return loading.load(str(root), {name: str(value) for name, value in options.items()})


def first_mask(found):
    return found.splits["train"][np.arange(1)]["mask"][0]


def test_a_folder_of_images_and_masks_needs_no_word_of_its_task(tmp_path):
    found = load(write(tmp_path, [gray(0, 1, 2)] * 10))
    assert found.task == "image_segmentation"
    assert found.facts.class_names == ("0", "1", "2") and found.facts.ignored_code is None
    assert {name: len(split) for name, split in found.splits.items()} == {
        "train": 7, "validation": 2, "test": 1
    }  # fmt: skip
    assert (first_mask(found) == gray(0, 1, 2)).all()


def test_splits_that_are_there_are_kept(tmp_path):
    write(tmp_path, [gray(0, 1)] * 3, split="train")
    write(tmp_path, [gray(0, 1)] * 2, split="val")
    found = load(tmp_path, test_fraction=0)
    assert {name: len(split) for name, split in found.splits.items()} == {
        "train": 3, "validation": 2
    }  # fmt: skip


def test_black_and_white_are_background_and_foreground(tmp_path):
    found = load(write(tmp_path, [gray(0, 255)] * 8))
    assert found.facts.class_names == ("background", "foreground")
    assert set(first_mask(found).ravel()) == {0, 1}


def test_the_last_value_beside_others_counts_for_nothing(tmp_path):
    found = load(write(tmp_path, [gray(0, 1, 2, 255)] * 8))
    assert found.facts.class_names == ("0", "1", "2") and found.facts.ignored_code == 255
    assert set(first_mask(found).ravel()) == {0, 1, 2, 255}
    assert any("pixels of 255 count for nothing" in note for note in found.notes)


def test_a_value_that_is_named_counts_for_nothing(tmp_path):
    found = load(write(tmp_path, [gray(0, 1, 7)] * 8), ignored=7)
    assert found.facts.class_names == ("0", "1")
    assert set(first_mask(found).ravel()) == {0, 1, 255}


def test_colours_are_classes_under_the_names_that_a_file_gives_them(tmp_path):
    colours = np.resize(np.array([RED, GREEN], np.uint8), (6, 5, 3))
    write(tmp_path, [colours] * 8)
    assert load(tmp_path).facts.class_names == ("#00c800", "#c80000")
    (tmp_path / "classes.txt").write_text("roof 200,0,0\nlawn 0,200,0\n")
    found = load(tmp_path)
    assert found.facts.class_names == ("roof", "lawn")
    assert first_mask(found).ravel()[:2].tolist() == [0, 1]


def test_a_palette_is_read_by_its_places(tmp_path):
    mask = Image.fromarray(gray(0, 1), "P")
    mask.putpalette([0, 0, 0, 255, 255, 255])
    write(tmp_path, [mask] * 8)
    (tmp_path / "classes.txt").write_text("sea\nland\n")
    found = load(tmp_path)
    assert found.facts.class_names == ("sea", "land")
    assert first_mask(found).ravel()[:2].tolist() == [0, 1]


def test_images_of_several_sizes_come_in_one_with_masks_that_fit(tmp_path):
    write(tmp_path, [gray(0, 1, size=(40, 20))] * 4, size=(40, 20), split="train")
    write(tmp_path, [gray(0, 1, size=(24, 48))] * 4, size=(24, 48), split="val")
    examples = load(tmp_path, image_size="16,24").splits["validation"][np.arange(2)]
    assert examples["image"].shape == (2, 16, 24, 1) and examples["mask"].shape == (2, 16, 24)


def test_a_run_reads_other_masks_by_its_own_classes(tmp_path):
    facts = load(write(tmp_path / "one", [gray(3, 9)] * 8)).facts
    other = write(tmp_path / "other", [gray(9)] * 3)
    found = loading.load(str(other), {"test_fraction": "0"}, facts=facts)
    assert (first_mask(found) == 1).all()


def names(folder):
    return folder / "images" / "1.png", folder / "masks" / "1.png"


def no_mask(root):
    names(root)[1].unlink()
    return r"image '.*1\.png' has no mask in '.*masks'; expected '1\.png'"


def another_size(root):
    Image.fromarray(gray(0, 1, size=(3, 3))).save(names(root)[1])
    return r"mask '.*1\.png' is of 3 × 3 pixels, its image '.*1\.png' of 6 × 5"


def unknown_value(root):
    (root / "classes.txt").write_text("sea\nland\n")
    Image.fromarray(gray(0, 1, 4)).save(names(root)[1])
    return r"mask '.*1\.png' holds 4, which is no class; expected one of 0, 1; "


def unknown_colour(root):
    (root / "classes.txt").write_text("sea 0,0,0\nland 200,0,0\n")
    for number in range(8):
        drawing = np.zeros((6, 5, 3), np.uint8)
        drawing[0] = (0, 0, 0) if number != 1 else (1, 2, 3)
        Image.fromarray(drawing).save(root / "masks" / f"{number}.png")
    return r"mask '.*1\.png' holds #010203, which is no class; expected one of 0, #c80000"


def shades(root):
    Image.fromarray(np.arange(30, dtype=np.uint8).reshape(6, 5) * 8).save(names(root)[1])
    big = np.arange(130, dtype=np.uint8).reshape(10, 13)
    Image.fromarray(big).save(names(root)[1])
    Image.fromarray(big).save(names(root)[0])
    return r"mask '.*1\.png' holds 130 different values, and all masks 130: no classes but shades"


def one_class(root):
    for mask in (root / "masks").iterdir():
        Image.fromarray(gray(0)).save(mask)
    return "the masks hold 0 alone; expected two classes or more"


def no_image(root):
    names(root)[0].write_bytes(b"no image")
    return r"cannot read '.*1\.png'"


def broken_mask(root):
    content = names(root)[1].read_bytes()
    names(root)[1].write_bytes(content[:40])
    return r"cannot read '.*1\.png'"


def named_twice(root):
    shutil.copy(names(root)[1], root / "masks" / "1_mask.png")
    return r"'.*1\.png' and '.*1_mask\.png' are both called '1'; keep one of them"


def class_named_twice(root):
    (root / "classes.txt").write_text("sea\nsea\n")
    return r"classes\.txt names 'sea' twice"


def half_coloured(root):
    (root / "classes.txt").write_text("sea 0,0,0\nland\n")
    return r"classes\.txt line 2: 'land' has no colour, as others have"


def nothing_named(root):
    (root / "classes.txt").write_text("\n")
    return r"classes\.txt names no class"


BAD = [no_mask, another_size, unknown_value, unknown_colour, shades, one_class, no_image,
       broken_mask, named_twice, class_named_twice, half_coloured, nothing_named]  # fmt: skip


@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_what_does_not_fit_is_refused_by_its_file(tmp_path, spoil):
    write(tmp_path, [gray(0, 1)] * 8)
    message = spoil(tmp_path)
    with pytest.raises(UserError) as found:
        load(tmp_path)
    assert re.match(f"(.*/)?{message}", str(found.value)), found.value
    assert "\n" not in str(found.value)


def test_a_folder_without_masks_says_what_it_lacks(tmp_path):
    write(tmp_path, [gray(0, 1)] * 4)
    shutil.rmtree(tmp_path / "masks")
    with pytest.raises(UserError, match="has no masks/; expected images in images/ and"):
        loading.load(str(tmp_path), task="image_segmentation")


def test_a_gray_in_colours_is_the_same_class_as_a_gray(tmp_path):
    Image.fromarray(np.full((2, 2, 3), 7, np.uint8)).save(tmp_path / "a.png")
    assert (read_codes(tmp_path / "a.png") == 7).all()


def test_a_larger_mask_has_the_same_classes_in_the_same_places():
    mask = np.array([[0, 1], [2, 3]], np.uint8)
    assert (resize_mask(mask, 4, 6) == mask.repeat(2, axis=0).repeat(3, axis=1)).all()
    assert (resize_mask(resize_mask(mask, 6, 4), 2, 2) == mask).all()
