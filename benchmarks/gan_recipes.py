"""Take every recipe of `gan` through every command, on each backend, as a user types them.

    python benchmarks/gan_recipes.py                               all of it, which takes an hour
    python benchmarks/gan_recipes.py --only progan --backends jax    some of it
    python benchmarks/gan_recipes.py --table                       nothing: writes docs' table

A small run is fitted to its end; another of the same words is killed with `kill -9` in the middle
of its second epoch, and resumed. Compared bit by bit are all arrays of the last state and of the
epoch that is kept, the history and the metrics. The run is then evaluated, which must find the
metrics of the fit; it generates images, and is exported in both formats, of which each is refused
unless it answers as the run does. `cgan` and `sagan` take classes; the others do not.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from kept import (
    FIT_ROOMS,
    ROOT,
    CellFailed,
    Kept,
    Row,
    options_of_cells,
    read_rows,
    render_rows,
    run_command,
    write_table,
)
from PIL import Image
from small.compared import compare_runs

from threefold.blueprints.gan import RECIPES
from threefold.exporting.artifact import open_artifact
from threefold.training.checkpoints import load_checkpoint

KEYS = ("blueprint", "recipe", "backend")
KEPT = Kept(Path(__file__).with_suffix(".csv"), KEYS, (*FIT_ROOMS, "exporting"))
BEGIN, END = "<!-- benchmarks/gan_recipes.py -->", "<!-- end of recipes -->"
PAGE = ROOT / "docs" / "families" / "gan.md"
BLUEPRINT, NAMES = "gan", ("default", *RECIPES)
SMALL = ("-o", "filters=4", "--epochs", "3", "--batch-size", "32", "--checkpoint-steps", "1")
MADE, FORMATS = 9, ("savedmodel", "onnx")
PATIENCE = 300  # seconds that a run may take to its second epoch


def measure(wanted: Sequence[tuple[str, ...]]) -> Iterator[Row]:
    """Take what is asked for through all commands."""
    for blueprint, recipe, backend in wanted:
        words = ["fit", blueprint, *SMALL]
        words += [] if recipe == "default" else ["--recipe", recipe]
        with tempfile.TemporaryDirectory() as folder:
            whole, cut = f"{folder}/whole", f"{folder}/cut"
            fitted = run_command(*words, "--run", whole, backend=backend)
            place = kill(words, cut, backend)
            run_command("fit", "--resume", cut, backend=backend)
            compared, differ = compare_runs(whole, cut)
            found = run_command("evaluate", whole, "--split", "test", backend=backend)
            if found["metrics"]["test"] != fitted["metrics"]["test"]:
                raise CellFailed("evaluate finds other metrics than fit")
            proven = {format: export(whole, format, folder, backend) for format in FORMATS}
            yield {
                **dict(zip(KEYS, (blueprint, recipe, backend), strict=True)),
                "killed": place,
                "compared": compared,
                "differ": len(differ),
                "generated": generate(whole, folder, backend),
                **proven,
            }


def kill(words: Sequence[str], run: str, backend: str) -> str:
    """Begin a run, and kill it in the middle of its second epoch; return where that was."""
    command = [sys.executable, "-m", "threefold.cli", *words, "--run", run]
    environment = os.environ | {"KERAS_BACKEND": backend}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    history, checkpoints = Path(run, "history.csv"), Path(run, "checkpoints")
    process, started = subprocess.Popen(command, env=environment, **quiet), time.monotonic()
    while not history.exists():
        if process.poll() is not None or time.monotonic() - started > PATIENCE:
            process.kill()
            raise CellFailed("no first epoch to be killed after")
        time.sleep(0.01)
    first = max(checkpoints.glob("state-*")).name
    while max(checkpoints.glob("state-*"), default=checkpoints).name <= first:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    _, content = load_checkpoint(checkpoints, "state")
    if content["step"] == 0 or content["epoch"] != 1:
        raise CellFailed(f"killed after epoch {content['epoch']}, step {content['step']}")
    return f"epoch {content['epoch'] + 1}, step {content['step']}"


def generate(run: str, folder: str, backend: str) -> int:
    """Return how many images were made that can be read."""
    place = Path(folder, "made")
    words = "generate", run, "--count", str(MADE), "--output", str(place)
    run_command(*words, backend=backend)
    return sum(Image.open(path).size == (8, 8) for path in place.rglob("*.png"))


def export(run: str, format: str, folder: str, backend: str) -> str:
    """Return the largest difference between a run and what was exported of it."""
    place = f"{folder}/{format}"
    run_command("export", run, "--format", format, "--output", place, backend=backend)
    return f"{open_artifact(place).record.parity.max_abs_diff:.1e}"


def make_table() -> str:
    """Return the table in Markdown."""
    shown = ("recipe", "backend", "killed", "compared", "differ", "generated", *FORMATS)
    kept = {(row["recipe"], row["backend"]): row for row in read_rows(KEPT.path)}
    rows = [[kept[names][column] for column in shown] for names in sorted(kept, key=_by_recipe)]
    return render_rows(shown, rows)


def _by_recipe(names: tuple[str, str]) -> tuple[int, str]:
    return NAMES.index(names[0]), names[1]


def main() -> None:
    given = options_of_cells(__doc__).parse_args()
    wanted = [
        (BLUEPRINT, recipe, backend)
        for recipe in NAMES
        if given.only in recipe
        for backend in given.backends.split(",")
    ]
    if given.stale:
        sys.exit(KEPT.list_stale(wanted, each=True))
    try:
        good = given.table or KEPT.fill([[names] for names in wanted], measure, given.again)
    finally:  # stopped or not, it shows what is kept
        write_table(make_table(), BEGIN, END, PAGE)
    sys.exit(KEPT.list_differing() or not good)


if __name__ == "__main__":
    main()
