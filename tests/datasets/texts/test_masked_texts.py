"""Texts for pretraining: parts that follow one another, and others that do not."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from threefold.core.errors import UserError
from threefold.datasets import loading
from threefold.datasets.texts.masked_texts import MaskedTexts
from threefold.datasets.texts.tokenizing import encode, find_mask, token_names, train_tokenizer

TASK = "masked_language_modeling"
WORDS = "bread cheese apple soup river stone cloud forest".split()
CONTENT = train_tokenizer("word", [" ".join(WORDS) + " ."], 50, mask=True)


def document(*sentences):
    return ". ".join(" ".join(WORDS[word] for word in sentence) for sentence in sentences) + "."


documents = st.lists(
    st.lists(
        st.lists(st.integers(0, 7), min_size=1, max_size=12), min_size=1, max_size=6
    ).map(lambda sentences: document(*sentences)),
    min_size=1,
    max_size=5,
)  # fmt: skip


@given(documents, st.integers(1, 9))
def test_parts_hold_every_token_once_in_its_order(texts, max_length):
    source = MaskedTexts(CONTENT, texts, max_length)
    wanted = np.concatenate(encode(CONTENT, texts)[np.arange(len(texts))])
    np.testing.assert_array_equal(source.parts.values, wanted)
    assert source.parts.lengths.max() <= max_length and source.parts.lengths.min() > 0
    seen = {part for first, follows in zip(source.first, source.follows, strict=True)
            for part in ([first, first + 1] if follows else [first])}  # fmt: skip
    assert seen == set(range(len(source.parts)))


@given(documents, st.integers(0, 5))
def test_what_follows_is_of_the_same_text_and_the_other_of_another(texts, epoch):
    source = MaskedTexts(CONTENT, texts, 4)
    found = source.sample(3, epoch, np.arange(len(source)))
    for row in range(len(source)):
        start, stop = source.starts[row], source.stops[row]
        first = source.first[row]
        if source.follows[row]:
            assert start <= first and first + 1 < stop
            np.testing.assert_array_equal(
                found["following"][row], source.parts[np.array([first + 1])][0]
            )
        else:
            assert stop - start == 1 and len(found["following"][row]) == 0
    inside = [
        source.parts[np.arange(a, b)] for a, b in zip(source.starts, source.stops, strict=True)
    ]
    outside = [
        source.parts[np.setdiff1d(np.arange(len(source.parts)), np.arange(a, b))]
        for a, b in zip(source.starts, source.stops, strict=True)
    ]
    for other, within, without in zip(found["other"], inside, outside, strict=True):
        elsewhere = [tuple(part) for part in without]
        assert tuple(other) in (elsewhere or [tuple(part) for part in within])


def test_of_one_text_alone_the_other_part_is_neither_of_the_two():
    source = MaskedTexts(CONTENT, [document(*[[n] for n in range(8)])], 2)
    assert source.paired and len(source.parts) == 8
    for epoch in range(20):
        found = source.sample(0, epoch, np.arange(len(source)))
        for row, first in enumerate(source.first):
            own = [source.parts[np.array([first + n])][0].tolist() for n in (0, 1)]
            assert found["other"][row].tolist() not in own


def test_an_epoch_brings_other_numbers_and_the_same_ones_again():
    source = MaskedTexts(CONTENT, [document([0, 1], [2, 3]), document([4], [5])], 4)
    rows = np.array([1, 0])
    one, again, other = (source.sample(5, epoch, rows)["uniforms"] for epoch in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).all()
    np.testing.assert_array_equal(one[1:], source.sample(5, 1, np.array([0]))["uniforms"])
    np.testing.assert_array_equal(source[rows]["uniforms"], source[rows]["uniforms"])


def write(path, texts):
    path.write_text("\n".join(json.dumps({"text": text}) for text in texts))
    return str(path)


def test_a_file_of_texts_is_read_with_a_token_for_masks(tmp_path):
    texts = [document([n % 8, 1, 2], [3, n % 5]) for n in range(40)]
    path = write(tmp_path / "corpus.jsonl", texts)
    dataset = loading.load(path, {"max_tokens": "12", "masking": "whole_word"}, task=TASK)
    assert (dataset.task, dataset.facts.max_length, dataset.facts.masking) == (
        TASK,
        6,
        "whole_word",
    )
    assert token_names(dataset.facts.tokenizer)[find_mask(dataset.facts.tokenizer)] == "[MASK]"
    assert {name: len(source) for name, source in dataset.splits.items()} == {
        "train": 32, "validation": 4, "test": 4,
    }  # fmt: skip
    # To evaluate a run on, by its own tokenizer.
    again = loading.load(path, {"max_tokens": "40"}, task=TASK, facts=dataset.facts)
    assert again.facts == dataset.facts


def test_the_bundled_prose_serves_pretraining_when_told():
    dataset = loading.load("stdlib_prose", {"docstrings": "false"}, task=TASK)
    assert dataset.task == TASK and dataset.facts.paired
    assert loading.load("stdlib_prose", {"docstrings": "false"}).task == "text_generation"


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        (["Hello."], {}, "holds less than two sentences"),
        (["Hello there. And you."] * 40, {"tokenizer": "TOKENIZER"}, r"no token \[MASK\]"),
        (["a. b."] * 40, {"mask_rate": "0"}, "mask_rate=0 does not fit"),
        (["a. b."] * 40, {"masking": "words"}, "token, whole_word"),
    ],
)
def test_what_cannot_be_masked_is_refused(tmp_path, texts, options, message):
    path = write(tmp_path / "corpus.jsonl", texts)
    plain = tmp_path / "tokenizer.json"
    plain.write_text(train_tokenizer("word", ["Hello there."], 20))
    options = {name: value.replace("TOKENIZER", str(plain)) for name, value in options.items()}
    with pytest.raises(UserError, match=message):
        loading.load(path, options, task=TASK)
