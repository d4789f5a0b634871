"""Figures of forecasts: alongside what came, and how errors grow with the distance."""

from collections.abc import Mapping

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from threefold.reporting.figures.style import (
    BLUE,
    GRAY,
    PALE,
    STYLE,
    VERMILION,
    head,
    new_figure,
    plain,
)
from threefold.tasks.evaluation import Evaluation
from threefold.tasks.forecasting import Forecasting

SHOWN = 6  # windows
COLUMNS = 3
HORIZONS_BACK = 3  # of history alongside a forecast


@matplotlib.rc_context(STYLE)
def forecasts(evaluation: Evaluation) -> Figure:
    """Plot some forecasts alongside the history that they were made from and what came.

    Returns:
        Figure. Two panels a window, for windows at equal distances, the worst of all the last:
        the series, and how far what came lies from the forecast.
    """
    task, truth = evaluation.task, evaluation.truth
    stated = evaluation.predictions["forecasts"]
    distance = np.abs(truth["future"] - stated[:, :, task.middle])
    # Steps that were filled are not known; a window may hold no other.
    error = np.nan_to_num(np.ma.masked_invalid(distance).mean(axis=1).filled(0) / truth["scale"])
    places = np.unique(np.linspace(0, len(error) - 1, SHOWN).astype(int))
    places = np.append(np.setdiff1d(places, error.argmax())[: SHOWN - 1], error.argmax())
    examples = evaluation.source[places]
    columns = min(COLUMNS, len(places))
    rows = -(-len(places) // columns)
    figure = new_figure(max(4.2 * columns, 6.0), 4.4 * rows + 0.7)
    head(figure, f"Forecasts, {plain(evaluation.split)}")
    grid = figure.add_gridspec(2 * rows, columns, height_ratios=[2, 1.1] * rows)
    for place, window in enumerate(places):
        row, column = divmod(place, columns)
        upper = figure.add_subplot(grid[2 * row, column])
        lower = figure.add_subplot(grid[2 * row + 1, column])
        example = {name: array[place] for name, array in examples.items()}
        _plot_series(upper, task, example, stated[window])
        _plot_distance(lower, task, truth["naive"][window], example, stated[window])
        which = "the worst: " if window == error.argmax() else ""
        start = task.step.format(int(example["time"][0]))
        name = f"{plain(example['series'], 18)}, " if len(np.unique(truth["series"])) > 1 else ""
        upper.set_title(f"{name}{which}from {start}, MASE {error[window]:.2f}", fontsize=9)
        if place + columns >= len(places):
            lower.set_xlabel(f"steps of {task.step.describe()} from now")
    _explain(figure)
    return figure


@matplotlib.rc_context(STYLE)
def predicted(
    task: Forecasting, examples: Mapping[str, np.ndarray], predictions: Mapping[str, np.ndarray]
) -> Figure:
    """Plot how series are forecast, alongside their latest history.

    Args:
        task: Forecasting. Of the run.
        examples: mapping of str to array. One window a series, of which the first `SHOWN` are
            plotted.
        predictions: mapping of str to array. The forecasts.

    Returns:
        Figure. One panel a series.
    """
    count = min(SHOWN, len(predictions["forecasts"]))
    columns = min(COLUMNS, count)
    figure = new_figure(max(4.2 * columns, 6.0), 2.9 * -(-count // columns) + 0.7)
    head(figure, "Forecasts")
    for place in range(count):
        axes = figure.add_subplot(-(-count // columns), columns, place + 1)
        example = {name: array[place] for name, array in examples.items()}
        _plot_series(axes, task, example, predictions["forecasts"][place])
        start = task.step.format(int(example["time"][0]))
        axes.set_title(f"{plain(example['series'], 18)}, from {start}", fontsize=9)
        axes.set_xlabel(f"steps of {task.step.describe()} from now")
    _explain(figure)
    return figure


def _explain(figure: Figure) -> None:
    """Say once what the lines of all panels are."""
    handles = {}
    for axes in figure.axes[:2]:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(handles.values(), handles.keys(), loc="outside upper right", ncols=len(handles))


def _plot_series(
    axes: Axes, task: Forecasting, example: Mapping[str, np.ndarray], stated: np.ndarray
) -> None:
    back = min(task.facts.context, HORIZONS_BACK * task.facts.horizon)
    history, ahead = example["history"][-back:], np.arange(1, len(stated) + 1)
    axes.plot(np.arange(1 - back, 1), history, color=GRAY, linewidth=1.2, label="history")
    axes.axvline(0.5, color=GRAY, linestyle=":", linewidth=1)
    _plot_interval(axes, task, ahead, stated)
    if "future" in example:
        axes.plot(ahead, example["future"], color=VERMILION, linewidth=1.4, marker=_marker(stated),
                  label="what came")  # fmt: skip
    axes.plot(ahead, stated[:, task.middle], color=BLUE, linewidth=1.4, linestyle="--",
              marker=_marker(stated), label="forecast")  # fmt: skip
    axes.set_ylabel(plain(task.facts.targets[0].name, 24))
    axes.set_xlim(-back, len(stated) + 1)
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))


def _plot_distance(
    axes: Axes,
    task: Forecasting,
    naive: np.ndarray,
    example: Mapping[str, np.ndarray],
    stated: np.ndarray,
) -> None:
    """Plot all that lies ahead as a distance from the forecast."""
    middle, ahead = stated[:, task.middle], np.arange(1, len(stated) + 1)
    _plot_interval(axes, task, ahead, stated - middle[:, None])
    axes.axhline(0, color=BLUE, linewidth=1.2, linestyle="--")
    axes.plot(ahead, example["future"] - middle, color=VERMILION, linewidth=1.2,
              marker=_marker(stated))  # fmt: skip
    axes.plot(ahead, naive - middle, color=GRAY, linewidth=1.2, linestyle=":",
              marker=_marker(stated), label="last season again")  # fmt: skip
    axes.set_ylabel("distance")
    axes.set_xlim(0.5, len(stated) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4))


def _plot_interval(axes: Axes, task: Forecasting, ahead: np.ndarray, stated: np.ndarray) -> None:
    if stated.shape[1] > 1:
        label = f"{_nominal(task):.0%} interval"
        if len(ahead) == 1:
            gaps = np.abs(stated[:, [0, -1]] - stated[:, [task.middle]]).T
            axes.errorbar(ahead, stated[:, task.middle], gaps, color=PALE, linewidth=6, label=label)
        else:
            axes.fill_between(
                ahead, stated[:, 0], stated[:, -1], color=PALE, label=label, linewidth=0
            )


def _nominal(task: Forecasting) -> float:
    """Return how much of the truth the outermost quantiles are to hold."""
    return task.quantiles[-1] - task.quantiles[0]


def _marker(stated: np.ndarray) -> str | None:
    return "o" if len(stated) == 1 else None  # a line of one point is not seen


@matplotlib.rc_context(STYLE)
def errors_by_step(evaluation: Evaluation) -> Figure | None:
    """Plot how errors grow with the distance, and whether the intervals hold what they promise.

    Returns:
        Figure. The scaled error of each step alongside that of the seasonal naive forecast; and the
        share of the truth within the interval, where there is one. None for a single step.
    """
    task, truth = evaluation.task, evaluation.truth
    stated, future = evaluation.predictions["forecasts"], truth["future"]
    if stated.shape[1] == 1:
        return None
    scale, steps = truth["scale"][:, None], np.arange(1, stated.shape[1] + 1)
    panels = 2 if len(task.quantiles) > 1 else 1
    figure = new_figure(4.8 * panels + 0.4, 3.6)
    left, *rest = np.atleast_1d(figure.subplots(1, panels))
    head(figure, f"Errors by distance, {plain(evaluation.split)}")
    for name, values, colour, style in (
        ("forecast", stated[:, :, task.middle], BLUE, "-"),
        ("last season again", truth["naive"], GRAY, ":"),
    ):
        error = np.nanmean(np.abs(future - values) / scale, axis=0)
        left.plot(steps, error, color=colour, linestyle=style, marker=".", label=name)
    left.set_ylim(bottom=0)
    left.set_ylabel("MASE")
    left.legend()
    for axes in rest:
        inside = (stated[:, :, 0] <= future) & (future <= stated[:, :, -1])
        inside = np.ma.masked_array(inside, np.isnan(future))
        axes.plot(steps, inside.mean(axis=0), color=BLUE, marker=".", label="found")
        axes.axhline(_nominal(task), color=GRAY, linestyle="--", linewidth=1.2, label="promised")
        axes.set_ylim(0, 1.02)
        axes.set_ylabel("share within the interval")
        axes.legend(loc="lower right")
    for axes in (left, *rest):
        axes.set_xlabel(f"steps of {task.step.describe()} ahead")
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    return figure
