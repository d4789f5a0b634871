"""What a fit can be told, and who decides what was left open."""

from types import SimpleNamespace
from typing import get_args

import pytest
from refusals import flatten, refused

from threefold.core.errors import UserError
from threefold.training.building import blueprint_names, find_blueprint
from threefold.training.settings import LEARNING_RATES, Optimizer, TrainingSettings

pytestmark = pytest.mark.once

RECIPE = {
    "epochs": 30, "batch_size": 32, "optimizer": "adamw", "learning_rate": 5e-3,
    "weight_decay": 0.05,
}  # fmt: skip


def resolve(augmentation=("shift",), **given):
    return TrainingSettings.parse(given).resolve(
        SimpleNamespace(TRAINING=RECIPE), "a_task", augmentation
    )


def test_what_is_left_open_comes_from_the_blueprint_and_the_task():
    found = resolve()
    assert {name: getattr(found, name) for name in RECIPE} == RECIPE
    assert found.augment == ("shift",) and found.schedule == "cosine"
    assert (found.clip_norm, found.ema, found.patience, found.checkpoint_steps) == (None,) * 4


def test_what_the_user_says_rules():
    found = resolve(epochs="3", learning_rate="0.5", augment="flip,mixup", weight_decay="0")
    assert (found.epochs, found.learning_rate, found.weight_decay) == (3, 0.5, 0)
    assert found.augment == ("flip", "mixup") and found.batch_size == 32


@pytest.mark.parametrize("optimizer", get_args(Optimizer))
def test_another_optimizer_drops_what_was_meant_for_the_blueprints(optimizer):
    found = resolve(optimizer=optimizer)
    own = optimizer == "adamw"
    assert found.learning_rate == (5e-3 if own else LEARNING_RATES[optimizer])
    assert found.weight_decay == (0.05 if own else None)
    assert found.epochs == 30
    assert resolve(optimizer=optimizer, learning_rate="0.7").learning_rate == 0.7


def test_augmentation_can_be_switched_off():
    assert resolve(augment="").augment == ()


def test_resolving_twice_changes_nothing():
    """A run's own settings are resolved again when it is repeated."""
    found = resolve(optimizer="lars", augment="")
    again = TrainingSettings.model_validate(found.model_dump())
    assert again.resolve(SimpleNamespace(TRAINING=RECIPE), "a_task", ("flip",)) == found


def test_every_blueprint_names_settings_that_exist():
    for name in blueprint_names():
        recipe = find_blueprint(name).TRAINING
        TrainingSettings(**{key: value for key, value in recipe.items() if key != "min_steps"})
        assert {"epochs", "batch_size", "optimizer"} <= set(recipe), name


# Of each setting values that it does not take, and what is said of them.
BAD = {
    "epochs": {"0": "greater than or equal to 1", "2.5": "integer"},
    "batch_size": {"-1": "greater than"},
    "learning_rate": {"0": "greater than 0", "fast": "number", "inf": "finite", "nan": "finite"},
    "warmup": {"1": "less than 1"},
    "weight_decay": {"-0.1": "greater than"},
    "clip_norm": {"0": "greater than 0"},
    "label_smoothing": {"1": "less than 1"},
    "ema": {"1": "less than 1"},
    "patience": {"0": "greater than"},
    "seed": {"-1": "greater than"},
    "checkpoint_steps": {"0": "greater than"},
    "optimizer": {"adamm": "did you mean 'adam'"},
    "schedule": {"cosin": "did you mean 'cosine'"},
    "precision": {"mixed_float61": "did you mean 'mixed_float16'"},
    "class_weights": {"balance": "did you mean 'balanced'"},
    "augment": {"flip,spin": "'flip', 'shift'"},
}


@pytest.mark.parametrize(("name", "value", "expected"), flatten(BAD))
def test_a_value_that_does_not_fit_names_the_option_and_what_it_takes(name, value, expected):
    with refused(f"--{name.replace('_', '-')} ") as error:
        TrainingSettings.parse({name: value})
    assert value in str(error.value) and expected in str(error.value)


def test_an_unknown_setting_suggests_the_closest():
    with pytest.raises(UserError, match="no option 'epoch'; did you mean 'epochs'"):
        TrainingSettings.parse({"epoch": "3"})


def test_every_setting_has_a_help():
    assert all(option.help for option in TrainingSettings.options().values())
