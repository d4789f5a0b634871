"""Boxes around objects out of columns of `hf:` and `tfds:`."""

import datasets as hf
import numpy as np
import pytest
from refusals import refused
from small_scenes import NAMES, SCENES, objects_feature, rows_of, save_hf, save_tfds, xywh

from threefold.datasets import loading

pytestmark = pytest.mark.once

TASK = "object_detection"


def load(reference, facts=None, **options):
    given = {name: str(value) for name, value in options.items()}
    return loading.load(reference, given, task=TASK, facts=facts)


def scenes_of(found):
    """Return the objects of all rows in their order, as `SCENES` has them."""
    rows = {}
    for source in found.splits.values():
        batch = source[np.arange(len(source))]
        for row, boxes, classes in zip(
            rows_of(batch), batch["boxes"], batch["box_class"], strict=True
        ):
            known = classes >= 0
            rows[row] = list(zip(boxes[known].tolist(), classes[known].tolist(), strict=True))
    return [rows[row] for row in sorted(rows)]


def require_same(found, scenes=SCENES):
    read = scenes_of(found)
    assert [[label for _, label in scene] for scene in read] == [
        [label for _, label in scene] for scene in scenes
    ]
    np.testing.assert_allclose(
        [box for scene in read for box, _ in scene],
        [box for scene in scenes for box, _ in scene],
        atol=1e-3,
    )


def save(root, cells=None, test=None, label=None):
    test = test and {"objects": test}
    return save_hf(root, {"objects": xywh() if cells is None else cells},
                   objects_feature(label), test)  # fmt: skip


def test_boxes_of_hugging_face_are_found_without_a_word(tmp_path):
    found = loading.load(save(tmp_path))
    assert found.task == TASK and found.facts.boxes
    assert found.facts.class_names == tuple(NAMES) and found.facts.image_shape == (40, 60, 1)
    assert {name: len(split) for name, split in found.splits.items()} == {
        "train": 7, "validation": 2, "test": 1
    }  # fmt: skip
    assert found.notes[0] == (
        "boxes in the format of xywh (left, top, width, height in pixels, by their values): "
        "10 images, 18 objects of 2 classes (dog, cat), 1 images without any"
    )
    require_same(found)


def test_boxes_of_tfds_are_in_shares_of_the_image(tmp_path):
    reference, options = save_tfds(tmp_path)
    assert loading.must_be_named(reference, TASK)
    found = load(reference, **options)
    assert found.notes[0].startswith("boxes in the format of yxyx (top, left, bottom, right in sh")
    assert found.facts.class_names == tuple(NAMES)
    require_same(found)


def test_a_list_of_objects_serves_as_well(tmp_path):
    one = {"bbox": hf.Sequence(hf.Value("float32")), "category": hf.Value("string")}
    cells = [
        [{"bbox": box, "category": NAMES[label]}
         for box, label in zip(cell["bbox"], cell["category"], strict=True)]
        for cell in xywh()
    ]  # fmt: skip
    found = load(save_hf(tmp_path, {"objects": cells}, {"objects": [one]}))
    assert found.facts.class_names == ("cat", "dog")
    require_same(found, [[(box, 1 - label) for box, label in scene] for scene in SCENES])


def test_numbers_without_names_are_their_own(tmp_path):
    found = load(save(tmp_path, label=hf.Value("int64")))
    assert found.facts.class_names == ("0", "1")


def written(change):
    return [
        {"bbox": [change(*box) for box, _ in scene], "category": [label for _, label in scene]}
        for scene in SCENES
    ]


FORMATS = {
    "xyxy": lambda left, top, right, bottom: [left, top, right, bottom],
    "yxyx": lambda left, top, right, bottom: [top, left, bottom, right],
    "cxcywh": lambda left, top, right, bottom: [
        (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_that_is_named_is_taken(tmp_path, name):
    require_same(load(save(tmp_path, written(FORMATS[name])), box_format=name))


def test_edges_are_told_from_sizes_by_their_values(tmp_path):
    found = load(save(tmp_path, written(FORMATS["xyxy"])))
    assert "format of xyxy (left, top, right, bottom in pixels, by their v" in found.notes[0]
    require_same(found)


def test_what_could_be_several_formats_is_asked_for(tmp_path):
    cells = [{"bbox": [[2, 3, 20, 25]], "category": [0]}] * 4
    with refused("the boxes of column 'objects' .* may be xywh or xyxy; .* -d box_format=NAME: xy"):
        load(save(tmp_path, cells))
    shares = [{"bbox": [[0.5, 0.25, 0.75, 0.5]], "category": [0]}] * 4
    reference = save(tmp_path / "shares", shares)
    with refused("are in shares of the image; say what"):
        load(reference)
    found = load(reference, box_format="xyxy")
    require_same(found, [[((30, 10, 45, 20), 0)]] * 4)


def test_boxes_go_along_into_the_letterbox(tmp_path):
    found = load(save(tmp_path, [{"bbox": [[30, 20, 30, 20]], "category": [1]}] * 4),
                 image_size="30,30")  # fmt: skip
    batch = found.splits["train"][np.arange(1)]
    np.testing.assert_allclose(batch["boxes"][0], [[15, 15, 30, 25]])
    assert (batch["image"][0, :5] == 114).all()


def test_a_box_that_reaches_out_is_cut_and_counted(tmp_path):
    cells = xywh()
    cells[0]["bbox"][1] = [30, 20, 40, 30]
    found = load(save(tmp_path, cells))
    assert "1 boxes reach out of their image: cut at its edge" in found.notes
    assert scenes_of(found)[0][1][0] == [30, 20, 60, 40]


def test_crowds_are_left_out_and_counted(tmp_path):
    features = objects_feature()
    features["objects"]["iscrowd"] = hf.Sequence(hf.Value("int64"))
    cells = [{**cell, "iscrowd": [0] * len(cell["bbox"])} for cell in xywh()]
    cells[0]["iscrowd"][0] = 1
    found = load(save_hf(tmp_path, {"objects": cells}, features))
    assert "1 regions of crowds (iscrowd) are left out" in found.notes
    require_same(found, [SCENES[0][1:], *SCENES[1:]])


def changed(row, **cells):
    """Return objects of which one row has other cells."""
    found = xywh()
    found[row] = {**found[row], **cells}
    return found


BROKEN = {
    "size": (changed(1, bbox=[[2, 3, 10, 10], [30, 20, -5, 8]]),
             r"train, row 1 object 1: a box of no size \(-5 pixels wide, 8 high\)"),
    "outside": (changed(2, bbox=[[200, 3, 10, 10], [30, 20, 5, 8]]),
                "train, row 2 object 0: a box outside the image"),
    "three": (changed(4, bbox=[[2, 3, 10], [30, 20, 5, 8]]),
              r"train, row 4 object 0: its box is \[2.0, 3.0, 10.0\], expected four numbers"),
    "category": (changed(5, category=[0, 7]),
                 r"train, row 5 object 1: its category is 7, .* expected 0 to 1 \(dog, cat\)"),
    "none": ([*xywh()[:6], None, *xywh()[7:]],
             "train, row 6: its objects are missing; expected a list, empty where nothing is"),
    "lengths": (changed(7, category=[0]), "train, row 7: 2 of bbox and 1 of category"),
    "nothing": ([{"bbox": [], "category": []}] * 5, "holds 5 images and no object in them"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_damaged_is_named_by_its_set_split_and_row(tmp_path, case):
    cells, message = BROKEN[case]
    label = hf.Value("int64") if case == "category" else None  # the library checks its own
    reference = save(tmp_path, cells, label=label)
    if case == "category":
        table = hf.load_from_disk(tmp_path / "scenes")
        named = hf.Features({"image": hf.Image(), **objects_feature()})
        for split in table.values():
            split.info.features = named
        table.save_to_disk(tmp_path / "named")
        reference = f"hf:{tmp_path / 'named'}"
    with refused(f"('hf:.*' {message}|{message})"):
        load(reference)


def test_a_split_that_hides_its_objects_is_ignored(tmp_path):
    for test in ([None] * 3, [{"bbox": [], "category": []}] * 3):
        found = load(save(tmp_path / str(test[0] is None), test=test))
        assert "test: no row says where objects are; the split is ignored" in found.notes
        require_same(found)


def test_a_test_split_alone_serves_a_run(tmp_path):
    facts = load(save(tmp_path)).facts
    table = hf.load_from_disk(tmp_path / "scenes")
    hf.DatasetDict({"test": table["train"]}).save_to_disk(tmp_path / "tested")
    found = load(f"hf:{tmp_path / 'tested'}", facts)
    assert found.facts == facts and {name: len(s) for name, s in found.splits.items()} == {
        "test": 10
    }
    assert not any("no train" in note or "seed" in note for note in found.notes)


def test_options_of_others_are_refused(tmp_path):
    reference = save(tmp_path)
    with refused("object_detection has no use for -d ignored"):
        load(reference, ignored=3)
    with refused("column 'image' of .* holds no objects with boxes"):
        load(reference, objects="image")
