"""Counts of short runs of tokens: a language model that the others must beat."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.lm import KneserNeyInterpolated
from nltk.util import everygrams

from threefold.tasks.metrics import ngrams
from threefold.tasks.metrics.ngrams import KneserNey


def test_probabilities_are_those_of_nltk(monkeypatch):
    # Of NLTK, every order has the same discount; nothing is kept for tokens that were never met.
    monkeypatch.setattr(ngrams, "_discount", lambda counts: 0.1 if len(counts) > 4 else 0.0)
    sample = np.random.default_rng(0)
    text = sample.choice(4, 300, p=(0.5, 0.3, 0.1, 0.1))
    text = np.concatenate([text, text[:3]])  # so that something stands before every run
    theirs = KneserNeyInterpolated(3, discount=0.1)
    theirs.fit([everygrams(list(map(str, text)), max_len=3)], vocabulary_text=list("0123"))
    asked = sample.choice(4, (20, 3))
    wanted = [
        [theirs.score(str(b), [str(a)]), theirs.score(str(c), [str(a), str(b)])]
        for a, b, c in asked
    ]
    np.testing.assert_allclose(
        KneserNey(text[None], 4, 3).token_probabilities(asked), wanted, rtol=1e-9
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 9), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_probabilities_of_all_tokens_are_one_after_anything(vocabulary, order, seed):
    sample = np.random.default_rng(seed)
    model = KneserNey(sample.integers(0, max(1, vocabulary - 1), (6, 12)), vocabulary, order)
    before = sample.integers(0, vocabulary, (5, 7))
    every = [np.column_stack([before, np.full(5, token)]) for token in range(vocabulary)]
    explicit = np.array([model.token_probabilities(windows)[:, -1] for windows in every])
    assert (explicit > 0).all()
    np.testing.assert_allclose(explicit.sum(axis=0), 1, rtol=1e-9)


def test_what_was_read_before_is_told_better_than_by_chance():
    text = np.tile(np.arange(7), 30)[:203].reshape(7, 29)
    explicit = KneserNey(text, 7).token_probabilities(text)
    assert explicit[:, 4:].min() > 0.9 and explicit.shape == (7, 28)


def test_another_order_of_tokens_is_no_more_than_guessed():
    explicit = KneserNey(np.tile([0, 1], (3, 10)), 4).token_probabilities(np.array([[2, 3, 2, 3]]))
    assert explicit.max() == pytest.approx(explicit.min()) and explicit.max() < 0.25
