"""Forecasts: losses and metrics by hand and against scikit-learn, what they are compared with."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from threefold.core.errors import UserError
from threefold.datasets.dataset import ArraySource
from threefold.datasets.facts import ForecastFacts, NumericColumn
from threefold.datasets.facts_base import NumericTarget
from threefold.datasets.series.forecasting_tables import from_table
from threefold.datasets.series.series_columns import Columns
from threefold.datasets.series.windows import WindowConfig
from threefold.datasets.tables.table_files import table_of
from threefold.tasks.task import find_task

pytestmark = pytest.mark.each_backend

FACTS = ForecastFacts(
    targets=(NumericTarget(name="sales", mean=10.0, scale=4.0),),
    time="date",
    columns=("sales",),
    unit="second",
    step=3600,
    context=4,
    horizon=3,
    season_length=2,
    quantiles=(0.1, 0.5, 0.9),
    floor=1e-3,
)
BESIDE = {
    "past_covariates": (NumericColumn(name="rain", mean=1.0, scale=2.0),),
    "future_covariates": (NumericColumn(name="price", mean=0.0, scale=1.0),
              NumericColumn(name="holiday", mean=0.0, scale=1.0)),
}  # fmt: skip


def make(loss=None, **changes):
    return find_task("forecasting")(FACTS.model_copy(update=changes), loss=loss)


def sample(count=40, horizon=3, seed=0):
    sample = np.random.default_rng(seed)
    return {
        "history": sample.normal(10, 4, (count, 4)).astype(np.float32),
        "future": sample.normal(10, 4, (count, horizon)).astype(np.float32),
        "time": np.arange(count)[:, None] * 3600 + np.arange(horizon) * 3600,
        "scale": np.full(count, 2, np.float32),
        "series": np.repeat(["a", "b"], count // 2),
    }


def answers_for(examples, seed=1):
    noise = np.random.default_rng(seed).normal(0, 3, (*examples["future"].shape, 3))
    return {"forecasts": np.sort(examples["future"][..., None] + noise, axis=-1)}


def lose(arguments, targets, outputs):
    """Return the loss of each step."""
    tensors = map(keras.ops.convert_to_tensor, (targets, outputs))
    return keras.ops.convert_to_numpy(arguments["loss"](*tensors))


def test_metrics_are_those_of_scikit_learn_in_units_of_the_series():
    task, examples = make(), sample()
    predictions, truth = answers_for(examples), task.truth(examples)
    found = task.compute_metrics(predictions, truth)
    future, explicit = truth["future"].ravel(), predictions["forecasts"].reshape(-1, 3)
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(future, explicit[:, 1]))
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(future, explicit[:, 1]))
    assert found["mase"] == pytest.approx(found["mae"] / 2)
    losses = [metrics.mean_pinball_loss(future, explicit[:, place], alpha=level)
              for place, level in enumerate((0.1, 0.5, 0.9))]  # fmt: skip
    assert found["loss"] == pytest.approx(np.mean(losses) / 2)
    inside = (explicit[:, 0] <= future) & (future <= explicit[:, 2])
    assert found["coverage"] == pytest.approx(inside.mean())


def test_skill_is_what_is_gained_over_the_last_season():
    task, examples = make(), sample()
    truth = task.truth(examples)
    history = examples["history"]
    np.testing.assert_array_equal(truth["naive"], history[:, [2, 3, 2]])
    same = {"forecasts": np.repeat(truth["naive"][..., None], 3, axis=-1)}
    assert task.compute_metrics(same, truth)["skill"] == pytest.approx(0)
    right = {"forecasts": np.repeat(truth["future"][..., None], 3, axis=-1)}
    assert task.compute_metrics(right, truth)["skill"] == pytest.approx(1)


def test_errors_are_told_by_step_and_by_series_where_these_are_few():
    task, examples = make(), sample()
    predictions, truth = answers_for(examples), task.truth(examples)
    found = task.compute_metrics(predictions, truth)
    assert list(found["by_step"]) == ["1", "2", "3"] and list(found["by_series"]) == ["a", "b"]
    third = {"forecasts": predictions["forecasts"][:, 2:]}
    alone = make(horizon=1).compute_metrics(third, truth | {
        "future": truth["future"][:, 2:], "naive": truth["naive"][:, 2:], "series": ["a"] * 40
    })  # fmt: skip
    assert alone == pytest.approx(found["by_step"]["3"])
    assert np.mean([part["mae"] for part in found["by_series"].values()]) == pytest.approx(
        found["mae"]
    )


def test_the_quantile_loss_weighs_errors_and_counts_in_units_of_the_series():
    task = make()
    targets = task.targets({"future": np.float32([[1, 2]]), "scale": np.float32([2])})
    assert targets.shape == (1, 2, 2)
    outputs = np.float32([[[0, 1, 3], [2, 2, 2]]])
    arguments = task.compile_arguments()
    # Of the first step: 0.1 × 1, 0, 0.1 × 2, in halves.
    found = lose(arguments, targets, outputs)
    np.testing.assert_allclose(found, [[(0.1 * 0.5 + 0.1 * 1) / 3, 0]], rtol=1e-6)
    metric = arguments["metrics"][0]
    metric.update_state(targets, np.float32([[[0, 5, 9], [2, 2, 2]]]))
    assert metric.name == "mase" and float(metric.result()) == pytest.approx(1)


@pytest.mark.parametrize(("loss", "wanted"), [("mae", [0.5, 1.0]), ("mse", [0.25, 1.0])])
def test_point_losses_tell_a_single_forecast(loss, wanted):
    task = make(loss)
    assert task.arguments()["num_quantiles"] == 1
    targets = task.targets({"future": np.float32([[1, 2]]), "scale": np.float32([2])})
    found = lose(task.compile_arguments(), targets, np.float32([[[0], [4]]]))
    np.testing.assert_allclose(found, [wanted])
    examples = sample()
    predictions = {"forecasts": answers_for(examples)["forecasts"][..., 1:2]}
    truth_found = task.compute_metrics(predictions, task.truth(examples))
    assert "coverage" not in truth_found and truth_found["mase"] > 0
    assert "quantiles" not in task.describe(predictions, examples)[0]
    assert task.output_fields()[0].shape == ("batch", 3, 1)
    with pytest.raises(UserError, match="forecasting has no loss 'huber'"):
        make("huber")


def test_a_step_of_training_follows_the_loss():
    task, examples = make(), sample(horizon=3)
    keras.config.set_dtype_policy("float32")
    history = keras.Input((4,), name="history")
    explicit = keras.layers.Dense(9, kernel_initializer="zeros")(history)
    model = keras.Model({"history": history}, keras.layers.Reshape((3, 3))(explicit))
    model.compile("sgd", **task.compile_arguments())
    inputs, targets = task.model_inputs(examples), task.targets(examples)
    found = model.fit(inputs, targets, batch_size=40, verbose=0).history
    naught = {"forecasts": np.zeros((40, 3, 3))}
    wanted = task.compute_metrics(naught, task.truth(examples))
    assert found["loss"] == [pytest.approx(wanted["loss"], rel=1e-5)]
    assert found["mase"] == [pytest.approx(wanted["mase"], rel=1e-5)]


def test_a_record_holds_stamps_and_quantiles_as_plain_data():
    examples = sample(4)
    predictions = answers_for(examples)
    records = make().describe(predictions, examples)
    record = json.loads(json.dumps(records))[2]
    assert record["series"] == "b"
    assert record["time"] == ["1970-01-01 02:00", "1970-01-01 03:00", "1970-01-01 04:00"]
    assert list(record["quantiles"]) == ["0.1", "0.5", "0.9"]
    assert record["forecast"] == record["quantiles"]["0.5"]
    np.testing.assert_allclose(record["quantiles"]["0.9"], predictions["forecasts"][2, :, 2])


def test_an_exported_model_takes_what_people_have():
    task = make(**BESIDE, cycles=("day", "week"))
    fields = {field.name: field for field in task.input_fields()}
    assert {name: field.shape for name, field in fields.items()} == {
        "history": ("batch", 4),
        "past_covariates": ("batch", 4, 1),
        "future_covariates": ("batch", 7, 2),
        "time": ("batch", 3),
    }
    assert fields["time"].dtype == "int64" and "seconds since 1970" in fields["time"].meaning
    assert "price, holiday" in fields["future_covariates"].meaning
    [output] = task.output_fields()
    assert output.shape == ("batch", 3, 3) and output.scale == (4.0, 4.0, 4.0)
    assert "quantiles 0.1, 0.5, 0.9 of sales" in output.meaning
    assert [field.name for field in make().input_fields()] == ["history"]


def test_the_calendar_of_an_exported_graph_is_that_of_training():
    tf = pytest.importorskip("tensorflow")
    task = make(cycles=("day", "week", "year"))
    examples = sample(50)
    examples["time"] = np.random.default_rng(0).integers(-(10**9), 4 * 10**9, (50, 3))
    enter, tables = task.preprocess_graph()
    raw = {name: tf.constant(array) for name, array in task.raw_inputs(examples).items()}
    found, wanted = enter(raw), task.model_inputs(examples)
    assert set(found) == set(wanted) == {"history", "calendar"} and tables == []
    np.testing.assert_allclose(found["calendar"], wanted["calendar"], atol=1e-6)


@pytest.fixture(scope="module")
def seasonal():
    """Two years of days that repeat each week, with a trend, plans that raise them, and noise."""
    sample, steps = np.random.default_rng(0), np.arange(400)
    plan = (sample.random(400) < 0.2).astype(float)
    values = 10 * np.sin(steps * 2 * np.pi / 7) + 0.2 * steps + 8 * plan + sample.normal(size=400)
    frame = pd.DataFrame({"t": pd.date_range("2020", periods=400), "plan": plan, "y": values})
    window_config = WindowConfig(context=28, horizon=7, season_length=7)
    return from_table(
        table_of(frame, "x"),
        "x",
        Columns("t", values=("y",), future_covariates=("plan",)),
        window_config,
    )


def test_baselines_are_judged_by_the_same_metrics(seasonal):
    task = find_task("forecasting")(seasonal.facts)
    baselines = task.baselines(seasonal.splits["train"])
    assert list(baselines) == ["seasonal_naive", "linear"]
    test = seasonal.splits["test"]
    found = {
        name: compute_baseline_metrics(test) for name, compute_baseline_metrics in baselines.items()
    }
    examples = test[np.arange(len(test))]
    truth = task.truth(examples)
    error = np.abs(truth["future"] - truth["naive"]).mean()
    assert found["seasonal_naive"]["mae"] == pytest.approx(error, rel=1e-6)
    assert found["seasonal_naive"]["skill"] == pytest.approx(0)
    # Knowing the plans, a line does better; both promise intervals that hold.
    assert found["linear"]["mase"] < 0.5 * found["seasonal_naive"]["mase"]
    for scores in found.values():
        assert set(scores) == {"mase", "mae", "rmse", "loss", "coverage", "skill"}
        assert 0.6 < scores["coverage"] < 0.95


def test_the_naive_error_in_training_is_one(seasonal):
    task = find_task("forecasting")(seasonal.facts)
    train = seasonal.splits["train"]
    found = task.baselines(train)["seasonal_naive"](train)
    assert found["mase"] == pytest.approx(1, rel=0.05)


def test_baselines_take_windows_of_one_step_and_of_constant_history():
    examples = sample(horizon=1) | {"history": np.full((40, 4), 3, np.float32)}
    source = ArraySource(examples)
    task = make(horizon=1)
    for compute_baseline_metrics in task.baselines(source).values():
        assert np.isfinite(list(compute_baseline_metrics(source).values())).all()


def test_score_grows_with_quality():
    """What an export holds on to must be in the headline and fall where answers get worse."""
    task, examples = make(), sample()
    truth = task.truth(examples)
    predictions = answers_for(examples)
    worse = {"forecasts": predictions["forecasts"] + 5}
    assert task.primary_metric in task.summary_metrics
    assert (
        task.compute_metrics(worse, truth)[task.primary_metric]
        < task.compute_metrics(predictions, truth)[task.primary_metric]
    )
