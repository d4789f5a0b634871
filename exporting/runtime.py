"""Running an artifact in its own runtime: onnxruntime, LiteRT, or TensorFlow without Keras."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.dataset import join_arrays
from threefold.tasks.signature import Field, Signature
from threefold.tasks.task import Arrays
from threefold.training.backend import import_without_greeting, without_greeting

Run = Callable[[Arrays], Arrays]


def load_runtime(model: Path, format: str, signature: Signature) -> Run:
    """Load a model file.

    Args:
        model: Path. `model.onnx`, `model.tflite`, or `1/saved_model.pb`.
        format: str. `onnx`, `litert` or `savedmodel`.
        signature: Signature. What goes in and out.

    Returns:
        function from named raw arrays to named answers. Images of mixed sizes come as an array
        of objects; each size is run for itself.

    Raises:
        UserError: by the function, for inputs that are not of the signature.
    """
    load = {"onnx": _load_onnx, "litert": _load_litert, "savedmodel": _load_savedmodel}[format]
    run = load(model)

    # One row takes as long as some dozens of Python's steps: the usual case is settled by few.
    plain = {
        field.name: (np.dtype(field.dtype), field.shape)
        for field in signature.inputs
        if field.dtype != "string"
    }

    def checked(raw: Arrays) -> Arrays:
        if raw.keys() == plain.keys() and all(
            raw[name].dtype == dtype and fits(raw[name].shape, shape)
            for name, (dtype, shape) in plain.items()
        ):
            return run(raw)
        _check(raw, signature.inputs)
        mixed = [name for name, array in raw.items() if array.dtype == object]
        return _run_by_shape(run, raw, mixed[0]) if mixed else run(raw)

    return checked


def _load_onnx(model: Path) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(raw: Arrays) -> Arrays:
        fed = {name: a.astype(object) if a.dtype.kind == "U" else a for name, a in raw.items()}
        return dict(zip(names, session.run(names, fed), strict=True))

    return run


def _load_litert(model: Path) -> Run:
    serve = open_litert(model)
    return lambda raw: serve(**raw)


def open_litert(model: Path) -> Any:
    """Open a LiteRT file.

    Args:
        model: Path. `model.tflite`.

    Returns:
        ai_edge_litert.interpreter.SignatureRunner. Of `serving_default`.

    Raises:
        UserError: where the runtime is not installed.
    """
    try:
        with without_greeting():
            from ai_edge_litert.interpreter import Interpreter

            return Interpreter(str(model)).get_signature_runner("serving_default")
    except ImportError:
        raise UserError("litert needs its runtime: pip install 'threefold[litert]'") from None


def _load_savedmodel(model: Path) -> Run:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # TensorFlow imports Keras on sight, and does without where it is not to be had.
    sys.modules.setdefault("keras", None)
    import_without_greeting("tensorflow")
    import tensorflow as tf

    loaded = tf.saved_model.load(str(model.parent))
    serve = loaded.signatures["serving_default"]

    def run(raw: Arrays, loaded=loaded) -> Arrays:  # the function alone does not keep its tables
        found = serve(**{name: tf.constant(array) for name, array in raw.items()})
        return {name: tensor.numpy() for name, tensor in found.items()}

    return run


def _run_by_shape(run: Run, raw: Arrays, mixed: str) -> Arrays:
    shapes = [item.shape for item in raw[mixed]]
    places, parts = [], []
    for shape in dict.fromkeys(shapes):
        chosen = np.array([i for i, other in enumerate(shapes) if other == shape])
        part = {name: array[chosen] for name, array in raw.items()}
        part[mixed] = np.stack(list(part[mixed]))
        places.append(chosen)
        parts.append(run(part))
    back = np.argsort(np.concatenate(places))
    return {name: join_arrays([part[name] for part in parts])[back] for name in parts[0]}


def _check(raw: Arrays, fields: tuple[Field, ...]) -> None:
    """Refuse inputs that the signature does not have, saying what was expected."""
    names = [field.name for field in fields]
    if set(raw) != set(names):
        raise UserError(f"expected the inputs {', '.join(names)}, got {', '.join(raw) or 'none'}")
    for field in fields:
        array = raw[field.name]
        mixed = array.dtype == object and array.ndim == 1 and field.dtype != "string"
        for batch in [np.asarray(item)[None] for item in array] if mixed else [array]:
            kind = "string" if batch.dtype.kind == "U" else batch.dtype.name
            if kind != field.dtype or not fits(batch.shape, field.shape):
                got = _format_type(kind, ("batch", *batch.shape[1:]) if batch.ndim else ())
                wanted = _format_type(field.dtype, field.shape)
                raise UserError(f"input '{field.name}': expected {wanted}, got {got}")


def _format_type(dtype: str, shape: tuple[int | str, ...]) -> str:
    return f"{dtype} of shape ({', '.join(map(str, shape))})"


def fits(shape: tuple[int, ...], wanted: tuple[int | str, ...]) -> bool:
    """Return whether an array's shape is one that a field allows."""
    return len(shape) == len(wanted) and all(
        isinstance(want, str) or length == want for length, want in zip(shape, wanted, strict=True)
    )
