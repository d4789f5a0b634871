"""Figures of classes: which were confused, how sure the model was, its worst mistakes."""

import math
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from threefold.reporting.figures.style import (
    BLUE,
    GRAY,
    GREEN,
    PALE,
    STYLE,
    VERMILION,
    head,
    new_figure,
    plain,
)
from threefold.reporting.mistakes import find_mistakes
from threefold.tasks.classification import CALIBRATION_BINS, calibration_bins
from threefold.tasks.evaluation import Evaluation

MOST_NUMBERED = 30  # classes of a matrix whose cells can hold a legible number
MOST_ROWS = 60  # classes of a matrix whose rows can be distinguished
PAIRS_SHOWN = 30
GRID_WIDTH = 10.5  # inches: six images of short captions side by side
CHANNELS_SHOWN = 4


@matplotlib.rc_context(STYLE)
def confusion_matrix(evaluation: Evaluation) -> Figure | None:
    """Plot which classes were taken for which.

    Returns:
        Figure. A matrix whose colours are shares of a true class and whose numbers, for up to
        `MOST_NUMBERED` classes, are counts. For more than `MOST_ROWS` classes the pairs that were
        most often confused, or None where none was.
    """
    names = evaluation.task.facts.class_names
    counts = np.zeros((len(names), len(names)), np.int64)
    np.add.at(counts, (evaluation.truth["label"], evaluation.predictions["label_index"]), 1)
    if len(names) > MOST_ROWS:
        return _plot_pairs(counts, names, evaluation.split)
    size, points = len(names), _cell_points(len(names))
    labels = [plain(name, 22) for name in names]
    max_length = max(map(len, labels))
    side = size * points / 72
    margin = 0.9 + 0.085 * max_length
    figure = new_figure(max(side + margin + 1.2, 5.2), max(side + margin + 0.6, 3.2))
    axes = figure.add_subplot()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    font = min(10.0, 0.62 * points)
    fits = max_length * font * 0.65 < points  # side by side without touching
    axes.set_xticks(range(size), labels, rotation=0 if fits else 90, fontsize=font)
    axes.set_yticks(range(size), labels, fontsize=font)
    axes.set(xlabel="predicted class", ylabel="true class")
    right = f"{np.trace(counts):,} of {counts.sum():,} right"
    head(figure, f"Confusion matrix, {plain(evaluation.split)}: {right}")
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(size + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(size + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#EDEDED", linewidth=0.6)
    axes.tick_params(which="both", length=0)
    if size <= MOST_NUMBERED:
        _write_counts(axes, counts, shares, points)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, fraction=0.05, pad=0.02)
    bar.set_label("share of the true class")
    bar.outline.set_visible(False)
    return figure


def _write_counts(axes: Axes, counts: np.ndarray, shares: np.ndarray, points: float) -> None:
    """Write the counts that are not 0, in thousands where the cells are too small for all digits.

    Args:
        axes: Axes. Where the matrix is plotted.
        counts: int array of shape (classes, classes).
        shares: float array of the same shape. How dark each cell is.
        points: float. Side of a cell.
    """
    stated = [f"{count:,}" for count in counts.flat]
    if points / max(map(len, stated)) < 5:
        stated = [
            f"{count / 1000:.0f}k" if count >= 10_000 else str(count) for count in counts.flat
        ]
    font = min(11.0, 1.45 * points / max(2, *map(len, stated)))
    for row, column in zip(*np.nonzero(counts), strict=True):
        ink = "white" if shares[row, column] > 0.55 else "#222222"
        axes.text(column, row, stated[row * len(counts) + column], ha="center", va="center",
                  color=ink, fontsize=font)  # fmt: skip


def _cell_points(size: int) -> float:
    """Return the side of a matrix's cell: large for few classes, a page's width for many."""
    return float(np.clip(560 / size, 11, 56 if size > 3 else 76))


def _plot_pairs(counts: np.ndarray, names: Sequence[str], split: str) -> Figure | None:
    wrong = counts * (1 - np.eye(len(names), dtype=np.int64))
    order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS_SHOWN]
    pairs = [np.unravel_index(i, wrong.shape) for i in order if wrong.flat[i]]
    if not pairs:
        return None
    labels = [f"{plain(names[row], 26)} → {plain(names[column], 26)}" for row, column in pairs]
    figure = new_figure(8, 0.26 * len(pairs) + 1.3)
    axes = figure.add_subplot()
    bars = axes.barh(range(len(pairs)), [wrong[pair] for pair in pairs], color=BLUE, height=0.7)
    stated = [f"{wrong[pair]:,} of {counts[pair[0]].sum():,}" for pair in pairs]
    axes.bar_label(bars, stated, padding=4, fontsize=8.5)
    axes.set_yticks(range(len(pairs)), labels, fontsize=8.5)
    axes.margins(x=0.16, y=0.01)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlabel("examples of the true class given the wrong one")
    head(figure, f"Most confused pairs, {plain(split)}: true → predicted")
    return figure


@matplotlib.rc_context(STYLE)
def reliability(evaluation: Evaluation) -> Figure:
    """Plot how often the model is right at each level of confidence (Guo et al. 2017).

    Returns:
        Figure. Above, bars of accuracy and their gap to confidence; below, how many examples.
    """
    confidence, accuracy, counts = calibration_bins(
        evaluation.predictions["probabilities"], evaluation.truth["label"]
    )
    error = float(np.average(np.abs(confidence - accuracy), weights=counts))
    width = 1 / CALIBRATION_BINS
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    centres = (bins + 0.5) * width
    figure = new_figure(5.6, 5.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1.1])
    upper.bar(centres, accuracy, width * 0.94, color=BLUE, label="accuracy")
    upper.bar(
        centres, confidence - accuracy, width * 0.94, bottom=accuracy, label="gap to confidence",
        facecolor="none", edgecolor=VERMILION, hatch="////",
    )  # fmt: skip
    upper.plot([0, 1], [0, 1], color=GRAY, linestyle="--", linewidth=1.2, label="perfect", zorder=3)
    upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    upper.legend(loc="upper left")
    head(figure, f"Reliability, {plain(evaluation.split)}: expected calibration error {error:.3f}")
    lower.bar(centres, counts, width * 0.94, color=PALE)
    lower.set(xlabel="confidence: probability of the predicted class", ylabel="examples")
    lower.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    return figure


@matplotlib.rc_context(STYLE)
def worst_mistakes(evaluation: Evaluation) -> Figure | None:
    """Plot the images or series that were evaluated most wrongly, worst first.

    Args:
        evaluation: Evaluation. Of images or series; of a table's rows and of texts there is no
            drawing.

    Returns:
        Figure. Each example under what it is and what it was taken for; None without mistakes.
    """
    kind, positions = evaluation.task.facts.kind, find_mistakes(evaluation)
    if kind not in ("image", "sequence") or not len(positions):
        return None
    examples = evaluation.source[positions]
    captions = [_caption(evaluation, position) for position in positions]
    lines = [line for caption in captions for line in caption.split("\n")]
    width = max(1.75, 0.075 * max(map(len, lines)) + 0.3)  # inches
    columns = min(int(GRID_WIDTH / width), len(positions))
    rows = math.ceil(len(positions) / columns)
    if kind == "image":
        images = evaluation.task.model_inputs(examples)["image"]
        shown, plot_example = np.clip(images, 0, 255).astype(np.uint8), plot_image
        height = 1.5 * min(shown.shape[1] / shown.shape[2], 2.0)
    else:
        shown, plot_example, height = examples["values"], _plot_series, 1.2
    height += 0.17 * len(lines) / len(captions) + 0.12
    figure = new_figure(max(width * columns, 4.5), height * rows + 0.4)
    head(figure, f"Worst mistakes, {plain(evaluation.split)}: true → predicted")
    for position, (example, caption) in enumerate(zip(shown, captions, strict=True)):
        axes = figure.add_subplot(rows, columns, position + 1)
        plot_example(axes, example)
        axes.set_title(caption, fontsize=8.5, loc="center")
    return figure


def plot_image(axes: Axes, image: np.ndarray) -> None:
    """Plot an image, uint8 (height, width, 1 or 3)."""
    # A few pixels must not be blurred into something that the model never saw.
    smoothing = "nearest" if max(image.shape[:2]) <= 64 else "antialiased"
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation=smoothing)
    axes.set_axis_off()


def _plot_series(axes: Axes, series: np.ndarray) -> None:
    for number, channel in enumerate(series.T[:CHANNELS_SHOWN]):
        axes.plot(channel, color=(BLUE, VERMILION, GREEN, GRAY)[number], linewidth=0.8)
    axes.tick_params(labelsize=6.5)


def _caption(evaluation: Evaluation, position: int) -> str:
    """Return what an example is and what it was taken for, in short lines."""
    facts, predictions, truth = evaluation.task.facts, evaluation.predictions, evaluation.truth
    if "label" in truth:
        chosen = predictions["label_index"][position]
        true, taken = facts.class_names[truth["label"][position]], facts.class_names[chosen]
        true, taken = plain(true, 18), plain(taken, 16)
        gap = " " if len(true) + len(taken) <= 14 else "\n"
        return f"{true}{gap}→ {taken}\n({predictions['probabilities'][position, chosen]:.3f})"
    pairs = zip(truth["target"][position], predictions["predictions"][position], strict=True)
    stated = [f"{true:.4g} → {taken:.4g}" for true, taken in pairs]
    if len(stated) == 1:
        return stated[0]
    named = [f"{plain(t.name, 14)}: {text}" for t, text in zip(facts.targets, stated, strict=True)]
    return "\n".join([*named[:4], *(["…"] if len(named) > 4 else [])])
