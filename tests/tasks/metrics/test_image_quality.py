"""Distances and shares of two sets of features: what they are, how sure, and in how much memory."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threefold.tasks.metrics.bootstrap import sample_counts
from threefold.tasks.metrics.images import image_quality
from threefold.tasks.metrics.images.image_quality import (
    compare_features,
    frechet_distance,
    kernel_distance,
    neighbours_found,
)


def make_features(count: int, other: int, width: int = 6, seed: int = 0):
    random = np.random.default_rng(seed)
    return random.normal(size=(count, width)), random.normal(0.3, 1.2, (other, width))


def test_the_frechet_distance_is_that_of_normal_distributions():
    sample = np.random.default_rng(0)
    one, other = sample.normal(0, 1, (200_000, 2)), sample.normal((3, 0), (2, 1), (200_000, 2))
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(one, other) == pytest.approx(9 + 1, rel=0.02)  # means; 1 + 4 - 2 · 2


def test_neighbours_tell_copies_from_strangers():
    real = np.random.default_rng(0).normal(size=(50, 3))
    same, far = neighbours_found(real, real), neighbours_found(real + 100, real)
    assert same["precision"].mean() == same["coverage"].mean() == 1
    assert [far[name].mean() for name in ("precision", "recall", "density", "coverage")] == [0] * 4


@given(
    count=st.integers(2, 30), other=st.integers(2, 30), width=st.integers(1, 8),
    block=st.integers(1, 40), seed=st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_the_kernel_distance_of_blocks_is_that_of_the_formula(count, other, width, block, seed):
    one, two = make_features(count, other, width, seed)

    def mean_kernel(a, b, but_itself=False):
        pairs = [(x, y) for i, x in enumerate(a) for j, y in enumerate(b)
                 if not (but_itself and i == j)]  # fmt: skip
        return np.mean([(x @ y / width + 1) ** 3 for x, y in pairs])

    wanted = mean_kernel(one, one, True) + mean_kernel(two, two, True) - 2 * mean_kernel(one, two)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_quality, "BLOCK", block)
        assert kernel_distance(one, two) == pytest.approx(wanted, rel=1e-9, abs=1e-9)


def test_ten_thousand_images_are_compared_within_500_megabytes():
    made, real = make_features(10_000, 10_000, 64)
    tracemalloc.start()
    kernel_distance(made, real)
    neighbours_found(made[:1000], real)  # block by block, so that time is all that more would cost
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 500e6  # two matrices of all pairs would be 1,600


def test_intervals_hold_the_value_and_narrow_with_more_images():
    few, many = (
        compare_features(*make_features(count, count, 24), "classifier", intervals=True)
        for count in (100, 1600)
    )
    for name, bounds in few["intervals"].items():
        narrow = many["intervals"][name]
        assert bounds["low"] <= few[name] <= bounds["high"]
        assert narrow["low"] <= many[name] <= narrow["high"]
        # A quarter, were it not that neighbours of 1,600 images are nearer than those of 100.
        assert narrow["high"] - narrow["low"] < 0.6 * (bounds["high"] - bounds["low"])
    assert few["intervals"].keys() == few.keys() - {"intervals"} and len(few) == 7


def test_intervals_of_the_distances_hold_what_other_images_give():
    """As wide as values of fresh images are scattered, of which an interval is an estimate."""
    fresh = [make_features(200, 200, seed=seed) for seed in range(1, 200)]
    made, real = make_features(200, 200)
    found = compare_features(made, real, "classifier", intervals=True)["intervals"]
    for name, distance in (("frechet", frechet_distance), ("kernel", kernel_distance)):
        low, high = np.percentile([distance(*pair) for pair in fresh], (2.5, 97.5))
        bounds = found[f"classifier_{name}_distance"]
        assert 0.8 < (bounds["high"] - bounds["low"]) / (high - low) < 1.25


def test_a_share_on_which_all_images_agree_has_no_interval():
    made, real = make_features(60, 60)
    found = compare_features(made + 100, real, "classifier", intervals=True)["intervals"]
    assert found.keys() == {"classifier_frechet_distance", "classifier_kernel_distance"}


def test_a_sample_has_as_many_rows_as_there_are():
    counts = sample_counts(30, 0)
    assert (counts.sum(axis=1) == 30).all() and counts.max() > 1
    assert np.array_equal(counts, sample_counts(30, 0))
