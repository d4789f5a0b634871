"""Folders of images with boxes: what is read is the same in every format."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from small_boxes import NAMES, SAMPLES, SIZE, save_image, write_coco, write_voc, write_yolo

from threefold.core.errors import UserError
from threefold.datasets import loading

WRITERS = [write_coco, write_voc, write_yolo]
TASK = "object_detection"


@pytest.fixture(params=WRITERS, ids=lambda write: write.__name__)
def write(request):
    return request.param


def load(root, facts=None, **options):
    given = {name: str(value) for name, value in options.items()}
    return loading.load(str(root), given, task=TASK, facts=facts)


def whole(found, split="train"):
    source = found.splits[split]
    return source[np.arange(len(source))]


def objects(found):
    """Return the objects of all images: names of classes and edges, in the order of the files."""
    rows = {}
    for source in found.splits.values():
        batch = source[np.arange(len(source))]
        for row, boxes, classes in zip(
            source.rows, batch["boxes"], batch["box_class"], strict=True
        ):
            known = classes >= 0
            assert not boxes[~known].any()
            rows[row] = [
                (found.facts.class_names[number], *edges)
                for number, edges in zip(classes[known], boxes[known].tolist(), strict=True)
            ]
    return [rows[row] for row in sorted(rows)]


def flat(samples):
    return [edge for sample in samples for _, *edges in sample for edge in edges]


def test_a_folder_needs_no_word_of_its_task(tmp_path, write):
    found = loading.load(str(write(tmp_path)), {})
    assert found.task == TASK and found.facts.boxes and found.facts.image_shape == (40, 60, 1)
    assert set(found.facts.class_names) == set(NAMES)
    assert {name: len(split) for name, split in found.splits.items()} == {
        "train": 7, "validation": 2, "test": 1
    }  # fmt: skip
    assert any("10 images, 20 objects of 2 classes" in note for note in found.notes)
    batch = found.splits["validation"][np.arange(2)]
    assert batch["image"].dtype == batch["boxes"].dtype == np.float32
    assert batch["image"].shape == (2, 40, 60, 1) and batch["boxes"].shape == (2, 2, 4)
    assert batch["box_class"].dtype == np.int64 and batch["box_class"].shape == (2, 2)


@st.composite
def scenes(choose):
    size = choose(st.tuples(st.integers(3, 90), st.integers(3, 90)))

    def span(limit):
        edges = st.lists(st.integers(0, limit), min_size=2, max_size=2, unique=True)
        return sorted(choose(edges))

    samples = []
    for _ in range(choose(st.integers(1, 4))):
        sample = []
        for _ in range(choose(st.integers(0, 4))):
            (left, right), (top, bottom) = span(size[1]), span(size[0])
            sample.append((choose(st.sampled_from(NAMES)), left, top, right, bottom))
        samples.append(sample)
    samples[0].append(("dog", 0, 0, size[1], size[0]))
    return size, samples


@settings(max_examples=25, deadline=None)
@given(scenes())
def test_boxes_come_back_from_every_format_as_they_were_written(scene):
    size, samples = scene
    for write in WRITERS:
        with tempfile.TemporaryDirectory() as folder:
            root = write(Path(folder), samples, size)
            found = load(root, validation_fraction=0, test_fraction=0)
            read = objects(found)
        assert [[box[0] for box in sample] for sample in read] == [
            [box[0] for box in sample] for sample in samples
        ]
        np.testing.assert_allclose(flat(read), flat(samples), atol=1e-4)


def test_boxes_go_along_into_the_letterbox(tmp_path, write):
    samples = [[("dog", 0, 0, 60, 40), ("cat", 30, 20, 60, 40)]] * 4
    found = load(write(tmp_path, samples), image_size="30,30", test_fraction=0)
    batch = whole(found)
    np.testing.assert_allclose(batch["boxes"][0], [[0, 5, 30, 25], [15, 15, 30, 25]])
    assert batch["image"].shape[1:] == (30, 30, 1)
    assert (batch["image"][0, :5] == 114).all() and (batch["image"][0, 5:25] == 90).all()


def test_without_a_size_images_and_boxes_are_those_of_the_files(tmp_path, write):
    write(tmp_path, SAMPLES)
    facts = load(tmp_path, image_size=30).facts
    found = load(tmp_path, facts.raw())
    assert whole(found)["image"].dtype == np.uint8
    assert whole(found)["image"].shape[1:] == (*SIZE, 1)
    np.testing.assert_allclose(flat(objects(found)), flat(SAMPLES), atol=1e-4)


def test_images_of_several_sizes_keep_them_without_a_size(tmp_path):
    write_yolo(tmp_path, SAMPLES[:3], (40, 60), split="train")
    write_yolo(tmp_path, SAMPLES[:3], (80, 60), split="val")
    save_image(tmp_path / "train" / "images" / "0.png", (50, 20))
    found = load(tmp_path, load(tmp_path).facts.raw())
    assert {image.shape for image in whole(found)["image"]} == {(50, 20, 1), (40, 60, 1)}


def test_an_image_is_turned_upright_before_its_boxes_count(tmp_path):
    write_yolo(tmp_path, [[("dog", 0, 0, 40, 30)]] * 2, (60, 40))
    turned = Image.fromarray(np.full((40, 60), 90, np.uint8))
    exif = turned.getexif()
    exif[0x0112] = 6
    for number in range(2):
        turned.save(tmp_path / "images" / f"{number}.png", exif=exif)
    found = load(tmp_path, validation_fraction=0, test_fraction=0)
    assert found.facts.image_shape == (60, 40, 1)
    assert objects(found)[0] == [("dog", 0, 0, 40, 30)]


def test_every_batch_has_room_for_the_fullest_image(tmp_path, write):
    samples = [[("dog", 0, 0, 9, 9)]] * 8 + [[("cat", 1, 1, 5, 5)] * 5]
    found = load(write(tmp_path, samples))
    shapes = {whole(found, split)["boxes"].shape[1:] for split in found.splits}
    assert shapes == {(5, 4)}


def test_an_image_without_objects_is_background(tmp_path, write):
    found = load(write(tmp_path, [*SAMPLES, []]), validation_fraction=0, test_fraction=0)
    assert len(found.splits["train"]) == 11 and sorted(map(len, objects(found))) == [0] + [2] * 10
    assert any("1 images without any" in note for note in found.notes)


def test_what_reaches_out_of_an_image_is_cut_and_counted(tmp_path, write):
    samples = [*SAMPLES[:8], [("dog", 50, 30, 70, 45)], [("dog", 50, 30, 60.5, 40)]]
    found = load(write(tmp_path, samples), validation_fraction=0, test_fraction=0)
    assert [("dog", 50, 30, 60, 40)] in [
        [(name, *np.round(edges, 3)) for name, *edges in sample] for sample in objects(found)
    ]
    assert [note for note in found.notes if note.startswith("1 boxes reach out of their image")]


def test_a_box_of_no_size_is_refused(tmp_path, write):
    write(tmp_path, [*SAMPLES[:2], [("dog", 1, 1, 9, 9), ("dog", 5, 3, 5, 9)]])
    row = {write_coco: "annotations.json' annotation 5", write_voc: "2.xml' object 2"}
    with pytest.raises(UserError, match=f"{row.get(write, '2.txt. line 2')}: a box of no size"):
        load(tmp_path)


@pytest.mark.parametrize("write", [write_coco, write_voc])  # YOLO's have their centre inside
def test_a_box_outside_its_image_is_refused(tmp_path, write):
    write(tmp_path, [*SAMPLES[:2], [("dog", 61, 3, 70, 9)]])
    with pytest.raises(UserError, match="(annotation 4|object 1): a box outside the image"):
        load(tmp_path)


def test_data_without_objects_are_refused(tmp_path, write):
    with pytest.raises(UserError, match="holds 3 images and no object in them"):
        load(write(tmp_path, [[], [], []]))


def test_a_split_without_objects_is_refused(tmp_path):
    write_yolo(tmp_path, SAMPLES, split="train")
    write_yolo(tmp_path, [[], []], split="valid")
    with pytest.raises(UserError, match="none of the 2 images for validation holds an object"):
        load(tmp_path, test_fraction=0)


def test_a_run_reads_other_data_by_its_own_classes(tmp_path, write):
    names = {"names": ("cat", "dog", "cow")} if write is not write_voc else {}
    other = write(tmp_path / "other", [[("cat", 1, 2, 9, 9)]] * 3, **names)
    facts = load(write(tmp_path / "one")).facts
    found = load(other, facts, test_fraction=0)
    assert found.facts.class_names == facts.class_names
    assert (whole(found)["box_class"] == facts.class_names.index("cat")).all()


def test_a_class_that_a_run_does_not_know_is_refused(tmp_path):
    facts = load(write_voc(tmp_path / "one")).facts
    other = write_voc(tmp_path / "other", [[("cta", 1, 2, 9, 9)]] * 3)
    with pytest.raises(UserError, match=r"0\.xml' object 1: no class 'cta'; did you mean 'cat'"):
        load(other, facts)


def test_images_of_all_kinds_and_names_are_read(tmp_path, write):
    write(tmp_path)
    images = next(path for path in tmp_path.iterdir() if "mages" in path.name)
    for number, mode in enumerate(("L", "RGBA", "P", "1", "CMYK")):
        image = Image.new(mode, (60, 40))
        (images / f"{number}.png").unlink()
        image.save(images / f"{number}.png", format="TIFF" if mode == "CMYK" else "PNG")
    assert whole(load(tmp_path, channels=3))["image"].shape == (7, 40, 60, 3)


def test_boxes_belong_to_what_tells_data_apart(tmp_path, write):
    one, same = load(write(tmp_path / "a")), load(write(tmp_path / "b"))
    moved = [[("cat", 2, 3, 20, 30), *sample[1:]] for sample in SAMPLES]
    other = load(write(tmp_path / "c", moved))
    assert one.fingerprint == same.fingerprint != other.fingerprint


def test_a_damaged_image_is_named(tmp_path, write):
    write(tmp_path)
    next(tmp_path.glob("*mages/3.png")).write_bytes(b"no image")
    with pytest.raises(UserError, match=r"cannot read '.*3\.png'"):
        load(tmp_path)


def test_a_folder_without_boxes_says_what_it_lacks(tmp_path):
    save_image(tmp_path / "images" / "0.png")
    with pytest.raises(UserError, match="has no labels/; expected images in images/ and their"):
        load(tmp_path)
    save_image(tmp_path / "labels" / "0.png")
    with pytest.raises(UserError, match="holds no boxes: expected .txt files .* called masks"):
        load(tmp_path)
