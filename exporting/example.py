"""The program that stands in an artifact and shows how to run it."""

from pathlib import Path

from threefold.core.files import replace_file

_HEAD = '''"""Ask this model: NumPy and {package} are all that it takes.

    python example.py

`README.md` and `artifact.json` say what goes in and what comes out. The rows of `examples.npz` are
real data, with the answers that were proven to be those of the trained model.
"""

from pathlib import Path

import numpy as np
import {module}

here = Path(__file__).parent
examples = np.load(here / "examples.npz")
'''

_ONNX = """
session = onnxruntime.InferenceSession(str(here / "model.onnx"))
inputs = {field.name: examples[field.name] for field in session.get_inputs()}
names = [field.name for field in session.get_outputs()]
answers = dict(zip(names, session.run(names, inputs)))
"""

_SAVEDMODEL = """
model = tensorflow.saved_model.load(str(here / "1"))
serve = model.signatures["serving_default"]
names = serve.structured_input_signature[1]
inputs = {name: tensorflow.constant(examples[name]) for name in names}
answers = {name: tensor.numpy() for name, tensor in serve(**inputs).items()}
"""

_LABELS = """
labels = (here / "labels.txt").read_text(encoding="utf-8").splitlines()
for index, row in zip(answers["label_index"], answers["probabilities"]):
    print(f"{labels[index]}  {row[index]:.4f}")
"""

_NUMBERS = """
for name, array in answers.items():
    print(name, array.tolist())
"""

_TAIL = """
for name, array in answers.items():
    expected = examples[f"expected_{name}"]
    np.testing.assert_allclose(array, expected, rtol=1e-4, atol=1e-5)
print("as expected")
"""


def write_example(path: Path, format: str, classes: bool) -> None:
    """Write the program.

    Args:
        path: Path. Its place.
        format: str. `onnx` or `savedmodel`.
        classes: bool. Whether the model names classes.
    """
    module = "onnxruntime" if format == "onnx" else "tensorflow"
    run = _ONNX if format == "onnx" else _SAVEDMODEL
    show = _LABELS if classes else _NUMBERS
    text = _HEAD.format(package=module, module=module) + run + show + _TAIL
    replace_file(path, text.encode())
