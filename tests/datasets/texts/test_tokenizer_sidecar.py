"""The `tokenizer.json` that lies in a run or an artifact gives, alone, what a model takes."""

import json
from itertools import pairwise

import numpy as np
import pytest
from cells import WORDS
from odd_texts import odd_texts
from tokenizers import Tokenizer

from threefold.datasets.facts import (
    MaskedTextFacts,
    PairFacts,
    QuestionFacts,
    TextFacts,
    TextPairFacts,
)
from threefold.datasets.texts import text_inputs
from threefold.datasets.texts.questions.questions import cut_windows
from threefold.datasets.texts.tokenizer_sidecar import complete_tokenizer
from threefold.datasets.texts.tokenizing import KINDS, START, encode, encode_words, train_tokenizer

pytestmark = pytest.mark.once
TEXTS = odd_texts(500, WORDS)
MAX_LENGTH = 12


@pytest.fixture(scope="module", params=[(kind, low) for kind in KINDS for low in (True, False)])
def content(request) -> str:
    kind, lowercase = request.param
    learnt = [" ".join(WORDS), "Ελλάδα Ёж שלום 日本語 👩‍🚀 e\u0301 ไทย", *TEXTS[::7]]
    return train_tokenizer(kind, learnt, 400, lowercase=lowercase, mask=True)


def tokenizer_of(facts, name: str = "tokenizer.json") -> Tokenizer:
    return Tokenizer.from_str(facts.sidecars()[name])


def common(content: str) -> dict:
    return {"tokenizer": content, "vocabulary_size": 400, "max_length": MAX_LENGTH}


def rows(ragged) -> list[list[int]]:
    return [ids.tolist() for ids in ragged[np.arange(len(ragged))]]


def facts_with_classes(content: str) -> TextFacts:
    return TextFacts(**common(content), class_names=("a", "b"), class_counts=(1, 1))


def test_it_cuts_what_is_long(content):
    wanted = rows(encode(content, TEXTS, MAX_LENGTH))
    assert max(map(len, wanted)) == MAX_LENGTH and min(map(len, wanted)) == 0
    for facts in (
        facts_with_classes(content),
        TextPairFacts(**common(content), class_names=("a", "b"), class_counts=(1, 1)),
    ):
        tokenizer = tokenizer_of(facts)
        assert [tokenizer.encode(text).ids for text in TEXTS] == wanted
    facts = PairFacts(
        source_tokenizer=content,
        target_tokenizer=content,
        source_vocabulary_size=400,
        target_vocabulary_size=400,
        max_source_length=MAX_LENGTH,
        max_target_length=5,
    )
    tokenizer = tokenizer_of(facts, "source_tokenizer.json")
    assert [tokenizer.encode(text).ids for text in TEXTS] == wanted


def test_it_fills_up_the_shorter_of_a_batch(content):
    found = tokenizer_of(facts_with_classes(content)).encode_batch(TEXTS)
    wanted = rows(encode(content, TEXTS, MAX_LENGTH))
    assert [one.ids for one in found] == [ids + [0] * (MAX_LENGTH - len(ids)) for ids in wanted]


def test_it_begins_texts_that_go_on_with_their_start(content):
    facts = TextFacts(**common(content))
    found = [tokenizer_of(facts).encode(text).ids for text in TEXTS]
    assert found == [[START, *ids] for ids in rows(encode(content, TEXTS))]


def test_it_reads_words_that_are_split_already(content):
    sentences = [text.split() for text in TEXTS]
    tokenizer = tokenizer_of(facts_with_classes(content))
    found = [tokenizer.encode(words, is_pretokenized=True).ids for words in sentences]
    assert found == rows(encode_words(content, sentences, MAX_LENGTH)[0])


def test_it_takes_the_mask_for_a_token(content):
    facts = MaskedTextFacts(**common(content), mask_rate=0.15, masking="token", paired=True)
    texts = [f"{text}[MASK]{other} [MASK]" for text, other in pairwise(TEXTS)]
    wanted, _ = text_inputs._encode(texts, facts, 2 * MAX_LENGTH)
    found = [tokenizer_of(facts).encode(text) for text in texts]
    assert [one.ids for one in found] == [ids.tolist() for ids in wanted["first"]]
    places = [[n for n, name in enumerate(one.tokens) if name == "[MASK]"] for one in found]
    assert places == [found.tolist() for found in wanted["masked"]]


def test_it_reads_contexts_in_windows(content):
    facts = QuestionFacts(**common(content), max_question_length=5, stride=4)
    tokens = encode(content, TEXTS)
    wanted = rows(cut_windows(tokens, facts.max_length, facts.stride).of(tokens))
    tokenizer = tokenizer_of(facts)
    tokenizer.no_padding()  # of the windows of one text
    found = [tokenizer.encode(text) for text in TEXTS]
    assert [part.ids for one in found for part in (one, *one.overflowing)] == wanted
    tokenizer.enable_truncation(facts.max_question_length)
    found = [tokenizer.encode(text).ids for text in TEXTS]
    assert found == [ids[: facts.max_question_length] for ids in rows(tokens)]


@pytest.mark.parametrize("spoilt", ["truncation", "post_processor", "added_tokens"])
def test_without_it_other_tokens_would_be_found(content, spoilt):
    """What the tests above rest on: each part of the file is needed by some of these texts."""
    options = {
        "truncation": {"max_length": MAX_LENGTH},
        "post_processor": {"start": True},
        "added_tokens": {"mask": True},
    }[spoilt]
    whole = complete_tokenizer(content, **options)
    without = json.loads(whole) | {spoilt: [] if spoilt == "added_tokens" else None}
    one, other = Tokenizer.from_str(whole), Tokenizer.from_str(json.dumps(without))
    assert any(one.encode(text).ids != other.encode(text).ids for text in TEXTS)
