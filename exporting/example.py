"""The program that stands in an artifact and shows how to ask it, from what a user has."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from threefold.core.files import replace_file
from threefold.exporting.examples import media, numbers, texts
from threefold.exporting.examples.parts import PRINT_ALL, Parts
from threefold.tasks.task import Task

# What a program begins with, by the kind of a dataset's facts.
BEGINNINGS: dict[str, Callable[[Task, Mapping[str, np.ndarray]], Parts]] = {
    "image": media.begin_with_image,
    "speech": media.begin_with_recording,
    "table": numbers.begin_with_row,
    "sequence": numbers.begin_with_series,
    "forecast": numbers.begin_with_history,
    "text": texts.begin_with_text,
    "text_pair": texts.begin_with_text_pair,
    "masked_text": texts.begin_with_masked_text,
    "question": texts.begin_with_question,
    "pair": texts.begin_with_source,
}
# Of a kind that somebody added, what a program can begin with is not known: rows of the data.
ROWS = Parts(f"""answers = predict(np.load(here / "examples.npz"))
{PRINT_ALL}""")
MADE = {"images": media.make_image, "texts": texts.begin_with_prompt}

_HEAD = '''"""Ask this model: {packages} are all that it takes.

    python example.py

`README.md` and `artifact.json` say what goes in and what comes out.
"""

'''

_ONNX = """session = onnxruntime.InferenceSession(str(here / "model.onnx"))


def predict(values):
    inputs = {field.name: values[field.name] for field in session.get_inputs()}
    names = [field.name for field in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs)))
"""

_SAVEDMODEL = """model = tensorflow.saved_model.load(str(here / "1"))
serve = model.signatures["serving_default"]


def predict(values):
    names = serve.structured_input_signature[1]
    inputs = {name: tensorflow.constant(values[name]) for name in names}
    return {name: tensor.numpy() for name, tensor in serve(**inputs).items()}
"""

_LITERT = """model = Interpreter(str(here / "model.tflite"))
serve = model.get_signature_runner("serving_default")


def predict(values):
    return serve(**{name: values[name] for name in serve.get_input_details()})
"""

# Of each format: the package, how it is imported, and how it runs the file.
RUNTIMES = {
    "onnx": ("onnxruntime", "import onnxruntime", _ONNX),
    "savedmodel": ("tensorflow", "import tensorflow", _SAVEDMODEL),
    "litert": ("ai-edge-litert", "from ai_edge_litert.interpreter import Interpreter", _LITERT),
}

_TAIL = """
# Rows of real data, with the answers that were proven to be those of the trained model.
examples = np.load(here / "examples.npz")
for name, array in predict(examples).items():
    np.testing.assert_allclose(array, examples[f"expected_{name}"], rtol=1e-4, atol=1e-5)
print("as expected")
"""


def write_example(folder: Path, format: str, task: Task, example: Mapping[str, np.ndarray]) -> str:
    """Write the program, and the files that it begins with.

    Args:
        folder: Path. The artifact's.
        format: str. `onnx`, `savedmodel` or `litert`.
        task: Task. Bound to the facts of the run.
        example: mapping of str to array. A row of the data, read with `facts.raw()`.

    Returns:
        str. The lines that make inputs of what a user has and print the answers.
    """
    write = MADE.get(task.generates) or BEGINNINGS.get(task.facts.kind)
    parts = write(task, example) if write else ROWS
    runtime, imported, run = RUNTIMES[format]
    for name, content in parts.files.items():
        replace_file(folder / name, content)
    core = _import("from pathlib import Path", "import numpy as np", imported,
                   *parts.imports)  # fmt: skip
    core += f"\n\nhere = Path(__file__).parent\n{run}\n\n{parts.code}"
    *others, last = ("NumPy", runtime, *parts.packages)
    head = _HEAD.format(packages=f"{', '.join(others)} and {last}")
    replace_file(folder / "example.py", (head + core + _TAIL).encode())
    return core


def _import(*lines: str) -> str:
    """Return imports in the usual order: Python's own first, then the others."""
    own, others = [], []
    for line in sorted(lines, key=lambda line: (line.startswith("from"), line)):
        top = line.split()[1].partition(".")[0]
        (own if top in sys.stdlib_module_names else others).append(line)
    return "\n".join(own) + "\n\n" + "\n".join(others)
