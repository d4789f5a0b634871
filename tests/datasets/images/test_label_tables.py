"""Tables that give images several labels, or none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from refusals import refused

from threefold.datasets.images.label_tables import list_label_sets
from threefold.datasets.images.target_tables import read_target_table
from threefold.datasets.loading import load

TASK = "image_multilabel_classification"
SETS = ("sea;sky", "sky", "", "boat;sea", "boat", "sea;sky;boat")


def write(root, table, count=12):
    root.mkdir(exist_ok=True)
    for number in range(count):
        Image.new("L", (5, 4), number).save(root / f"{number}.png")
    (root / "labels.csv").write_text(table)
    return str(root)


def rows_of(cells):
    return "\n".join(f"{number}.png,{cell}" for number, cell in enumerate(cells)) + "\n"


@pytest.fixture
def harbour(tmp_path):
    return write(tmp_path / "harbour", "file,labels\n" + rows_of(SETS * 2))


def labels_by_image(dataset):
    parts = [split[np.arange(len(split))] for split in dataset.splits.values()]
    levels = np.concatenate([part["image"][:, 0, 0, 0] for part in parts]).astype(int)
    labels = np.concatenate([part["labels"] for part in parts])
    names = np.array(dataset.facts.class_names)
    return {level: set(names[row]) for level, row in zip(levels, labels, strict=True)}


def test_a_column_of_labels_is_read_without_being_asked_for(harbour):
    dataset = load(harbour)
    assert dataset.task == TASK
    assert dataset.facts.class_names == ("boat", "sea", "sky")
    wanted = [set(cell.split(";")) - {""} for cell in SETS * 2]
    assert labels_by_image(dataset) == dict(enumerate(wanted))
    notes = " / ".join(dataset.notes)
    assert "labels of an image are separated by ';'" in notes
    assert "labels are read from labels.csv: 3, 1.5 an image; 2 images have none" in notes
    train = dataset.splits["train"][np.arange(len(dataset.splits["train"]))]["labels"]
    assert dataset.facts.class_counts == tuple(train.sum(axis=0))


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        (["red|big", "big", "red"], {"big", "red"}),
        (['"red, big"', "big", "red"], {"big", "red"}),
        (["red big", "big", "red"], {"big", "red"}),
        (["hot dog", "cat", "hot dog"], {"cat", "hot dog"}),  # one label of two words
        (["hot dog;cat", "cat", "hot  dog"], {"cat", "hot dog"}),
        (["ü;ß", " ß ; ü ", ";"], {"ü", "ß"}),
    ],
)
def test_what_separates_labels_is_guessed(tmp_path, cells, wanted):
    path = write(tmp_path / "a", "file,labels\n" + rows_of(cells), count=3)
    assert set(
        load(path, {"test_fraction": "0", "validation_fraction": "0"}).facts.class_names
    ) == (wanted)


def test_another_separator_is_taken_by_name(tmp_path):
    path = write(tmp_path / "a", "file,labels\n" + rows_of(["x+y", "y", "x"]), count=3)
    options = {"label_separator": "+", "test_fraction": "0", "validation_fraction": "0"}
    assert load(path, options).facts.class_names == ("x", "y")


def test_columns_of_nought_and_one_are_labels(tmp_path):
    table = "file,sea,sky\n" + rows_of(["1,0", "0,1", "1,1", "0,0"] * 3)
    path = write(tmp_path / "a", table)
    dataset = load(path)
    assert dataset.task == TASK
    assert labels_by_image(dataset)[2] == {"sea", "sky"}
    assert load(path, task="image_regression").facts.targets[0].name == "sea"


def test_numbers_are_still_numbers(tmp_path):
    path = write(tmp_path / "a", "file,sea,sky\n" + rows_of(["1,0", "0,2", "1,1"]), count=3)
    assert load(path).task == "image_regression"
    path = write(tmp_path / "b", "file,sea\n" + rows_of(["1", "0", "1"]), count=3)
    assert load(path).task == "image_regression"


def test_a_run_keeps_its_labels_and_their_order(harbour, tmp_path):
    facts = load(harbour).facts
    path = write(tmp_path / "other", "file,labels\n" + rows_of(["sky", "boat", ""]), count=3)
    again = load(path, task=TASK, facts=facts)
    assert again.facts.class_names == ("boat", "sea", "sky")
    assert labels_by_image(again) == {0: {"sky"}, 1: {"boat"}, 2: set()}
    (tmp_path / "other" / "labels.csv").write_text("file,labels\n" + rows_of(["sky", "bot", ""]))
    with refused("labels.csv line 3: the label 'bot' is none of the run's.*'boat'"):
        load(path, task=TASK, facts=facts)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("file,labels\n0.png,\n1.png,\n", "gives no image a label"),
        ("file,labels\n0.png,sea\n1.png,sea\n", "every image the label 'sea'"),
        ("file,sea,sky\n0.png,1,0\n1.png,0,-1\n", "line 3: expected 0 or 1 .* 'sky', found '-1'"),
        ("file,sea,sky\n0.png,1,0\n1.png,0,\n", "line 3: expected 0 or 1 .* 'sky', found ''"),
        ("file,labels\n0.png,sea\n0.png,sky\n", "line 3: '0.png' was named in line 2 already"),
        ("file,labels\n0.png,sea\n99.png,sky\n", "line 3: no image '99.png'"),
    ],
)
def test_a_bad_table_is_refused_in_a_line(tmp_path, table, message):
    path = write(tmp_path / "a", table)
    with refused(message):
        load(path, task=TASK)


def test_labels_that_cannot_be_learned_and_single_ones_are_said(tmp_path):
    cells = ["rare", *["sea", "sky"] * 5, "sea"]
    path = write(tmp_path / "a", "file,labels\n" + rows_of(cells))
    notes = " / ".join(load(path).notes)
    assert "a folder for each would serve image_classification" in notes
    assert "cannot be learned" not in notes  # of a label that one image has, train keeps it


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_each_split_has_its_share_of_the_rare_labels(tmp_path_factory, seed):
    random = np.random.default_rng(seed)
    present = random.random((200, 4)) < [0.8, 0.5, 0.2, 0.1]
    names = np.array(["a", "b", "c", "d"])
    root = tmp_path_factory.getbasetemp() / "many"
    if not root.exists():
        write(root, "", count=200)
    cells = [";".join(names[row]) for row in present]
    (root / "labels.csv").write_text("file,labels\n" + rows_of(cells))
    listing = list_label_sets(read_target_table(root), None)
    assert sorted(listing.names) == listing.names
    dataset = load(str(root), {"split_seed": str(seed)})
    rare = int(present[:, 3].sum())
    test = dataset.splits["test"]
    held = int(test[np.arange(len(test))]["labels"][:, 3].sum())
    assert abs(held - 0.15 * rare) <= 1
