"""Fit small real data sets with nothing but defaults, beside what one would use instead.

    sh benchmarks/small/fetch.sh build/packages         the packages that they come in, once
    python benchmarks/small_data.py                     all of them, three seeds, which takes hours
    python benchmarks/small_data.py --only clothes --backends jax --seeds 0     some of it
    python benchmarks/small_data.py --stale             lists what is not up to date
    python benchmarks/small_data.py --table             writes the table of docs/performance.md

Beside each set stand the best of the simple methods that `fit` itself compares with, and the
strongest of those in `small/strongest.py`, which has an environment of its own
(`build/strong/bin/python`, that `fetch.sh` makes). All learn of the same training split and are
judged on the same test split. Stop it at any time; the same words go on.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from kept import (
    FIT_ROOMS,
    ROOT,
    CellFailed,
    Kept,
    Row,
    last_line,
    options_of_cells,
    read_rows,
    render_rows,
    write_table,
)
from small.beside import fit_beside
from small.sets import SETS, SmallSet

from threefold.tasks.task import find_task
from threefold.training.data import load_dataset

KEPT = Kept(
    Path(__file__).with_suffix(".csv"), ("blueprint", "data", "by", "seed"),
    (*FIT_ROOMS, "benchmarks/small"),
)  # fmt: skip
STRONGEST = "strongest"  # in place of a backend
BEGIN, END = "<!-- benchmarks/small_data.py -->", "<!-- end of small data -->"
DOCUMENT = ROOT / "docs" / "performance.md"
STRONG_PYTHON = ROOT / "build" / "strong" / "bin" / "python"
SEEDS = ("0", "1", "2")


def measure_strongest(small: SmallSet, reference: str, folder: str) -> dict[str, str]:
    """Return what the strongest quick method reaches on the same splits."""
    path = f"{folder}/splits.npz"
    arrays = {}
    dataset = load_dataset(reference, {}, task=small.task)
    for split, source in dataset.splits.items():
        x, y = small.arrays(source[np.arange(len(source))], dataset.facts)
        arrays |= {f"x_{split}": x, f"y_{split}": y}
    np.savez(path, **arrays)
    script = Path(__file__).parent / "small" / "strongest.py"
    answer = subprocess.run(
        [STRONG_PYTHON, script, small.kind, path], capture_output=True, text=True
    )
    if answer.returncode != 0:
        raise CellFailed(f"{script.name}: {last_line(answer.stderr)}")
    found = json.loads(answer.stdout)
    return {
        "result": f"{found['score']:.4f}",
        "method": found["method"],
        "other": "",
        "seconds": f"{found['seconds']:.0f}",
    }


def measure(wanted: Sequence[tuple[str, ...]], packages: Path) -> Iterator[Row]:
    """Fit what is asked for, or judge what one would use instead."""
    for blueprint, name, by, seed in wanted:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder, name)
            place.mkdir()
            reference = str(SETS[name].write(packages, place))
            if by == STRONGEST:
                found = measure_strongest(SETS[name], reference, folder)
            else:
                small = SETS[name]
                metric = find_task(small.task).primary_metric
                words = "--run", f"{folder}/run", "--seed", seed
                found = fit_beside(small.family, reference, by, metric, *words)
        yield dict(zip(KEPT.keys, (blueprint, name, by, seed), strict=True)) | found


def make_table() -> str:
    """Return the table in Markdown: a row for each set, the mean of the seeds on each backend."""
    kept: dict[tuple[str, str], list[dict]] = {}
    for row in read_rows(KEPT.path):
        kept.setdefault((row["data"], row["by"]), []).append(row)
    backends = sorted({by for _, by in kept} - {STRONGEST})
    lines = []
    for name, small in SETS.items():
        cells, simple = [], "–"
        for backend in backends:
            rows = kept.get((name, backend), [])
            values = [float(row["result"]) for row in rows]
            text = f"{np.mean(values):.3f} ± {np.std(values):.3f}" if values else "–"
            cells.append(text)
            simple = f"{rows[0]['other']} ({rows[0]['method']})" if rows else simple
        strong = kept.get((name, STRONGEST), [])
        cells += [simple, f"{strong[0]['result']} ({strong[0]['method']})" if strong else "–"]
        metric = find_task(small.task).primary_metric
        lines.append([f"`{name}`", small.kind, f"`{small.family}`", metric, *cells])
    header = ["data", "kind", "blueprint", "metric", *backends, "simple method", "strongest"]
    return render_rows(header, lines)


def main() -> None:
    parser = options_of_cells(__doc__)
    parser.add_argument("--packages", default=ROOT / "build" / "packages", type=Path)
    parser.add_argument("--seeds", default=",".join(SEEDS), help="with commas between")
    given = parser.parse_args()
    wanted = [
        (SETS[name].family, name, by, seed)
        for name in SETS
        if given.only in name
        for by in (STRONGEST, *given.backends.split(","))
        for seed in (given.seeds.split(",") if by != STRONGEST else SEEDS[:1])
    ]
    if given.stale:
        sys.exit(KEPT.list_stale(wanted, each=True))
    make = partial(measure, packages=given.packages)
    try:
        good = given.table or KEPT.fill([[names] for names in wanted], make, given.again)
    finally:  # stopped or not, it shows what is kept
        write_table(make_table(), BEGIN, END, DOCUMENT)
    sys.exit(not good)


if __name__ == "__main__":
    main()
