"""From a SavedModel to one self-contained ONNX file; and from that to one of 8-bit integers."""

import contextlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx

from threefold.core.errors import Failure
from threefold.exporting.writers.onnx_recurrent import add_recurrent_operators
from threefold.tasks.signature import Field

# Optimisations of quantised graphs, and of an operation that opset 10 replaced.
NEEDLESS = ("const_dequantize_optimizer", "q_dq_optimizer", "remove_redundant_upsample")


def write_onnx(
    savedmodel: Path,
    inputs: Sequence[Field],
    outputs: Sequence[Field],
    path: Path,
    opset: int,
    about: Mapping[str, str],
) -> None:
    """Convert a SavedModel, check the result, and name its free dimensions.

    Args:
        savedmodel: Path. The folder of `saved_model.pb`.
        inputs: sequence of Field. What goes in.
        outputs: sequence of Field. What comes out.
        path: Path. The file to write.
        opset: int. The version of ONNX's operators.
        about: mapping of str to str. What the file is to say of itself: where the model is from.

    Raises:
        Failure: where an operation has no counterpart, or a name or a free dimension was lost.
    """
    model = _convert(savedmodel, inputs, opset)
    _name_dimensions(model.graph.input, inputs)
    _name_dimensions(model.graph.output, outputs)
    del model.graph.value_info[:]  # of intermediate results: the old names of free dimensions
    used = {node.domain for node in _nodes(model.graph)}
    for imported in [i for i in model.opset_import if i.domain and i.domain not in used]:
        model.opset_import.remove(imported)
    model.producer_name, model.doc_string = "threefold", ""
    model.producer_version = version("threefold")
    meanings = {
        side: json.dumps({field.name: field.meaning for field in fields}, ensure_ascii=False)
        for side, fields in (("inputs", inputs), ("outputs", outputs))
    }
    onnx.helper.set_model_props(model, {**about, **meanings})
    model.graph.name = "serve"
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)


def _convert(savedmodel: Path, inputs: Sequence[Field], opset: int) -> onnx.ModelProto:
    import tensorflow as tf
    from tf2onnx import convert, tf_loader

    _add_missing_operations()
    add_recurrent_operators()
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    # What `python -m tf2onnx.convert --saved-model` does, without a third import of TensorFlow.
    graph, names_in, names_out, tables, renamed = tf_loader.from_saved_model(
        str(savedmodel),
        None,
        None,
        tag="serve",
        signatures=["serving_default"],
        return_initialized_tables=True,
        return_tensors_to_rename=True,
    )
    # TensorFlow writes the names of arguments in small letters.
    names = {field.name.lower(): field.name for field in inputs}
    renamed = {tensor: names.get(name, name) for tensor, name in renamed.items()}

    def convert_graph():
        with tf.device("/cpu:0"):
            return convert._convert_common(
                graph,
                name="serve",
                opset=opset,
                input_names=names_in,
                output_names=names_out,
                tensors_to_rename=renamed,
                initialized_tables=tables,
            )[0]

    try:
        with _optimized_in_place():
            model = convert_graph()
    except Exception:  # of an optimisation, whose half-changed graph is lost
        model = convert_graph()
    known = {"", "ai.onnx.ml"}
    foreign = {
        node.op_type
        for node in _nodes(model.graph)
        if node.domain not in known
        or not (node.domain or onnx.defs.has(node.op_type, opset))
    }  # fmt: skip
    if foreign:
        raise Failure(f"ONNX opset {opset} has no counterpart of: {', '.join(sorted(foreign))}")
    return model


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Go through a graph's nodes, and through those of the graphs in them."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _nodes(attribute.g)


@contextlib.contextmanager
def _optimized_in_place() -> Iterator[None]:
    """Let tf2onnx optimise the graph itself, and only by what can apply to it.

    It would make a deep copy for each of its optimisations, to go on from after an error, and each
    costs a walk through all nested loops whether it finds something or not.
    """
    from tf2onnx import optimizer

    optimize = optimizer.optimize_graph
    chosen = {name: kind for name, kind in optimizer._optimizers.items() if name not in NEEDLESS}
    optimizer.optimize_graph = lambda graph, *_, **__: optimize(graph, False, chosen)
    try:
        yield
    finally:
        optimizer.optimize_graph = optimize


def _add_missing_operations() -> None:
    """Teach tf2onnx what it lacks: exact GELU is made of the complementary error function."""
    from tf2onnx.handler import tf_op

    @tf_op("Erfc")
    class _Erfc:
        @classmethod
        def version_9(cls, ctx, node, **kwargs):
            kind = ctx.get_dtype(node.output[0])
            shape = ctx.get_shape(node.output[0])
            dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
            one = ctx.make_const(node.name + "_one", np.ones((), dtype)).output[0]
            inner = ctx.make_node("Erf", [node.input[0]], dtypes=[kind], shapes=[shape]).output[0]
            outputs, name = node.output, node.name
            ctx.remove_node(name)
            ctx.make_node("Sub", [one, inner], outputs=outputs, name=name,
                          dtypes=[kind], shapes=[shape])  # fmt: skip


def _name_dimensions(values, fields: Sequence[Field]) -> None:
    by_name = {field.name: field for field in fields}
    found = {value.name for value in values}
    if found != set(by_name):
        raise Failure(f"the ONNX graph has {sorted(found)} where {sorted(by_name)} was wanted")
    for value in values:
        shape, wanted = value.type.tensor_type.shape, by_name[value.name].shape
        frozen = [
            i
            for i, (dim, want) in enumerate(zip(shape.dim, wanted, strict=False))
            if isinstance(want, str) and dim.HasField("dim_value")
        ]
        if frozen:
            raise Failure(f"the ONNX graph froze axis {frozen[0]} of '{value.name}'")
        del shape.dim[:]
        for want in wanted:
            dim = shape.dim.add()
            if isinstance(want, str):
                dim.dim_param = want
            else:
                dim.dim_value = want
