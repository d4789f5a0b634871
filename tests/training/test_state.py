"""State as plain arrays: all that the next step depends on, and nothing that is made up."""

import random

import keras
import numpy as np
import pytest

from threefold.training import state
from threefold.training.backend import seed_everything

pytestmark = pytest.mark.each_backend

X = np.random.default_rng(0).normal(size=(16, 3)).astype(np.float32)
Y = X.sum(axis=1, keepdims=True)


def build(seed=0, width=4, **optimizer):
    seed_everything(seed)
    keras.config.set_dtype_policy("float32")
    inputs = keras.Input((3,), name="x")
    x = keras.layers.Dense(width, name="hidden")(inputs)
    x = keras.layers.Dropout(0.5, seed=seed, name="drop")(x)
    model = keras.Model(inputs, keras.layers.Dense(1, name="out")(x))
    model.compile(keras.optimizers.Adam(0.01, name="adam", **optimizer), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def step(model, steps=1):
    for _ in range(steps):
        model.fit(X, Y, batch_size=16, shuffle=False, verbose=0)


def test_a_restored_model_takes_the_same_next_step():
    model = build()
    step(model, 3)
    arrays = state.collect_state(model)
    step(model, 2)
    wanted = state.collect_state(model)
    other = build(seed=1)
    state.restore_state(other, arrays, same_backend=True)
    step(other, 2)
    found = state.collect_state(other)
    assert found.keys() == wanted.keys()
    for name in found:
        np.testing.assert_array_equal(found[name], wanted[name], err_msg=name)


def test_every_kind_of_state_is_there_and_the_names_say_what_it_is():
    model = build()
    step(model)
    names = set(state.collect_state(model))
    assert {"weights/hidden/kernel", "optimizer/adam/iteration", "seeds/0000"} <= names
    kinds = {name.partition("/")[0] for name in names}
    assert kinds == {"weights", "optimizer", "seeds", "metrics"}


def test_the_arrays_are_copies():
    model = build()
    arrays = state.collect_state(model)
    before = {name: array.copy() for name, array in arrays.items()}
    step(model, 2)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, before[name])


def test_the_seeds_of_another_backend_are_left_alone():
    arrays = state.collect_state(build(seed=3))
    model = build(seed=5)
    own = state.collect_state(model)["seeds/0000"]
    state.restore_state(model, arrays, same_backend=False)
    np.testing.assert_array_equal(state.collect_state(model)["seeds/0000"], own)
    state.restore_state(model, arrays, same_backend=True)
    np.testing.assert_array_equal(state.collect_state(model)["seeds/0000"], arrays["seeds/0000"])


def test_averaged_weights_are_those_a_model_answers_with():
    model = build(use_ema=True, ema_momentum=0.5)
    first = state.collect_weights(model)
    trained = {name: array + 1 for name, array in first.items()}
    state.restore_weights(model, trained)
    for (_, average), array in zip(state.averaged(model), first.values(), strict=True):
        average.assign(array - 2)
    found = state.collect_weights(model)
    for name, array in first.items():
        np.testing.assert_array_equal(found[name], array - 2)
    whole = state.collect_state(model)
    np.testing.assert_array_equal(whole["weights/hidden/kernel"], trained["weights/hidden/kernel"])
    assert state.averaged(build()) == []


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda arrays: arrays.pop("weights/out/bias"), "holds no weights/out/bias"),
        (lambda arrays: arrays.update({"weights/out/bias": np.zeros(2)}), r"the shape \(2,\)"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(spoil, message):
    model = build()
    arrays = {name: array + 1 for name, array in state.collect_weights(model).items()}
    spoil(arrays)
    before = state.collect_weights(model)
    with pytest.raises(ValueError, match=message):
        state.restore_weights(model, arrays)
    for name, array in state.collect_weights(model).items():
        np.testing.assert_array_equal(array, before[name])


def test_metrics_of_a_cut_epoch_go_on():
    model = build()
    step(model)
    arrays = state.collect_state(model)
    kept = {name: array for name, array in arrays.items() if name.startswith("metrics/")}
    model.reset_metrics()
    state.restore_metrics(model, arrays)
    found = state.collect_state(model)
    for name, array in kept.items():
        np.testing.assert_array_equal(found[name], array)
    assert any(array.any() for array in kept.values())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_none_is_seen(value):
    assert state.all_finite({"a": np.ones(3), "n": np.arange(3)})
    assert not state.all_finite({"a": np.ones(3), "b": np.array([[1, value]])})


def test_random_generators_go_on_where_they_were():
    def sample():
        sampled = [random.random(), float(np.random.random())]
        if keras.config.backend() == "torch":
            import torch

            sampled.append(float(torch.rand(1)))
        return sampled

    seed_everything(3)
    sample()
    arrays = state.collect_generators()
    wanted = sample()
    seed_everything(4)
    state.restore_generators(arrays)
    assert sample() == wanted
