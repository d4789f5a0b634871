"""Figures of predicted numbers: against the true ones, and their errors."""

import math

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from threefold.reporting.figures.style import (
    BLUE,
    GRAY,
    STYLE,
    new_figure,
    plain,
)
from threefold.tasks.evaluation import Evaluation

TARGETS_SHOWN = 8
MOST_POINTS = 5000  # beyond this a scatter is a blot: density is plotted instead


@matplotlib.rc_context(STYLE)
def residuals(evaluation: Evaluation) -> Figure:
    """Plot predicted against true numbers, and how the errors are distributed.

    Returns:
        Figure. One row a target, for the first `TARGETS_SHOWN`.
    """
    targets = evaluation.task.facts.targets[:TARGETS_SHOWN]
    figure = new_figure(9, 3.9 * len(targets))
    panels = figure.subplots(len(targets), 2, squeeze=False, width_ratios=[1, 1.15])
    for column, (target, (left, right)) in enumerate(zip(targets, panels, strict=True)):
        true = evaluation.truth["target"][:, column].astype(np.float64)
        predicted = evaluation.predictions["predictions"][:, column].astype(np.float64)
        name, error = plain(target.name, 30), predicted - true
        if len(true) > MOST_POINTS:
            left.hexbin(true, predicted, gridsize=50, cmap="Blues", bins="log", mincnt=1)
        else:
            left.plot(true, predicted, ".", color=BLUE, alpha=0.5, markeredgewidth=0)
        ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]
        left.plot(ends, ends, color=GRAY, linestyle="--", linewidth=1.2)
        left.set(xlabel="true", ylabel="predicted")
        left.set_title(f"{name} ({plain(evaluation.split)}): predicted against true")
        left.annotate("exact", (ends[1], ends[1]), (-4, 2), textcoords="offset points",
                      ha="right", fontsize=8.5, color=GRAY)  # fmt: skip
        right.hist(error, bins=int(np.clip(math.sqrt(len(error)) * 1.5, 8, 60)), color=BLUE,
                   edgecolor="white", linewidth=0.5)  # fmt: skip
        right.axvline(0, color=GRAY, linestyle="--", linewidth=1.2)
        right.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        right.xaxis.set_major_locator(MaxNLocator(5))  # more would touch where they are long
        right.set(xlabel="error: predicted − true", ylabel="examples")
        right.set_title(f"mean error {error.mean():.3g}, standard deviation {error.std():.3g}")
    return figure
