"""Cut every family in the middle of an epoch, resume it in another process, and compare the bits.

    python benchmarks/resume.py                           all of it, which takes an hour or more
    python benchmarks/resume.py --only rnn --backends jax    some of it
    python benchmarks/resume.py --stale                   nothing: lists what is not up to date
    python benchmarks/resume.py --table                   nothing: writes the table in benchmarks/

One process fits a small run to its end, and another of the same words up to a SIGTERM; a second
process resumes that. Compared are all arrays of the last state (weights, optimizer, seeds, metrics
of the epoch) and of the best epoch, and as one more each: the counters, the history, the metrics
of the finished run. What was found is kept in `resume.csv`. Stop it at any time; the same words go
on with what is missing or older than the code. A cell whose bits differ stays in the table, and
the exit code is 1.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from kept import (
    FIT_ROOMS,
    ROOT,
    CellFailed,
    Kept,
    Row,
    find_cells,
    last_line,
    options_of_cells,
    read_rows,
    render_rows,
    write_table,
)
from small.compared import compare_runs

HERE = Path(__file__)
KEYS = ("blueprint", "task", "backend")
KEPT = Kept(HERE.with_suffix(".csv"), KEYS, FIT_ROOMS)
BEGIN, END = "<!-- benchmarks/resume.py -->", "<!-- end of resume -->"
SETTINGS = {"epochs": "3", "batch_size": "8"}
SHOWN = 5  # names of what differs
CUT = {"epoch": 1, "step": 2}  # both from 0; no epoch of any cell has fewer than 4 steps


def main() -> None:
    if sys.argv[1:2] == ["--part"]:  # this script, called by itself
        print(json.dumps(PARTS[sys.argv[2]](*sys.argv[3:])))
        return
    given = options_of_cells(__doc__).parse_args()
    wanted = [
        (blueprint, task, backend)
        for blueprint, task, _ in find_cells(given.only)
        for backend in given.backends.split(",")
    ]
    if given.stale:
        sys.exit(KEPT.list_stale(wanted, each=True))
    try:
        good = given.table or KEPT.fill([[names] for names in wanted], compare, given.again)
    finally:  # stopped or not, it shows what is kept
        write_table(make_table(), BEGIN, END, HERE.with_name("README.md"))
    KEPT.list_stale(wanted, each=False)
    sys.exit(KEPT.list_differing() or not good)


def make_table() -> str:
    """Return the table in Markdown."""
    rows = [
        [f"`{row['blueprint']}`", *(row[name] for name in (*KEYS[1:], "steps", "compared"))]
        + [row["differ"]]
        for row in read_rows(KEPT.path)
    ]
    return render_rows(["blueprint", "task", "backend", "steps", "compared", "differ"], rows)


def compare(wanted: Sequence[tuple[str, ...]]) -> Iterator[Row]:
    """Fit, cut, and resume in processes of their own."""
    for blueprint, task, backend in wanted:
        with tempfile.TemporaryDirectory() as folder:
            fitted = part("fit", blueprint, task, folder, backend=backend)
            found = part("resume", folder, backend=backend)
        if found["differ"]:
            names = ", ".join(found["differ"][:SHOWN])
            print(f"{blueprint} {task} {backend} differ: {names}, ...", file=sys.stderr)
        numbers = {"compared": found["compared"], "differ": len(found["differ"])}
        yield dict(zip(KEYS, (blueprint, task, backend), strict=True)) | fitted | numbers


def part(*words: str, backend: str) -> dict:
    """Run a part of this script in a process of its own; return what it printed at its end."""
    environment = {"OMP_NUM_THREADS": "1"} | os.environ | {"KERAS_BACKEND": backend}
    answer = subprocess.run(
        [sys.executable, str(HERE), "--part", *words],
        capture_output=True, text=True, env=environment,
    )  # fmt: skip
    if answer.returncode != 0:
        raise CellFailed(f"{words[0]}: {last_line(answer.stderr)}")
    return json.loads(last_line(answer.stdout))


def fit_and_cut(blueprint: str, task: str, folder: str) -> dict[str, int]:
    """Fit a whole run and one that is cut; return how many steps the whole one took."""
    resuming = import_support()
    import pytest
    from cells import Cell
    from displays import Quiet, quiet

    from threefold.training import fit as fitting
    from threefold.training.callbacks import Interrupted
    from threefold.training.settings import TrainingSettings

    cell = Cell(blueprint, task)
    reference, data = cell.data(Path(folder))
    counted = []

    class Counting(Quiet):
        def batch(self, epoch, step, logs):
            counted.append(step)

    def begin(name, announce):
        settings = TrainingSettings.parse(SETTINGS)
        fitting.start(
            fitting.Command(
                blueprint, task, reference, data, cell.options, settings, f"{folder}/{name}"
            ),
            announce,
        )

    begin("whole", lambda run, dataset, model: Counting())
    steps = len(counted)
    with pytest.MonkeyPatch.context() as patch:
        resuming.cut_at(patch, **CUT)
        try:
            begin("cut", quiet)
        except Interrupted as stopped:
            if stopped.exit_code != 128 + signal.SIGTERM:
                raise
        else:
            raise CellFailed("no signal came in the middle of an epoch")
    _, content = resuming.final_state(f"{folder}/cut")
    if (content["epoch"], content["step"]) != (CUT["epoch"], CUT["step"] + 1):
        raise CellFailed(f"cut in epoch {content['epoch']}, step {content['step']}")
    return {"steps": steps}


def resume_and_compare(folder: str) -> dict:
    """Resume the run that was cut; return how much was compared, and what differs."""
    import_support()
    from displays import quiet

    from threefold.training import fit as fitting

    fitting.resume(f"{folder}/cut", None, quiet)
    compared, differ = compare_runs(f"{folder}/whole", f"{folder}/cut")
    return {"compared": compared, "differ": differ}


def import_support():
    """Choose the backend; return what tests of resuming share."""
    from threefold.training.backend import choose_backend

    choose_backend()
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    import resuming

    return resuming


PARTS = {"fit": fit_and_cut, "resume": resume_and_compare}

if __name__ == "__main__":
    main()
