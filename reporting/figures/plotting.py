"""From what a task says of a figure to the function that plots it."""

import importlib
from collections.abc import Callable

from matplotlib import figure as matplotlib_figure

from threefold.tasks.evaluation import Evaluation
from threefold.tasks.figure import Figure


def plotter_of(figure: Figure) -> Callable:
    """Return the function that plots a figure; its file is imported when it is asked for."""
    module, _, function = figure.plotter.rpartition(".")
    return getattr(importlib.import_module(f"threefold.reporting.figures.{module}"), function)


def plot(figure: Figure, evaluation: Evaluation) -> matplotlib_figure.Figure | None:
    """Plot one of the figures that a task lists.

    Args:
        figure: Figure. One of the task's `figures`.
        evaluation: Evaluation. What to plot.

    Returns:
        matplotlib Figure, or None where there is nothing to plot: no mistakes, or mistakes on the
        rows of a table, which `mistakes.tabulate_mistakes` gives as text.
    """
    return plotter_of(figure)(evaluation)
