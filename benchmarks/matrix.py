"""Fit every blueprint for every task on every backend, with nothing but defaults.

    python benchmarks/matrix.py                         fits everything, which takes hours
    python benchmarks/matrix.py --only rnn --backends jax    fits some of it
    python benchmarks/matrix.py --table                 fits nothing: writes README.md's table
    python benchmarks/matrix.py --check                 fits nothing: is that table up to date?

What was measured is kept in `matrix.csv`, one row for each fit, and the table in README.md is made
of it; `--try` keeps nothing and only sees, in one epoch, that everything works. Each number is that
of the test split, by the weights of the best epoch, and beside it that of the best baseline; the
seconds are those of the training alone, without imports and the loading of data.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from kept import README, find_cells, keep, place_table, read_rows

from threefold.training.backend import BACKENDS

KEPT = Path(__file__).with_suffix(".csv")
FIELDS = ("blueprint", "task", "data", "backend")
LOWER = {"mae", "mase", "perplexity", "phoneme_error_rate", "loss"}  # metrics where less is more
BEGIN, END = "<!-- benchmarks/matrix.py -->", "<!-- end -->"


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


def summarise(found: dict) -> dict[str, str]:
    """Return a fit's result, the best baseline's, and the seconds, as text."""
    metrics = found["metrics"]["test"]
    names = [name for name in found["headline"] if name in metrics][:2]
    result = ", ".join(f"{name} {metrics[name]:.3g}" for name in names)
    beside = metrics.get("baselines", {})
    better = min if names[0] in LOWER else max
    best = better(beside, key=lambda method: beside[method][names[0]], default=None)
    baseline = f"{beside[best][names[0]]:.3g} ({best})" if best else ""
    return {"result": result, "baseline": baseline, "seconds": f"{found['seconds']:.0f}"}


def measure(only: str, backends: list[str], epochs: int | None) -> None:
    """Fit what is asked for; keep each result as soon as it is there, unless it is only tried."""
    for blueprint, task, data in find_cells(only):
        for backend in backends:
            cell = {"blueprint": blueprint, "task": task, "data": data, "backend": backend}
            cell |= summarise(fit(blueprint, task, backend, epochs))
            print(*cell.values(), sep="  ", flush=True)
            if epochs is None:
                keep(KEPT, cell, FIELDS)


def make_table() -> str:
    """Return the table in Markdown: a row for each cell, a dash for what was not measured."""
    kept = {(r["blueprint"], r["task"], r["data"], r["backend"]): r for r in read_rows(KEPT)}
    header = ["blueprint", "task", "data", *BACKENDS, "baseline"]
    rows = [header, ["---"] * len(header)]
    for blueprint, task, data in find_cells(""):
        found = [kept.get((blueprint, task, data, backend)) for backend in BACKENDS]
        cells = [f"{row['result']} · {row['seconds']} s" if row else "–" for row in found]
        baseline = next((row["baseline"] for row in found if row and row["baseline"]), "")
        rows.append([f"`{blueprint}`", task, f"`{data}`", *cells, baseline])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--backends", default=",".join(BACKENDS), help="with commas between")
    parser.add_argument("--only", default="", help="a part of BLUEPRINT-TASK")
    parser.add_argument("--try", dest="try_", action="store_true", help="one epoch, nothing kept")
    parser.add_argument("--table", action="store_true", help="only write the table into README.md")
    parser.add_argument("--check", action="store_true", help="only compare README.md's table")
    given = parser.parse_args()
    if not (given.table or given.check):
        measure(given.only, given.backends.split(","), 1 if given.try_ else None)
    wanted = place_table(make_table(), BEGIN, END)
    if given.check and wanted != README.read_text(encoding="utf-8"):
        sys.exit("README.md differs from matrix.csv: python benchmarks/matrix.py --table")
    if not given.check and not given.try_:
        README.write_text(wanted, encoding="utf-8")


if __name__ == "__main__":
    main()
