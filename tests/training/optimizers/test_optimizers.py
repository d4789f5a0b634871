"""Every optimizer and schedule that a setting names."""

import math
from typing import get_args

import keras
import numpy as np
import pytest

from threefold.training import state
from threefold.training.backend import seed_everything
from threefold.training.optimizers.lars import LARS
from threefold.training.optimizers.optimizers import WarmupSchedule, make_optimizer, make_schedule
from threefold.training.settings import LEARNING_RATES, Optimizer, Schedule, TrainingSettings

pytestmark = pytest.mark.each_backend

NAMES = get_args(Optimizer)
X = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
Y = np.tanh(X @ np.array([[1.0], [-2.0], [0.5], [0.0]], np.float32))


def settings_for(optimizer, **given):
    defaults = {"learning_rate": LEARNING_RATES[optimizer], "schedule": "constant", "warmup": 0.0}
    return TrainingSettings(optimizer=optimizer, **defaults | given)


def compiled(optimizer, seed=0, **given):
    seed_everything(seed)
    keras.config.set_dtype_policy("float32")
    inputs = keras.Input((4,), name="x")
    x = keras.layers.Dense(8, activation="tanh", name="hidden_1")(inputs)
    x = keras.layers.Dense(8, activation="tanh", name="hidden_2")(x)
    model = keras.Model(inputs, keras.layers.Dense(1, name="head")(x))
    model.compile(make_optimizer(settings_for(optimizer, **given), 100), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def train(model, steps):
    history = model.fit(X, Y, batch_size=64, epochs=steps, shuffle=False, verbose=0).history
    return history["loss"]


@pytest.mark.parametrize("name", NAMES)
def test_every_optimizer_learns_at_its_default_rate_and_goes_on_from_its_state(name):
    model = compiled(name)
    losses = train(model, 40)
    assert np.isfinite(losses).all() and losses[-1] < 0.9 * losses[0]
    arrays = state.collect_state(model)
    assert f"optimizer/{name}/iteration" in arrays
    other = compiled(name, seed=1)
    state.restore_state(other, arrays, same_backend=True)
    assert train(other, 2) == train(model, 2)


def test_the_variants_of_momentum_differ_as_their_names_say():
    adversarial_config = [
        make_optimizer(settings_for(name), 10) for name in ("sgd", "momentum", "nesterov")
    ]
    found = [(rule.momentum, rule.nesterov) for rule in adversarial_config]
    assert found == [(0.0, False), (0.9, False), (0.9, True)]


def test_muon_leaves_the_head_to_adam():
    model = compiled("muon")
    names = {path for path in state.collect_state(model) if path.startswith("optimizer/")}
    second_moments = sorted(path for path in names if "velocity" in path)
    assert any("head" in path for path in second_moments), names
    assert not any("hidden_1_kernel" in path for path in second_moments), names


def test_weight_decay_shrinks_weights_where_it_is_asked_for():
    sizes = []
    for decay in (None, 0.5):
        variable = keras.Variable(np.ones((2, 2), np.float32))
        rule = make_optimizer(settings_for("sgd", learning_rate=0.1, weight_decay=decay), 10)
        rule.build([variable])
        rule.apply([keras.ops.zeros((2, 2))], [variable])
        sizes.append(float(np.asarray(variable.numpy())[0, 0]))
    assert sizes == pytest.approx([1, 0.95])


def test_clip_norm_bounds_the_whole_step():
    values = [np.zeros((2, 3), np.float32), np.zeros(4, np.float32)]
    variables = [keras.Variable(value) for value in values]
    rule = make_optimizer(settings_for("sgd", learning_rate=1.0, clip_norm=0.25), 10)
    rule.build(variables)
    gradients = [np.full((2, 3), 100, np.float32), np.full(4, -50, np.float32)]
    rule.apply([keras.ops.convert_to_tensor(g) for g in gradients], variables)
    moved = np.concatenate([np.ravel(variable.numpy()) for variable in variables])
    wanted = -np.concatenate([np.ravel(gradient) for gradient in gradients])
    np.testing.assert_allclose(moved, 0.25 * wanted / np.linalg.norm(wanted), rtol=1e-5)


def test_averages_start_at_the_first_step_and_then_run():
    variable = keras.Variable(np.zeros(1, np.float32))
    rule = make_optimizer(settings_for("sgd", learning_rate=1.0, ema=0.9), 10)
    rule.build([variable])
    average = next(v for v in rule.variables if "average" in v.path)
    found = []
    for _ in range(3):  # the weight goes 1, 2, 3
        rule.apply([keras.ops.convert_to_tensor(-np.ones(1, np.float32))], [variable])
        found.append(float(np.asarray(average.numpy())[0]))
    assert found == pytest.approx([1, 1.1, 0.9 * 1.1 + 0.1 * 3])


def reference_lars(weights, gradients, *, rate, momentum, trust_coefficient, decay):
    """Algorithm 1 of You, Gitman and Ginsburg 2017, for one layer over several steps."""
    velocity = np.zeros_like(weights)
    for gradient in gradients:
        if weights.ndim > 1:
            norm = np.linalg.norm(weights)
            local = trust_coefficient * norm / (np.linalg.norm(gradient) + decay * norm)
            gradient = (local if norm > 0 else 1) * (gradient + decay * weights)
        velocity = momentum * velocity + rate * gradient
        weights = weights - velocity
    return weights


@pytest.mark.parametrize("shape", [(4, 3), (3, 3, 2, 2), (5,), "zeros"])
def test_lars_is_its_papers_update(shape):
    generator = np.random.default_rng(0)
    start = np.zeros((2, 2)) if shape == "zeros" else generator.normal(size=shape)
    # Strong decay: were its place in the ratio another, the difference would show.
    constants = {"momentum": 0.8, "trust_coefficient": 0.02, "decay": 0.5}
    variable = keras.Variable(start.astype(np.float32))
    rule = LARS(learning_rate=0.7, **constants)
    rule.build([variable])
    gradients = [generator.normal(size=start.shape) for _ in range(5)]
    for gradient in gradients:
        rule.apply([keras.ops.convert_to_tensor(gradient.astype(np.float32))], [variable])
    wanted = reference_lars(start, gradients, rate=0.7, **constants)
    np.testing.assert_allclose(np.asarray(variable.numpy()), wanted, rtol=1e-4, atol=1e-6)


def test_lars_moves_every_layer_by_the_same_share_of_its_size():
    """The idea of it: neither a large nor a small gradient decides how far a layer goes."""
    for scale in (1e-3, 1e3):
        variable = keras.Variable(np.full((4, 4), 2, np.float32))
        rule = LARS(learning_rate=1.0, decay=0.0)
        rule.build([variable])
        rule.apply([keras.ops.convert_to_tensor(np.full((4, 4), scale, np.float32))], [variable])
        share = np.linalg.norm(2 - np.asarray(variable.numpy())) / 8
        assert share == pytest.approx(0.001, rel=1e-2)


def test_lars_is_described_by_its_configuration():
    rule = LARS(0.5, momentum=0.7, trust_coefficient=0.01, decay=0.1, epsilon=1e-6)
    assert LARS.from_config(rule.get_config()).get_config() == rule.get_config()
    assert rule.get_config()["trust_coefficient"] == 0.01


COURSES = {
    "constant": lambda share: 1.0,
    "cosine": lambda share: 0.5 * (1 + math.cos(math.pi * share)),
    "linear": lambda share: 1 - share,
    "exponential": lambda share: 0.01**share,
    "step": lambda share: 0.1 ** ((share >= 0.5) + (share >= 0.75)),
}


def rates(schedule, steps):
    return [float(keras.ops.convert_to_numpy(schedule(step))) for step in steps]


@pytest.mark.parametrize("course", COURSES)
def test_a_schedule_rises_and_then_follows_its_formula(course):
    schedule = WarmupSchedule(course, 0.5, warmup_steps=10, total_steps=110)
    assert rates(schedule, [0, 4, 9]) == pytest.approx([0.05, 0.25, 0.5])
    for step in (10, 35, 59, 60, 84, 85, 109, 110, 500):
        share = min((step - 10) / 100, 1)
        wanted = 0.5 * COURSES[course](share)
        assert rates(schedule, [step]) == [pytest.approx(wanted, rel=1e-4, abs=1e-7)], step
    found = rates(schedule, range(110))
    assert found[:10] == sorted(found[:10]) and found[10:] == sorted(found[10:], reverse=True)
    assert 0 < min(found) and max(found) == pytest.approx(0.5)
    again = WarmupSchedule.from_config(schedule.get_config())
    assert rates(again, range(0, 110, 10)) == rates(schedule, range(0, 110, 10))


def test_noam_is_the_schedule_of_the_paper():
    schedule = WarmupSchedule("noam", (512 * 4000) ** -0.5, warmup_steps=4000, total_steps=9000)
    steps = [0, 99, 3999, 4000, 8999, 100_000]
    wanted = [512**-0.5 * min((s + 1) ** -0.5, (s + 1) * 4000**-1.5) for s in steps]
    assert rates(schedule, steps) == pytest.approx(wanted, rel=1e-4)


def test_every_schedule_is_made_from_its_setting():
    for name in get_args(Schedule):
        given = {"schedule": name, "learning_rate": 0.5, "warmup": 0.05}
        found = make_schedule(settings_for("sgd", **given), total_steps=110)
        if name == "plateau":
            assert found == 0.5
        else:
            wanted = WarmupSchedule(name, 0.5, warmup_steps=6, total_steps=110)
            assert found.get_config() == wanted.get_config()


@pytest.mark.parametrize(("warmup", "total_steps"), [(0.0, 100), (0.0, 1), (0.99, 1), (0.5, 2)])
def test_a_short_fit_has_a_rate_at_every_step(warmup, total_steps):
    schedule = make_schedule(settings_for("sgd", schedule="cosine", warmup=warmup), total_steps)
    found = rates(schedule, range(total_steps))
    assert all(0 < rate <= 0.1 + 1e-6 for rate in found) and max(found) == pytest.approx(0.1)


def test_the_optimizer_follows_the_schedule():
    given = {"schedule": "cosine", "warmup": 0.5, "learning_rate": 1.0}
    rule = make_optimizer(settings_for("sgd", **given), total_steps=4)
    variable = keras.Variable(np.zeros(1, np.float32))
    rule.build([variable])
    moved = []
    for _ in range(4):
        before = float(np.asarray(variable.numpy())[0])
        rule.apply([keras.ops.convert_to_tensor(np.ones(1, np.float32))], [variable])
        moved.append(before - float(np.asarray(variable.numpy())[0]))
    assert moved == pytest.approx([0.5, 1, 1, 0.5], abs=1e-6)
