"""Figures of images with holes, and as they were completed."""

import matplotlib
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from threefold.reporting.figures.masks import plot_rows
from threefold.reporting.figures.style import STYLE, VERMILION, plain
from threefold.tasks.evaluation import Evaluation
from threefold.tasks.task import Arrays, Task

SHOWN = 12  # images
MOST_PIXELS = 512  # of a side, about: more are not seen


@matplotlib.rc_context(STYLE)
def completed_images(evaluation: Evaluation) -> Figure:
    """Plot images with holes, completed, and as they really are: some of a split, evenly taken."""
    truth, found = evaluation.truth, evaluation.predictions["completed"]
    rows = np.unique(np.linspace(0, len(found) - 1, SHOWN).round().astype(int))
    shown = [
        (mark_hole(truth["image"][row], truth["mask"][row]), found[row], truth["image"][row])
        for row in rows
    ]
    title = f"Completed images, {plain(evaluation.split)}"
    return plot_rows(title, ("damaged", "completed", "real"), shown, [""] * len(shown), [])


@matplotlib.rc_context(STYLE)
def filled_holes(task: Task, examples: Arrays, predictions: Arrays) -> Figure:
    """Plot images with their holes alongside the completed ones."""
    triples = zip(examples["image"], examples["mask"], predictions["completed"], strict=True)
    shown = []
    for image, hole, completed in list(triples)[:SHOWN]:
        step = max(1, max(hole.shape) // MOST_PIXELS)
        small = mark_hole(image, hole)[::step, ::step], completed[::step, ::step]
        shown.append(small)
    return plot_rows("Completed images", ("damaged", "completed"), shown, [""] * len(shown), [])


def mark_hole(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Return an image with a colour in its hole.

    Args:
        image: array of shape (height, width, 1 or 3). Values 0 to 255.
        hole: array of shape (height, width). Any but 0 in the hole.

    Returns:
        float array of shape (height, width, 3).
    """
    return np.where(hole[..., None] != 0, 255 * np.array(to_rgb(VERMILION)), image)
