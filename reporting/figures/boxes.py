"""Figures of boxes: the worst images, what was found, precision against recall, confusions."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image, ImageDraw, ImageFont

from threefold.datasets.images.letterbox import scale_and_offset
from threefold.reporting.figures.style import BLUE, GRAY, PALE, STYLE, head, new_figure, plain
from threefold.tasks.boxes.scores import RECALLS, confuse, matches_by_class, precision_at_recalls
from threefold.tasks.boxes.suppression import CERTAIN
from threefold.tasks.evaluation import Evaluation
from threefold.tasks.task import Arrays, Task

SHOWN, COLUMNS = 6, 3  # images
MOST_LINES = 12  # classes, those with the most objects
MOST_CLASSES = 30  # of a table of confusions
WRITTEN = 12  # classes up to which its cells hold numbers


@matplotlib.rc_context(STYLE)
def worst_images(evaluation: Evaluation) -> Figure | None:
    """Plot the images in which the most objects were missed, taken for others or made up.

    Returns:
        Figure. None without mistakes.
    """
    task, found, truth = evaluation.task, evaluation.predictions, evaluation.truth
    classes = len(task.facts.class_names)
    wrong = []
    for row in range(len(found["count"])):
        one = {name: array[row : row + 1] for name, array in found.items()}
        true = {name: array[row : row + 1] for name, array in truth.items()}
        counts = confuse(one, true, classes, CERTAIN)
        wrong.append(counts.sum() - np.trace(counts))
    wrong = np.array(wrong)
    rows = [row for row in np.argsort(-wrong, kind="stable")[:SHOWN] if wrong[row]]
    if not rows:
        return None
    examples = evaluation.source[np.array(rows)]
    predictions = {name: array[rows] for name, array in found.items()}
    plural = [f"{wrong[row]} mistake{'s' if wrong[row] > 1 else ''}" for row in rows]
    title = f"Worst images, {plain(evaluation.split)}"
    return _plot_images(task, examples, predictions, title, plural, with_truth=True)


@matplotlib.rc_context(STYLE)
def found_objects(task: Task, examples: Arrays, predictions: Arrays) -> Figure:
    """Plot images and what was found in them."""
    some = {name: array[:SHOWN] for name, array in examples.items()}
    shown = {name: array[:SHOWN] for name, array in predictions.items()}
    captions = [f"{count} found" for count in _count_certain(shown)]
    return _plot_images(task, some, shown, "Found objects", captions, with_truth=False)


@matplotlib.rc_context(STYLE)
def precision_recall(evaluation: Evaluation) -> Figure:
    """Plot precision against recall of each class, where half an overlap counts, and their mean."""
    names = evaluation.task.facts.class_names
    matches = matches_by_class(evaluation.predictions, evaluation.truth, len(names))
    seen = [number for number, some in enumerate(matches) if some.count]
    curves = {number: precision_at_recalls(matches[number])[0] for number in seen}
    figure = new_figure(6.5, 4.2)
    axes = figure.add_subplot()
    shown = sorted(seen, key=lambda number: -matches[number].count)[:MOST_LINES]
    for number in shown:
        label = f"{plain(names[number], 20)} {curves[number].mean():.2f}"
        axes.plot(RECALLS, curves[number], linewidth=1, alpha=0.8, label=label)
    mean = np.mean(list(curves.values()), axis=0)
    axes.plot(RECALLS, mean, color="#222222", linewidth=2.2, label=f"all {mean.mean():.2f}")
    axes.set(xlim=(0, 1), ylim=(0, 1.03), xlabel="recall", ylabel="precision")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8.5)
    head(figure, f"Precision and recall at half an overlap, {plain(evaluation.split)}")
    return figure


@matplotlib.rc_context(STYLE)
def confusion(evaluation: Evaluation) -> Figure | None:
    """Plot true against found classes, the background last; None of too many classes."""
    names = evaluation.task.facts.class_names
    if len(names) > MOST_CLASSES:
        return None
    counts = confuse(evaluation.predictions, evaluation.truth, len(names), CERTAIN)
    labels = [*(plain(name, 16) for name in names), "background"]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 0.42 * len(labels) + 1.9
    figure = new_figure(max(side, 4.5), max(side, 4.5))
    axes = figure.add_subplot()
    colours = matplotlib.colors.LinearSegmentedColormap.from_list("blues", ["white", PALE, BLUE])
    axes.imshow(shares, cmap=colours, vmin=0, vmax=1)
    if len(names) <= WRITTEN:
        for row, column in zip(*np.nonzero(counts), strict=True):
            colour = "white" if shares[row, column] > 0.6 else "#222222"
            axes.text(column, row, str(counts[row, column]), ha="center", va="center",
                      fontsize=8, color=colour)  # fmt: skip
    places = range(len(labels))
    axes.set_xticks(places, labels, rotation=90)
    axes.set_yticks(places, labels)
    axes.set(xlabel=f"found, with a score of at least {CERTAIN}", ylabel="true")
    axes.grid(visible=False)
    head(figure, f"Confusions, {plain(evaluation.split)}")
    return figure


def colour_of(number: int) -> str:
    """Return the colour of a class."""
    colours = matplotlib.colormaps["tab10"].colors
    return matplotlib.colors.to_hex(colours[number % len(colours)])


def frame_objects(image: Image.Image, objects: Sequence[Mapping[str, Any]]) -> None:
    """Write the boxes of objects on an image of colours, in place.

    Args:
        image: Image. As large as the boxes have it.
        objects: sequence of mapping. Each with `class`, `class_index`, `score` and its sides.
    """
    canvas = ImageDraw.Draw(image)
    thickness = max(1, round(min(image.size) / 200))
    font = ImageFont.load_default(max(10, round(min(image.size) / 32)))
    for found in reversed(objects):  # the best over the others
        left, top, right, bottom = (found[side] for side in ("left", "top", "right", "bottom"))
        colour = colour_of(found["class_index"])
        canvas.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), outline=colour,
                         width=thickness)  # fmt: skip
        text = f"{plain(found['class'], 24)} {found['score']:.2f}"
        place = (left, max(0, top - font.size - 2))
        canvas.rectangle(canvas.textbbox(place, text, font=font), fill=colour)
        canvas.text(place, text, fill="white", font=font)


def _count_certain(predictions: Arrays) -> list[int]:
    return [int((scores >= CERTAIN).sum()) for scores in predictions["scores"]]


def _plot_images(
    task: Task,
    examples: Arrays,
    predictions: Arrays,
    title: str,
    captions: Sequence[str],
    *,
    with_truth: bool,
) -> Figure:
    """Plot images in the network's size with their boxes."""
    images = task.model_inputs(examples)["image"]
    count = len(images)
    columns = min(count, COLUMNS)
    rows = -(-count // columns)
    figure = new_figure(2.6 * columns + 0.2, 2.8 * rows + 0.4)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    names = task.facts.class_names
    for row, (axes, image) in enumerate(zip(grid, images, strict=False)):
        axes.imshow(np.clip(image, 0, 255).astype(np.uint8).squeeze(), cmap="gray", vmin=0,
                    vmax=255, interpolation="nearest")  # fmt: skip
        axes.set_title(captions[row], fontsize=8, loc="center")
        scale, offset = scale_and_offset(examples["image"][row].shape[:2], task.network)
        if with_truth:
            known = np.flatnonzero(examples["box_class"][row] >= 0)
            for place in known:
                number = examples["box_class"][row, place]
                box = examples["boxes"][row, place] * scale + offset
                _plot_box(axes, box, number, plain(names[number], 12), dashed=True)
        for place in np.flatnonzero(predictions["scores"][row] >= CERTAIN):
            number = predictions["class_index"][row, place]
            text = f"{plain(names[number], 12)} {predictions['scores'][row, place]:.2f}"
            box = predictions["boxes"][row, place] * scale + offset
            _plot_box(axes, box, number, text, dashed=False)
    head(figure, title)
    return figure


def _plot_box(axes: Axes, box: np.ndarray, number: int, text: str, *, dashed: bool) -> None:
    left, top, right, bottom = box - 0.5  # pixels are drawn around their middles
    colour = "white" if dashed else colour_of(number)
    style = {"linestyle": (0, (2, 2)), "linewidth": 1.0} if dashed else {"linewidth": 1.4}
    axes.add_patch(
        Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=colour, **style)
    )
    place = (left, bottom, "top") if dashed else (left, top, "bottom")
    axes.text(*place[:2], text, va=place[2], fontsize=6.5, color="white", clip_on=True,
              bbox={"facecolor": GRAY if dashed else colour, "pad": 0.6,
                    "edgecolor": "none", "alpha": 0.8})  # fmt: skip
