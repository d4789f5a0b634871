"""From a SavedModel to one self-contained LiteRT file, TensorFlow Lite's format."""

import re
from pathlib import Path

import tensorflow as tf
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from threefold.core.errors import Failure

# How the converter names what LiteRT lacks: in a list, or where it gave up.
LISTED = re.compile(r"^(?:TF Select|Flex|Custom) ops: (.+)$", re.MULTILINE)
STOPPED_AT = re.compile(r"'tf\.(\w+)' op requires|legalize operation 'tf\.(\w+)'")


def write_litert(savedmodel: Path, path: Path) -> None:
    """Convert a SavedModel to LiteRT's own operations: none of TensorFlow's beside them.

    Args:
        savedmodel: Path. The folder of `saved_model.pb`, which is changed.
        path: Path. The file to write.

    Raises:
        Failure: where an operation has no counterpart.
    """
    _expand_plainly(savedmodel / "saved_model.pb")
    converter = tf.lite.TFLiteConverter.from_saved_model(str(savedmodel))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    try:
        content = converter.convert()
    except Exception as error:  # of several kinds, with the whole graph as its text
        raise Failure(_explain(str(error))) from None
    path.write_bytes(content)


def _explain(said: str) -> str:
    """Return the operations that a converter's error names, or else its first line."""
    listed = ", ".join(LISTED.findall(said)).split(", ")
    stopped = [first or second for first, second in STOPPED_AT.findall(said)]
    names = sorted({name for name in (*listed, *stopped) if name})
    if not names:
        return f"LiteRT's converter fails: {said.strip().partition(chr(10))[0][:200]}"
    return f"LiteRT has no counterpart of: {', '.join(names)}"


def _expand_plainly(file: Path) -> None:
    """Write slices that do nothing but add an axis, `x[:, None]`, as `ExpandDims`.

    The converter has no counterpart of such slices where several axes are free.
    """
    saved = SavedModel.FromString(file.read_bytes())
    [graph] = saved.meta_graphs
    bodies = [(graph.graph_def.node, "")]
    bodies += [(function.node_def, ":output:0") for function in graph.graph_def.library.function]
    for nodes, output in bodies:
        by_name = {node.name: node for node in nodes}
        for node in list(nodes):
            if node.op == "StridedSlice" and (axis := _added_axis(node, by_name)) is not None:
                nodes.append(_expand(node, axis, output))
    file.write_bytes(saved.SerializeToString())


def _added_axis(node: NodeDef, by_name: dict[str, NodeDef]) -> int | None:
    """Return the axis that a slice adds, or none where it does anything else."""
    steps = by_name[node.input[3].partition(":")[0]]
    if steps.op != "Const" or not (tf.make_ndarray(steps.attr["value"].tensor) == 1).all():
        return None
    count = steps.attr["value"].tensor.tensor_shape.dim[0].size
    added, begin, end, ellipsis, dropped = (
        node.attr[f"{name}_mask"].i if f"{name}_mask" in node.attr else 0
        for name in ("new_axis", "begin", "end", "ellipsis", "shrink_axis")
    )
    whole = added | (begin & end) | ellipsis
    if added.bit_count() != 1 or dropped or whole & (2**count - 1) != 2**count - 1:
        return None
    axis = added.bit_length() - 1
    return axis - count if 0 < ellipsis < added else axis


def _expand(node: NodeDef, axis: int, output: str) -> NodeDef:
    """Turn a slice into an `ExpandDims`; return the constant that names its axis."""
    constant = NodeDef(name=f"{node.name}/axis", op="Const")
    constant.attr["dtype"].type = tf.int32.as_datatype_enum
    constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(axis, tf.int32))
    kind = node.attr["T"].type
    node.op = "ExpandDims"
    node.input[1:] = [constant.name + output]
    node.attr.clear()
    node.attr["T"].type = kind
    node.attr["Tdim"].type = tf.int32.as_datatype_enum
    return constant
