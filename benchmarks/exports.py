"""Export every blueprint, trained on every backend, in both formats; keep what was proven.

    python benchmarks/exports.py                           all of it, which takes hours
    python benchmarks/exports.py --only rnn --backends jax    some of it
    python benchmarks/exports.py --table                   nothing: writes README.md's table

Each cell is a fit of one epoch with default options, and an export that would have been refused
had its answers been off. It is kept in `exporting/proven.csv`, which `threefold show` reads.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

from kept import README, find_cells, keep, place_table

from threefold.exporting.artifact import open_artifact
from threefold.exporting.proven import COLUMNS, TABLE, render_table
from threefold.training.backend import BACKENDS

KEYS = COLUMNS[:5]
BEGIN, END = "<!-- benchmarks/exports.py -->", "<!-- end of exports -->"
FORMATS = ("savedmodel", "onnx")


def run(*words: str, backend: str) -> dict:
    """Run a command as a user does; return what it printed."""
    answer = subprocess.run(
        [sys.executable, "-m", "threefold.cli", *words, "--json"],
        capture_output=True,
        text=True,
        env=os.environ | {"KERAS_BACKEND": backend},
    )
    if answer.returncode != 0:
        sys.exit(f"threefold {' '.join(words)} on {backend}: {answer.stderr}")
    return json.loads(answer.stdout)


def prove(blueprint: str, task: str, data: str, backend: str) -> None:
    """Fit and export; keep a row for each format."""
    with tempfile.TemporaryDirectory() as folder:
        fitted = f"{folder}/run"
        run("fit", blueprint, "--task", task, "--epochs", "1", "--run", fitted, backend=backend)
        for format in FORMATS:
            place = f"{folder}/{format}"
            run("export", fitted, "--format", format, "--output", place, backend=backend)
            record = open_artifact(place).record
            free = {length for field in record.signature.inputs for length in field.shape
                    if isinstance(length, str)}  # fmt: skip
            parity = record.parity
            cells = (blueprint, task, data, backend, format, " ".join(sorted(free)), parity.rows,
                     parity.max_abs_diff, parity.limit, parity.agreement)  # fmt: skip
            keep(TABLE, dict(zip(COLUMNS, cells, strict=True)), KEYS)
            print(*cells, sep="  ", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--backends", default=",".join(BACKENDS), help="with commas between")
    parser.add_argument("--only", default="", help="a part of BLUEPRINT-TASK")
    parser.add_argument("--table", action="store_true", help="only write the table into README.md")
    given = parser.parse_args()
    if not given.table:
        for cell in find_cells(given.only):
            for backend in given.backends.split(","):
                prove(*cell, backend)
    README.write_text(place_table(render_table(), BEGIN, END), encoding="utf-8")


if __name__ == "__main__":
    main()
