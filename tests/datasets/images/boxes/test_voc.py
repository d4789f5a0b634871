"""Boxes in the format of Pascal VOC: its lists, and every way in which files are wrong."""

import re

import numpy as np
import pytest
from small_boxes import SAMPLES, save_image, write_voc

from threefold.core.errors import UserError
from threefold.datasets import loading


def load(root, **options):
    return loading.load(str(root), options, task="object_detection")


def lengths(found):
    return {name: len(split) for name, split in found.splits.items()}


def write_sets(root, **sets):
    folder = root / "ImageSets" / "Main"
    folder.mkdir(parents=True, exist_ok=True)
    for name, stems in sets.items():
        (folder / f"{name}.txt").write_text("".join(f"{stem}\r\n" for stem in stems))


def test_lists_say_the_splits(tmp_path):
    write_sets(write_voc(tmp_path), train=range(5), val=[5, 6], test=[7])
    found = load(tmp_path)
    assert lengths(found) == {"train": 5, "validation": 2, "test": 1}
    assert any(note.startswith("2 images that no list in ImageSets") for note in found.notes)
    assert found.facts.class_names == ("cat", "dog")
    assert found.splits["test"][np.arange(1)]["boxes"][0].tolist() == [
        [2, 3, 20, 30], [10, 12, 50, 39]
    ]  # fmt: skip


@pytest.mark.parametrize("folders", ["{0}/images {0}/annotations", "images/{0} Annotations/{0}"])
def test_folders_say_the_splits(tmp_path, folders):
    for place, name in enumerate(("train", "valid", "test")):
        write_voc(tmp_path, SAMPLES[: 4 - place], folders=folders.format(name).split())
    found = loading.load(str(tmp_path), {})
    assert found.task == "object_detection"
    assert lengths(found) == {"train": 4, "validation": 3, "test": 2}


def test_names_of_any_script_and_endings_in_capitals_are_read(tmp_path):
    write_voc(tmp_path)
    (tmp_path / "JPEGImages" / "1.png").rename(tmp_path / "JPEGImages" / "猫.PNG")
    (tmp_path / "Annotations" / "1.xml").rename(tmp_path / "Annotations" / "猫.XML")
    edit(
        tmp_path,
        lambda text: "\ufeff" + text.replace("dog", "  chien\r\n méchant ").replace("><", ">\r\n<"),
    )
    assert load(tmp_path).facts.class_names == ("cat", "chien méchant", "dog")


def edit(root, change, encoding="utf-8"):
    path = root / "Annotations" / "0.xml"
    path.write_bytes(change(path.read_text()).encode(encoding))


def swap(old, new):
    return lambda text: text.replace(old, new, 1)


ENTITY = '<!DOCTYPE a [<!ENTITY b "dog">]>'
BAD = {
    "broken": (swap("</object>", ""), "mismatched tag"),
    "empty": (lambda text: "", "no element found"),
    "entity": (lambda text: ENTITY + text.replace("dog", "&b;"), "document type .* refused"),
    "encoding": (lambda text: '<?xml version="1.0" encoding="nonsense"?>' + text, "encoding"),
    "root": (lambda text: text.replace("annotation", "data"), "holds <data>, expected <anno"),
    "no name": (swap("<name>dog</name>", ""), "object 1 has no <name>"),
    "empty name": (swap("<name>dog</name>", "<name> </name>"), "object 1 has no <name>"),
    "no box": (lambda t: t.replace("bndbox", "b"), "object 1 has no <bndbox>"),
    "no edge": (lambda t: t.replace("xmax", "x"), "object 1 has no <xmax>"),
    "word": (swap("<xmax>20", "<xmax>wide"), "object 1: <xmax> is 'wide', expected a number"),
    "nan": (swap("<xmax>20", "<xmax>nan"), "object 1: <xmax> is 'nan', expected a number"),
    "width": (swap("<width>60", "<width>61"), "image '.*' as 40 × 61 pixels, it is of 40 × 60"),
    "turned": (
        lambda t: t.replace("<width>60", "<width>40").replace("<height>40", "<height>60"),
        "as 60 × 40 pixels, it is of 40 × 60 upright",
    ),
    "order": (swap("<xmax>20", "<xmax>1"), r"object 1: a box of no size \(-1 pixels wide, 27 high"),
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD)
def test_what_is_wrong_is_refused_by_file(tmp_path, bad):
    change, message = BAD[bad]
    edit(write_voc(tmp_path), change)
    with pytest.raises(UserError) as found:
        load(tmp_path)
    assert re.search(rf"0\.xml'.*{message}", str(found.value)), found.value
    assert "\n" not in str(found.value)


def test_entities_are_refused_in_every_encoding(tmp_path):
    edit(write_voc(tmp_path), lambda text: ENTITY + text, "utf-16")
    with pytest.raises(UserError, match="declares a document type"):
        load(tmp_path)


def test_images_and_annotations_belong_together(tmp_path):
    write_voc(tmp_path)
    (tmp_path / "Annotations" / "3.xml").rename(tmp_path / "Annotations" / "x.xml")
    with pytest.raises(UserError, match=r"image '.*3\.png' has no annotation in '.*'; expected '3"):
        load(tmp_path)
    (tmp_path / "JPEGImages" / "3.png").unlink()
    with pytest.raises(UserError, match=r"'.*x\.xml' has no image in"):
        load(tmp_path)
    save_image(tmp_path / "JPEGImages" / "2.jpg")
    with pytest.raises(UserError, match=r"2\.jpg' and '.*2\.png' are both called '2'"):
        load(tmp_path)


@pytest.mark.parametrize("sets, message", [
    ({"train": [0, 1, 0]}, r"train\.txt' names '0', which is in train already"),
    ({"train": [0, 1], "val": [1]}, r"val\.txt' names '1', which is in train already"),
    ({"train": [0, "x"]}, "'x' has no image in"),
    ({"val": [0]}, "no train.txt that names any"),
])  # fmt: skip
def test_lists_that_fit_no_images_are_refused(tmp_path, sets, message):
    write_sets(write_voc(tmp_path), **sets)
    with pytest.raises(UserError, match=message):
        load(tmp_path)
