"""Figures of masks: the worst ones, how well each class is found, and masks alongside images."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from threefold.datasets.images.augmentation import IGNORED
from threefold.reporting.figures.style import BLUE, STYLE, head, new_figure, plain
from threefold.tasks.evaluation import Evaluation
from threefold.tasks.metrics.mask_scores import count_pairs
from threefold.tasks.task import Arrays, Task

SHOWN = 6  # images
MOST_BARS = 40  # classes, the worst first
NAMED = 20  # classes of a legend
STRENGTH = 0.6  # of a class's colour over the image
SIDE = 1.6  # inches: of one image
ACROSS = 6  # images in a line
MOST_PIXELS = 512  # of its side, about: more are not seen


@matplotlib.rc_context(STYLE)
def worst_masks(evaluation: Evaluation) -> Figure | None:
    """Plot the images whose masks have the most wrong pixels, worst first.

    Returns:
        Figure. Each image, its true classes and the found ones; None without mistakes.
    """
    found, masks = evaluation.predictions["class_index"], evaluation.truth["mask"]
    wrong = ((found != masks) & (masks != IGNORED)).mean(axis=(1, 2))
    positions = [row for row in np.argsort(-wrong, kind="stable")[:SHOWN] if wrong[row]]
    if not positions:
        return None
    images = evaluation.task.model_inputs(evaluation.source[np.array(positions)])["image"]
    names = evaluation.task.facts.class_names
    rows = [
        (image, masks[row], found[row], f"{wrong[row]:.1%} wrong")
        for image, row in zip(images, positions, strict=True)
    ]
    title = f"Worst masks, {plain(evaluation.split)}"
    return plot_rows(
        title,
        ("image", "true", "found"),
        [(image, lay_mask(image, mask), lay_mask(image, taken)) for image, mask, taken, _ in rows],
        [caption for *_, caption in rows],
        _legend(names, np.concatenate([masks[positions], found[positions]])),
    )


@matplotlib.rc_context(STYLE)
def overlap_by_class(evaluation: Evaluation) -> Figure:
    """Plot the intersection over union of each class that the masks hold, worst first."""
    names = evaluation.task.facts.class_names
    counts = count_pairs(
        evaluation.predictions["class_index"], evaluation.truth["mask"], len(names)
    )
    true, common = counts.sum(axis=1), np.diag(counts)
    seen = np.flatnonzero(true)
    iou = common[seen] / (true + counts.sum(axis=0) - common)[seen]
    order = np.argsort(iou, kind="stable")[:MOST_BARS]
    figure = new_figure(6.5, 0.27 * len(order) + 1.1)
    axes = figure.add_subplot()
    axes.barh(range(len(order)), iou[order], color=BLUE, height=0.7)
    axes.set_yticks(range(len(order)), [plain(names[i], 24) for i in seen[order]])
    for place, value in enumerate(iou[order]):
        axes.text(value + 0.01, place, f"{value:.2f}", va="center", fontsize=8.5)
    axes.set(xlim=(0, 1.08), xlabel="intersection over union", ylim=(len(order) - 0.4, -0.6))
    axes.grid(axis="y", visible=False)
    head(figure, f"Overlap by class, {plain(evaluation.split)}: mean {iou.mean():.3f}")
    return figure


@matplotlib.rc_context(STYLE)
def found_masks(task: Task, examples: Arrays, predictions: Arrays) -> Figure:
    """Plot images alongside the classes that were found in them."""
    found = predictions["class_index"][:SHOWN]
    some = {name: array[:SHOWN] for name, array in examples.items()}
    whole = task.keeps_sizes  # then masks are of the images as they are
    images = some["image"] if whole else task.model_inputs(some)["image"]
    steps = [max(1, max(mask.shape) // MOST_PIXELS) for mask in found]
    small = [(image[::step, ::step], mask[::step, ::step])
             for image, mask, step in zip(images, found, steps, strict=True)]  # fmt: skip
    shown = [(image, lay_mask(image, mask)) for image, mask in small]
    held = np.concatenate([np.unique(mask) for mask in found])
    legend = _legend(task.facts.class_names, held)
    return plot_rows("Found masks", ("image", "found"), shown, [""] * len(shown), legend)


def colour_masks(masks: np.ndarray) -> np.ndarray:
    """Return the colour of each pixel's class, uint8 with a last axis of three."""
    return _PALETTE[masks]


def _make_palette() -> np.ndarray:
    """Return a colour for each class: black for the first, gray for what is ignored."""
    base = [to_rgb(colour) for name in ("tab10", "Dark2", "Set2")
            for colour in matplotlib.colormaps[name].colors]  # fmt: skip
    colours = np.array([base[i % len(base)] for i in range(IGNORED + 1)])
    colours = np.roll(colours, 1, axis=0)
    colours[0], colours[IGNORED] = 0, 0.6
    return np.rint(255 * colours).astype(np.uint8)


_PALETTE = _make_palette()


def lay_mask(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return an image with the colours of classes over it; pixels of the first stay.

    Args:
        image: array of shape (height, width, 1 or 3). Values 0 to 255.
        mask: int array of shape (height, width). A class each pixel.

    Returns:
        float array of shape (height, width, 3).
    """
    share = np.where(mask == 0, 0.0, STRENGTH)[..., None]
    return image * (1 - share) + share * colour_masks(mask)


def _legend(names: Sequence[str], masks: np.ndarray) -> list[Patch]:
    """Return a patch for each class after the first that masks hold, as far as there is room."""
    held = [number for number in np.unique(masks) if 0 < number < len(names)][:NAMED]
    return [
        Patch(color=colour_masks(np.array(number)) / 255, label=plain(names[number], 20))
        for number in held
    ]


def plot_rows(
    title: str,
    headings: Sequence[str],
    rows: Sequence[Sequence[np.ndarray]],
    captions: Sequence[str],
    legend: list[Patch],
) -> Figure:
    """Plot images with what belongs to each beside it, several such rows in a line.

    Args:
        title: str. Of the figure.
        headings: sequence of str. Of what stands beside one another.
        rows: sequence of sequence of array. Images of each, (height, width, 1 or 3), 0 to 255.
        captions: sequence of str. A word of each row, or nothing.
        legend: list of Patch. What colours mean.
    """
    height, width = rows[0][0].shape[:2]
    tall, across = SIDE * min(height / width, 2.0), min(ACROSS // len(headings), len(rows))
    lines = -(-len(rows) // across)
    columns = across * len(headings)
    figure = new_figure(SIDE * columns + 1.6, tall * lines + 0.8)
    grid = figure.subplots(lines, columns, squeeze=False).reshape(-1, len(headings))
    for axes in grid.ravel():
        axes.set_axis_off()
    for axes_row, images, caption in zip(grid, rows, captions, strict=False):
        for axes, image, heading in zip(axes_row, images, headings, strict=True):
            shown = np.clip(image, 0, 255).astype(np.uint8)
            axes.imshow(shown.squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            under = caption if heading == headings[0] and caption else ""
            axes.set_title(f"{heading}: {under}" if under else heading, fontsize=8, loc="center")
    if legend:
        figure.legend(handles=legend, loc="outside right upper", fontsize=8.5)
    head(figure, title)
    return figure
