"""Answer rows by a model file in one runtime, without Threefold and without Keras.

    python benchmarks/replay/with_python.py RUNTIME MODEL < inputs.json > answers.json

RUNTIME is one of `onnxruntime`, `tensorflow`, `litert` and `openvino`. Both files hold arrays by
their names, as `encode` writes them.
"""

import base64
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]


def encode(arrays: Arrays) -> dict[str, dict[str, Any]]:
    """Return arrays as JSON takes them, bit by bit."""
    found = {}
    for name, array in arrays.items():
        if array.dtype.kind in "OSU":
            words = [w.decode() if isinstance(w, bytes) else str(w) for w in array.ravel()]
            found[name] = {"dtype": "string", "shape": array.shape, "data": words}
        else:
            data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
            found[name] = {"dtype": array.dtype.name, "shape": array.shape, "data": data}
    return found


def decode(arrays: dict[str, dict[str, Any]]) -> Arrays:
    """Return the arrays that `encode` wrote; strings as objects."""
    found = {}
    for name, array in arrays.items():
        if array["dtype"] == "string":
            flat = np.array(array["data"], object)
        else:
            flat = np.frombuffer(base64.b64decode(array["data"]), array["dtype"])
        found[name] = flat.reshape(array["shape"])
    return found


def run_onnxruntime(model: str, inputs: Arrays) -> Arrays:
    """Answer by ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def run_tensorflow(model: str, inputs: Arrays) -> Arrays:
    """Answer by TensorFlow; the model is `1/saved_model.pb`."""
    sys.modules["keras"] = None  # TensorFlow imports it on sight, and does without
    import tensorflow

    loaded = tensorflow.saved_model.load(str(Path(model).parent))
    serve = loaded.signatures["serving_default"]
    found = serve(**{name: tensorflow.constant(array) for name, array in inputs.items()})
    return {name: tensor.numpy() for name, tensor in found.items()}


def run_litert(model: str, inputs: Arrays) -> Arrays:
    """Answer by LiteRT."""
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model).get_signature_runner("serving_default")(**inputs)


def run_openvino(model: str, inputs: Arrays) -> Arrays:
    """Answer by OpenVINO on the CPU, from an ONNX file."""
    import openvino

    compiled = openvino.Core().compile_model(model, "CPU")
    tensors = {
        name: openvino.Tensor(array.astype(str)) if array.dtype == object else array
        for name, array in inputs.items()
    }
    found = compiled(tensors)
    return {output.get_any_name(): found[output] for output in compiled.outputs}


ASK = {
    "onnxruntime": ("onnxruntime", run_onnxruntime),
    "tensorflow": ("tensorflow", run_tensorflow),
    "litert": ("ai-edge-litert", run_litert),
    "openvino": ("openvino", run_openvino),
}


def main() -> None:
    runtime, model = sys.argv[1:]
    package, answer = ASK[runtime]
    answers = answer(model, decode(json.load(sys.stdin)))
    print(json.dumps({"version": version(package), "answers": encode(answers)}))


if __name__ == "__main__":
    main()
