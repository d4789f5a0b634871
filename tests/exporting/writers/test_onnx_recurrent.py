"""Recurrent layers are operators of ONNX, and answer as in Keras; what no operator does, loops."""

import keras
import numpy as np
import onnx
import onnxruntime
import pytest

# Warnings are of tf2onnx and ONNX, which else have a process of their own.
pytestmark = [pytest.mark.with_tensorflow, pytest.mark.filterwarnings("default")]

CELLS = {"simple": "RNN", "lstm": "LSTM", "gru": "GRU"}
LAYERS = {
    "simple": keras.layers.SimpleRNN,
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
}
WIDTH, UNITS = 3, 5


def write(
    function, inputs: dict[str, tuple], folder
) -> tuple[list[str], onnxruntime.InferenceSession]:
    """Write a function of named arrays as ONNX; return its operators and a session."""
    import tensorflow as tf

    from threefold.exporting.writers.onnx_file import write_onnx
    from threefold.exporting.writers.onnx_recurrent import recurrent_operators
    from threefold.tasks.signature import Field

    module = tf.Module()
    specs = {
        name: tf.TensorSpec([None if isinstance(n, str) else n for n in shape], tf.float32, name)
        for name, shape in inputs.items()
    }
    module.serve = tf.function(lambda **named: {"y": function(*(named[name] for name in inputs))})
    with recurrent_operators():
        traced = module.serve.get_concrete_function(**specs)
        module.kept = traced.graph.variables
        tf.saved_model.save(module, str(folder / "saved"), signatures=traced)
    fields = [
        Field(name=name, dtype="float32", shape=shape, meaning="")
        for name, shape in {**inputs, "y": ("batch", "time", traced.outputs[0].shape[-1])}.items()
    ]
    path = folder / "model.onnx"
    write_onnx(folder / "saved", fields[:-1], fields[-1:], path, 18, {})
    kinds = [node.op_type for node in onnx.load(path).graph.node]
    return kinds, onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def make_layer(cell: str, **options) -> keras.layers.Layer:
    """Return a layer whose every weight has a value of its own."""
    layer = LAYERS[cell](UNITS, return_sequences=True, **options)
    layer.build((None, None, WIDTH))
    sample = np.random.default_rng(0)
    layer.set_weights([sample.uniform(-1, 1, weight.shape) for weight in layer.weights])
    return layer


def some_sequences() -> list[np.ndarray]:
    sample = np.random.default_rng(1)
    shapes = ((1, 1), (1, 9), (4, 1), (3, 7))
    return [sample.normal(size=(*shape, WIDTH)).astype("float32") for shape in shapes]


@pytest.mark.parametrize("cell", CELLS)
def test_layers_over_each_other_are_operators(cell, tmp_path):
    first = make_layer(cell, recurrent_dropout=0.3, dropout=0.3)
    second = LAYERS[cell](4, return_sequences=True, bias_initializer="random_normal")
    second.build((None, None, UNITS))
    kinds, session = write(lambda x: second(first(x)), {"x": ("batch", "time", WIDTH)}, tmp_path)
    assert kinds.count(CELLS[cell]) == 2 and "Loop" not in kinds
    for x in some_sequences():
        [found] = session.run(None, {"x": x})
        np.testing.assert_allclose(found, second(first(x)), atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_a_batch_of_no_row_is_answered_by_none(cell, tmp_path):
    """The operators themselves end the whole process."""
    _, session = write(make_layer(cell), {"x": ("batch", "time", WIDTH)}, tmp_path)
    [found] = session.run(None, {"x": np.zeros((0, 4, WIDTH), "float32")})
    assert found.shape == (0, 4, UNITS)


@pytest.mark.parametrize("cell", CELLS)
def test_a_layer_goes_on_from_a_state_and_returns_the_next(cell, tmp_path):
    layer = make_layer(cell, return_state=True)
    parts = ["h", "c"] if cell == "lstm" else ["h"]

    def function(x, *state):
        steps, *after = layer(x, initial_state=list(state))
        return keras.ops.concatenate([steps, *(part[:, None] for part in after)], axis=1)

    shapes = {part: ("batch", UNITS) for part in parts}
    kinds, session = write(function, {"x": ("batch", "time", WIDTH)} | shapes, tmp_path)
    assert CELLS[cell] in kinds and "Loop" not in kinds
    sample = np.random.default_rng(2)
    for x in some_sequences():
        state = {part: sample.normal(size=(len(x), UNITS)).astype("float32") for part in parts}
        [found] = session.run(None, {"x": x} | state)
        np.testing.assert_allclose(found, function(x, *state.values()), atol=1e-6)


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("simple", {"activation": "relu"}),
        ("lstm", {"recurrent_activation": "hard_sigmoid"}),
        ("gru", {"reset_after": False}),
        ("gru", {"use_bias": False}),
    ],
    ids=str,
)
def test_what_the_operator_does_not_compute_stays_a_loop(cell, options, tmp_path):
    layer = make_layer(cell, **options)
    kinds, session = write(layer, {"x": ("batch", "time", WIDTH)}, tmp_path)
    assert "Loop" in kinds and CELLS[cell] not in kinds
    x = some_sequences()[-1]
    [found] = session.run(None, {"x": x})
    np.testing.assert_allclose(found, layer(x), atol=1e-6)


def test_a_mask_stays_a_loop(tmp_path):
    layer = make_layer("gru")
    kinds, session = write(
        lambda x: layer(x, mask=x[:, :, 0] > 0), {"x": ("batch", "time", WIDTH)}, tmp_path
    )
    assert "Loop" in kinds and "GRU" not in kinds
    x = some_sequences()[-1]
    [found] = session.run(None, {"x": x})
    np.testing.assert_allclose(found, layer(x, mask=x[:, :, 0] > 0), atol=1e-6)


def test_keras_loops_as_before_once_the_file_is_written(tmp_path):
    from threefold.exporting.writers.onnx_recurrent import recurrent_operators

    layer, x = make_layer("lstm"), some_sequences()[-1]
    with recurrent_operators():
        pass
    assert np.isfinite(layer(x)).all()
