"""Fit every blueprint for every task on every backend, with nothing but defaults.

    python benchmarks/matrix.py                  fits everything (some minutes), prints the table
    python benchmarks/matrix.py --write          and puts it into README.md
    python benchmarks/matrix.py --epochs 1       only sees that everything works
    python benchmarks/matrix.py --check          fits nothing: does README.md have every cell?

Each number is that of the test split, by the weights of the best epoch; the seconds are those of
the training alone, without imports and the loading of data.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from threefold.training.description import catalogue

README = Path(__file__).parent.parent / "README.md"
BACKENDS = ("tensorflow", "jax", "torch")
BEGIN, END = "<!-- benchmarks/matrix.py -->", "<!-- end -->"


def find_cells() -> list[tuple[str, str, str]]:
    """Return every blueprint with each of its tasks and the task's default data."""
    return [
        (name, task, found["datasets"][task])
        for name, found in catalogue()["blueprints"].items()
        for task in found["tasks"]
    ]


def fit(blueprint: str, task: str, backend: str, epochs: int | None) -> dict:
    """Fit in a process of its own, as a user does; return what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["fit", blueprint, "--task", task, "--run", f"{folder}/run", "--json"]
        words += ["--epochs", str(epochs)] if epochs else []
        answer = subprocess.run(
            [sys.executable, "-m", "threefold.cli", *words],
            capture_output=True,
            text=True,
            env=os.environ | {"KERAS_BACKEND": backend},
        )
    if answer.returncode != 0:
        sys.exit(f"{blueprint} for {task} on {backend}: {answer.stderr}")
    return json.loads(answer.stdout)


def shown(found: dict) -> str:
    """Return the cell of one fit."""
    metrics = found["metrics"]["test"]
    if "accuracy" in metrics:
        quality = f"accuracy {metrics['accuracy']:.3f}"
    else:
        quality = f"MAE {metrics['mae']:.3g}, R² {metrics['r2']:.3f}"
    return f"{quality} · {found['seconds']:.0f} s"


def make_table(backends: list[str], epochs: int | None) -> str:
    """Fit all; return the table in Markdown."""
    header = ["blueprint", "task", "data", *backends]
    rows = [header, ["---"] * len(header)]
    for blueprint, task, data in find_cells():
        row = [f"`{blueprint}`", task, f"`{data}`"]
        for backend in backends:
            row.append(shown(fit(blueprint, task, backend, epochs)))
            print(f"{blueprint} for {task} on {backend}: {row[-1]}", file=sys.stderr, flush=True)
        rows.append(row)
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def check(readme: str) -> None:
    """Leave with an error where the README's table lacks a cell or has one too many."""
    table = readme.partition(BEGIN)[2].partition(END)[0]
    written = [tuple(re.findall(r"[^|`\s]+", "|".join(line.split("|")[1:4])))
               for line in table.strip().splitlines()[2:]]  # fmt: skip
    wanted = find_cells()
    if written != wanted:
        differ = sorted(set(written) ^ set(wanted)) or "their order"
        sys.exit(f"README.md differs from the blueprints: {differ}; python benchmarks/matrix.py "
                 "--write")  # fmt: skip
    if not all(line.count(" s |") == len(BACKENDS) for line in table.strip().splitlines()[2:]):
        sys.exit("README.md lacks a backend; run python benchmarks/matrix.py --write")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--backends", default=",".join(BACKENDS), help="with commas between")
    parser.add_argument("--epochs", type=int, help="instead of each blueprint's own")
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    parser.add_argument("--check", action="store_true", help="only compare README.md's rows")
    given = parser.parse_args()
    readme = README.read_text(encoding="utf-8")
    if given.check:
        check(readme)
        return
    table = make_table(given.backends.split(","), given.epochs)
    print(table, end="")
    if given.write:
        before, _, rest = readme.partition(BEGIN)
        after = rest.partition(END)[2]
        README.write_text(f"{before}{BEGIN}\n{table}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
