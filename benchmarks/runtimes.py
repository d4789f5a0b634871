"""Replay artifacts of every blueprint and task in each runtime that reads them.

    python benchmarks/runtimes.py                       ONNX Runtime, TensorFlow and LiteRT
    python benchmarks/runtimes.py --openvino PYTHON     OpenVINO too, in a Python that has it
    python benchmarks/runtimes.py --node FOLDER         Node too; FOLDER holds `node_modules`
    python benchmarks/runtimes.py --only rnn            some of it
    python benchmarks/runtimes.py --stale               nothing: lists what is not up to date
    python benchmarks/runtimes.py --table               nothing: writes docs/export.md's table

Each cell is a small fit of one epoch, exported once to each format. Every runtime then answers the
rows of the artifact's `examples.npz` in a process of its own, which knows nothing of Threefold.
What it found is kept in `runtimes.csv`: the largest difference, or why there is none. Stop it at
any time; the same words go on with what is missing or older than the code.
"""

import argparse
import contextlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from kept import (
    FIT_ROOMS,
    ROOT,
    Kept,
    Row,
    find_cells,
    last_line,
    options_of_cells,
    read_rows,
    render_rows,
    write_table,
)
from replay.with_python import Arrays, decode, encode
from small.fitted import Exporters, fit_small

from threefold.core.errors import Failure
from threefold.exporting.artifact import Artifact
from threefold.tasks.signature import Output

HERE = Path(__file__)
REPLAY = HERE.with_name("replay")
KEYS = ("blueprint", "task", "runtime")
PLACES = (*FIT_ROOMS, "exporting", "benchmarks/replay", "benchmarks/replay/with_node.mjs")
KEPT = Kept(HERE.with_suffix(".csv"), KEYS, PLACES)
BEGIN, END = "<!-- benchmarks/runtimes.py -->", "<!-- end of runtimes -->"
PAGE = ROOT / "docs" / "export.md"
# Package -> the runtime's name, and the format that it reads.
RUNTIMES = {
    "onnxruntime": ("ONNX Runtime", "onnx"),
    "onnxruntime-node": ("in Node", "onnx"),
    "onnxruntime-web": ("as WebAssembly", "onnx"),
    "openvino": ("OpenVINO", "onnx"),
    "tensorflow": ("TensorFlow", "savedmodel"),
    "litert": ("LiteRT", "litert"),
}
PROVING = ("onnxruntime", "tensorflow", "litert")  # those that an export itself asks
MISSING = re.compile(
    "(?:has no counterpart of|implementation for|ONNX operations|Conversion is failed for)"
    r":? (\w+)"
)
LONGEST_REASON = 60


def main() -> None:
    parser = options_of_cells(__doc__, by_backend=False)
    parser.add_argument("--openvino", metavar="PYTHON", help="a Python that has openvino")
    parser.add_argument("--node", metavar="FOLDER", help="where node_modules lies")
    given = parser.parse_args()
    commands = find_commands(given)
    groups = [
        [(blueprint, task, runtime) for runtime in commands]
        for blueprint, task, _ in find_cells(given.only)
    ]
    wanted = [names for group in groups for names in group]
    if given.stale:
        sys.exit(KEPT.list_stale(wanted, each=True))
    try:
        good = given.table or fill(groups, commands, given.again)
    finally:  # stopped or not, it shows what is kept
        write_table(make_table(), BEGIN, END, PAGE)
    KEPT.list_stale(wanted, each=False)
    sys.exit(not good)


def find_commands(given: argparse.Namespace) -> dict[str, list[str]]:
    """Return the command of each runtime that there is; a model's file is its last word."""
    program = str(REPLAY / "with_python.py")
    commands = {name: [sys.executable, program, name] for name in PROVING}
    if given.openvino:
        commands["openvino"] = [given.openvino, program, "openvino"]
    if given.node:
        program = str(REPLAY / "with_node.mjs")
        for name in ("onnxruntime-node", "onnxruntime-web"):
            commands[name] = ["node", program, name, given.node]
    return commands


def fill(
    groups: Sequence[Sequence[tuple[str, ...]]], commands: Mapping[str, list[str]], again: bool
) -> bool:
    """Make what is missing; return whether all of it could be made."""

    def replay(wanted: Sequence[tuple[str, ...]]) -> Iterator[Row]:
        with tempfile.TemporaryDirectory() as folder:
            replayed = Replayed(*wanted[0][:2], Path(folder), exporters)
            for blueprint, task, runtime in wanted:
                version, found = replayed.replay(runtime, commands[runtime])
                names = {"blueprint": blueprint, "task": task, "runtime": runtime}
                yield names | {"version": version, "found": found}

    with contextlib.closing(Exporters()) as exporters:
        return KEPT.fill(groups, replay, again)


class Replayed:
    """A small run of a cell, and its artifacts.

    Args:
        blueprint: str. Its name.
        task: str. The task.
        folder: Path. Where all of it goes.
        exporters: Exporters. Write the artifacts.
    """

    def __init__(self, blueprint: str, task: str, folder: Path, exporters: Exporters):
        self.folder, self.exporters = folder, exporters
        self.run = fit_small(blueprint, task, folder)
        self.artifacts: dict[str, Artifact | str] = {}  # or why there is none of a format

    def replay(self, runtime: str, command: Sequence[str]) -> tuple[str, str]:
        """Return the runtime's version, and the largest difference or why there is none."""
        format = RUNTIMES[runtime][1]
        if format not in self.artifacts:
            self.artifacts[format] = self._export(format)
        artifact = self.artifacts[format]
        if isinstance(artifact, str):
            return "", artifact
        with np.load(artifact.folder / "examples.npz") as file:
            examples = dict(file)
        inputs = {field.name: examples[field.name] for field in artifact.record.signature.inputs}
        answer = subprocess.run(
            [*command, str(artifact.model)],
            input=json.dumps(encode(inputs)), capture_output=True, text=True,
        )  # fmt: skip
        if answer.returncode:
            return "", shorten(answer.stderr)
        said = json.loads(last_line(answer.stdout))
        parity = artifact.record.parity if runtime in PROVING else None
        difference = parity.max_abs_diff if parity else 0.0
        return said["version"], compare(
            decode(said["answers"]), examples, artifact.record.signature.outputs, difference
        )

    def _export(self, format: str) -> Artifact | str:
        try:
            return self.exporters.export(self.run, format, self.folder / format)
        except Failure as error:
            if format != "litert":  # the others hold every blueprint
                raise
            return shorten(str(error))


def shorten(said: str) -> str:
    """Return the operation that is missing, or what was said at the end."""
    print(said[-3000:], file=sys.stderr)
    missing = MISSING.search(said)
    return f"no `{missing[1]}`" if missing else last_line(said)[:LONGEST_REASON]


def compare(answers: Arrays, examples: Arrays, outputs: Sequence[Output], difference: float) -> str:
    """Return the largest difference from the answers to expect, or what is wrong.

    Args:
        answers: dict of str to array. The runtime's.
        examples: dict of str to array. With the answers to expect.
        outputs: sequence of Output. Their limits.
        difference: float. The largest that was found before.
    """
    for output in outputs:
        found, wanted = answers.get(output.name), examples[f"expected_{output.name}"]
        if found is None or found.shape != wanted.shape:
            return f"wrong: shape of {output.name}"
        if output.limit is None:
            if not (found == wanted).all():
                return f"wrong: {output.name}"
            continue
        off = np.abs(found.astype("float64") - wanted) / np.array(output.scale)
        largest = float(off.max()) if np.isfinite(off).all() else float("nan")
        if not largest <= output.limit:
            return f"wrong: {largest:.1g}"
        difference = max(difference, largest)
    return f"{difference:.1e}"


def make_table() -> str:
    """Return the table in Markdown; its header has the versions."""
    cells: dict[tuple[str, str], dict[str, str]] = {}
    versions: dict[str, str] = {}
    for row in read_rows(KEPT.path):
        cells.setdefault((row["blueprint"], row["task"]), {})[row["runtime"]] = row["found"]
        versions[row["runtime"]] = row["version"] or versions.get(row["runtime"], "")
    names = [name for name in RUNTIMES if name in versions]
    header = [f"{RUNTIMES[name][0]} {versions[name]}".strip() for name in names]
    rows = [
        [f"`{blueprint}`", task, *(found.get(name, "–") for name in names)]
        for (blueprint, task), found in cells.items()
    ]
    return render_rows(["blueprint", "task", *header], rows)


if __name__ == "__main__":
    main()
