"""Export every blueprint, trained on every backend, in both formats; keep what was proven.

    python benchmarks/exports.py            some minutes; prints the table
    python benchmarks/exports.py --write    and keeps it, for `threefold show` and README.md

Each cell is a fit of two epochs with default options, and an export that would have been refused
had its answers been off.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from threefold.exporting.artifact import open_artifact
from threefold.exporting.proven import COLUMNS, TABLE, render_table
from threefold.training.backend import BACKENDS
from threefold.training.description import catalogue

README = Path(__file__).parent.parent / "README.md"
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


def prove(blueprint: str, task: str, data: str, backend: str) -> list[dict]:
    """Fit and export; return a row for each format."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        fitted = f"{folder}/run"
        run("fit", blueprint, "--task", task, "--epochs", "2", "--run", fitted, backend=backend)
        for format in FORMATS:
            place = f"{folder}/{format}"
            run("export", fitted, "--format", format, "--output", place, backend=backend)
            record = open_artifact(place).record
            free = {length for field in record.signature.inputs for length in field.shape
                    if isinstance(length, str)}  # fmt: skip
            parity = record.parity
            cells = (blueprint, task, data, backend, format, " ".join(sorted(free)), parity.rows,
                     parity.max_abs_diff, parity.limit, parity.agreement)  # fmt: skip
            rows.append(dict(zip(COLUMNS, cells, strict=True)))
            print(*cells, file=sys.stderr, flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--write", action="store_true", help="keep the table")
    given = parser.parse_args()
    rows = [
        row
        for name, found in catalogue()["blueprints"].items()
        for task in found["tasks"]
        for backend in BACKENDS
        for row in prove(name, task, found["datasets"][task], backend)
    ]
    if not given.write:
        csv.DictWriter(sys.stdout, COLUMNS).writerows(rows)
        return
    with open(TABLE, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    readme = README.read_text(encoding="utf-8")
    before, _, rest = readme.partition(BEGIN)
    after = rest.partition(END)[2]
    README.write_text(f"{before}{BEGIN}\n{render_table()}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
