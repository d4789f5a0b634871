"""The files alongside a model: written for other programs, and read back as those would read them.

The proof of a model file says nothing of `labels.txt` in another order, of a card with a wrong
type, or of an `example.py` that fails: each is compared with what the model file declares and
answers, before the artifact is shipped.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from threefold.core.errors import Failure
from threefold.core.files import replace_file
from threefold.exporting.artifact import Format, open_artifact
from threefold.exporting.declared import Declared, check_declared
from threefold.exporting.example import write_example
from threefold.tasks.task import Arrays, Task


def write_sidecars(folder: Path, task: Task, format: Format, example: Arrays) -> str:
    """Write all but what the parity check finds out: what the data need, and the example.

    Args:
        folder: Path. The artifact's.
        task: Task. Bound to the facts.
        format: str. `onnx`, `savedmodel` or `litert`.
        example: dict of str to array. A row of the data, read with `facts.raw()`.

    Returns:
        str. The lines of `example.py` that ask the model.
    """
    for name, text in task.facts.sidecars().items():
        replace_file(folder / name, text.encode())
    return write_example(folder, format, task, example)


def check_sidecars(folder: Path, task: Task, declared: Mapping[str, Declared]) -> Iterator[str]:
    """Yield in what a file alongside the model says something else than the model does.

    Args:
        folder: Path. The artifact's, whole.
        task: Task. Bound to the facts.
        declared: dict of str to dict. The model file's `inputs` and `outputs`.
    """
    for name, text in task.facts.sidecars().items():
        if (folder / name).read_text(encoding="utf-8") != text:
            yield f"{name} is not what the answers were trained with"
    try:
        record = open_artifact(str(folder)).record
    except Failure as error:
        yield str(error)
        return
    yield from (f"artifact.json: {wrong}" for wrong in check_declared(declared, record.signature))
    if record.labels != task.facts.class_names:
        yield "artifact.json does not name the classes in the order of the answers"
    card = (folder / "README.md").read_text(encoding="utf-8")
    lines = card.splitlines()[::-1]  # a class may be named as a column is: the first table counts
    rows = {line.split(" | ")[0].strip("| `"): line for line in lines if "|" in line}
    for found in declared.values():
        for name, (dtype, _) in found.items():
            if f"| {dtype} | (" not in rows.get(name, ""):
                yield f"README.md does not say that '{name}' is {dtype}"
    yield from _check_example(folder)


def _check_example(folder: Path) -> Iterator[str]:
    ended = subprocess.run(
        [sys.executable, "-P", "example.py"],
        cwd=folder,
        env=os.environ | {"PYTHONUTF8": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        errors="replace",
    )
    if ended.returncode:
        lines = [line.strip() for line in ended.stderr.splitlines() if line.strip()]
        yield f"example.py fails: {lines[-1] if lines else f'exit code {ended.returncode}'}"
    elif not ended.stdout.endswith("as expected\n"):
        yield "example.py does not find the answers as expected"
