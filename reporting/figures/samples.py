"""Figures of images that a network made."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from threefold.core.image_grids import tile
from threefold.datasets.splitting import sample_rows
from threefold.reporting.figures.style import BLUE, STYLE, VERMILION, head, new_figure, plain
from threefold.tasks.evaluation import Evaluation
from threefold.tasks.metrics.images.image_quality import FEWEST_PIXELS

SHOWN = 64
COLUMNS = 8


@matplotlib.rc_context(STYLE)
def samples(evaluation: Evaluation) -> Figure:
    """Plot generated images alongside real ones.

    Returns:
        Figure. Two grids; for points, both sets in one plane.
    """
    made, real = evaluation.predictions["image"], evaluation.truth["image"]
    if made[0].size < FEWEST_PIXELS:
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
