"""From texts to datasets: tokens, windows, and the facts of a run."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from threefold.core.errors import UserError
from threefold.datasets.ragged import Ragged
from threefold.datasets.texts.documents import Windows, classify, continue_text, pair, tag
from threefold.datasets.texts.tokenizer_config import (
    DocumentTokenizerConfig,
    TokenizerConfig,
    TranslationTokenizerConfig,
    WindowTokenizerConfig,
)
from threefold.datasets.texts.tokenizing import END, START, UNKNOWN, decode, token_names
from threefold.datasets.texts.truncation import shorten

ROWS = {"train": np.array([0, 1, 2]), "test": np.array([3])}
TEXTS = ["good film", "bad film", "good plot", "awful film"]
LABELS = np.array([1, 0, 1, 0])


def tokenizer_config(kind="word", size=50, max_tokens=8):
    return TokenizerConfig(
        tokenizer=kind, vocabulary_size=size, max_tokens=max_tokens, lowercase=False
    )


def window_config(kind, size, context):
    return WindowTokenizerConfig(tokenizer=kind, vocabulary_size=size, context=context)


def ragged(lists):
    return Ragged.join([np.array(row, np.int32) for row in lists], np.int32)


def everything(source):
    return source[np.arange(len(source))]


@given(st.lists(st.lists(st.integers(0, 9), max_size=6), max_size=5), st.integers(1, 7))
def test_sequences_are_cut_each_at_its_own_end(lists, max_length):
    parts, _ = shorten(ragged(lists), max_length, "cut", "documents")
    found = parts.of(ragged(lists))
    assert [row.tolist() for row in everything(found)] == [row[:max_length] for row in lists]


@given(
    st.lists(st.lists(st.integers(0, 9), max_size=9), min_size=1, max_size=5),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_parts_of_a_sequence_are_all_of_it_and_follow_its_row(lists, max_length, random_numbers):
    parts, _ = shorten(ragged(lists), max_length, "split", "documents")
    chosen = list(range(len(lists)))
    random_numbers.shuffle(chosen)
    found = parts.of(ragged(lists))
    for row in chosen:
        pieces = found[parts.rows(np.array([row]))]
        assert np.concatenate(pieces).tolist() == lists[row]
        assert max(map(len, pieces)) <= max_length and len(pieces) == max(
            1, -(-len(lists[row]) // max_length)
        )
    assert parts.owners[parts.rows(np.array(chosen))].tolist() == [
        row for row in chosen for _ in range(max(1, -(-len(lists[row]) // max_length)))
    ]


def test_documents_become_tokens_by_a_tokenizer_of_the_training_split_alone():
    dataset = classify("mine", TEXTS, LABELS, ("no", "yes"), ROWS, tokenizer_config())
    assert set(token_names(dataset.facts.tokenizer)[4:]) == {"good", "bad", "film", "plot"}
    assert (dataset.facts.class_names, dataset.facts.class_counts) == (("no", "yes"), (1, 2))
    test = everything(dataset.splits["test"])
    assert test["tokens"][0][0] == UNKNOWN  # `awful` is not of the training split
    assert test["text"].tolist() == ["awful film"] and test["label"].tolist() == [0]
    assert dataset.splits["train"].lengths.tolist() == [2, 2, 2]


def test_a_runs_tokenizer_and_limit_rule():
    run = classify("mine", TEXTS, LABELS, ("no", "yes"), ROWS, tokenizer_config())
    rows = {"test": np.arange(2)}
    texts, labels = ["bad new", "film"], np.array([0, 1])
    wanted = tokenizer_config("character", 9, 1)
    other = classify("x", texts, labels, ("no", "yes"), rows, wanted, facts=run.facts)
    assert other.facts == run.facts
    assert other.notes == []
    (first, second) = everything(other.splits["test"])["tokens"]
    assert decode(run.facts.tokenizer, [first, second]) == ["bad [UNK]", "film"]


def test_the_fingerprint_is_of_the_texts_whatever_the_tokenizer():
    prints = {
        classify("a", texts, LABELS, ("no", "yes"), ROWS, tokenizer_config(kind)).fingerprint
        for kind in ("word", "bpe")
        for texts in (TEXTS, ["good  film", *TEXTS[1:]])
    }
    assert len(prints) == 2


def test_documents_over_the_limit_are_cut_and_counted():
    dataset = classify("mine", TEXTS, LABELS, ("no", "yes"), ROWS, tokenizer_config("word", 50, 1))
    assert dataset.notes[:1] == [
        "4 of 4 documents are longer than 1 tokens and cut there (more: -d max_tokens=N)"
    ]
    assert dataset.splits["train"].lengths.tolist() == [1, 1, 1]
    assert everything(dataset.splits["train"])["text"][0] == "good film"


def test_documents_over_the_limit_are_split_into_parts_of_the_same_class():
    words = DocumentTokenizerConfig(tokenizer="word", max_tokens=1, long="split")
    dataset = classify("mine", TEXTS, LABELS, ("no", "yes"), ROWS, words)
    assert dataset.notes[:1] == [
        "4 of 4 documents are longer than 1 tokens and split into 8 (more: -d max_tokens=N)"
    ]
    found = everything(dataset.splits["train"])
    assert [row.tolist() for row in found["tokens"]] == [
        [token] for row in everything(classify(
            "mine", TEXTS, LABELS, ("no", "yes"), ROWS, tokenizer_config("word", 50, 2)
        ).splits["train"])["tokens"] for token in row
    ]  # fmt: skip
    assert found["label"].tolist() == np.repeat(LABELS[ROWS["train"]], 2).tolist()


def test_words_are_in_the_part_in_which_they_begin():
    sentences, names = [["ab", "c"], ["c"]], ("O", "B-x", "I-x")
    words = DocumentTokenizerConfig(tokenizer="character", max_tokens=1, long="split")
    rows = {"train": np.array([1, 0])}
    dataset = tag("mine", sentences, [[1, 0], [2]], names, rows, words)
    found = everything(dataset.splits["train"])
    assert [row.tolist() for row in found["tags"]] == [[2], [1], [-1], [0]]
    assert found["words"].tolist() == [("c",), ("ab",), (), ("c",)]


def test_a_tag_stands_at_the_first_token_of_its_word():
    sentences, names = [["ab", "c"], ["c"]], ("O", "B-x", "I-x")
    rows = {"train": np.array([0, 1])}
    dataset = tag(
        "mine", sentences, [[1, 0], [2]], names, rows, tokenizer_config("character", 50, 2)
    )
    found = everything(dataset.splits["train"])
    assert [row.tolist() for row in found["tags"]] == [[1, -1], [2]]
    assert [len(row) for row in found["tokens"]] == [2, 1]
    assert found["words"].tolist() == [("ab", "c"), ("c",)]
    assert dataset.facts.tagged and dataset.facts.class_counts == (1, 1, 1)
    assert dataset.facts.describe() == "text of up to 2 of 8 tokens, 3 tags of words"
    assert "1 of 2 sentences are longer than 2 tokens" in dataset.notes[0]


@given(st.lists(st.lists(st.integers(4, 9), max_size=9), min_size=1, max_size=4), st.integers(1, 5))
def test_windows_tell_each_token_once(lists, context):
    windows = Windows(ragged(lists), context)
    stream = [token for row in lists for token in (START, *row, END)]
    assert windows.stream.tolist() == stream
    found = everything(windows)["tokens"]
    assert found.shape == ((len(stream) - 1) // context, context + 1)
    assert found[:, 1:].ravel().tolist() == stream[1 : 1 + found[:, 1:].size]
    assert found[:, 0].tolist() == stream[: len(found) * context : context]


def test_prose_is_cut_into_windows_of_each_split():
    documents = {"train": ["abcabcabc", "abc"], "validation": ["cab"]}
    dataset = continue_text("mine", documents, window_config("character", 50, 4))
    assert (dataset.task, dataset.facts.class_names) == ("text_generation", ())
    assert {name: len(source) for name, source in dataset.splits.items()} == {
        "train": 3,
        "validation": 1,
    }


def test_too_little_text_for_a_window_is_refused():
    documents = {"train": ["abcabcabc"], "test": ["ab"]}
    with pytest.raises(UserError, match="mine: the test split holds 2 tokens.*-d context=N"):
        continue_text("mine", documents, window_config("character", 50, 4))


def test_pairs_have_a_tokenizer_for_each_side():
    rows = {"train": np.array([0]), "test": np.array([1])}
    config = TranslationTokenizerConfig(
        tokenizer="character", target_tokenizer="word", vocabulary_size=50, max_tokens=8
    )
    dataset = pair("mine", ["ab", "b"], ["A B", "B"], rows, config, unit="phoneme")
    facts = dataset.facts
    assert (facts.unit, facts.source_vocabulary_size, facts.target_vocabulary_size) == (
        "phoneme", 6, 6,
    )  # fmt: skip
    train = everything(dataset.splits["train"])
    assert decode(facts.source_tokenizer, train["source"]) == ["ab"]
    assert decode(facts.target_tokenizer, train["target"]) == ["A B"]
    assert train["target_text"].tolist() == ["A B"]
    again = pair(
        "mine",
        ["ab", "b"],
        ["A B", "B"],
        rows,
        TranslationTokenizerConfig(tokenizer="word"),
        facts=facts,
    )
    assert again.facts == facts and again.fingerprint == dataset.fingerprint


def test_few_tokens_and_unknown_ones_are_said_when_a_tokenizer_is_learned():
    rows = {"train": np.array([0, 1]), "validation": np.array([2, 3])}
    dataset = classify("mine", TEXTS, LABELS, ("no", "yes"), rows, tokenizer_config())
    few, unknown = dataset.notes
    assert few.startswith("the documents have 2 tokens on average: ")
    assert unknown.startswith("50% of the tokens of the validation documents are unknown")
    again = classify(
        "x", TEXTS, LABELS, ("no", "yes"), rows, tokenizer_config(), facts=dataset.facts
    )
    assert again.notes == []
    long = [" ".join([text] * 4) for text in TEXTS]
    rows = {"train": np.arange(4), "validation": np.array([2, 3])}
    assert (
        classify("x", long, LABELS, ("no", "yes"), rows, tokenizer_config(max_tokens=9)).notes == []
    )
