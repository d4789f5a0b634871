"""Windows of series: what is in them, and that no later split is seen in an earlier one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threefold.core.errors import UserError
from threefold.datasets.series.windows import (
    Series,
    SplitBoundaries,
    Windows,
    cut_windows,
    fill_gaps,
    find_split_boundaries,
    naive_error,
)


def make(name="a", steps=20, first=0, columns=(0, 0)):
    numbers = np.arange(first, first + steps)
    past_covariates, future_covariates = (
        np.repeat(numbers[:, None] * 10.0, width, axis=1) for width in columns
    )
    return Series(
        name, numbers, numbers.astype(float), past_covariates, future_covariates, numbers - first
    )


def test_a_window_holds_what_was_and_what_came():
    series = [make("a", 10, columns=(1, 2)), make("b", 6, first=100, columns=(1, 2))]
    origins = [np.array([3, 5]), np.array([4])]
    windows = Windows(series, np.array([2.0, 5.0]), 3, 2, origins)
    assert len(windows) == 3
    found = windows[np.array([2, 0])]
    np.testing.assert_array_equal(found["history"], [[101, 102, 103], [0, 1, 2]])
    np.testing.assert_array_equal(found["future"], [[104, 105], [3, 4]])
    np.testing.assert_array_equal(found["time"], [[104, 105], [3, 4]])
    np.testing.assert_array_equal(found["past_covariates"][0, :, 0], [1010, 1020, 1030])
    np.testing.assert_array_equal(
        found["future_covariates"][0, :, 1], [1010, 1020, 1030, 1040, 1050]
    )
    assert found["series"].tolist() == ["b", "a"] and found["scale"].tolist() == [5, 2]
    assert {
        found[name].dtype for name in ("history", "future", "past_covariates", "future_covariates")
    } == {np.dtype(np.float32)}


def test_columns_that_are_not_there_are_not_given():
    windows = Windows([make()], np.ones(1), 3, 2, [np.array([3])])
    assert set(windows[np.array([0])]) == {"history", "future", "time", "scale", "series"}


def test_windows_take_no_more_memory_than_the_series():
    windows = Windows([make(steps=50_000)], np.ones(1), 500, 100, [np.arange(500, 49_900)])
    held = sum(part.nbytes for part in vars(windows).values() if isinstance(part, np.ndarray))
    assert held < 50_000 * 8 * 5  # of which all windows cut would hold 600 times as much
    assert windows[np.array([0, 49_399])]["history"].shape == (2, 500)


@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(0, 40)), min_size=1, max_size=4),
    st.integers(1, 8),
    st.integers(1, 5),
    st.floats(0, 0.45),
    st.floats(0, 0.45),
)
def test_what_is_told_lies_within_one_split(sizes, context, horizon, validation, test):
    """And every window that reaches across no border is there, once."""
    series = [make(str(n), steps, first) for n, (steps, first) in enumerate(sizes)]
    boundaries = find_split_boundaries(series, validation, test)
    assert boundaries.validation <= boundaries.test
    for one in series:
        cuts = cut_windows(one.stamps, boundaries, context, horizon)
        for name, (low, high) in {
            "train": (-np.inf, boundaries.validation),
            "validation": (boundaries.validation, boundaries.test),
            "test": (boundaries.test, np.inf),
        }.items():
            wanted = [
                origin
                for origin in range(context, len(one) - horizon + 1)
                if low <= one.stamps[origin] and one.stamps[origin + horizon - 1] < high
            ]
            assert cuts[name].tolist() == wanted


def test_splits_have_their_share_of_time_and_the_latest_is_the_test():
    boundaries = find_split_boundaries([make(steps=100)], 0.2, 0.1)
    assert boundaries == SplitBoundaries(70, 90)
    assert find_split_boundaries([make(steps=100)], 0.2, 0) == SplitBoundaries(80, 100)
    assert find_split_boundaries([make(steps=100)], 0, 0) == SplitBoundaries(100, 100)


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (-0.1, 0.2), (0.2, -0.1)])
def test_fractions_that_leave_nothing_are_refused(fractions):
    with pytest.raises(UserError, match="must be 0 or more and below 1 together"):
        find_split_boundaries([make()], *fractions)


NEVER = SplitBoundaries(10**9, 10**9)


@pytest.mark.parametrize(
    ("fill", "wanted"),
    [
        ("interpolate", [1, 2, 3, 4, 8, 8]),
        ("previous", [1, 1, 1, 4, 8, 8]),
        ("zero", [1, 0, 0, 4, 8, 0]),
    ],
)
def test_gaps_are_filled_as_told(fill, wanted):
    values = np.array([1, np.nan, np.nan, 4, 8, np.nan])
    before = values.copy()
    np.testing.assert_allclose(fill_gaps(values, np.arange(6), NEVER, fill), wanted)
    np.testing.assert_array_equal(values, before)


def test_a_gap_over_a_border_is_filled_from_before_it():
    values = np.array([1, np.nan, np.nan, np.nan, 9.0])
    filled = fill_gaps(values, np.arange(5), SplitBoundaries(2, 3), "interpolate")
    np.testing.assert_allclose(filled, [1, 1, 1, 5, 9])


@settings(max_examples=200)
@given(
    st.lists(st.one_of(st.none(), st.floats(-9, 9)), min_size=2, max_size=30),
    st.integers(0, 30),
    st.integers(0, 30),
    st.sampled_from(["interpolate", "previous", "zero"]),
    st.randoms(use_true_random=False),
)
def test_no_filled_value_depends_on_a_later_split(cells, one, other, fill, random_numbers):
    values = np.array([0.0, *(np.nan if cell is None else cell for cell in cells)])
    stamps, boundaries = np.arange(len(values)), SplitBoundaries(*sorted((one + 1, other + 1)))
    filled = fill_gaps(values, stamps, boundaries, fill)
    assert not np.isnan(filled).any()
    np.testing.assert_array_equal(filled[~np.isnan(values)], values[~np.isnan(values)])
    for border in (boundaries.validation, boundaries.test):
        later = values.copy()
        later[border:] = [random_numbers.choice([np.nan, 100.0]) for _ in values[border:]]
        again = fill_gaps(later, stamps, boundaries, fill)
        np.testing.assert_array_equal(again[:border], filled[:border])


def test_the_naive_error_is_that_of_the_season_before():
    assert naive_error(np.array([1.0, 5.0, 2.0, 9.0]), 2) == 2.5
    assert np.isnan(naive_error(np.array([1.0, 5.0]), 2))
