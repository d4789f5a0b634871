"""What is said of splits before anything is learned of them."""

import pytest
from refusals import refused

from threefold.training.data import load_dataset

ROWS = [("train", "ant")] * 6 + [("train", "bee")] * 6 + [("validation", "ant")] * 4
ROWS += [("test", "ant")] * 2 + [("test", "bee")] * 2


def write(path, rows):
    lines = [f"{place % 5},{split},{kind}" for place, (split, kind) in enumerate(rows)]
    path.write_text("x,split,kind\n" + "\n".join(lines) + "\n")
    return str(path)


def test_a_class_that_a_split_lacks_is_named_once(tmp_path):
    path = write(tmp_path / "t.csv", ROWS)
    notes = load_dataset(path, {}).notes
    said = [note for note in notes if "has no example" in note]
    assert said == [
        "validation has no example of 1 of 2 classes (bee), which means over classes leave out"
    ]
    rows = [(split, kind if split != "train" else "ant") for split, kind in ROWS]
    notes = load_dataset(write(tmp_path / "t.csv", rows), {}).notes
    assert "train has no example of 1 of 2 classes (bee), which cannot be learned" in notes


@pytest.mark.parametrize(
    ("options", "note"),
    [
        ({"test_fraction": "0"}, "no test split: nothing is measured on it"),
        (
            {"test_fraction": "0", "validation_fraction": "0"},
            "no validation and no test split: no epoch is chosen by it and nothing is measured "
            "on it",
        ),
        ({}, None),
    ],
)
def test_splits_that_are_not_there_are_said(tmp_path, options, note):
    path = write(tmp_path / "t.csv", ROWS * 3)
    notes = load_dataset(path, {"ignore": "split", **options}).notes
    assert [one for one in notes if one.startswith("no ")] == ([note] if note else [])


@pytest.mark.parametrize("word", ["tset", "", "train2"])
def test_one_wrong_word_in_a_column_of_splits_is_named(tmp_path, word):
    path = write(tmp_path / "t.csv", [*ROWS, (word, "ant")])
    with refused() as error:
        load_dataset(path, {})
    assert f"line {len(ROWS) + 2}: column 'split' holds '{word}'" in str(error.value)
    assert "-d ignore=split" in str(error.value)
    assert load_dataset(path, {"ignore": "split"}).notes


def test_a_column_of_other_words_may_be_called_split(tmp_path):
    rows = [(("left", "right")[place % 2], kind) for place, (_, kind) in enumerate(ROWS)]
    dataset = load_dataset(write(tmp_path / "t.csv", rows), {})
    assert [column.name for column in dataset.facts.categorical] == ["split"]
