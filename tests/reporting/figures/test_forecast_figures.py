"""Figures of forecasts show what was told, what came, and where errors grow."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import same_color
from plots import plot

from threefold.datasets.facts import ForecastFacts
from threefold.datasets.facts_base import NumericTarget
from threefold.datasets.series.windows import Series, Windows
from threefold.reporting.figures.forecasts import predicted
from threefold.reporting.figures.style import BLUE, GRAY, VERMILION
from threefold.tasks.evaluation import Evaluation
from threefold.tasks.forecasting import Forecasting

DAY = 86_400


def evaluate(names=("$tea$",), steps=60, horizon=4, quantiles=(0.1, 0.5, 0.9), wrong=0.0):
    """Windows of `names`, told with errors that grow by `wrong` a step, in intervals of ± 1."""
    facts = ForecastFacts(
        targets=(NumericTarget(name="sales_$", mean=0, scale=1),),
        time="date", columns=("sales",), unit="second", step=DAY, context=8, horizon=horizon,
        season_length=2, quantiles=quantiles, floor=1e-3,
    )  # fmt: skip
    series = [
        Series(
            name, np.arange(steps) * DAY, np.arange(steps) + 100.0 * number,
            np.zeros((steps, 0)), np.zeros((steps, 0)), np.arange(steps),
        )
        for number, name in enumerate(names)
    ]  # fmt: skip
    origins = [np.arange(8, steps - horizon + 1)] * len(names)
    source = Windows(series, np.full(len(names), 2.0), 8, horizon, origins)
    task, examples = Forecasting(facts), source[np.arange(len(source))]
    middle = examples["future"] + wrong * np.arange(1, horizon + 1)
    middle[-1] += wrong  # the worst
    explicit = middle[:, :, None] + np.linspace(-1, 1, len(quantiles))
    predictions, truth = {"forecasts": explicit.astype(np.float32)}, task.truth(examples)
    return Evaluation(
        "test", task, source, predictions, truth, task.compute_metrics(predictions, truth)
    )


def lines(axes, colour):
    return [line for line in axes.lines if same_color(line.get_color(), colour)]


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


def rendered(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def test_history_forecast_and_truth_stand_beside_each_other():
    evaluation = evaluate(wrong=0.25)
    figure = plot("forecasts", evaluation)
    upper, lower = figure.axes[:2]
    assert "from 1970-01-09, MASE 0.31" in titles(figure)[0]  # (0.25 + ... + 1) / 4 / 2
    assert upper.get_ylabel() == "sales_\\$"
    history = lines(upper, GRAY)[0]
    np.testing.assert_array_equal(history.get_ydata(), np.arange(8))
    assert history.get_xdata()[-1] == 0
    np.testing.assert_allclose(lines(upper, VERMILION)[0].get_ydata(), [8, 9, 10, 11])
    np.testing.assert_allclose(lines(upper, BLUE)[0].get_ydata(), [8.25, 9.5, 10.75, 12])
    np.testing.assert_allclose(lines(lower, VERMILION)[0].get_ydata(), [-0.25, -0.5, -0.75, -1])
    # The last season again: 6, 7, 6, 7.
    np.testing.assert_allclose(lines(lower, GRAY)[-1].get_ydata(), [-2.25, -2.5, -4.75, -5])
    band = upper.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (pytest.approx(7.25), pytest.approx(13))
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["history", "80% interval", "what came", "forecast", "last season again"]
    rendered(figure)


def test_six_windows_are_drawn_and_the_worst_is_one_of_them():
    figure = plot("forecasts", evaluate(wrong=1.0))
    assert len(figure.axes) == 12
    explicit = [title for title in titles(figure) if title]
    assert len(explicit) == len(set(explicit)) == 6
    assert [title.startswith("the worst: from 1970-02-26") for title in explicit] == [False] * 5 + [
        True
    ]


def test_series_are_named_where_there_are_several():
    explicit = titles(plot("forecasts", evaluate(names=("$tea$", "rum"))))
    assert any(title.startswith(r"\$tea\$, ") for title in explicit)
    assert any(title.startswith("rum, ") for title in explicit)
    assert "tea" not in "".join(titles(plot("forecasts", evaluate())))


def test_few_windows_are_enough():
    figure = plot("forecasts", evaluate(steps=13))
    assert len(figure.axes) == 4
    rendered(figure)


def test_errors_grow_with_the_distance_and_intervals_are_checked():
    figure = plot("errors_by_step", evaluate(wrong=0.4))
    left, right = figure.axes
    own, naive = lines(left, BLUE)[0], lines(left, GRAY)[0]
    np.testing.assert_array_equal(own.get_xdata(), [1, 2, 3, 4])
    np.testing.assert_allclose(own.get_ydata(), [0.2, 0.4, 0.6, 0.8], atol=0.01)
    np.testing.assert_allclose(naive.get_ydata(), [1, 1, 2, 2])
    inside, promised = lines(right, BLUE)[0], lines(right, GRAY)[0]
    np.testing.assert_allclose(inside.get_ydata(), [1, 1, 0, 0], atol=0.03)
    np.testing.assert_allclose(promised.get_ydata(), 0.8)
    rendered(figure)


def test_a_single_quantile_has_no_interval_and_a_single_step_no_distance():
    point = evaluate(quantiles=(0.5,))
    assert len(plot("errors_by_step", point).axes) == 1
    assert not plot("forecasts", point).axes[0].collections
    one = evaluate(horizon=1)
    assert plot("errors_by_step", one) is None
    figure = plot("forecasts", one)
    assert lines(figure.axes[0], BLUE)[0].get_marker() == "o"  # a line of one point is not seen
    rendered(figure)


def test_what_a_user_asks_for_is_drawn_without_a_truth():
    evaluation = evaluate(names=("tea", "rum"))
    places = np.array([3, 60])
    examples = {
        name: array for name, array in evaluation.source[places].items() if name != "future"
    }
    predictions = {"forecasts": evaluation.predictions["forecasts"][places]}
    figure = predicted(evaluation.task, examples, predictions)
    assert [title.split(",")[0] for title in titles(figure)] == ["tea", "rum"]
    assert not lines(figure.axes[0], VERMILION)
    np.testing.assert_array_equal(
        lines(figure.axes[1], BLUE)[0].get_ydata(), predictions["forecasts"][1, :, 1]
    )
    rendered(figure)
