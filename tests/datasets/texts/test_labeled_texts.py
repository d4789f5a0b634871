"""Documents of a user's own, each of one class."""

from pathlib import Path

import numpy as np
import pytest
from refusals import refused

from threefold.core.errors import UserError
from threefold.datasets.loading import load
from threefold.datasets.texts.tokenizing import decode

TASK = "text_classification"


@pytest.fixture
def reviews(in_tmp):
    """Ten good, ten bad reviews, a file each."""
    for name, word in (("bad", "awful"), ("good", "lovely")):
        Path("reviews", name).mkdir(parents=True)
        for number in range(10):
            Path("reviews", name, f"{number}.txt").write_text(
                f"A {word} film, number {number}.\r\n"
            )
    return "reviews"


def write(lines, name="reviews.csv"):
    Path(name).write_text("\n".join(lines), encoding="utf-8")
    return name


def table(name="reviews.csv", header="id,review,stars"):
    rows = [f'{number},"A {"bad" if number % 2 else "good"}, long film",{number % 2}'
            for number in range(20)]  # fmt: skip
    return write([header, *rows], name)


def refuse(reference, task=TASK, **options):
    with refused() as raised:
        load(reference, options, task=task)
    return str(raised.value)


def texts(dataset, split="train"):
    source = dataset.splits[split]
    return source[np.arange(len(source))]


def test_sub_folders_of_texts_are_classes(reviews):
    dataset = load(reviews)
    assert dataset.task == TASK
    assert dataset.facts.class_names == ("bad", "good")
    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "train": 14, "validation": 3, "test": 3,
    }  # fmt: skip
    found = texts(dataset)
    assert all(("lovely" in text) == label for text, label in
               zip(found["text"], found["label"], strict=True))  # fmt: skip
    assert found["text"][0].endswith(".\n")
    assert decode(dataset.facts.tokenizer, found["tokens"][:1])[0].startswith("a awful film")
    assert dataset.notes == [
        "reviews: no validation or test split: of 20 training texts 15 % for validation and 15 % "
        "for test, seed 0, stratified"
    ]


def test_splits_of_the_folder_are_used(reviews):
    Path("all/test").mkdir(parents=True)
    Path(reviews).rename("all/train")
    Path("all/test/good").mkdir()
    Path("all/test/good/x.txt").write_text("Lovely.")
    dataset = load("all")
    assert texts(dataset, "test")["text"].tolist() == ["Lovely."]
    assert len(dataset.splits["train"]) + len(dataset.splits["validation"]) == 20


def test_columns_are_guessed_and_said(in_tmp):
    dataset = load(table(), task=TASK)
    assert dataset.facts.class_names == ("0", "1")
    assert texts(dataset)["text"][0] in ("A good, long film", "A bad, long film")
    assert dataset.notes[0] == (
        "reviews.csv: 20 texts of column 'review'; classes of 'stars' (2 classes)"
    )


def test_columns_can_be_told(in_tmp):
    name = table(header="a,b,c")
    dataset = load(name, {"text": "a", "label": "b"}, task=TASK)
    assert texts(dataset)["text"][0].isdecimal()
    assert dataset.facts.class_names == ("A bad, long film", "A good, long film")


def test_json_lines_and_parquet_are_read_too(in_tmp):
    import pandas as pd

    rows = [{"text": f"word {number}", "label": "ab"[number % 2]} for number in range(20)]
    pd.DataFrame(rows).to_json("t.jsonl", orient="records", lines=True)
    pd.DataFrame(rows).to_parquet("t.parquet")
    found = [load("t.jsonl"), load("t.parquet", task=TASK)]
    assert found[0].facts.class_names == found[1].facts.class_names == ("a", "b")
    assert found[0].fingerprint == found[1].fingerprint


def test_a_split_column_divides(in_tmp):
    rows = [f"t {number},{number % 2},{'test' if number > 15 else 'train'}" for number in range(20)]
    dataset = load(write(["text,label,split", *rows]), {"validation_fraction": "0"}, task=TASK)
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 16, "test": 4}


def test_data_for_a_run_are_read_by_its_tokenizer_and_classes(reviews):
    run = load(reviews).facts
    write(["text,label", "a lovely film,good", "an unseen film,good"])
    dataset = load("reviews.csv", {"validation_fraction": "0", "test_fraction": "0"},
                   task=TASK, facts=run)  # fmt: skip
    assert dataset.facts == run
    assert texts(dataset)["label"].tolist() == [1, 1]
    write(["text,label", "a film,fine"])
    with pytest.raises(UserError, match="line 2: target 'label' holds 'fine', which is no class"):
        load("reviews.csv", task=TASK, facts=run)


def test_an_empty_document_is_refused_by_its_place_or_left_out(reviews):
    Path("reviews/bad/3.txt").write_text(" \n")
    assert "reviews/bad/3.txt is empty; fill or remove it, or leave" in refuse(reviews)
    dataset = load(reviews, {"skip_empty": "true"})
    assert sum(map(len, dataset.splits.values())) == 19
    assert dataset.notes[-1] == "left out as empty: 1 of 20 texts, such as reviews/bad/3.txt"
    name = write(["text,label", *(f"{'' if n in (2, 5) else 'w'},{n % 2}" for n in range(9))])
    assert "reviews.csv line 4 is empty, as are 1 more" in refuse(name)


def test_bytes_that_are_not_utf_8_are_refused_by_file_and_line(reviews):
    Path("reviews/good/4.txt").write_bytes(b"fine\ncaf\xe9\n")
    assert "reviews/good/4.txt line 2: byte 0xe9 is not utf-8" in refuse(reviews)
    dataset = load(reviews, {"encoding": "latin-1"})
    assert any("café" in text for split in dataset.splits for text in texts(dataset, split)["text"])


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        (["text,label", "a,x", "b,x", "c,x"], {}, "is 'x' in every row; .* needs two classes"),
        (["text,label", "a,x", "b,y"], {}, "another class in every row; .*-d label=NAME"),
        (["text,label", "a,x", "b,"], {}, "line 3: target 'label' is missing"),
        (["text,label", "a,x", "b,x", "c,y"], {"label": "lable"}, "'lable'; did you mean 'label'"),
        (["text,label", "a,x", "b,x", "c,y"], {"text": "txt"}, "'txt'; did you mean 'text'"),
        (["text", "a b", "b"], {}, "no column left for classes; .*--task text_generation"),
        ([""], {}, "is empty"),
        (["text,label"], {}, "has a header and no rows"),
        (["text,label", "a"], {}, "line 2: 1 cell where the header names 2"),
    ],
)
def test_a_table_that_cannot_be_used_is_one_line(in_tmp, lines, options, message):
    import re

    assert re.search(message, refuse(write(lines), **options))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (['{"text": "a", "label": 1}', "{"], r"line 2, character 2: no JSON \(Expecting property"),
        (['{"text": "a", "label": 1}', "[1]"], "line 2: expected an object such as"),
        (['{"text": "\\ud800", "label": 1}'], r"line 1: \\ud800 is half a character"),
        (["", ""], "is empty; expected a JSON object on each line"),
        (['{"text": "a", "label": 1}', '{"text": "b"}'], "line 2: target 'label' is missing"),
    ],
)
def test_a_wrong_line_of_json_is_refused(in_tmp, lines, message):
    import re

    assert re.search(message, refuse(write(lines, "t.jsonl")))


def test_a_folder_of_one_class_and_an_empty_one_are_refused(reviews):
    for number in range(10):
        Path(f"reviews/bad/{number}.txt").unlink()
    assert "class folder 'bad' of 'reviews' holds no texts to train on (.txt)" in refuse(reviews)
    Path("reviews/bad").rmdir()
    assert "holds a single class, 'good'; expected one sub-folder of texts" in refuse(reviews)
    assert "-d label=x names a column, and 'reviews' is a folder" in refuse(reviews, label="x")


def test_few_different_words_are_tokens_whole_and_many_are_cut_in_pieces(reviews):
    """Where every word of the training split is a piece, no part of one is ever trained."""
    from threefold.datasets.texts.tokenizing import kind_of

    assert kind_of(load(reviews, {}, task=TASK).facts.tokenizer) == "word"
    assert (
        kind_of(load(reviews, {"vocabulary_size": "8"}, task=TASK).facts.tokenizer) == "wordpiece"
    )
    chosen = load(reviews, {"tokenizer": "wordpiece"}, task=TASK).facts.tokenizer
    assert kind_of(chosen) == "wordpiece"
