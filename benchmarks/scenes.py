"""Segment and detect in real images with nothing but defaults, beside what one would use instead.

    sh benchmarks/small/fetch.sh build/packages         the packages that they come in, once
    python benchmarks/scenes.py --backends jax          fits, and prints a table
    python benchmarks/scenes.py --table                 prints the table of what is kept

Beside each set stand the best of the simple methods that `fit` itself compares with, and the
strongest quick method of `small/scene_methods.py` that needs no pretrained network. All learn of
the same training split and are judged on the same test split.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from kept import (
    FIT_ROOMS,
    ROOT,
    Kept,
    Row,
    options_of_cells,
    read_rows,
    render_rows,
)
from small.beside import fit_beside
from small.scene_methods import forest_of_pixels, forest_of_windows
from small.scene_sets import write_nuclei, write_trees

from threefold.tasks.task import find_task
from threefold.training.data import load_dataset

KEPT = Kept(
    Path(__file__).with_suffix(".csv"), ("blueprint", "data", "by"),
    (*FIT_ROOMS, "benchmarks/small"),
)  # fmt: skip
STRONGEST = "strongest"  # in place of a backend


class SceneSet(NamedTuple):
    """A set, how `fit` is asked to learn it, the strongest other method, and what is compared."""

    family: str
    task: str
    write: Callable[[Path, Path], Path]
    strongest: Callable[..., Any]
    metric: str


SETS = {
    "nuclei": SceneSet("unet", "image_segmentation", write_nuclei, forest_of_pixels, "mean_iou"),
    "trees": SceneSet(
        "detector", "object_detection", write_trees, forest_of_windows,
        "mean_average_precision_50",
    ),
}  # fmt: skip


def measure_strongest(scenes: SceneSet, reference: str) -> dict[str, str]:
    """Return what the strongest quick method reaches on the same splits."""
    dataset = load_dataset(reference, {}, task=scenes.task)
    task = find_task(scenes.task)(dataset.facts)
    start = time.perf_counter()
    name, found, truth = scenes.strongest(task, dataset.splits)
    metrics = task.compute_metrics(found, truth)
    return {
        "result": f"{metrics[scenes.metric]:.4f}",
        "method": name,
        "other": "",
        "seconds": f"{time.perf_counter() - start:.0f}",
    }


def measure(wanted: Sequence[tuple[str, ...]], packages: Path) -> Iterator[Row]:
    """Fit what is asked for, or judge what one would use instead."""
    for blueprint, name, by in wanted:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder, name)
            place.mkdir()
            reference = str(SETS[name].write(packages, place))
            if by == STRONGEST:
                found = measure_strongest(SETS[name], reference)
            else:
                scenes = SETS[name]
                words = "--run", f"{folder}/run"
                found = fit_beside(scenes.family, reference, by, scenes.metric, *words)
        yield dict(zip(KEPT.keys, (blueprint, name, by), strict=True)) | found


def make_table() -> str:
    """Return the table in Markdown: a row for each set."""
    kept = {(row["data"], row["by"]): row for row in read_rows(KEPT.path)}
    backends = sorted({by for _, by in kept} - {STRONGEST})
    lines = []
    for name, scenes in SETS.items():
        fits = {by: kept[name, by] for by in backends if (name, by) in kept}
        if not fits:
            continue
        cells = [
            f"{fits[by]['result']} · {fits[by]['seconds']} s" if by in fits else "–"
            for by in backends
        ]
        some = next(iter(fits.values()))
        cells.append(f"{some['other']} ({some['method']})")
        strong = kept.get((name, STRONGEST))
        cells.append(f"{strong['result']} ({strong['method']})" if strong else "–")
        lines.append([f"`{name}`", f"`{scenes.family}`", scenes.metric, *cells])
    header = ["data", "blueprint", "metric", *backends, "simple method", "strongest"]
    return render_rows(header, lines)


def main() -> None:
    parser = options_of_cells(__doc__)
    parser.add_argument("--packages", default=ROOT / "build" / "packages", type=Path)
    given = parser.parse_args()
    wanted = [
        (SETS[name].family, name, by)
        for name in SETS
        if given.only in name
        for by in (STRONGEST, *given.backends.split(","))
    ]
    if given.stale:
        sys.exit(KEPT.list_stale(wanted, each=True))
    make = partial(measure, packages=given.packages)
    good = given.table or KEPT.fill([[names] for names in wanted], make, given.again)
    print(make_table())
    sys.exit(not good)


if __name__ == "__main__":
    main()
