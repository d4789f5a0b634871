"""Texts of `hf:` and `tfds:`: the same rows, saved by either library, make the same dataset."""

import re

import datasets as hf
import pytest
import tensorflow_datasets as tfds
from hypothesis import given, settings
from small_hubs import (
    MOODS,
    NEWS,
    NUMBER,
    PAIRS,
    REVIEWS,
    TEXTS,
    WORDS,
    news,
    pairs,
    reviews,
    save,
    sizes,
    whole,
)
from small_tables import DIVISIONS

from threefold.core.errors import UserError
from threefold.datasets import loading
from threefold.datasets.texts.tokenizing import UNKNOWN, decode, token_names

pytestmark = pytest.mark.once


def test_documents_come_with_their_class_and_in_their_splits(read_saved):
    dataset = read_saved(REVIEWS, train=reviews(30), dev=reviews(4, 30), test=reviews(6, 34))
    assert dataset.task == "text_classification"
    assert dataset.facts.class_names == ("bad", "good")
    assert dataset.facts.class_counts == (15, 15)
    splits = {"train": range(30), "validation": range(30, 34), "test": range(34, 40)}
    for split, rows in splits.items():
        found = whole(dataset, split)
        # TFDS shuffles what it prepares.
        assert sorted(found["text"]) == sorted(reviews(len(rows), rows[0])["sentence"])
        for text, label in zip(found["text"], found["label"], strict=True):
            assert MOODS[label] in text and text.endswith("ä")
    notes = " | ".join(dataset.notes)
    assert "taken for text_classification by its columns (else: --task NAME)" in notes
    assert "columns ignored: idx" in notes
    assert "predicts label (2 classes) of sentence: 30 train, 4 validation, 6 test" in notes


def test_the_tokenizer_is_of_the_training_split_alone_as_for_a_file(read_saved):
    strange = reviews(4, sentence=["a zebra"] * 4)
    dataset = read_saved(REVIEWS, train=reviews(30), test=strange, options={"tokenizer": "word"})
    assert "film" in token_names(dataset.facts.tokenizer)
    assert whole(dataset, "test")["tokens"][0][1] == UNKNOWN
    usual = read_saved(REVIEWS, train=reviews(30))
    assert usual.facts.max_length == 256  # as `-d max_tokens` of a file
    assert "ILM" not in "".join(token_names(usual.facts.tokenizer))


def test_splits_that_are_lacking_are_taken_from_train_and_said(read_saved):
    dataset = read_saved(REVIEWS, train=reviews(40), test=reviews(6))
    assert sizes(dataset) == {"train": 34, "validation": 6, "test": 6}
    assert (
        "no validation split: of 40 rows 15 % for validation, seed 0, stratified" in dataset.notes
    )
    texts = [*whole(dataset, "train")["text"], *whole(dataset, "validation")["text"]]
    assert sorted(texts) == sorted(reviews(40)["sentence"])


def test_rows_without_a_class_are_left_out_and_counted(read_saved):
    labels = [-1 if i < 5 else i % 2 for i in range(20)]
    hidden = reviews(6, label=[-1] * 6)
    dataset = read_saved(REVIEWS, train=reviews(20, label=labels), test=hidden)
    assert sum(sizes(dataset).values()) == 15
    notes = " | ".join(dataset.notes)
    assert "train: 15 of 20 rows say what is to be learned; the rest is left out" in notes
    assert "test: no rows say what is to be learned" in notes


def test_columns_can_be_told(read_saved):
    columns = {"title": TEXTS, "review": TEXTS, "mood": MOODS, "stars": NUMBER}
    rows = {
        "title": [f"a title of many more words than are in it {i}" for i in range(30)],
        "review": [f"text {i}" for i in range(30)],
        "mood": [i % 2 for i in range(30)],
        "stars": [i % 3 + 1 for i in range(30)],
    }
    dataset = read_saved(columns, train=rows)
    assert dataset.task == "text_classification"
    assert "predicts mood (2 classes) of review" in " | ".join(dataset.notes)
    explicit = read_saved(columns, options={"text": "title", "label": "stars"}, train=rows)
    assert explicit.facts.class_names == ("1", "2", "3")
    assert whole(explicit, "test")["text"][0].startswith("a title")


def test_a_table_of_names_and_numbers_stays_a_table(read_saved):
    rows = {
        "city": [f"City {i % 3}" for i in range(30)],
        "size": list(range(30)),
        "grade": [i % 2 for i in range(30)],
    }
    columns = {"city": TEXTS, "size": NUMBER, "grade": MOODS}
    assert read_saved(columns, train=rows).task == "tabular_classification"
    assert read_saved(columns, "text_classification", train=rows).task == "text_classification"
    lists = columns | {"words": WORDS}
    with_words = read_saved(lists, train=rows | {"words": [["a", "b"]] * 30})
    assert with_words.task == "tabular_classification"
    assert "columns ignored: words" in with_words.notes


def test_a_run_reads_other_data_by_its_own_tokenizer_and_classes(read_saved):
    facts = read_saved(REVIEWS, train=reviews(30)).facts
    turned = REVIEWS | {"label": MOODS[::-1]}
    other = read_saved(turned, facts=facts, options={"skip_empty": "true"}, test=reviews(6))
    assert other.facts == facts and sizes(other) == {"test": 6}
    found = whole(other, "test")
    assert all(MOODS[1 - label] in text for text, label in zip(
        found["text"], found["label"], strict=True
    ))  # fmt: skip
    with pytest.raises(UserError, match="classes that the run does not know: fine; it knows bad"):
        read_saved(REVIEWS | {"label": ["bad", "fine"]}, facts=facts, test=reviews(6))


def test_empty_documents_are_refused_by_row_or_left_out(read_saved, refuse_saved):
    texts = [" " if i in (3, 7) else f"text number {i} is here" for i in range(20)]
    rows = reviews(20, sentence=texts)
    assert "train, row" in (message := refuse_saved(REVIEWS, train=rows))
    assert "is empty, as are 1 more; fill or remove it, or leave such out with -d skip_e" in message
    dataset = read_saved(REVIEWS, options={"skip_empty": "true"}, train=rows)
    assert sum(sizes(dataset).values()) == 18
    assert "left out as empty: 2 of 20 texts" in " | ".join(dataset.notes)
    empty = reviews(4, sentence=[""] * 4)
    assert "all others of train, too" in refuse_saved(
        REVIEWS, None, None, {"skip_empty": "true"}, train=empty, validation=empty, test=empty
    )


def test_texts_to_be_continued_are_cut_into_windows(read_saved):
    texts = [f"Paragraph {i} tells of this and that.\n" if i % 3 else "" for i in range(60)]
    dataset = read_saved(
        {"text": TEXTS}, options={"context": "16"}, train={"text": texts}, test={"text": texts[:9]}
    )
    assert dataset.task == "text_generation"
    assert whole(dataset, "train")["tokens"].shape[1] == 17
    assert "Paragraph" in "".join(decode(dataset.facts.tokenizer, whole(dataset, "test")["tokens"]))
    notes = " | ".join(dataset.notes)
    assert "texts of column 'text'" in notes
    assert "left out as empty: 23 of 69 texts" in notes
    assert "of 40 texts 15 % for validation, seed 0" in notes


def test_too_little_text_is_refused(refuse_saved):
    rows = {"text": ["short"] * 3}
    assert "is empty; expected text to train on" in refuse_saved(
        {"text": TEXTS}, train={"text": [" "] * 3}
    )
    assert "less than one window of 128; give more text, or -d context=N" in refuse_saved(
        {"text": TEXTS}, train=rows
    )


@pytest.mark.parametrize(
    ("columns", "rows", "task", "options", "message"),
    [
        (REVIEWS, reviews, None, {"text": "sentense"}, "no column 'sentense'; did you mean 'sent"),
        (REVIEWS, reviews, None, {"label": "lable"}, "no column 'lable'; did you mean 'label'"),
        (REVIEWS, reviews, None, {"tokens": "token"}, "no column 'token'"),
        (REVIEWS, reviews, None, {"text": "idx"}, "column 'idx' of .* holds no texts"),
        (REVIEWS, reviews, None, {"context": "9"}, "text_classification has no use for -d context"),
        (REVIEWS, reviews, "text_generation", {"label": "label"}, "has no use for -d label"),
        (REVIEWS, reviews, "tabular_classification", {"max_tokens": "9"}, "no use for -d max_tok"),
        (REVIEWS, reviews, None, {"label": "sentence"}, "has no column of texts; it has idx"),
        (REVIEWS, reviews, "token_classification", {}, "has no column of lists of words"),
        (REVIEWS, reviews, "translation", {}, "does not say which columns are pairs; .*: sentence"),
        (REVIEWS, reviews, "translation", {"target": "label,idx"}, "one column of targets"),
        (REVIEWS, reviews, "summarisation", {}, "cannot serve summarisation"),
        (NEWS, news, "text_classification", {}, "has no column of classes; name one with -d label"),
        (NEWS, news, "text_generation", {}, "no column of texts; it has .*tokens .words."),
        (PAIRS, pairs, "text_classification", {"label": "target"}, "another class in every row"),
    ],
)
def test_columns_that_do_not_serve(refuse_saved, columns, rows, task, options, message):
    assert re.search(message, refuse_saved(columns, task, None, options, train=rows(20)))


def test_what_a_column_holds_that_cannot_be_used_is_said(tmp_path):
    features = hf.Features({"raw": hf.Value("binary"), "text": hf.Value("string")})
    rows = {"raw": [b"\xff"] * 20, "text": ["some text that goes on"] * 20}
    hf.Dataset.from_dict(rows, features).save_to_disk(tmp_path / "saved")
    with pytest.raises(UserError, match="-d text=raw: what column 'raw' .* cannot be used; .*text"):
        loading.load(str(tmp_path / "saved"), {"text": "raw"})


def test_bytes_that_are_no_utf_8_are_shown_as_such_and_counted(tmp_path):
    rows = [(i, {"text": b"caf\xe9 and more of it" if i % 2 else "fine"}) for i in range(40)]
    tfds.dataset_builders.store_as_tfds_dataset(
        "saved",
        "1.0.0",
        features=tfds.features.FeaturesDict({"text": tfds.features.Text()}),
        split_datasets={"train": rows},
        data_dir=tmp_path,
        file_format="array_record",
    )
    dataset = loading.load("tfds:saved", {"data_dir": str(tmp_path), "context": "8"})
    assert "20 texts hold \N{REPLACEMENT CHARACTER}, where bytes are no UTF-8" in dataset.notes


@settings(max_examples=10, deadline=None)
@given(**DIVISIONS)
def test_no_text_is_lost_or_in_two_splits(tmp_path_factory, rows, validation, test, seed):
    reference, _ = save("hf", tmp_path_factory.mktemp("hf"), REVIEWS, train=reviews(rows))
    options = {"validation_fraction": validation, "test_fraction": test, "split_seed": seed}
    dataset = loading.load(reference, options)
    found = [text for split in dataset.splits for text in whole(dataset, split)["text"]]
    assert sorted(found) == sorted(reviews(rows)["sentence"])
