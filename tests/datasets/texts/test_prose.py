"""Texts to be continued."""

from pathlib import Path

import numpy as np
import pytest

from threefold.core.errors import UserError
from threefold.datasets.loading import load
from threefold.datasets.texts.tokenizing import decode

TASK = "text_generation"
LINES = [f"This is line {number} of a story.\n" for number in range(300)]


def refuse(reference, **options):
    with pytest.raises(UserError) as raised:
        load(reference, options, task=TASK)
    return str(raised.value)


def read(dataset, split):
    """Return the text of a split, as far as whole windows reach."""
    source = dataset.splits[split]
    tokens = source[np.arange(len(source))]["tokens"]
    return "".join(decode(dataset.facts.tokenizer, tokens[:, :-1]))


def test_one_file_is_cut_at_the_ends_of_lines(in_tmp):
    Path("story.txt").write_text("".join(LINES))
    dataset = load("story.txt")
    assert dataset.task == TASK and dataset.facts.max_length == 128
    found = {name: read(dataset, name) for name in ("train", "validation", "test")}
    assert "".join(LINES).startswith(found["train"])
    for name, lines in (("validation", 240), ("test", 270)):
        assert found[name].startswith("This is line")
        number = int(found[name].split()[3])
        assert abs(number - lines) < 5
    assert dataset.notes == ["of each text, from its end, 10 % for validation and 10 % for test"]


def test_a_text_without_lines_is_cut_all_the_same(in_tmp):
    Path("story.txt").write_text("word " * 1000 + "\n")
    assert [len(split) for split in load("story.txt").splits.values()] == [31, 3, 3]


def test_many_files_are_divided_by_file(in_tmp):
    Path("stories").mkdir()
    for number in range(20):
        Path(f"stories/{number}.txt").write_text(f"Story {number}. " * 30)
    dataset = load("stories", {"context": "32"})
    kept = {name: {word for word in read(dataset, name).split() if word[0].isdigit()}
            for name in dataset.splits}  # fmt: skip
    assert not kept["train"] & kept["test"]
    assert dataset.notes == [
        "no validation or test split: of 20 texts 10 % for validation and 10 % for test, seed 0"
    ]


def test_files_and_folders_may_be_called_by_their_split(in_tmp):
    Path("a/valid").mkdir(parents=True)
    Path("a/train.txt").write_text("train " * 100)
    Path("a/valid/x.txt").write_text("rain " * 100)
    dataset = load("a", {"context": "16"})
    assert read(dataset, "validation").startswith("rain rain rain")
    assert dataset.notes == ["of each text, from its end, 10 % for test"]
    Path("a/other.txt").write_text("words")
    assert "'a/other.txt' is of no split, but others are" in refuse("a")


def test_a_column_of_a_table_is_text_too(in_tmp):
    rows = [f'{{"text": "row {number} {"of words " * 9}"}}' for number in range(30)]
    Path("corpus.jsonl").write_text("\n".join(rows))
    dataset = load("corpus.jsonl", {"context": "16"})
    assert dataset.task == TASK
    assert dataset.notes[0] == "texts of column 'text'"
    assert "row" in read(dataset, "train")


def test_empty_texts_are_left_out_and_counted(in_tmp):
    Path("a").mkdir()
    Path("a/empty.txt").write_text(" \n")
    assert "a is empty; expected text to train on" in refuse("a")
    Path("a/full.txt").write_text("".join(LINES))
    assert load("a").notes[0] == "left out as empty: 1 of 2 texts"


def test_a_runs_tokenizer_and_window_rule(in_tmp):
    Path("story.txt").write_text("".join(LINES))
    run = load("story.txt", {"context": "16"}).facts
    Path("other.txt").write_text("Quite ANOTHER story. " * 40)
    dataset = load("other.txt", facts=run, task=TASK)
    assert dataset.facts == run
    assert dataset.splits["train"][np.arange(2)]["tokens"].shape == (2, 17)
    assert "[UNK]" in read(dataset, "train")


def test_what_cannot_be_used_is_refused(in_tmp):
    Path("short.txt").write_text("Too short.")
    assert "the train split holds 8 tokens, less than one window of 128" in refuse("short.txt")
    Path("bad.txt").write_bytes(b"fine\n\xff\n")
    assert "bad.txt line 2: byte 0xff is not utf-8" in refuse("bad.txt")
    Path("empty.txt").write_text("")
    assert "empty.txt is empty" in refuse("empty.txt")
    Path("folder").mkdir()
    assert "folder 'folder' holds no texts (.txt)" in refuse("folder")
    assert "'bad.txt' is no table" in refuse("bad.txt", text="x")
    Path("long.txt").write_text("".join(LINES))
    assert "below 1 together" in refuse("long.txt", test_fraction="0.95")
