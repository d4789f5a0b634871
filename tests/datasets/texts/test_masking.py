"""Masked tokens: how many, which, and what stands in their place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from threefold.datasets.batching import uniform
from threefold.datasets.texts.masking import MASKED, NO_PLACE, REPLACED, count_masks, mask_tokens

MASK = 4
ORDINARY = np.arange(5, 50)


def mask(tokens, seed=0, rate=0.15, slots=8, continues=None):
    tokens = np.asarray(tokens)
    numbers = uniform(seed, 0, np.arange(len(tokens)), 2 * tokens.shape[1])
    numbers = numbers.reshape(len(tokens), 2, -1).swapaxes(0, 1)
    return mask_tokens(
        tokens, numbers, rate=rate, mask_token=MASK, ordinary=ORDINARY, slots=slots,
        continues=continues,
    )  # fmt: skip


texts = st.lists(
    st.lists(st.integers(0, 49), min_size=12, max_size=12), min_size=1, max_size=4
).map(np.array)


@given(texts, st.integers(0, 9), st.sampled_from([0.1, 0.15, 0.5]), st.booleans())
def test_only_the_places_that_are_named_change_and_they_name_what_stood_there(
    tokens, seed, rate, whole_words
):
    continues = np.arange(50) % 3 == 0 if whole_words else None
    found = mask(tokens, seed, rate, continues=continues)
    for row, text in enumerate(tokens):
        true = np.flatnonzero(text)
        places = found.places[row][found.places[row] != NO_PLACE]
        assert sorted(set(places)) == list(places)  # from left to right, each once
        stood = true[places]
        assert found.wanted[row].tolist() == [*text[stood], *[0] * (8 - len(places))]
        others = np.setdiff1d(np.arange(len(text)), stood)
        np.testing.assert_array_equal(found.tokens[row][others], text[others])
        assert (found.tokens[row][stood] != 0).all()
        wanted = min(count_masks(len(true), rate), len(true), 8)
        assert len(places) <= wanted and (len(places) == wanted or whole_words)
        assert len(places) > 0 or len(true) == 0


@given(texts, st.integers(0, 9))
def test_whole_words_are_masked_or_not_at_all(tokens, seed):
    continues = np.arange(50) % 3 == 0
    found = mask(tokens, seed, 0.5, continues=continues)
    for row, text in enumerate(tokens):
        true = text[text != 0]
        words = np.cumsum(~continues[true] | (np.arange(len(true)) == 0))
        places = found.places[row][found.places[row] != NO_PLACE]
        taken = set(words[places])
        complete = all(np.isin(np.flatnonzero(words == word), places).all() for word in taken)
        assert complete or len(taken) == 1  # a word longer than all that may be masked


def test_a_text_is_masked_alike_whatever_else_is_in_the_batch():
    tokens = np.array([[7, 8, 9, 10, 11, 0, 0, 0], [9, 9, 9, 9, 9, 9, 9, 9]])
    together, alone = mask(tokens), mask(tokens[:1])
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one[:1], other)


def test_most_are_masked_some_replaced_and_the_others_kept():
    tokens = np.full((400, 40), 7)
    found = mask(tokens, rate=0.5, slots=20)
    at = np.take_along_axis(found.tokens, found.places, axis=1)
    assert np.mean(at == MASK) == pytest.approx(MASKED, abs=0.02)
    assert np.mean(at == 7) == pytest.approx(1 - MASKED - REPLACED, abs=0.02)
    replaced = at[(at != MASK) & (at != 7)]
    assert set(replaced) <= set(ORDINARY)
    assert len(set(replaced)) == len(ORDINARY) - 1  # any of them


def test_each_token_is_as_likely_to_be_masked():
    found = mask(np.full((2000, 10), 7), rate=0.2, slots=2)
    counts = np.bincount(found.places.ravel(), minlength=10)
    assert counts.min() > 300 and counts.max() < 500
