"""How long a fit is hangs on how many examples there are, unless the user says it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threefold.core.errors import UserError
from threefold.training.duration import SHARE_OF_BATCH, SMALLEST_BATCH, choose_duration

RECIPE = {"epochs": 15, "batch_size": 64, "min_steps": 600}


@given(st.integers(1, 100_000))
def test_small_data_get_enough_steps_in_small_batches_and_large_data_the_recipe(examples):
    epochs, batch_size, note = choose_duration(RECIPE, examples)
    steps = epochs * -(-examples // batch_size)
    assert epochs >= 15 and steps >= 600 and f"{steps:,} steps" in note
    assert batch_size <= 64
    assert batch_size == SMALLEST_BATCH or batch_size <= examples / SHARE_OF_BATCH
    if examples >= 64 * SHARE_OF_BATCH and examples * 15 >= 600 * 64:
        assert (epochs, batch_size) == (15, 64) and "few" not in note
    elif batch_size < 64 or epochs > 15:
        assert f"{examples:,} examples are few" in note


def test_the_user_rules():
    assert choose_duration(RECIPE, 40, epochs=2)[:2] == (2, 8)
    assert choose_duration(RECIPE, 40, batch_size=32)[:2] == (300, 32)
    assert choose_duration(RECIPE, 40, epochs=3, batch_size=20)[:2] == (3, 20)
    assert choose_duration(RECIPE, 40, steps=21, batch_size=20)[:2] == (11, 20)
    with pytest.raises(UserError, match="--epochs and --steps both say how long"):
        choose_duration(RECIPE, 40, epochs=1, steps=9)
