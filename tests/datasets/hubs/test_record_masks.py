"""Masks out of columns of `hf:` and `tfds:`."""

import datasets as hf
import numpy as np
import pytest
import tensorflow_datasets as tfds
from refusals import refused
from small_scenes import SIZE, images_of, make_masks, png, rows_of, save_hf, save_tfds

from threefold.datasets import loading

pytestmark = pytest.mark.once

TASK = "image_segmentation"
MASKS = make_masks()


def load(reference, facts=None, **options):
    given = {name: str(value) for name, value in options.items()}
    return loading.load(reference, given, task=TASK, facts=facts)


def save(root, masks=MASKS, column="mask", test=None, **further):
    cells = {column: [None if mask is None else png(mask) for mask in masks]} | further
    test = test and {name: (test if name == column else images_of(len(test))) for name in cells}
    return save_hf(root, cells, dict.fromkeys(cells, hf.Image()), test)


def require_same(found, masks=MASKS):
    for source in found.splits.values():
        batch = source[np.arange(len(source))]
        for row, mask in zip(rows_of(batch), batch["mask"], strict=True):
            np.testing.assert_array_equal(mask, masks[row])


def test_masks_of_hugging_face_are_found_by_their_name(tmp_path):
    found = loading.load(save(tmp_path, column="annotation"))
    assert found.task == TASK and found.facts.image_shape == (*SIZE, 1)
    assert found.facts.class_names == ("0", "1", "2") and found.facts.mask_codes == (0, 1, 2)
    assert {name: len(split) for name, split in found.splits.items()} == {
        "train": 7, "validation": 2, "test": 1
    }  # fmt: skip
    assert found.notes[0].startswith("classes of pixels by the masks (-d class_file=FILE names ")
    require_same(found)


def test_masks_of_tfds(tmp_path):
    reference, options = save_tfds(tmp_path)
    found = load(reference, **options)
    assert found.facts.class_names == ("0", "1", "2") and found.facts.image_shape == (*SIZE, 3)
    require_same(found)
    assert loading.load(reference, options).task == "image_classification"


def test_a_labelled_image_names_its_classes(tmp_path):
    names = ["ground", "dog", "cat", "bird"]
    kind = tfds.features.LabeledImage(labels=names, shape=(None, None, 1), encoding_format="png")
    reference, options = save_tfds(tmp_path, mask=kind)
    found = load(reference, **options)
    assert found.facts.class_names == tuple(names)
    assert "classes of pixels by column 'segmentation_mask': ground" in found.notes[0]
    require_same(found)


def test_a_file_names_classes_and_colours(tmp_path):
    colours = np.array([(0, 0, 0), (200, 0, 0), (0, 200, 0)], np.uint8)
    (tmp_path / "names.txt").write_text("cat 0,200,0\nground 0,0,0\ndog 200,0,0\n")
    reference = save(tmp_path, [colours[mask] for mask in MASKS])
    found = load(reference, class_file=tmp_path / "names.txt")
    assert found.facts.class_names == ("cat", "ground", "dog")
    require_same(found, [np.array([1, 2, 0])[mask] for mask in MASKS])
    with refused("no file '.*nothing' of names of classes"):
        load(reference, class_file=tmp_path / "nothing")


def test_some_pixels_count_for_nothing(tmp_path):
    masks = [np.where(mask == 2, 255, mask).astype(np.uint8) for mask in MASKS]
    masks[0][0, 0] = 3
    assert load(save(tmp_path, masks)).facts.ignored_code == 255
    found = load(save(tmp_path / "given"), ignored=1)
    assert found.facts.class_names == ("0", "2") and found.facts.ignored_code == 1
    require_same(found, [np.array([0, 255, 1])[mask] for mask in MASKS])


def test_of_several_columns_one_is_named(tmp_path):
    first = [png(mask) for mask in MASKS]
    reference = save(tmp_path, [mask * 0 for mask in MASKS], seg=first)
    with refused("several columns of images, .* -d mask=NAME: image, mask, seg"):
        load(reference)
    require_same(load(reference, mask="seg", image="image"))


def test_masks_go_along_into_another_size(tmp_path):
    found = load(save(tmp_path), image_size="20,30")
    batch = found.splits["train"][np.arange(2)]
    assert batch["image"].shape == (2, 20, 30, 1) and batch["mask"].shape == (2, 20, 30)


def with_one(row, mask):
    return [*MASKS[:row], mask, *MASKS[row + 1 :]]


def test_images_are_cut_into_tiles(tmp_path):
    found = load(save(tmp_path), tile_size="4,5")
    assert found.facts.tile_size == (4, 5) and found.facts.image_shape == (4, 5, 1)
    known = sum((split[np.arange(len(split))]["mask"] != 255).sum()
                for split in found.splits.values())  # fmt: skip
    assert known == len(MASKS) * SIZE[0] * SIZE[1]  # each pixel counts once


def test_what_does_not_fit_is_named_by_its_set_split_and_row(tmp_path):
    with refused("column 'mask' of dataset '.*' train, row 3 is of 3 × 4 pixels, its image of 40"):
        load(save(tmp_path / "size", with_one(3, np.zeros((3, 4), np.uint8))))
    with refused("dataset '.*' train, row 4: its mask is missing"):
        load(save(tmp_path / "none", with_one(4, None)))
    facts = load(save(tmp_path)).facts
    with refused(
        "column 'mask' of dataset '.*' train, row 5 holds 9 and 2 more, which is no class"
    ):
        load(save(tmp_path / "code", with_one(5, MASKS[5] + 9)), facts)


def test_a_split_that_hides_its_masks_is_ignored(tmp_path):
    found = load(save(tmp_path, test=[None] * 3))
    assert "test: no row has a mask; the split is ignored" in found.notes
    require_same(found)
