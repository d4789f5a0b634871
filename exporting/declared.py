"""What a model file itself says of its inputs and outputs, as a server reads it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from threefold.tasks.signature import Field, Signature

# Of each name the type and the shape, with None or a word for an axis that is free.
Declared = dict[str, tuple[str, tuple[int | str | None, ...]]]


def read_declared(model: Path, format: str) -> dict[str, Declared]:
    """Read the signature of a model file: of a SavedModel that of `serving_default`.

    Args:
        model: Path. `model.onnx`, `model.tflite`, or `1/saved_model.pb`.
        format: str. `onnx`, `litert` or `savedmodel`.

    Returns:
        dict of str to dict. `inputs` and `outputs`, each by name.
    """
    read = {"onnx": _read_onnx, "litert": _read_litert, "savedmodel": _read_savedmodel}[format]
    return read(model)


def _read_onnx(model: Path) -> dict[str, Declared]:
    import onnx

    graph = onnx.load(model).graph
    found = {}
    for side, values in (("inputs", graph.input), ("outputs", graph.output)):
        tensors = {value.name: value.type.tensor_type for value in values}
        found[side] = {
            name: (
                _name_type(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name),
                tuple(
                    dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None
                    for dim in tensor.shape.dim
                ),
            )
            for name, tensor in tensors.items()
        }
    return found


def _read_litert(model: Path) -> dict[str, Declared]:
    from threefold.exporting.runtime import open_litert

    serve = open_litert(model)
    return {
        side: {
            name: (
                _name_type(np.dtype(tensor["dtype"]).name),
                tuple(size if size >= 0 else None for size in tensor["shape_signature"].tolist()),
            )
            for name, tensor in tensors.items()
        }
        for side, tensors in (
            ("inputs", serve.get_input_details()),
            ("outputs", serve.get_output_details()),
        )
    }


def _read_savedmodel(model: Path) -> dict[str, Declared]:
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    [graph] = saved_model_pb2.SavedModel.FromString(model.read_bytes()).meta_graphs
    signature = graph.signature_def["serving_default"]
    return {
        side: {
            name: (
                tf.as_dtype(tensor.dtype).name,
                tuple(dim.size if dim.size >= 0 else None for dim in tensor.tensor_shape.dim),
            )
            for name, tensor in values.items()
        }
        for side, values in (("inputs", signature.inputs), ("outputs", signature.outputs))
    }


def _name_type(name: str) -> str:
    return "string" if name in ("object", "bytes") else name


def check_declared(declared: Mapping[str, Declared], signature: Signature) -> Iterator[str]:
    """Yield in what a model file's own names, types and shapes are not those of the signature.

    Args:
        declared: dict of str to dict. The file's `inputs` and `outputs`.
        signature: Signature. What they must be.
    """
    for side, fields in (("input", signature.inputs), ("output", signature.outputs)):
        found = declared[f"{side}s"]
        names = [field.name for field in fields]
        if set(found) != set(names):
            yield f"the file has the {side}s {', '.join(found)}, not {', '.join(names)}"
        for field in fields:
            dtype, shape = found.get(field.name, (field.dtype, field.shape))
            if dtype != field.dtype or not _same_shape(shape, field):
                yield (
                    f"the file declares the {side} '{field.name}' as {_show(dtype, shape)}, not "
                    f"{_show(field.dtype, field.shape)}"
                )


def _same_shape(shape: tuple, field: Field) -> bool:
    return len(shape) == len(field.shape) and all(
        found in (None, wanted) if isinstance(wanted, str) else found == wanted
        for found, wanted in zip(shape, field.shape, strict=True)
    )


def _show(dtype: str, shape: tuple) -> str:
    return f"{dtype} ({', '.join('free' if side is None else str(side) for side in shape)})"
