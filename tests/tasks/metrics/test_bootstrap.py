"""Intervals of metrics: wide where rows are few, the same each time, none where none can be."""

import numpy as np
import pytest

from threefold.tasks.metrics import bootstrap
from threefold.tasks.metrics.bootstrap import bootstrap_intervals


def accuracy_of(right: np.ndarray):
    return lambda rows: {"accuracy": float(right[rows].mean())}


def test_a_share_of_few_rows_is_unsure_and_of_many_is_not():
    low, high = bootstrap_intervals(accuracy_of(np.arange(12) < 4), 12, ["accuracy"])["accuracy"]
    assert low < 0.1 and 0.55 < high < 0.7  # 4 of 12: by the binomial distribution 0.08 and 0.58
    few = accuracy_of(np.arange(12_000) < 4_000)
    low, high = bootstrap_intervals(few, 12_000, ["accuracy"])["accuracy"]
    assert low == pytest.approx(1 / 3 - 0.0084, abs=0.002)
    assert high == pytest.approx(1 / 3 + 0.0084, abs=0.002)


def test_draws_are_the_same_each_time():
    right = accuracy_of(np.arange(50) % 3 == 0)
    assert bootstrap_intervals(right, 50, ["accuracy"]) == bootstrap_intervals(
        right, 50, ["accuracy"]
    )


def test_what_is_not_defined_or_takes_too_long_has_no_interval(monkeypatch):
    assert bootstrap_intervals(lambda rows: {}, 1, ["r2"]) == {}
    monkeypatch.setattr(bootstrap, "MOST_SECONDS", 0)
    assert bootstrap_intervals(accuracy_of(np.ones(5)), 5, ["accuracy"]) == {}


def test_rows_that_all_agree_say_nothing_of_others():
    assert bootstrap_intervals(accuracy_of(np.ones(13, bool)), 13, ["accuracy"]) == {}
