"""Which epoch's weights are kept."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threefold.core.best_epoch import find_best


def rows(*losses):
    return [{"loss": 9.0 - place, "val_loss": loss} for place, loss in enumerate(losses)]


@pytest.mark.parametrize(
    ("losses", "tolerance", "wanted"),
    [
        ((3.0, 1.0, 2.0, 1.0), 0.0, 1),  # the first of the lowest
        ((3.0, 1.0, 2.0, 1.05), 0.1, 3),
        ((3.0, 1.0, 1.08, 1.15), 0.1, 2),  # as far above the lowest, not above the last
        ((3.0, 1.0, 9.0), 0.1, 1),
        ((math.nan, 2.0, math.nan), 0.1, 1),
        ((math.nan,), 0.0, 0),
    ],
)
def test_the_last_of_the_epochs_that_are_as_good_is_kept(losses, tolerance, wanted):
    assert find_best(rows(*losses), tolerance) == wanted


def test_without_a_validation_the_training_loss_decides():
    assert find_best([{"loss": 2.0}, {"loss": 1.0}, {"loss": 3.0}]) == 1


@given(st.lists(st.floats(0, 10), min_size=1), st.floats(0, 1))
def test_what_is_kept_is_as_good_as_the_best(losses, tolerance):
    found = find_best(rows(*losses), tolerance)
    assert losses[found] <= min(losses) * (1 + tolerance)
    assert found >= losses.index(min(losses))
