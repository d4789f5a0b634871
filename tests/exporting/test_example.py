"""`example.py` asks an artifact wherever it lies, with what it names and nothing else."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from programs import first_inputs

from threefold.training.building import bind_task
from threefold.training.data import load_run_dataset

pytestmark = pytest.mark.once

# Hides all that threefold depends on, but for what the program says that it takes; once that is
# there, whatever else is not of Python itself.
ALONE = """
import runpy, sys
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder

script, packages, *hidden = sys.argv[1:]
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
for package in packages.split():
    __import__(package)
allowed = {name.partition(".")[0] for name in sys.modules}
runpy.run_path(script, run_name="__main__")
"""
HIDDEN = ("threefold", "keras", "keras_hub", "jax", "torch", "onnx", "tf2onnx", "pandas", "scipy",
           "sklearn", "pydantic", "click", "rich", "matplotlib", "pyarrow")  # fmt: skip


PILLOW = ("PIL.Image", "PIL.PngImagePlugin")
# Of a kind, what its program takes beside NumPy and the runtime.
TAKEN = {"digits": PILLOW, "photos": PILLOW, "table": ()}


def run_example(folder: Path, format: str, kind: str) -> subprocess.CompletedProcess:
    runtime, other = ("onnxruntime", "tensorflow"), ("tensorflow", "onnxruntime")
    runtime, other = runtime if format == "onnx" else other
    packages = " ".join(("numpy", runtime, *TAKEN[kind]))
    hidden = (other, *HIDDEN) if TAKEN[kind] else (other, "PIL", *HIDDEN)
    return subprocess.run(
        [sys.executable, "-I", "-c", ALONE, folder / "example.py", packages, *hidden],
        capture_output=True,
        text=True,
        cwd="/",
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )


@pytest.mark.parametrize("kind", ["digits", "photos", "table"])
def test_the_example_answers_as_expected(kind, format, artifact_of):
    ended = run_example(artifact_of(kind, format), format, kind)
    assert ended.returncode == 0, ended.stderr
    answer, last = ended.stdout.splitlines()
    assert last == "as expected"
    names = {
        "digits": set("0123456789"),
        "photos": {"dark", "dim", "light"},
        "table": {"yes", "no way"},
    }
    label, probability = answer.split("  ")
    assert label in names[kind] and 0 < float(probability) <= 1


@pytest.mark.parametrize("kind", ["digits", "photos", "table"])
def test_the_example_asks_what_predict_is_asked(kind, artifact_of, run_of):
    """What it makes of the file or the row is what the model is proven with."""
    folder, run = artifact_of(kind, "onnx"), run_of(kind)
    data = load_run_dataset(run.record, run.record.facts.raw())
    task = bind_task(run.record)
    wanted = task.raw_inputs(data.splits["test"][np.arange(1)])
    asked = first_inputs(folder, wanted)
    assert asked.keys() == wanted.keys()
    for name, array in wanted.items():
        array = np.stack(list(array)) if array.dtype == object else array
        assert asked[name].dtype.kind == array.dtype.kind and asked[name].shape == array.shape
        np.testing.assert_array_equal(asked[name], array)


def test_the_card_shows_the_program(artifact_of, format):
    folder = artifact_of("table", format)
    program = (folder / "example.py").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text("utf-8"), re.S)
    assert block.strip() in program and '"größe (cm)": ' in block and 'days("20' in block


def test_the_example_fails_where_the_answer_is_another(copy_of, format):
    folder = copy_of("table", format)
    with np.load(folder / "examples.npz", allow_pickle=False) as file:
        examples = {name: file[name] for name in file.files}
    examples["expected_probabilities"][1] += np.array([0.01, -0.01], np.float32)
    np.savez(folder / "examples.npz", **examples)
    ended = run_example(folder, format, "table")
    assert ended.returncode == 1 and "as expected" not in ended.stdout
    assert "AssertionError" in ended.stderr
