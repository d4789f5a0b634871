"""Figures of labels of which an image may have several: precision against recall, worst images."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from threefold.reporting.figures.classes import plot_image
from threefold.reporting.figures.style import BLUE, STYLE, head, new_figure, plain
from threefold.tasks.evaluation import Evaluation

MOST_LINES = 10  # labels, those that the most images have
MOST_BARS = 30  # labels, the worst ones
SHOWN, COLUMNS = 12, 4  # images
NAMED = 4  # labels of an image


@matplotlib.rc_context(STYLE)
def precision_recall(evaluation: Evaluation) -> Figure | None:
    """Plot precision against recall of each label, with the threshold that decides.

    Returns:
        Figure. None where no image has a label.
    """
    from sklearn.metrics import precision_recall_curve

    names, scores = evaluation.task.facts.class_names, evaluation.metrics["by_class"]
    present, probabilities = evaluation.truth["labels"], evaluation.predictions["probabilities"]
    shown = sorted(np.flatnonzero(present.any(axis=0)), key=lambda i: -present[:, i].sum())
    if not shown:
        return None
    figure = new_figure(6.8, 4.2)
    axes = figure.add_subplot()
    for label in shown[:MOST_LINES]:
        precision, recall, _ = precision_recall_curve(present[:, label], probabilities[:, label])
        score = scores[names[label]]
        text = f"{plain(names[label], 20)} {score['average_precision']:.2f}"
        (line,) = axes.step(recall, precision, where="post", linewidth=1.2, label=text)
        axes.plot(score["recall"], score["precision"], "o", color=line.get_color(), markersize=5)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.03), xlabel="recall", ylabel="precision")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8.5)
    mean = evaluation.metrics["mean_average_precision"]
    head(figure, f"Precision and recall, {plain(evaluation.split)}: average precision {mean:.3f}")
    return figure


@matplotlib.rc_context(STYLE)
def average_precision_by_class(evaluation: Evaluation) -> Figure | None:
    """Plot the average precision of each label, the worst first; None where no image has one."""
    scores = evaluation.metrics["by_class"]
    order = sorted(scores, key=lambda name: scores[name]["average_precision"])[:MOST_BARS]
    if not order:
        return None
    figure = new_figure(6.5, 0.27 * len(order) + 1.1)
    axes = figure.add_subplot()
    values = [scores[name]["average_precision"] for name in order]
    bars = axes.barh(range(len(order)), values, color=BLUE, height=0.7)
    counts = [f"{value:.2f} ({scores[name]['count']:,} images)"
              for name, value in zip(order, values, strict=True)]  # fmt: skip
    axes.bar_label(bars, counts, padding=4, fontsize=8.5)
    axes.set_yticks(range(len(order)), [plain(name, 24) for name in order])
    axes.set(xlim=(0, 1.25), xlabel="average precision (images that have the label)",
             ylim=(len(order) - 0.4, -0.6))  # fmt: skip
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.grid(axis="y", visible=False)
    head(figure, f"Average precision by label, {plain(evaluation.split)}")
    return figure


@matplotlib.rc_context(STYLE)
def worst_images(evaluation: Evaluation) -> Figure | None:
    """Plot the images with the most wrong labels; None without mistakes."""
    present = evaluation.truth["labels"]
    found = evaluation.predictions["labels"].astype(bool)
    wrong = (found != present).sum(axis=1)
    order = np.argsort(-wrong, kind="stable")[:SHOWN]
    rows = order[wrong[order] > 0]
    if not len(rows):
        return None
    images = evaluation.task.model_inputs(evaluation.source[rows])["image"]
    shown = np.clip(images, 0, 255).astype(np.uint8)
    captions = [_caption(evaluation, present[row], found[row]) for row in rows]
    lines = max(caption.count("\n") for caption in captions) + 1
    height = 2.0 * min(shown.shape[1] / shown.shape[2], 2.0) + 0.17 * lines + 0.1
    grid = -(-len(rows) // COLUMNS)
    figure = new_figure(9.5, height * grid + 0.4)
    head(figure, f"Worst images, {plain(evaluation.split)}: + made up, − missed")
    for place, (image, caption) in enumerate(zip(shown, captions, strict=True), 1):
        axes = figure.add_subplot(grid, COLUMNS, place)
        plot_image(axes, image)
        axes.set_title(caption, fontsize=8.5, loc="center")
    return figure


def _caption(evaluation: Evaluation, present: np.ndarray, found: np.ndarray) -> str:
    """Return the labels that an image has, then what was made up and what was missed."""
    names = evaluation.task.facts.class_names
    right = _join([names[i] for i in np.flatnonzero(present & found)], "")
    wrong = _join([names[i] for i in np.flatnonzero(found & ~present)], "+")
    missed = _join([names[i] for i in np.flatnonzero(present & ~found)], "−")
    return "\n".join(filter(None, (right, " ".join(filter(None, (wrong, missed))))))


def _join(names: list[str], mark: str) -> str:
    more = " …" if len(names) > NAMED else ""
    return " ".join(f"{mark}{plain(name, 12)}" for name in names[:NAMED]) + more
