"""An ONNX file whose network holds its weights, and computes, in float16.

What comes before the first layer with weights stays in float32: there images are resized, words
looked up, lengths counted and numbers standardised. So does what comes after the last one, where
probabilities and units are made. Between them, what float16 overflows in or adds up badly stays.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from threefold.core.errors import Failure

LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Gather", "RNN", "LSTM", "GRU")
# Sums over many numbers, and the powers that a normalisation divides by; graphs within a graph.
KEPT = ("Softmax", "LogSoftmax", "ReduceSum", "ReduceMean", "ReduceProd", "ReduceSumSquare",
        "ReduceL2", "ReduceLogSumExp", "GlobalAveragePool", "LayerNormalization", "CumSum", "Pow",
        "Exp", "Log", "Sqrt", "Reciprocal", "Resize", "Range", "Loop", "If", "Scan")  # fmt: skip
LARGEST_INPUT = 256.0  # what a layer takes: sums of such inputs stay below 65,504
LARGEST_WEIGHT = 1e4  # a mask's -1e9 would be infinite


def write_float16(path: Path) -> None:
    """Change a file: from its first layer with weights to the last it computes in float16.

    Args:
        path: Path. An ONNX file of float32, whose inputs and outputs keep their types.

    Raises:
        Failure: where it has no layer with weights outside of loops.
    """
    model = onnx.load(path)
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    values = (*graph.value_info, *graph.input, *graph.output)
    floats = {v.name for v in values if v.type.tensor_type.elem_type == TensorProto.FLOAT}
    weights = {w.name: w for w in graph.initializer if w.data_type == TensorProto.FLOAT}
    nodes = list(model.graph.node)
    chosen, behind = _between_layers(nodes, weights)
    if not any(chosen):
        raise Failure("float16: no layer with weights stands outside of a loop")
    halves: dict[str, str] = {}  # of each name that of its float16
    written: list[onnx.NodeProto] = []
    for node, is_chosen in zip(nodes, chosen, strict=True):
        if not is_chosen:
            written.append(node)
            continue
        for place, name in enumerate(node.input):
            if name not in halves and name in weights:
                array = numpy_helper.to_array(weights[name]).clip(-LARGEST_WEIGHT, LARGEST_WEIGHT)
                halves[name] = f"{name}_float16"
                half = numpy_helper.from_array(array.astype(np.float16), halves[name])
                model.graph.initializer.append(half)
            elif name not in halves and name in floats:
                halves[name] = f"{name}_float16"
                written += _cast_down(name, halves[name], clip=name not in behind)
            node.input[place] = halves.get(name, name)
        written.append(node)
        for place, name in enumerate(node.output):
            if name in floats:
                halves[name] = node.output[place] = f"{name}_float16"
                cast = helper.make_node("Cast", [halves[name]], [name], to=TensorProto.FLOAT)
                written.append(cast)
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16
    _replace_nodes(model.graph, written)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def _between_layers(nodes, weights) -> tuple[list[bool], set[str]]:
    """Return of each node whether it is to compute in float16, and what comes after a layer."""
    layers = [node.op_type in LAYERS and not weights.keys().isdisjoint(node.input)
              for node in nodes]  # fmt: skip
    behind: set[str] = set()
    for node, is_layer in zip(nodes, layers, strict=True):  # in the order of computation
        if is_layer or not behind.isdisjoint(_reads(node)):
            behind.update(node.output)
    ahead: set[str] = set()
    chosen = []
    for node, is_layer in zip(reversed(nodes), reversed(layers), strict=True):
        if is_layer or not ahead.isdisjoint(node.output):
            ahead.update(_reads(node))
            square = node.op_type == "Mul" and node.input[0] == node.input[1]
            kept = node.op_type in KEPT or square or behind.isdisjoint(node.output)
            chosen.append(not kept)
        else:
            chosen.append(False)
    return chosen[::-1], behind


def _reads(node: onnx.NodeProto) -> Iterator[str]:
    """Yield what a node reads, and what the graphs in it read."""
    yield from node.input
    for attribute in node.attribute:
        for inner in attribute.g.node:
            yield from _reads(inner)
        yield from (value.name for value in attribute.g.output)


def _cast_down(name: str, half: str, clip: bool) -> Iterator[onnx.NodeProto]:
    """Yield what makes float16 of a float32; an input is clipped, so that no sum overflows."""
    if clip:
        least, most = (
            helper.make_node("Constant", [], [f"{half}_{side}"], value_float=bound)
            for side, bound in (("least", -LARGEST_INPUT), ("most", LARGEST_INPUT))
        )
        yield from (least, most)
        clipped = f"{name}_clipped"
        yield helper.make_node("Clip", [name, least.output[0], most.output[0]], [clipped])
        name = clipped
    yield helper.make_node("Cast", [name], [half], to=TensorProto.FLOAT16)


def _replace_nodes(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    """Write nodes into a graph, without casts and weights that nothing reads any more."""
    read = {name for node in nodes for name in _reads(node)} | {v.name for v in graph.output}
    del graph.node[:]
    graph.node.extend(n for n in nodes if n.op_type != "Cast" or not read.isdisjoint(n.output))
    kept = [weight for weight in graph.initializer if weight.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
