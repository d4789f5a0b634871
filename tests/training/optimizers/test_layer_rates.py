"""Rates of their own for layers: how deep each lies, and how far each moves."""

import keras
import numpy as np
import pytest

from threefold.blueprints import bert, gpt
from threefold.training.backend import seed_everything
from threefold.training.optimizers.layer_rates import find_depths, layer_factors
from threefold.training.optimizers.optimizers import make_optimizer
from threefold.training.settings import LEARNING_RATES, TrainingSettings

pytestmark = pytest.mark.each_backend

X = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
Y = np.tanh(X[:, :1])
LAYERS = ["entry", "hidden_1", "hidden_2_inner", "head"]


def build():
    seed_everything(0)
    keras.config.set_dtype_policy("float32")
    inputs = keras.Input((4,), name="x")
    x = keras.layers.Dense(6, activation="tanh", name="entry")(inputs)
    x = keras.layers.Dense(6, activation="tanh", name="hidden_1")(x)
    x = keras.layers.Dense(6, activation="tanh", name="hidden_2_inner")(x)
    return keras.Model(inputs, keras.layers.Dense(1, name="head")(x))


def moved(optimizer, decay, **given):
    """Return how far one step moves each weight, and the weights before."""
    model = build()
    before = {weight.path: np.array(weight.numpy()) for weight in model.weights}
    settings = TrainingSettings(
        optimizer=optimizer, learning_rate=LEARNING_RATES[optimizer], schedule="constant",
        warmup=0.0, **given,
    )  # fmt: skip
    factors = None if decay is None else layer_factors(model, decay)
    model.compile(make_optimizer(settings, 10, factors), "mse")
    model.fit(X, Y, batch_size=8, epochs=1, shuffle=False, verbose=0)
    return {w.path: np.asarray(w.numpy()) - before[w.path] for w in model.weights}, before


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "lion"])
def test_each_block_moves_by_its_share_of_the_rate(optimizer):
    (plain, _), (slowed, _) = moved(optimizer, None), moved(optimizer, 0.5)
    for path, change in plain.items():
        factor = 0.5 ** (
            3 - ["entry", "hidden_1", "hidden_2_inner", "head"].index(path.split("/")[0])
        )
        np.testing.assert_allclose(slowed[path], factor * change, rtol=2e-3, atol=1e-7)


def test_a_block_is_decayed_by_its_share_and_offsets_are_not():
    given = {"weight_decay": 0.5}
    for decay in (None, 0.5):
        (with_decay, before), (without, _) = moved("sgd", decay, **given), moved("sgd", decay)
        for path, change in with_decay.items():
            layer = path.split("/")[0]
            factor = (decay or 1) ** (
                3 - ["entry", "hidden_1", "hidden_2_inner", "head"].index(layer)
            )
            wanted = (
                0 if path.endswith("bias") else -0.5 * LEARNING_RATES["sgd"] * factor * before[path]
            )
            # The gradient is taken before the decay, and is the same.
            np.testing.assert_allclose(change - without[path], wanted, rtol=0.02, atol=2e-6)


def test_depths_of_families_of_blocks():
    sizes = {"num_layers": 2, "num_heads": 2, "model_dim": 8, "feed_forward_dim": 8}
    model = bert.build_text_classifier(12, 3, 8, 2, 1, max_positions=30, **sizes)
    depths = find_depths(model)
    assert set(depths) == {weight.path for weight in model.weights}
    found = {path.split("/")[0]: depth for path, depth in depths.items()}
    assert found["token_embedding"] == found["embedding_norm"] == 0
    assert found["encoder_1_self_attention_query"] == found["encoder_1_feed_forward_norm"] == 1
    assert found["encoder_2_feed_forward_output"] == 2
    assert found["pooler"] == found["head"] == 3
    # Vectors that are read and written by belong to the bottom; the network lies in another.
    depths = find_depths(gpt.build(12, 8, **sizes))
    found = {path.split("/")[0]: depth for path, depth in depths.items()}
    assert found["embedding"] == 0 and found["end_norm"] == 3
