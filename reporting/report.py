"""The report of a run: figures as files, and one page that holds them all.

report/
index.html            everything; needs no other file and no network
learning_curves.png   the same figures for slides and papers
training.gif          of a generator: what it made of the same noise, epoch by epoch
test_confusion_matrix.png, ...
report.json           what the page shows of each split, to add further splits to it
"""

import hashlib
import io
import json
import shlex
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from threefold.core.best_epoch import find_best, score_of
from threefold.core.files import parse_json, replace_file
from threefold.core.options import as_typed
from threefold.datasets.dataset import SPLITS
from threefold.reporting.advice import repeat_in
from threefold.reporting.figures.learning_curves import learning_curves
from threefold.reporting.figures.plotting import plot
from threefold.reporting.mistakes import COLUMNS_SHOWN, count_mistakes, tabulate_mistakes
from threefold.reporting.page import PIXELS_PER_INCH, render_page
from threefold.tasks.evaluation import Evaluation
from threefold.tasks.task import find_task

FORMAT = 1  # of report.json
MISTAKES = ("confusion_matrix", "worst_mistakes")  # figures that there are where there are some
PAGE, CURVES, KEPT = "index.html", "learning_curves.png", "report.json"
SAMPLES, FILM = "samples", "training.gif"  # of a run that makes images
FILM_PIXELS = 560  # about, along a side
FRAME_SECONDS, LAST_SECONDS = 0.4, 2.0


def write_report(
    folder: Path,
    title: str,
    record: Mapping[str, Any],
    history: Sequence[Mapping[str, float]],
    evaluations: Sequence[Evaluation],
    remarks: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Write the figures and the page.

    Splits that were reported before stay on the page as long as title, record and history are the
    same, that is for the same weights; a split that is evaluated again takes the place of its old
    self.

    Args:
        folder: Path. The report's folder, made if need be.
        title: str. The page's heading.
        record: mapping. What `run.json` holds.
        history: sequence of mapping. One row an epoch.
        evaluations: sequence of Evaluation. One a split.
        remarks: mapping of str to sequence of str. What is said at the top of a split's section.

    Raises:
        Failure: where a file cannot be written; the page is the old or the new one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    key = _digest(title, record, history)
    sections = _read_kept(folder, key)
    curves = None
    if history:
        tolerance = find_task(record["task"]).loss_tolerance
        best = find_best(history, tolerance)
        caption = _describe_best(history, best, tolerance)
        curves = _save(folder, CURVES, learning_curves(history, best), caption,
                       f"Learning curves over {len(history)} epochs. {caption}")  # fmt: skip
    for evaluation in evaluations:
        sections[evaluation.split] = _make_section(folder, evaluation)
        sections[evaluation.split]["remarks"] += (remarks or {}).get(evaluation.split, ())
    order = [*(name for name in SPLITS if name in sections), *sections]
    sections = {name: sections[name] for name in dict.fromkeys(order)}
    kept = json.dumps({"key": key, "sections": sections}, ensure_ascii=False, indent=1)
    replace_file(folder / KEPT, kept.encode())
    course = [figure for figure in (curves, _make_film(folder)) if figure]
    plots = [*course]
    plots += [figure for section in sections.values() for figure in section["figures"]]
    images = {plot["file"]: (folder / plot["file"]).read_bytes() for plot in plots}
    commands = [repeat_command(record)]
    if (folder.parent / "run.json").is_file():
        commands.append(repeat_in(str(folder.parent)))
    page = render_page(title, record, commands, course, sections, images)
    replace_file(folder / PAGE, page.encode())


def repeat_command(record: Mapping[str, Any]) -> str:
    """Return the command line that fits the same model again, with nothing left to a default."""
    data = record["dataset"]
    words = ["threefold", "fit", record["blueprint"], "--task", record["task"]]
    words += ["--dataset", data["reference"]]
    for flag, options in (("-d", data["options"]), ("-o", record["options"])):
        for name, value in options.items():
            words += [flag, f"{name}={as_typed(value)}"]
    for name, value in record["settings"].items():
        if value is not None:  # none means "off", which nothing else turns on
            words += ["--" + name.replace("_", "-"), as_typed(value)]
    words += ["--backend", record["backend"]]
    words += ["--init", record["init"]] if record["init"] else []
    return shlex.join(words)


def _digest(title: str, record: Mapping[str, Any], history: Sequence[Mapping[str, float]]) -> str:
    rows = [{name: float(value) for name, value in row.items()} for row in history]
    content = json.dumps([FORMAT, title, record, rows], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _read_kept(folder: Path, key: str) -> dict[str, dict[str, Any]]:
    """Return the sections that hold for the same weights; remove the figures of others."""
    try:
        kept = parse_json((folder / KEPT).read_text(encoding="utf-8"))
        if kept["key"] == key:
            return {
                name: section
                for name, section in kept["sections"].items()
                if all((folder / figure["file"]).is_file() for figure in section["figures"])
            }
        stale = [f["file"] for section in kept["sections"].values() for f in section["figures"]]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # none, or damaged
        return {}
    (folder / KEPT).unlink()
    for name in stale:
        (folder / Path(name).name).unlink(missing_ok=True)
    return {}


def _make_section(folder: Path, evaluation: Evaluation) -> dict[str, Any]:
    """Plot what the task lists; return all that the page shows of a split, as plain data."""
    task, split = evaluation.task, evaluation.split
    section = {
        "examples": len(evaluation.source),
        "metrics": evaluation.metrics,
        "summary_metrics": [name for name in task.summary_metrics if name in evaluation.metrics],
        "figures": [],
        "remarks": [],
        "mistakes": None,
    }
    for said in task.figures:
        name, file = said.name, f"{split}_{said.name}.png"
        figure = plot(said, evaluation)
        if figure is not None:
            heading = name.replace("_", " ").capitalize()
            alt = f"{heading} of the {split} split: {_sum_up(evaluation)}"
            section["figures"].append(_save(folder, file, figure, said.caption, alt))
            continue
        (folder / file).unlink(missing_ok=True)  # of the same split, evaluated before
        if name not in MISTAKES:
            continue
        if not count_mistakes(evaluation):
            remark = f"No mistakes: all {len(evaluation.source):,} examples are answered right."
            if remark not in section["remarks"]:
                section["remarks"].append(remark)
        elif name == "worst_mistakes":
            section["mistakes"] = _describe_mistakes(evaluation)
    return section


def _describe_mistakes(evaluation: Evaluation) -> dict[str, Any]:
    table, count = tabulate_mistakes(evaluation), count_mistakes(evaluation)
    caption = "All" if count == len(table.rows) else f"The worst {len(table.rows)} of {count:,}"
    caption += " mistakes, the worst first"
    if table.columns > COLUMNS_SHOWN:
        caption += f", with the first {COLUMNS_SHOWN} of {table.columns:,} columns"
    return {"caption": caption + ".", "header": table.header, "rows": table.rows}


def _sum_up(evaluation: Evaluation) -> str:
    """Return the metrics that matter, for those who cannot see a figure."""
    chosen = [name for name in evaluation.task.summary_metrics if name in evaluation.metrics]
    return ", ".join(f"{name} {evaluation.metrics[name]:.4g}" for name in chosen)


def _describe_best(history: Sequence[Mapping[str, float]], best: int, tolerance: float) -> str:
    row = history[best]
    criterion = "validation loss" if "val_loss" in row else "training loss"
    return (
        f"The weights of epoch {int(row['epoch'])} of {len(history)} are kept: "
        f"its {criterion}, {score_of(row):.4g}, is "
        + (f"within {tolerance:.0%} of the lowest." if tolerance else "the lowest.")
    )


def _make_film(folder: Path) -> dict[str, str] | None:
    """Write what a generator made of the same noise, epoch by epoch, as one moving picture."""
    frames = sorted((folder.parent / SAMPLES).glob("epoch-*.png"))
    if not frames:
        return None
    images = [Image.open(frame) for frame in frames]
    size = [side * max(1, FILM_PIXELS // max(images[0].size)) for side in images[0].size]
    images = [image.convert("RGB").resize(size, Image.Resampling.NEAREST) for image in images]
    content = io.BytesIO()
    seconds = [FRAME_SECONDS] * (len(images) - 1) + [LAST_SECONDS]
    images[0].save(
        content, "GIF", save_all=True, append_images=images[1:], loop=0,
        duration=[round(1000 * s) for s in seconds],
    )  # fmt: skip
    replace_file(folder / FILM, content.getvalue())
    epochs = [int(frame.stem.rpartition("-")[2]) for frame in frames]
    caption = (
        f"What the generator made of the same noise, from epoch {epochs[0]} to {epochs[-1]}, by "
        "averaged weights where they are averaged."
    )
    return {"file": FILM, "caption": caption, "alt": caption}


def _save(folder: Path, file: str, figure: Figure, caption: str, alt: str) -> dict[str, str]:
    save_figure(folder / file, figure)
    return {"file": file, "caption": caption, "alt": alt}


def save_figure(path: Path, figure: Figure) -> None:
    """Write a figure as a PNG file."""
    plot = io.BytesIO()
    with warnings.catch_warnings():
        # A class may be named in a script that no installed font has: a box stands for it.
        warnings.filterwarnings("ignore", r"Glyph \d+")
        figure.savefig(plot, format="png", dpi=PIXELS_PER_INCH)
    replace_file(path, plot.getvalue())
