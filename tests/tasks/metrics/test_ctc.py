"""Decoding, likelihood and alignment, against all ways in which a few frames can be written."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from threefold.tasks.metrics.ctc_decoding import (
    align,
    collapse,
    count_frames,
    log_likelihood,
    search_prefixes,
)

pytestmark = pytest.mark.each_backend


def write(path) -> tuple[int, ...]:
    """What the frames of a path write, by the definition."""
    return tuple(symbol for symbol, _ in itertools.groupby(path) if symbol)


def write_all(probabilities) -> dict[tuple[int, ...], float]:
    """The probability of every transcript, summed over all paths."""
    frames, count = probabilities.shape
    found = {}
    for path in itertools.product(range(count), repeat=frames):
        random_numbers = np.prod(probabilities[np.arange(frames), path], dtype=np.float64)
        found[write(path)] = found.get(write(path), 0.0) + random_numbers
    return found


def sample_probabilities(seed, *shape):
    scores = np.random.default_rng(seed).normal(0, 1.2, shape)
    return np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)


SEEDS, FRAMES, SYMBOLS = st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 3)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), min_size=6, max_size=6), min_size=1, max_size=4))
def test_frames_are_collapsed_by_the_definition(rows):
    for names, array in ((np, np.array(rows)), (ops, ops.convert_to_tensor(np.array(rows)))):
        found = np.asarray(ops.convert_to_numpy(collapse(array, names)))
        wanted = [[*write(row), *[0] * (6 - len(write(row)))] for row in rows]
        assert found.tolist() == wanted


@settings(max_examples=25, deadline=None)
@given(SEEDS, FRAMES, SYMBOLS)
def test_a_wide_search_finds_every_transcript_with_its_probability(seed, frames, symbols):
    probabilities = sample_probabilities(seed, frames, symbols + 1)
    wanted = write_all(probabilities)
    found = search_prefixes(probabilities, width=10_000)
    likelihoods = [likelihood for _, likelihood in found]
    assert likelihoods == sorted(likelihoods, reverse=True)
    assert {prefix: pytest.approx(np.exp(value)) for prefix, value in found} == wanted
    assert sum(np.exp(likelihoods)) == pytest.approx(1)


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_the_usual_width_finds_the_best_of_few_frames(seed):
    probabilities = sample_probabilities(seed, 6, 3)
    wanted = write_all(probabilities)
    assert wanted[search_prefixes(probabilities)[0][0]] == pytest.approx(max(wanted.values()))


def test_a_search_hears_what_no_single_path_says():
    probabilities = np.array([[0.6, 0.4], [0.6, 0.4]])
    assert collapse(probabilities.argmax(axis=-1)[None]).tolist() == [[0, 0]]  # 0.36
    (best, likelihood), *_ = search_prefixes(probabilities)
    assert best == (1,) and np.exp(likelihood) == pytest.approx(0.64)


def test_a_narrow_search_keeps_as_many_as_told():
    assert len(search_prefixes(sample_probabilities(0, 5, 4), width=3)) == 3


@settings(max_examples=25, deadline=None)
@given(SEEDS, FRAMES, SYMBOLS, st.lists(st.integers(1, 3), max_size=4))
def test_likelihoods_are_sums_over_all_paths(seed, frames, symbols, transcript):
    probabilities = sample_probabilities(seed, frames, symbols + 1)
    filled = np.array([[*transcript, 0, 0]])
    padded = np.concatenate([probabilities, np.zeros((3, symbols + 1))])[None]
    wanted = write_all(probabilities).get(tuple(transcript), 0.0)
    for given_frames in (probabilities[None], padded):
        found = log_likelihood(given_frames, filled)
        assert np.exp(found) == pytest.approx([wanted])


def test_long_recordings_do_not_become_impossible():
    probabilities = sample_probabilities(0, 1, 3000, 5).astype(np.float32)
    symbols = np.array([[1, 2, 2, 3] * 200])
    assert -20_000 < log_likelihood(probabilities, symbols)[0] < -1000
    assert -20_000 < search_prefixes(probabilities[0], width=2)[0][1] < 0


def test_a_transcript_is_placed_where_it_sounds():
    sounding = [0, 0, 1, 1, 0, 2, 2, 0, 2, 0]
    probabilities = np.eye(3)[sounding] * 0.9 + 0.1 / 3
    assert align(probabilities, np.array([1, 2, 2])).tolist() == [2, 5, 8]
    assert align(probabilities, np.array([], int)).tolist() == []
    assert align(probabilities[:3], np.array([1, 1])).tolist() == [0, 2]


@pytest.mark.parametrize("transcript", [[1, 2, 1], [1, 1]])
def test_a_transcript_that_the_frames_are_too_few_for_has_no_place(transcript):
    assert align(sample_probabilities(0, 2, 3), np.array(transcript)).tolist() == []


def test_frames_behind_the_end_are_told_from_silence():
    silence, end = [1 - 2e-9, 1e-9, 1e-9], [1.0, 0.0, 0.0]
    assert count_frames(np.array([silence, [0, 1, 0], silence, end, end])) == 3
    assert count_frames(np.array([end, end])) == 2
