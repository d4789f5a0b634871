"""Boxes in the format of YOLO: names of classes, and every way in which files are wrong."""

import re

import numpy as np
import pytest
from small_boxes import SAMPLES, save_image, write_yolo

from threefold.core.errors import UserError
from threefold.datasets import loading


def load(root, facts=None, **options):
    return loading.load(str(root), options, task="object_detection", facts=facts)


def lengths(found):
    return {name: len(split) for name, split in found.splits.items()}


@pytest.mark.parametrize("layout", ["{0}/images", "images/{0}", "images/{0}2017"])
def test_folders_say_the_splits(tmp_path, layout):
    for place, name in enumerate(("train", "val", "test")):
        write_yolo(tmp_path / "part", SAMPLES[: 4 - place])
        target = tmp_path / "data" / layout.format(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "part" / "images").rename(target)
        labels = tmp_path / "data" / layout.format(name).replace("images", "labels")
        labels.parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "part" / "labels").rename(labels)
    found = loading.load(str(tmp_path / "data"), {})
    assert found.task == "object_detection" and found.facts.class_names == ("0", "1")
    assert lengths(found) == {"train": 4, "validation": 3, "test": 2}


YAML = {
    "list": "path: .\nnames: [dog, 'big, bad cat']  # two\nnc: 2\n",
    "lines": "names: [dog,\n  'big, bad cat'\n]\n",
    "block": 'nc: 2\nnames:\n- dog\n- "big, bad cat"\ntrain: images\n',
    "indented": "names:  # two\n  - dog # one\n\n  - 'big, bad cat'\ntrain: x\n",
    "mapping": "names:\n  # of all\n  1: big, bad cat\n  0: dog\n",
    "flow": "names: {0: dog, 1: 'big, bad cat'}\n",
    "windows": "\ufeffnames:\r\n  0: dog\r\n  1: big, bad cat\r\n",
}


@pytest.mark.parametrize("text", YAML)
@pytest.mark.parametrize("name", ["data.yaml", "dataset.yaml"])
def test_classes_are_named_by_yaml(tmp_path, name, text):
    (write_yolo(tmp_path) / name).write_text(YAML[text], encoding="utf-8")
    found = load(tmp_path)
    assert found.facts.class_names == ("dog", "big, bad cat")
    assert f"classes are named by {name}" in found.notes


@pytest.mark.parametrize("text, message", [
    ("names: dog", "cannot read its names; expected"),
    ("names: [dog, cat", "cannot read its names; expected"),
    ("names: []", "cannot read its names; expected"),
    ("names:\ntrain: x", "cannot read its names; expected"),
    ("names:\n  dog\n", "cannot read its names; expected"),
    ("names: &a [dog, *b]\n", "cannot read its names; expected"),
    ("names: [dog, dog]", "names the class 'dog' twice"),
    ("names: [dog, '']", "has a class without a name"),
    ("names:\n  0: dog\n  2: cat\n", "names classes of other numbers than 0 to 1"),
    ("names:\n  0: dog\n  - cat\n", "names classes of other numbers than 0 to 1"),
])  # fmt: skip
def test_names_that_cannot_be_read_are_refused(tmp_path, text, message):
    (write_yolo(tmp_path) / "data.yaml").write_text(text)
    with pytest.raises(UserError, match=rf"data\.yaml'.*{message}"):
        load(tmp_path)


def test_a_list_of_classes_among_the_labels_is_none_of_them(tmp_path):
    write_yolo(tmp_path)
    (tmp_path / "classes.txt").rename(tmp_path / "labels" / "classes.txt")
    assert load(tmp_path).facts.class_names == ("dog", "cat")


def test_classes_that_nobody_names_are_numbers_or_those_of_a_run(tmp_path):
    facts = load(write_yolo(tmp_path)).facts
    (tmp_path / "classes.txt").unlink()
    found = load(tmp_path)
    assert found.facts.class_names == ("0", "1")
    assert any("names the classes: they are numbers" in note for note in found.notes)
    assert load(tmp_path, facts).facts.class_names == ("dog", "cat")


def test_images_without_labels_are_background_and_counted(tmp_path):
    write_yolo(tmp_path)
    (tmp_path / "labels" / "0.txt").unlink()
    (tmp_path / "labels" / "1.txt").write_bytes(b"\xef\xbb\xbf\r\n")
    found = load(tmp_path)
    assert sum(lengths(found).values()) == 10
    assert "background alone: 1 images without a file of labels, 1 with an empty one" in found.notes


def test_a_polygon_becomes_the_box_around_it(tmp_path):
    write_yolo(tmp_path, SAMPLES[:2])
    for number in range(2):
        (tmp_path / "labels" / f"{number}.txt").write_text("1 0.5 0.25 0.75 0.5 0.25 1\n")
    batch = load(tmp_path, test_fraction="0", validation_fraction="0").splits["train"]
    assert batch[np.arange(1)]["boxes"].tolist() == [[[15, 10, 45, 40]]]


def test_a_mark_ends_of_lines_and_endings_in_capitals_are_no_matter(tmp_path):
    write_yolo(tmp_path)
    (tmp_path / "images" / "0.png").rename(tmp_path / "images" / "ñu.PNG")
    (tmp_path / "labels" / "0.txt").unlink()
    (tmp_path / "labels" / "ñu.TXT").write_bytes(
        b"\xef\xbb\xbf1 .5 .5 1.0000001 1\r\n\r\n0 .5 .5 .1 .1\r\n"
    )
    assert any("10 images, 20 objects" in note for note in load(tmp_path).notes)


@pytest.mark.parametrize("row, message", [
    ("0 .5 .5 .1", "4 numbers; expected 5"),
    ("0 .5 .5 .1 .1 .9", "6 numbers; expected 5"),
    ("2 .5 .5 .1 .1", "class 2; expected a whole number from 0 to 1"),
    ("-1 .5 .5 .1 .1", "class -1; expected a whole number from 0 to 1"),
    ("0.5 .5 .5 .1 .1", "class 0.5; expected a whole number"),
    ("nan .5 .5 .1 .1", "class nan; expected a whole number"),
    ("dog .5 .5 .1 .1", "'dog .5 .5 .1 .1' is not all numbers"),
    ("0 30 20 10 10", "30; expected shares of the image, from 0 to 1"),
    ("0 .5 .5 1.1 .1", "1.1; expected shares of the image, from 0 to 1"),
    ("0 .5 .5 nan .1", "nan; expected shares of the image, from 0 to 1"),
    ("0 .5 .5 -.1 .1", "-.1; expected shares of the image, from 0 to 1"),
    ("0 .5 .5 0 .1", "a box of no size"),
])  # fmt: skip
def test_what_is_wrong_is_refused_by_file_and_line(tmp_path, row, message):
    with open(write_yolo(tmp_path) / "labels" / "1.txt", "a") as file:
        file.write(f"\n{row}\n")
    with pytest.raises(UserError) as found:
        load(tmp_path)
    assert re.search(rf"labels/1\.txt' line 4: {message}", str(found.value)), found.value


def test_images_and_labels_belong_together(tmp_path):
    write_yolo(tmp_path)
    (tmp_path / "images" / "3.png").unlink()
    with pytest.raises(UserError, match=r"'.*labels/3\.txt' has no image in '.*images'"):
        load(tmp_path)
    save_image(tmp_path / "images" / "2.jpg")
    with pytest.raises(UserError, match=r"2\.jpg' and '.*2\.png' are both called '2'"):
        load(tmp_path)


def test_what_is_read_is_said_where_there_is_more(tmp_path):
    write_yolo(tmp_path)
    (tmp_path / "annotations").mkdir()
    (tmp_path / "labels" / "0.xml").write_text("<annotation/>")
    notes = load(tmp_path).notes
    assert f"not read: '{tmp_path / 'annotations'}'" in notes
    assert "1 files .xml are not read" in notes


def test_splits_need_images_to_train_on_and_labels(tmp_path):
    write_yolo(tmp_path, split="val")
    with pytest.raises(UserError, match="holds validation but no train"):
        load(tmp_path)
    write_yolo(tmp_path, split="train")
    write_yolo(tmp_path, split="valid")
    with pytest.raises(UserError, match="are both for validation; keep one of them"):
        load(tmp_path)


def test_a_folder_of_images_without_its_labels_is_named(tmp_path):
    write_yolo(tmp_path)
    (tmp_path / "images").rename(tmp_path / "train")
    (tmp_path / "images").mkdir()
    (tmp_path / "train").rename(tmp_path / "images" / "train")
    with pytest.raises(UserError, match="labels' has no train/, which '.*images' has"):
        load(tmp_path)
