"""Boxes in the format of COCO: where its files lie, and every way in which they are wrong."""

import json
import re
import shutil

import numpy as np
import pytest
from small_boxes import SAMPLES, coco, save_image, write_coco

from threefold.core.errors import UserError
from threefold.datasets import loading

TASK = "object_detection"


def load(root, **options):
    return loading.load(str(root), options, task=TASK)


def lengths(found):
    return {name: len(split) for name, split in found.splits.items()}


def write_split(folder, file, number, start=0):
    """Write a split of a few images that lie in one folder and a file of boxes elsewhere."""
    for place in range(number):
        save_image(folder / f"{start + place}.png")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(coco(SAMPLES[:number], start=start)))


LAYOUTS = {
    "roboflow": ("{0}", "{0}/_annotations.coco.json", ("train", "valid", "test")),
    "coco": ("{0}", "annotations/instances_{0}.json", ("train2017", "val2017", "test2017")),
    "one folder": ("images", "annotations/instances_{0}.json", ("train", "val", "test")),
    "images of splits": ("images/{0}", "annotations/instances_{0}.json", ("train", "val", "test")),
    "short names": ("images/{0}2017", "instances_{0}.json", ("train", "val", "test")),
    "folders of splits": ("{0}/images", "{0}/annotations.json", ("train", "val", "test")),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_splits_lie_as_they_are_published(tmp_path, layout):
    images, file, splits = LAYOUTS[layout]
    for place, name in enumerate(splits):
        start = 10 * place if layout == "one folder" else 0
        write_split(tmp_path / images.format(name), tmp_path / file.format(name), 4 - place, start)
    assert lengths(load(tmp_path)) == {"train": 4, "validation": 3, "test": 2}


@pytest.mark.parametrize("name", ["annotations.json", "_annotations.coco.json",
                                  "instances_default.json"])  # fmt: skip
@pytest.mark.parametrize("images", ["images", "."])
@pytest.mark.parametrize("folder", ["annotations", "."])
def test_one_file_is_for_all_images(tmp_path, name, images, folder):
    write_split(tmp_path / images, tmp_path / folder / name, 8)
    assert sum(lengths(load(tmp_path)).values()) == 8


def test_categories_are_in_the_order_of_their_ids_and_all_are_kept(tmp_path):
    edit(write_coco(tmp_path), lambda data: data["categories"].insert(0, {"id": 90, "name": "cow"}))
    found = load(tmp_path)
    assert found.facts.class_names == ("dog", "cat", "cow")
    classes = found.splits["train"][np.arange(2)]["box_class"]
    assert classes.tolist() == [[0, 1]] * 2


def test_crowds_are_left_out_and_counted(tmp_path):
    def crowd(data):
        for entry in data["annotations"][:3]:
            entry["iscrowd"] = 1

    edit(write_coco(tmp_path), crowd)
    found = load(tmp_path)
    assert any("10 images, 17 objects" in note for note in found.notes)
    assert "3 regions of crowds (iscrowd) are left out" in found.notes


def test_names_of_files_may_have_folders_of_either_system(tmp_path):
    write_coco(tmp_path)
    for name in ("0.png", "1.png"):
        (tmp_path / "images" / "día").mkdir(exist_ok=True)
        shutil.move(tmp_path / "images" / name, tmp_path / "images" / "día" / name)

    def move(data):
        data["images"][0]["file_name"] = "día/0.png"
        data["images"][1]["file_name"] = r"images\día\1.png"

    edit(tmp_path, move)
    with pytest.raises(UserError, match="image 8: there is no '.*images/images/día/1.png'"):
        load(tmp_path)
    edit(tmp_path, lambda data: data["images"][1].update(file_name="día\\1.png"))
    assert sum(lengths(load(tmp_path)).values()) == 10


def test_a_mark_at_the_beginning_and_ends_of_lines_are_no_matter(tmp_path):
    path = write_coco(tmp_path) / "annotations.json"
    text = json.dumps(json.loads(path.read_text()), indent=1).replace("\n", "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert sum(lengths(load(tmp_path)).values()) == 10


def test_one_image_is_data_too(tmp_path):
    found = load(write_coco(tmp_path, SAMPLES[:1]), validation_fraction="0", test_fraction="0")
    assert lengths(found) == {"train": 1}


def test_images_that_no_file_lists_are_left_out_and_counted(tmp_path):
    save_image(write_coco(tmp_path) / "images" / "other.png")
    found = load(tmp_path)
    assert sum(lengths(found).values()) == 10
    assert "1 images that no file of annotations lists are left out" in found.notes


def edit(root, change):
    path = root / "annotations.json"
    data = json.loads(path.read_text())
    changed = change(data)
    path.write_text(json.dumps(data if not isinstance(changed, str) else json.loads(changed)))


def entry(key, place, **values):
    return lambda data: data[key][place].update(values)


def without(key, place, name):
    return lambda data: data[key][place].pop(name) and None


BOX = "expected four numbers: left, top, width and height"
BAD = {
    "list": (lambda data: "[1]", "holds no object with 'images', 'annotations' and"),
    "no images": (lambda data: data.pop("images") and None, "has no list 'images'"),
    "empty": (lambda data: data.update(images=[], annotations=[]), "lists no images"),
    "no object": (lambda data: data["images"].append(7), "image number 11 of the list has no"),
    "image twice": (entry("images", 1, id=7), "image 7: two have this id"),
    "category twice": (entry("categories", 1, id=1), "category 1: two have this id"),
    "box twice": (entry("annotations", 1, id=0), "annotation 0: two have this id"),
    "no id": (without("annotations", 1, "id"), "annotation number 2 of the list has no"),
    "id true": (entry("images", 1, id=True), "image number 2 of the list has no whole number"),
    "no bbox": (without("annotations", 1, "bbox"), "annotation 1: it has no 'bbox'"),
    "no name": (without("categories", 1, "name"), "category 4: it has no 'name'"),
    "no text": (entry("categories", 1, name=3), "category 4: its name is 3, no text"),
    "same name": (entry("categories", 1, name="dog"), "names the class 'dog' twice"),
    "empty name": (entry("categories", 1, name=" "), "has a class without a name"),
    "no file": (without("images", 1, "file_name"), "image 8: it has no 'file_name'"),
    "no image": (entry("annotations", 1, image_id=99), "annotation 1: image_id 99 is not in"),
    "no class": (entry("annotations", 1, category_id=2), "annotation 1: category_id 2 is not in"),
    "list as id": (entry("annotations", 1, image_id=[7]), r"annotation 1: image_id \[7\] is not"),
    "NaN": (entry("annotations", 1, bbox=[1, 2, float("nan"), 3]), f"annotation 1: .*{BOX}"),
    "huge": (entry("annotations", 1, bbox=[1, 2, 10**400, 3]), f"annotation 1: .*{BOX}"),
    "three": (entry("annotations", 1, bbox=[1, 2, 3]), f"annotation 1: .*{BOX}"),
    "word": (entry("annotations", 1, bbox=[1, 2, "3", 4]), f"annotation 1: .*{BOX}"),
    "missing": (entry("images", 1, file_name="x.png"), "image 8: there is no '.*images/x.png'"),
    "none there": (entry("images", 0, file_name="x.png"), "lists 'x.png', which is neither"),
    "absolute": (entry("images", 1, file_name="/0.png"), "image 8: file_name is \"/0.png\", exp"),
    "drive": (entry("images", 1, file_name="C:\\0.png"), "image 8: file_name is .*, expected"),
    "out": (entry("images", 1, file_name="../0.png"), "image 8: file_name is \"../0.png\", exp"),
    "number": (entry("images", 1, file_name=1), "image 8: file_name is 1, expected"),
    "twice": (entry("images", 1, file_name="./0.png"), "image 8: 'images/0.png' is listed twice"),
    "size": (entry("images", 1, width=61), "image 'images/1.png' as 40 × 61 pixels, it is of 40"),
    "no size": (entry("images", 1, width="60"), "image 8: height and width are .*, no numbers"),
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD)
def test_what_is_wrong_is_refused_by_file_and_id(tmp_path, bad):
    change, message = BAD[bad]
    edit(write_coco(tmp_path), change)
    with pytest.raises(UserError) as found:
        load(tmp_path)
    assert re.search(f"annotations.json'.*{message}", str(found.value)), found.value
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("content", [b"{", b"", b"\xff\xfe\x00", b"[" * 100_000])
def test_what_is_no_json_is_named(tmp_path, content):
    (write_coco(tmp_path) / "annotations.json").write_bytes(content)
    with pytest.raises(UserError, match=r"cannot read '.*annotations\.json'"):
        load(tmp_path)


def test_files_that_are_for_the_same_images_are_refused(tmp_path):
    write_split(tmp_path / "images", tmp_path / "annotations" / "instances_train2014.json", 2)
    write_split(tmp_path / "images", tmp_path / "annotations" / "instances_train2017.json", 2)
    with pytest.raises(UserError, match="are both for train; keep one of them"):
        load(tmp_path)
    (tmp_path / "annotations" / "instances_train2014.json").rename(tmp_path / "annotations.json")
    with pytest.raises(UserError, match="annotations.json' says no split by its name, though"):
        load(tmp_path)
    (tmp_path / "annotations.json").rename(tmp_path / "annotations" / "instances_val2017.json")
    with pytest.raises(UserError, match="image 7: 'images/0.png' is listed twice, and by '.*train"):
        load(tmp_path)
    (tmp_path / "annotations" / "instances_train2017.json").unlink()
    with pytest.raises(UserError, match="holds annotations for validation but none for train"):
        load(tmp_path)
