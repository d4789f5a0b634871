"""Masks of the regions in files of COCO: what is read, and every way in which it is wrong."""

import json

import numpy as np
import pytest
from pycocotools import mask as cocotools
from refusals import refused
from small_boxes import SAMPLES, coco, save_image, write_coco

from threefold.datasets import loading
from threefold.datasets.facts import ImageFacts

TASK = "image_segmentation"
HEIGHT, WIDTH = 40, 60


def load(root, facts=None, **options):
    return loading.load(str(root), options, task=TASK, facts=facts)


def with_regions(data):
    """Give each box the polygon that is its outline."""
    for entry in data["annotations"]:
        left, top, width, height = entry["bbox"]
        right, bottom = left + width, top + height
        entry["segmentation"] = [[left, top, right, top, right, bottom, left, bottom]]
    return data


def edit(root, change):
    path = root / "annotations.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


@pytest.fixture
def folder(tmp_path):
    edit(write_coco(tmp_path), with_regions)
    return tmp_path


def masks_of(found):
    """Return the masks of all splits by the path of the image, each as it is without resizing."""
    masks = {}
    for split in found.splits.values():
        examples = split[np.arange(len(split))]["mask"]
        paths = [split.source.paths[row].name for row in split.rows]
        masks |= dict(zip(paths, examples, strict=True))
    return masks


def read(root, **options):
    return masks_of(load(root, image_size=f"{HEIGHT},{WIDTH}", **options))


def painted(number):
    """Return the mask of a sample: a dog, then a cat over it."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for name, left, top, right, bottom in SAMPLES[number]:
        mask[top:bottom, left:right] = 1 + ("dog", "cat").index(name)
    return mask


def test_categories_follow_the_background_and_later_regions_lie_over_earlier_ones(folder):
    edit(folder, lambda data: data["categories"].insert(0, {"id": 90, "name": "cow"}))
    found = load(folder, image_size=f"{HEIGHT},{WIDTH}")
    assert found.facts.class_names == ("background", "dog", "cat", "cow")
    assert found.facts.mask_codes == (0, 1, 2, 3) and found.facts.ignored_code == 255
    masks = masks_of(found)
    assert len(masks) == len(SAMPLES)
    assert all((masks[f"{n}.png"] == painted(n)).all() for n in range(len(SAMPLES)))


def test_runs_of_pixels_are_regions_too(folder):
    expected = read(folder)

    def encode(data):
        for place, entry in enumerate(data["annotations"]):
            packed = cocotools.frPyObjects(entry["segmentation"], HEIGHT, WIDTH)[0]
            text = {"size": [HEIGHT, WIDTH], "counts": packed["counts"].decode()}
            left, top, width, height = entry["bbox"]
            inner = [height, HEIGHT - height] * (width - 1)
            first, last = left * HEIGHT + top, (WIDTH - left - width) * HEIGHT + HEIGHT - top
            counts = [first, *inner, height, last - height]
            entry["segmentation"] = text if place % 2 else text | {"counts": counts}

    edit(folder, encode)
    found = read(folder)
    assert all((found[name] == expected[name]).all() for name in expected)


def test_pixels_of_crowds_count_for_nothing(folder):
    edit(folder, lambda data: data["annotations"][1].update(iscrowd=1))
    expected = painted(0)
    expected[expected == 2] = 255
    assert (read(folder)["0.png"] == expected).all()
    assert any("1 are crowds (iscrowd)" in note for note in load(folder).notes)


def test_an_image_without_regions_is_background(folder):
    edit(folder, lambda data: data["annotations"].__delitem__(slice(0, 2)))
    assert not read(folder)["0.png"].any()
    assert "1 images without any" in load(folder).notes[0]


def test_a_region_is_cut_at_the_edge_of_its_image(folder):
    beyond = [[-50, -50, 900, -50, 900, 20, -50, 20], [500, 500, 600, 500, 600, 600]]
    edit(folder, lambda data: data["annotations"][1].update(segmentation=beyond))
    assert (read(folder)["0.png"][:20] == 2).all()


def test_masks_are_made_in_the_size_of_the_image_and_then_resized(folder):
    masks = masks_of(load(folder, image_size="20,30"))
    assert (masks["3.png"] == painted(3)[1::2, 1::2]).all()


def test_splits_lie_as_they_are_published(tmp_path):
    for number, split in enumerate(("train", "valid", "test"), 2):
        for place in range(number):
            save_image(tmp_path / split / f"{place}.png")
        data = with_regions(coco(SAMPLES[:number]))
        (tmp_path / split / "_annotations.coco.json").write_text(json.dumps(data))
    splits = load(tmp_path).splits
    assert {name: len(split) for name, split in splits.items()} == {
        "train": 2, "validation": 3, "test": 4
    }  # fmt: skip


def test_a_run_reads_other_files_by_its_own_classes(folder, tmp_path):
    facts = load(folder).facts
    same = load(folder, facts=facts.raw())
    assert same.facts.class_names == facts.class_names
    assert (masks_of(same)["4.png"] == painted(4)).all()

    def reverse(data):
        data["categories"][0]["id"] = 20
        for entry in data["annotations"]:
            entry["category_id"] = {1: 20}.get(entry["category_id"], entry["category_id"])

    edit(folder, reverse)
    assert load(folder).facts.class_names == ("background", "cat", "dog")
    assert (masks_of(load(folder, facts=facts.raw()))["4.png"] == painted(4)).all()
    edit(folder, lambda data: data["categories"][0].update(name="dogs"))
    with refused("annotations.json' annotation .*: no class 'dogs'.*'dog'"):
        load(folder, facts=facts)


def test_a_run_without_a_background_does_not_take_regions(folder):
    facts = ImageFacts(image_shape=(40, 60, 1), class_names=("dog", "cat"), mask_codes=(0, 1))
    with refused("the run has no class 'background'"):
        load(folder, facts=facts)


def test_a_category_may_be_the_background(folder):
    edit(folder, lambda data: data["categories"][1].update(name="background"))
    found = load(folder)
    assert found.facts.class_names == ("background", "dog")
    assert (read(folder)["0.png"] == painted(0) % 2).all()


def test_masks_in_files_go_before_regions(folder):
    for number in range(len(SAMPLES)):
        save_image(folder / "masks" / f"{number}.png", value=number % 2)
    assert load(folder).facts.class_names == ("0", "1")


def test_another_region_is_other_data(folder):
    before = load(folder).fingerprint
    edit(folder, lambda data: data["annotations"][1]["segmentation"][0].__setitem__(0, 12))
    assert load(folder).fingerprint != before


def test_only_files_of_masks_have_a_value_to_ignore(folder):
    with refused("-d ignored=7 is for files of masks; of '.*annotations.json' regions of crowds"):
        load(folder, ignored="7")


def region(value):
    return lambda data: data["annotations"][1].update(segmentation=value)


def rle(**values):
    return region({"size": [HEIGHT, WIDTH], "counts": [HEIGHT * WIDTH]} | values)


BAD = {
    "two points": (region([[1, 2, 3, 4]]), "a polygon has 2 points, expected 3 or more"),
    "odd": (region([[1, 2, 3, 4, 5, 6, 7]]), "a polygon has 7 numbers, expected an x and a y"),
    "word": (region([[1, 2, "3", 4, 5, 6]]), "a polygon is .*, expected numbers alone"),
    "NaN": (region([[1, 2, float("nan"), 4, 5, 6]]), "a polygon is .*, expected numbers alone"),
    "flat": (region([1, 2, 3, 4, 5, 6]), r"segmentation is \[1, 2, .*, expected a list of polyg"),
    "text": (region("1 2 3"), 'segmentation is "1 2 3", expected a list of polygons'),
    "none": (region(None), "no 'segmentation', a box at most; fit detector takes boxes"),
    "empty": (region([]), "no 'segmentation', a box at most; fit detector takes boxes"),
    "other size": (rle(size=[60, 40]), r"size of its RLE is \[60, 40\], that of the image \[40, "),
    "no size": (rle(size=None), "size of its RLE is null, that of the image"),
    "sum": (rle(counts=[5, 10]), "counts of its RLE add up to 15, expected 2,400 pixels"),
    "negative": (rle(counts=[-5, 2405]), "its RLE has a run of -5 pixels"),
    "huge": (rle(counts=[10**30]), r"counts is \[1000.*, expected a list of whole numbers or"),
    "shares": (rle(counts=[0.5, 2399.5]), "counts is .*, expected a list of whole numbers or"),
    "no counts": (rle(counts=None), "counts is null, expected a list of whole numbers or a text"),
    "damaged": (rle(counts="PPP"), 'the compressed counts are damaged: "PPP"'),
    "dangling": (lambda data: data["annotations"][1].update(image_id=99), "image_id 99 is not in"),
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD)
def test_what_is_wrong_is_refused_by_file_and_annotation(folder, bad):
    change, message = BAD[bad]
    edit(folder, change)
    with refused(f"annotations.json' annotation 1: .*{message}"):
        load(folder)


def test_boxes_alone_are_for_another_family(tmp_path):
    write_coco(tmp_path)
    with refused("annotations.json' annotation 0: it has no 'segmentation', .*fit detector"):
        load(tmp_path)


def test_a_folder_of_background_alone_is_refused(folder):
    edit(folder, lambda data: data.update(annotations=[]))
    with refused("holds 10 images and no region in them"):
        load(folder)


def test_an_image_of_another_size_than_its_file_says_is_refused(folder):
    edit(folder, lambda data: data["images"][1].update(width=61))
    with refused("annotations.json' has image 'images/1.png' as 40 × 61 pixels, it is of 40 × 60"):
        load(folder)


def test_more_classes_than_a_byte_holds_are_refused(folder):
    more = [{"id": 100 + n, "name": f"thing {n}"} for n in range(300)]
    edit(folder, lambda data: data["categories"].extend(more))
    with refused("names 302 classes beside background; at most 254 can be told"):
        load(folder)
