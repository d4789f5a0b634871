"""Quantiles that hold what they promise: ranks by hand, coverage of fresh data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threefold.tasks.metrics.conformal import MOST, conformal_quantile, fit_factors, suffices

LEVELS = (0.1, 0.5, 0.9)


@pytest.mark.parametrize(
    ("count", "level", "rank"),
    [(9, 0.9, 9), (10, 0.9, 10), (19, 0.9, 18), (99, 0.9, 90), (3, 0.5, 2)],
)
def test_the_rank_is_that_of_one_score_more(count, level, rank):
    scores = np.random.default_rng(0).permutation(np.arange(1.0, count + 1))
    assert conformal_quantile(scores, np.ones(count), level) == rank
    assert conformal_quantile(scores, np.full(count, 0.3), level) == rank


def test_too_few_scores_promise_nothing():
    assert conformal_quantile(np.arange(8.0), np.ones(8), 0.9) is None
    assert [suffices(count, LEVELS) for count in (8, 9)] == [False, True]
    assert [suffices(count, (0.05, 0.5, 0.9)) for count in (18, 19)] == [False, True]


def test_a_score_that_counts_twice_is_two():
    scores, weights = np.arange(20.0), np.repeat([1.0, 2.0], 10)
    repeated = np.repeat(scores, weights.astype(int))
    for level in (0.3, 0.5, 0.8):
        # The further score counts twice as well.
        rank = np.ceil((len(repeated) + 2) * level).astype(int) - 1
        assert conformal_quantile(scores, weights, level) == repeated[rank]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60),
    st.floats(0.01, 0.99),
    st.integers(0, 2**31),
)
def test_of_all_scores_with_a_further_one_enough_are_beneath(scores, level, seed):
    """Whichever of them is the further one: the share is the probability that it is."""
    scores = np.array(scores)
    found = []
    for place in range(len(scores)):
        rest = np.delete(scores, place)
        bound = conformal_quantile(rest, np.ones(len(rest)), level) if len(rest) else None
        found.append(bound is None or scores[place] <= bound)
    assert np.mean(found) >= level - 1e-9


def sample(count, horizon=3, seed=0, levels=LEVELS):
    """Windows whose error grows with the step, and forecasts that know nothing of that."""
    random = np.random.default_rng(seed)
    median, unit = random.normal(0, 5, (count, horizon)), random.uniform(1, 3, (count, 1))
    future = median + unit * np.arange(1, horizon + 1) * random.normal(0.3, 1, (count, horizon))
    offsets = np.array(levels) - 0.5
    return median[..., None] + unit[..., None] * offsets, future


def calibrate(forecasts, factors, middle=1):
    centre = forecasts[..., middle : middle + 1]
    return centre + (forecasts - centre) * factors


def test_fresh_data_are_covered_at_every_step_and_not_by_far_too_much():
    forecasts, future = sample(400)
    factors = fit_factors(forecasts, future, np.ones(400), LEVELS, 1)
    assert factors.shape == (3, 3) and factors.dtype == np.float32
    assert (factors[:, 1] == 1).all() and (np.diff(factors[:, 2]) > 0).all()
    forecasts, future = sample(20_000, seed=1)
    before = (forecasts[..., 0] <= future) & (future <= forecasts[..., 2])
    stated = calibrate(forecasts, factors)
    below, above = future < stated[..., 0], future > stated[..., 2]
    assert before.mean() < 0.3
    for beyond in (below, above):
        np.testing.assert_allclose(beyond.mean(axis=0), 0.1, atol=0.04)


def test_few_windows_pool_their_steps_and_fewer_give_nothing():
    forecasts, future = sample(6)
    factors = fit_factors(forecasts, future, np.ones(6), LEVELS, 1)
    assert (factors == factors[0]).all() and factors[0, 2] > 1
    assert fit_factors(forecasts[:2], future[:2], np.ones(2), LEVELS, 1) is None


def test_factors_are_finite_and_none_turns_a_quantile_round():
    forecasts, future = sample(40)
    flat = np.repeat(forecasts[..., 1:2], 3, axis=-1)
    assert fit_factors(flat, future + 100, np.ones(40), LEVELS, 1).max() == MOST
    always_above = fit_factors(forecasts, future + 100, np.ones(40), LEVELS, 1)
    assert (always_above[:, 0] == 0).all() and (always_above[:, 2] > 1).all()


def test_every_level_has_its_factor():
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    forecasts, future = sample(2000, levels=levels)
    factors = fit_factors(forecasts, future, np.ones(2000), levels, 2)
    forecasts, future = sample(20_000, seed=1, levels=levels)
    stated = calibrate(forecasts, factors, middle=2)
    for place, level in ((0, 0.05), (1, 0.25), (3, 0.75), (4, 0.95)):
        assert (future <= stated[..., place]).mean() == pytest.approx(level, abs=0.02)
