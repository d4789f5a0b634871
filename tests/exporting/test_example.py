"""`example.py` asks an artifact wherever it lies, with NumPy and the runtime alone."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.once

# Hides all that threefold depends on, but for NumPy and the runtime; once the runtime is there,
# whatever else is not of Python itself.
ALONE = """
import runpy, sys
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder

script, runtime, *hidden = sys.argv[1:]
allowed = None

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        top = name.partition(".")[0]
        own = top in sys.stdlib_module_names or top.startswith("_sysconfigdata")
        if top in hidden or not (own or allowed is None or top in allowed):
            return None
        return PathFinder.find_spec(name, path, target)

sys.meta_path[:] = [BuiltinImporter, FrozenImporter, Finder]
import numpy
__import__(runtime)
allowed = {name.partition(".")[0] for name in sys.modules}
runpy.run_path(script, run_name="__main__")
"""
HIDDEN = ("threefold", "keras", "keras_hub", "jax", "torch", "onnx", "tf2onnx", "pandas", "scipy",
           "sklearn", "PIL", "pydantic", "click", "rich", "matplotlib", "pyarrow")  # fmt: skip


def run_example(folder: Path, format: str) -> subprocess.CompletedProcess:
    runtime, other = ("onnxruntime", "tensorflow"), ("tensorflow", "onnxruntime")
    runtime, other = runtime if format == "onnx" else other
    return subprocess.run(
        [sys.executable, "-I", "-c", ALONE, folder / "example.py", runtime, other, *HIDDEN],
        capture_output=True,
        text=True,
        cwd="/",
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )


@pytest.mark.parametrize("kind", ["digits", "photos", "table"])
def test_the_example_answers_as_expected(kind, format, artifact_of):
    ended = run_example(artifact_of(kind, format), format)
    assert ended.returncode == 0, ended.stderr
    *predictions, last = ended.stdout.splitlines()
    assert last == "as expected"
    names = {
        "digits": set("0123456789"),
        "photos": {"dark", "dim", "light"},
        "table": {"yes", "no way"},
    }
    assert len(predictions) >= 1
    for answer in predictions:
        label, probability = answer.split("  ")
        assert label in names[kind] and 0 < float(probability) <= 1


def test_the_example_fails_where_the_answer_is_another(copy_of, format):
    folder = copy_of("table", format)
    with np.load(folder / "examples.npz", allow_pickle=False) as file:
        examples = {name: file[name] for name in file.files}
    examples["expected_probabilities"][1] += np.array([0.01, -0.01], np.float32)
    np.savez(folder / "examples.npz", **examples)
    ended = run_example(folder, format)
    assert ended.returncode == 1 and "as expected" not in ended.stdout
    assert "AssertionError" in ended.stderr


def test_the_example_prints_the_numbers_of_a_regression(tmp_path):
    """Its text alone: the runtime is played."""
    from threefold.exporting.example import write_example

    write_example(tmp_path / "example.py", "onnx", classes=False)
    np.savez(tmp_path / "examples.npz", x=np.ones(2), expected_predictions=np.ones((2, 1)))
    (tmp_path / "onnxruntime.py").write_text(
        "class Field:\n    def __init__(self, name): self.name = name\n"
        "class InferenceSession:\n"
        "    def __init__(self, path): assert path.endswith('model.onnx')\n"
        "    def get_inputs(self): return [Field('x')]\n"
        "    def get_outputs(self): return [Field('predictions')]\n"
        "    def run(self, names, inputs): return [inputs['x'][:, None]]\n"
    )
    ended = subprocess.run(
        [sys.executable, tmp_path / "example.py"], capture_output=True, text=True, cwd="/"
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == ["predictions [[1.0], [1.0]]", "as expected"]
