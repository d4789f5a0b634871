"""Fine-tuning: what is trained, and that merging low-rank matrices changes no answer."""

import numpy as np
import pytest

from threefold.blueprints import bert, gpt
from threefold.training import state
from threefold.training.backend import seed_everything

pytestmark = pytest.mark.each_backend

SIZES = {"num_layers": 2, "num_heads": 2, "model_dim": 8, "feed_forward_dim": 12, "dropout": 0.0}
TOKENS = np.array([[5, 3, 7, 0], [4, 0, 0, 0], [6, 6, 2, 9]], np.int32)
LABELS = np.eye(3, dtype=np.float32)


def build(seed=0, **options):
    seed_everything(seed)
    return bert.build_text_classifier(12, 3, 8, 2, 1, max_positions=30, **SIZES, **options)


def predict_with(model):
    return np.asarray(model.predict_on_batch({"tokens": TOKENS}))


@pytest.fixture(scope="module")
def adapted():
    import keras

    model = build(lora_rank=2)
    before = {weight.path: np.array(weight.numpy()) for weight in model.weights}
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    model.optimizer.learning_rate = 0.05
    model.fit({"tokens": TOKENS}, LABELS, epochs=3, verbose=0)
    return model, before


def test_matrices_and_heads_are_trained_alone(adapted):
    model, before = adapted
    changed = {w.path for w in model.weights if not np.array_equal(w.numpy(), before[w.path])}
    attention = {
        f"encoder_{block}_self_attention_{part}/lora_kernel_{matrix}"
        for block in (1, 2) for part in ("query", "value") for matrix in "ab"
    }  # fmt: skip
    heads = {f"{layer}/{part}" for layer in ("pooler", "head") for part in ("kernel", "bias")}
    assert changed == attention | heads == {w.path for w in model.trainable_weights}


def test_a_network_that_is_merged_answers_alike(adapted):
    model, _ = adapted
    merged = build(seed=1)
    state.restore_weights(merged, state.merge_lora(state.collect_weights(model)))
    np.testing.assert_allclose(predict_with(merged), predict_with(model), atol=1e-5)
    # Without the matrices it would not.
    state.restore_weights(merged, state.collect_weights(model))
    assert not np.allclose(predict_with(merged), predict_with(model), atol=1e-3)


def test_the_seed_decides_the_matrices():
    one, same, other = (
        [w.numpy() for w in build(seed, lora_rank=2).weights if w.path.endswith("lora_kernel_a")]
        for seed in (3, 3, 4)
    )
    for a, b, c in zip(one, same, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, c)


def test_a_network_that_writes_is_frozen_and_adapted_too():
    sizes = {"num_layers": 2, "num_heads": 2, "model_dim": 8, "lora_rank": 2}
    trained = {weight.path for weight in gpt.build(12, 8, **sizes).trainable_weights}
    attention = {
        f"block_{block}_self_attention_{part}/lora_kernel_{matrix}"
        for block in (1, 2) for part in ("query", "value") for matrix in "ab"
    }  # fmt: skip
    assert trained == attention | {"end_norm/gamma", "end_norm/beta"}
    frozen = gpt.build(12, 8, **sizes | {"lora_rank": None, "freeze": 1})
    found = {weight.path.partition("/")[0][:7] for weight in frozen.trainable_weights}
    assert found == {"block_2", "end_nor"}
