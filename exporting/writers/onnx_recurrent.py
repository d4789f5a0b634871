"""Recurrent layers as the operators that ONNX has for them: `RNN`, `LSTM` and `GRU`.

Keras writes them as a loop over the steps, which few runtimes read and none runs quickly. So a
graph that only ONNX will see holds an operation of TensorFlow's in the layer's place, which stands
for the whole sequence; TensorFlow itself has no kernel for it on a CPU, and never runs that graph.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

STANDS_FOR_LAYER = "CudnnRNNV2"


@dataclass(frozen=True)
class _Operator:
    """An operator of ONNX: its name, and which of Keras's gates it wants, in its own order."""

    name: str
    gates: tuple[int, ...]


# By the layer, and by what `CudnnRNNV2` calls it.
OPERATORS = {
    keras.layers.SimpleRNN: ("rnn_tanh", _Operator("RNN", (0,))),
    keras.layers.LSTM: ("lstm", _Operator("LSTM", (0, 3, 1, 2))),  # i, f, c, o as i, o, f, c
    keras.layers.GRU: ("gru", _Operator("GRU", (0, 1, 2))),  # z, r, h
}


@contextlib.contextmanager
def recurrent_operators() -> Iterator[None]:
    """Have Keras trace a recurrent layer as one operation, where ONNX has an operator for it."""
    kept = {kind: kind.inner_loop for kind in OPERATORS}
    for kind, loop in kept.items():
        kind.inner_loop = _or_loop(loop)
    try:
        yield
    finally:
        for kind, loop in kept.items():
            kind.inner_loop = loop


def _or_loop(loop):
    def inner_loop(layer, sequences, initial_state, mask, training=False):
        if mask is not None or training or not _has_operator(layer):
            return loop(layer, sequences, initial_state, mask, training=training)
        return _trace(layer, sequences, initial_state)

    return inner_loop


def _has_operator(layer) -> bool:
    """Whether a layer computes what the operator of its name does, from first step to last."""
    cell = layer.cell
    return (
        type(layer) in OPERATORS
        and not (layer.go_backwards or layer.unroll)
        and cell.use_bias
        and cell.activation is keras.activations.tanh
        and getattr(cell, "recurrent_activation", None) in (None, keras.activations.sigmoid)
        and getattr(cell, "reset_after", True)
    )


def _trace(layer, sequences, initial_state):
    """Return what `inner_loop` does: the last output, all of them, and the state after them."""
    mode, operator = OPERATORS[type(layer)]
    rows = tf.shape(sequences)[0]
    shape = sequences.shape
    # Of a batch of no row, onnxruntime's operators end the process: they get one of zeros.
    sequences, *initial_state = (_not_empty(one, rows) for one in (sequences, *initial_state))
    hidden, *memory = (state[None] for state in initial_state)  # (1, batch, units)
    outputs, *after = tf.raw_ops.CudnnRNNV2(
        input=tf.transpose(sequences, (1, 0, 2)),
        input_h=hidden,
        input_c=memory[0] if memory else tf.zeros_like(hidden),
        params=_lay_out(layer.cell, operator.gates),
        rnn_mode=mode,
        is_training=False,
    )[:3]
    states = [state[0, :rows] for state in after[: len(initial_state)]]
    for state in states:
        state.set_shape((shape[0], layer.units))
    outputs = tf.transpose(outputs, (1, 0, 2))[:rows]
    outputs.set_shape((*shape[:2], layer.units))
    return states[0], outputs, states


def _not_empty(array, rows):
    """Return an array of as many rows, but of one at least."""
    padded = tf.pad(array, [[0, tf.maximum(1 - rows, 0)]] + [[0, 0]] * (len(array.shape) - 1))
    return tf.ensure_shape(padded, (None, *array.shape[1:]))  # the converter must know the widths


def _lay_out(cell, gates: tuple[int, ...]) -> np.ndarray:
    """Lay a cell's weights end to end, as the operator's W, R and B are.

    They are read here and now: a variable would stand outside of the loop that decodes.
    """

    def in_order(weights):  # (rows, gates × units) to (gates × units, rows)
        parts = np.split(weights, len(gates), axis=1)
        return np.concatenate([parts[gate] for gate in gates], axis=1).T

    with tf.init_scope():
        weights = (cell.kernel, cell.recurrent_kernel, cell.bias)
        kernel, recurrent, bias = map(keras.ops.convert_to_numpy, weights)
    bias = bias.reshape(-1, len(gates) * cell.units)
    if len(bias) == 1:  # one for both, where the operator has one for each
        bias = np.concatenate([bias, np.zeros_like(bias)])
    parts = (in_order(kernel), in_order(recurrent), in_order(bias).T)
    return np.concatenate([part.ravel() for part in parts])


def add_recurrent_operators() -> None:
    """Teach tf2onnx the operators that stand behind `recurrent_operators`."""
    from tf2onnx.handler import tf_op

    @tf_op(STANDS_FOR_LAYER)
    class _Recurrent:
        @classmethod
        def version_13(cls, ctx, node, **kwargs):
            mode = node.get_attr_str("rnn_mode")
            operator = dict(OPERATORS.values())[mode]
            sequences, hidden, memory, _ = node.input
            width, units = ctx.get_shape(sequences)[-1], ctx.get_shape(hidden)[-1]
            rows = len(operator.gates) * units
            shapes = ((1, rows, width), (1, rows, units), (1, 2 * rows))
            weights = _take_apart(ctx, node, shapes)
            inputs = [sequences, *weights, "", hidden] + [memory] * (mode == "lstm")
            attributes = {"hidden_size": units}
            if mode == "gru":
                attributes["linear_before_reset"] = 1
            kind, name = ctx.get_dtype(sequences), node.name
            outputs = node.output[: 1 + len(inputs) - 5]
            all_steps = outputs[0]
            ctx.remove_node(name)
            layer = ctx.make_node(
                operator.name, inputs, attr=attributes, name=name,
                outputs=[f"{name}_steps", *outputs[1:]], dtypes=[kind] * len(outputs),
            )  # fmt: skip
            axis = ctx.make_const(f"{name}_axis", np.array([1]))  # of directions: there is one
            ctx.make_node("Squeeze", [layer.output[0], axis.output[0]], outputs=[all_steps],
                          name=f"{name}_squeeze", dtypes=[kind])  # fmt: skip


def _take_apart(ctx, node, shapes) -> list[str]:
    """Make constants of the arrays that lie end to end in one."""
    laid, parts = node.inputs[3].get_tensor_value(as_list=False), []
    for number, shape in enumerate(shapes):
        part, laid = np.split(laid, [np.prod(shape)])
        made = ctx.make_const(f"{node.name}_weights_{number}", part.reshape(shape))
        parts.append(made.output[0])
    return parts
