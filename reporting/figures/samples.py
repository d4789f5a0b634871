"""Figures of images that a network made."""

import math

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from threefold.datasets.splitting import sample_rows
from threefold.reporting.figures.style import BLUE, STYLE, VERMILION, head, new_figure, plain
from threefold.tasks.evaluation import Evaluation

SHOWN = 64
COLUMNS = 8
POINT = 4  # pixels: fewer are a point of a plane
MARGIN = 1  # pixels between two images of a grid


@matplotlib.rc_context(STYLE)
def samples(evaluation: Evaluation) -> Figure:
    """Plot generated images alongside real ones.

    Returns:
        Figure. Two grids; for points, both sets in one plane.
    """
    made, real = evaluation.predictions["image"], evaluation.truth["image"]
    if made[0].size < POINT:
        figure = new_figure(5.6, 5.4)
        head(figure, f"Generated points, {plain(evaluation.split)}, over real ones")
        axes = figure.add_subplot(aspect="equal")
        for points, colour, name in ((real, BLUE, "real"), (made, VERMILION, "generated")):
            x, y = points.reshape(len(points), 2).T
            axes.scatter(x, y, s=4, color=colour, alpha=0.5, linewidths=0, label=name)
        axes.legend(loc="upper right")
        return figure
    figure = new_figure(10.5, 5.6)
    head(figure, f"Generated (left) and real (right), {plain(evaluation.split)}")
    rows = sample_rows(evaluation.truth["label"], SHOWN, seed=0)
    for axes, images in zip(figure.subplots(1, 2), (made, real), strict=True):
        grid = tile(np.clip(np.rint(images[rows]), 0, 255).astype(np.uint8), COLUMNS)
        axes.imshow(grid, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.set_axis_off()
    return figure


def tile(images: np.ndarray, columns: int | None = None) -> np.ndarray:
    """Return images side by side, as one.

    Args:
        images: uint8 array of shape (images, height, width, channels).
        columns: int. Images in a row; as many as there are rows if None.

    Returns:
        uint8 array of shape (height, width, channels), with a gray line between two images.
    """
    count, height, width, channels = images.shape
    columns = min(columns or math.ceil(math.sqrt(count)), count)
    rows = math.ceil(count / columns)
    grid = np.full(
        (rows * (height + MARGIN) - MARGIN, columns * (width + MARGIN) - MARGIN, channels),
        128,
        np.uint8,
    )
    for place, image in enumerate(images):
        row, column = divmod(place, columns)
        top, left = row * (height + MARGIN), column * (width + MARGIN)
        grid[top : top + height, left : left + width] = image
    return grid
