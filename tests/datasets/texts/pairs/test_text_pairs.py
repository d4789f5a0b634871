"""Pairs of texts of a user's own: columns, classes, what is lacking, and predictions."""

import io
import json

import numpy as np
import pytest

from threefold.core.errors import UserError
from threefold.datasets import loading
from threefold.datasets.inference_inputs import read_inputs

ROWS = [
    {"premise": f"a dog runs {n}", "hypothesis": f"an animal moves {n}", "label": "yes"}
    if n % 2
    else {"premise": f"a cat sits {n}", "hypothesis": f"a fish swims {n}", "label": "no"}
    for n in range(20)
]


def write(path, rows) -> str:
    path.write_text("\n".join(map(json.dumps, rows)))
    return str(path)


@pytest.fixture
def pairs(tmp_path) -> str:
    return write(tmp_path / "pairs.jsonl", ROWS)


def load(path: str, facts=None, **options: str):
    return loading.load(path, options, task="text_pair_classification", facts=facts)


def test_json_lines_of_pairs_are_read_as_such_without_a_word(pairs):
    found = loading.load(pairs)
    assert found.task == "text_pair_classification"
    assert found.facts.class_names == ("no", "yes")
    assert found.facts.columns == ("premise", "hypothesis")
    assert {name: len(split) for name, split in found.splits.items()} == {
        "train": 14, "validation": 3, "test": 3,
    }  # fmt: skip
    assert "20 pairs of 'premise' and 'hypothesis'; classes of 'label' (2 classes)" in found.notes


def test_each_text_of_a_pair_stays_with_its_partner_and_its_class(pairs):
    wanted = {(row["premise"], row["hypothesis"]): row["label"] for row in ROWS}
    found = load(pairs, tokenizer="word")
    seen = 0
    for split in found.splits.values():
        examples = split[np.arange(len(split))]
        for first, second, label, tokens in zip(
            examples["first_text"], examples["second_text"], examples["label"],
            examples["first"], strict=True,
        ):  # fmt: skip
            assert wanted[first, second] == found.facts.class_names[label]
            assert len(tokens) == len(first.split())
            seen += 1
    assert seen == len(ROWS)


@pytest.mark.parametrize(
    ("names", "label"),
    [
        (("sentence1", "sentence2"), "gold_label"),
        (("question1", "question2"), "is_duplicate"),
        (("text_a", "text_b"), "class"),
        (("Premise", "Hypothesis"), "Label"),
    ],
)
def test_columns_of_public_sets_are_known(names, label, tmp_path):
    rows = [
        {names[0]: row["premise"], names[1]: row["hypothesis"], label: row["label"]} for row in ROWS
    ]
    assert load(write(tmp_path / "rows.jsonl", rows)).facts.columns == names


def test_columns_of_other_names_are_told(tmp_path):
    lines = ["id\tone\ttwo\tkind", *(f"{n}\ta {n}\tb {n}\t{'xy'[n % 2]}" for n in range(12))]
    path = tmp_path / "pairs.tsv"
    path.write_text("\n".join(lines))
    with pytest.raises(UserError, match="-d first=NAME -d second=NAME: id, one, two, kind"):
        load(str(path))
    with pytest.raises(UserError, match="-d label=NAME"):
        load(str(path), first="one", second="two")
    with pytest.raises(UserError, match="no column 'tow'; did you mean 'two'"):
        load(str(path), first="one", second="tow", label="kind")
    with pytest.raises(UserError, match="'one' is both the first text and the second"):
        load(str(path), first="one", second="one", label="kind")
    found = load(str(path), first="one", second="two", label="kind")
    assert found.facts.class_names == ("x", "y")


def test_a_pair_with_an_empty_side_is_refused_by_its_place_or_left_out(tmp_path):
    rows = [*ROWS, {"premise": "alone", "hypothesis": " ", "label": "yes"}]
    path = write(tmp_path / "rows.jsonl", rows)
    with pytest.raises(UserError, match="rows.jsonl line 21: the second text is empty"):
        load(path)
    found = load(path, skip_empty="true")
    assert sum(len(split) for split in found.splits.values()) == 20
    assert "left out with an empty side: 1 of 21 pairs" in found.notes


def test_a_missing_class_is_refused_by_its_place_or_left_out(tmp_path):
    path = write(tmp_path / "rows.jsonl", [*ROWS, {"premise": "a", "hypothesis": "b"}])
    with pytest.raises(UserError, match="line 21: target 'label' is missing"):
        load(path)
    found = load(path, drop_missing_targets="true")
    assert sum(len(split) for split in found.splits.values()) == 20


def test_long_texts_are_cut_and_counted_or_refused(tmp_path):
    rows = [*ROWS, {"premise": "word " * 9, "hypothesis": "b", "label": "yes"}]
    path = write(tmp_path / "rows.jsonl", rows)
    found = load(path, max_tokens="6", tokenizer="word")
    assert any("1 of 21 first texts are longer than 6 tokens and cut" in n for n in found.notes)
    with pytest.raises(UserError, match="line 21: 9 tokens; .*-d max_tokens=N"):
        load(path, max_tokens="6", tokenizer="word", long="refuse")


def test_data_for_a_run_are_read_as_it_was_fitted(pairs, tmp_path):
    facts = load(pairs).facts
    rows = [{"premise": "new", "hypothesis": "words", "label": "yes"}]
    again = load(write(tmp_path / "more.jsonl", rows * 3), facts=facts, split_column="none")
    assert again.facts == facts
    rows = [{"premise": "new", "hypothesis": "words", "label": "perhaps"}]
    with pytest.raises(UserError, match="line 1.*perhaps"):
        load(write(tmp_path / "more.jsonl", rows * 3), facts=facts)


def read(path: str, facts, stdin: bytes = b""):
    return list(read_inputs([path], facts, io.BytesIO(stdin), 2))


def test_pairs_to_be_judged_come_from_tables_and_from_lines(pairs, tmp_path):
    facts = load(pairs).facts
    found = read(pairs, facts)
    assert [len(part.names) for part in found] == [2] * 10
    assert found[0].examples["second_text"].tolist() == ["a fish swims 0", "an animal moves 1"]
    table = tmp_path / "others.csv"
    table.write_text("sentence1,sentence2\na,b\n")
    assert read(str(table), facts)[0].examples["first_text"].tolist() == ["a"]
    lines = b"a dog\tan animal\nno tab\n\tno first\n"
    (first, second) = read("-", facts, lines)
    assert first.names == ["standard input line 1"]
    messages = [str(error) for part in (first, second) for error in part.errors]
    assert messages == [
        "standard input line 2: expected two texts",
        "standard input line 3: expected two texts",
    ]
    assert len(second.examples["first"]) == 0


def test_long_texts_to_be_judged_are_cut_and_counted(tmp_path, pairs):
    facts = load(pairs, max_tokens="6", tokenizer="word").facts
    with pytest.warns(UserWarning, match="^1 text is longer than 6 tokens and cut there$"):
        (found,) = read("-", facts, b"dog " * 9 + b"\tanimal\n")
    assert len(found.examples["first"][0]) == 6
