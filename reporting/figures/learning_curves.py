"""How a fit went, epoch by epoch."""

import math
from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from threefold.reporting.figures.style import (
    BLUE,
    GRAY,
    GREEN,
    STYLE,
    VERMILION,
    new_figure,
    plain,
)

LOG_SPREAD = 50  # a loss that falls by this factor is plotted on a logarithmic axis


@matplotlib.rc_context(STYLE)
def learning_curves(history: Sequence[Mapping[str, float]], best: int) -> Figure:
    """Plot every metric by epoch, training against validation, with the best epoch marked.

    Args:
        history: sequence of mapping. At least one epoch's row: `epoch` from 1, `loss`, other
            metrics, the same with `val_` where there was a validation, maybe `learning_rate`.
        best: int. The position of the epoch whose weights were kept.

    Returns:
        Figure. One panel a metric, the loss first; the learning rate below, where it is known.
    """
    names = [name.removeprefix("val_") for row in history for name in row]
    others = dict.fromkeys(names).keys() - {"epoch", "loss", "learning_rate"}
    panels = ["loss", *sorted(others, key=names.index)]
    has_rate = "learning_rate" in history[-1]
    columns = min(len(panels), 3)
    rows = math.ceil(len(panels) / columns)
    figure = new_figure(max(4.2 * columns, 5.5), 3.4 * rows + 1.5 * has_rate + 0.4)
    grid = figure.add_gridspec(
        rows + has_rate, columns, height_ratios=[3.4] * rows + [1.2] * has_rate
    )
    for position, name in enumerate(panels):
        axes = figure.add_subplot(grid[divmod(position, columns)])
        _plot_curve(axes, history, name, best)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    if has_rate:
        axes = figure.add_subplot(grid[rows, :])
        rates = [row.get("learning_rate", math.nan) for row in history]
        axes.plot(_epochs(history), rates, color=GRAY, marker=".", markersize=4)
        axes.set_title("learning rate")
        axes.set_ylim(0, 1.1 * max(rates) or 1)
        _count_epochs(axes, history)
    return figure


def _plot_curve(axes: Axes, history: Sequence[Mapping[str, float]], name: str, best: int) -> None:
    epochs = _epochs(history)
    marker = "." if len(epochs) <= 40 else None
    lines = {
        label: [row.get(key, math.nan) for row in history]
        for label, key in (("training", name), ("validation", f"val_{name}"))
        if any(key in row for row in history)
    }
    for (label, values), colour in zip(lines.items(), (BLUE, VERMILION), strict=False):
        axes.plot(epochs, values, color=colour, marker=marker, label=label, linewidth=1.6)
    marked = list(lines.values())[-1][best]
    axes.axvline(epochs[best], color=GREEN, linestyle=":", linewidth=1.4, zorder=1)
    axes.plot(
        epochs[best], marked, "o", markersize=9, markerfacecolor="none", markeredgewidth=1.8,
        color=GREEN, label=f"best epoch: {epochs[best]}",
    )  # fmt: skip
    shown = [value for values in lines.values() for value in values if math.isfinite(value)]
    if name == "loss" and shown and min(shown) > 0 and max(shown) > LOG_SPREAD * min(shown):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.set_title("loss (logarithmic axis)")
    else:
        axes.set_title(plain(name.replace("_", " ")))
    _count_epochs(axes, history)


def _epochs(history: Sequence[Mapping[str, float]]) -> list[int]:
    return [int(row["epoch"]) for row in history]


def _count_epochs(axes: Axes, history: Sequence[Mapping[str, float]]) -> None:
    first, last = _epochs(history)[0], _epochs(history)[-1]
    room = min(0.05 * (last - first), 0.9) or 0.5  # there is no epoch 0 to mark
    axes.set(xlabel="epoch", xlim=(first - room, last + room))
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
