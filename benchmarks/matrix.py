"""Fit every blueprint for every task on every backend, with nothing but defaults.

    python benchmarks/matrix.py                         fits everything, which takes hours
    python benchmarks/matrix.py --only rnn --backends jax    fits some of it
    python benchmarks/matrix.py --stale                 fits nothing: lists what is not up to date
    python benchmarks/matrix.py --table                 fits nothing: writes README.md's table
    python benchmarks/matrix.py --check                 fits nothing: is that table up to date?

What was measured is kept in `matrix.csv`, one row for each fit, and the table in README.md is made
of it; `--try` keeps nothing and only sees, in one epoch, that everything works. Each number is that
of the test split, by the weights of the best epoch, and alongside it that of the best baseline; the
seconds are those of the training alone, without imports and the loading of data. Stop it at any
time; the same words go on with what is missing or older than the code.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from kept import (
    FIT_ROOMS,
    README,
    CellFailed,
    Kept,
    Row,
    find_cells,
    options_of_cells,
    place_table,
    read_rows,
    render_rows,
    run_command,
    write_table,
)

from threefold.training.backend import BACKENDS

KEYS = ("blueprint", "task", "data", "backend")
KEPT = Kept(
    Path(__file__).with_suffix(".csv"),
    KEYS,
    FIT_ROOMS,
)
LOWER = {"mae", "mase", "perplexity", "phoneme_error_rate", "loss"}  # metrics where less is more
BEGIN, END = "<!-- benchmarks/matrix.py -->", "<!-- end -->"


def fit(blueprint: str, task: str, backend: str, epochs: int | None) -> dict:
    """Fit as a user does; return what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["fit", blueprint, "--task", task, "--run", f"{folder}/run"]
        words += ["--epochs", str(epochs)] if epochs else []
        return run_command(*words, backend=backend)


def summarise(found: dict) -> dict[str, str]:
    """Return a fit's result, the best baseline's, and the seconds, as text."""
    metrics = found["metrics"]["test"]
    names = [name for name in found["summary_metrics"] if name in metrics][:2]
    result = ", ".join(f"{name} {metrics[name]:.3g}" for name in names)
    beside = metrics.get("baselines", {})
    better = min if names[0] in LOWER else max
    best = better(beside, key=lambda method: beside[method][names[0]], default=None)
    baseline = f"{beside[best][names[0]]:.3g} ({best})" if best else ""
    return {"result": result, "baseline": baseline, "seconds": f"{found['seconds']:.0f}"}


def measure(wanted: Sequence[tuple[str, ...]], epochs: int | None) -> Iterator[Row]:
    """Fit what is asked for."""
    for blueprint, task, data, backend in wanted:
        found = summarise(fit(blueprint, task, backend, epochs))
        yield dict(zip(KEYS, (blueprint, task, data, backend), strict=True)) | found


def try_all(wanted: Sequence[tuple[str, ...]]) -> bool:
    """See that everything works, in one epoch each; keep nothing."""
    good = True
    for names in wanted:
        try:
            for row in measure([names], 1):
                print(*row.values(), sep="  ", flush=True)
        except CellFailed as error:
            good = False
            print(f"{' '.join(names)}: {error}", file=sys.stderr, flush=True)
    return good


def make_table() -> str:
    """Return the table in Markdown: a row for each cell, a dash for what was not measured."""
    kept = {(r["blueprint"], r["task"], r["data"], r["backend"]): r for r in read_rows(KEPT.path)}
    rows = []
    for blueprint, task, data in find_cells(""):
        found = [kept.get((blueprint, task, data, backend)) for backend in BACKENDS]
        cells = [f"{row['result']} · {row['seconds']} s" if row else "–" for row in found]
        baseline = next((row["baseline"] for row in found if row and row["baseline"]), "")
        rows.append([f"`{blueprint}`", task, f"`{data}`", *cells, baseline])
    return render_rows(["blueprint", "task", "data", *BACKENDS, "baseline"], rows)


def main() -> None:
    parser = options_of_cells(__doc__)
    parser.add_argument("--try", dest="try_", action="store_true", help="one epoch, nothing kept")
    parser.add_argument("--check", action="store_true", help="only compare README.md's table")
    given = parser.parse_args()
    wanted = [
        (*cell, backend) for cell in find_cells(given.only) for backend in given.backends.split(",")
    ]
    if given.stale:
        sys.exit(KEPT.list_stale(wanted, each=True))
    if given.try_:
        sys.exit(not try_all(wanted))
    if given.check:
        same = place_table(make_table(), BEGIN, END) == README.read_text(encoding="utf-8")
        command = "python benchmarks/matrix.py --table"
        sys.exit(0 if same else f"README.md differs from matrix.csv: {command}")
    make = partial(measure, epochs=None)
    try:
        good = given.table or KEPT.fill([[names] for names in wanted], make, given.again)
    finally:  # stopped or not, it shows what is kept
        write_table(make_table(), BEGIN, END)
    KEPT.list_stale(wanted, each=False)
    sys.exit(not good)


if __name__ == "__main__":
    main()
