"""Stamps as offices, loggers and exchanges write them, and what is made of their gaps."""

import numpy as np
import pandas as pd
import pytest
from refusals import refused

from threefold.datasets import loading
from threefold.datasets.inference_inputs import read_inputs
from threefold.tasks.task import find_task


def write(path, stamps, values=None, head="when;y", separator=";"):
    values = range(len(stamps)) if values is None else values
    rows = [f"{stamp}{separator}{value}" for stamp, value in zip(stamps, values, strict=True)]
    path.write_text("\n".join([head.replace(";", separator), *rows]) + "\n", encoding="utf-8")
    return str(path)


def load(path, **options):
    return loading.load(path, {"target": "y", **options}, task="forecasting")


def first_window(dataset):
    return dataset.splits["train"][np.array([0])]


DAYS = pd.date_range("2021-01-01", periods=120)


@pytest.mark.parametrize(
    ("form", "step"),
    [
        ("%d.%m.%Y", "1 day"),
        ("%d/%m/%Y", "1 day"),
        ("%m/%d/%Y", "1 day"),
        ("%d-%m-%y", "1 day"),
        ("%Y%m%d", "1 day"),
        ("%d %b %Y", "1 day"),
        ("%a, %d %b %Y %H:%M:%S +0100", "1 day"),
    ],
)
def test_days_are_read_as_they_are_written(tmp_path, form, step):
    dataset = load(write(tmp_path / "t.csv", DAYS.strftime(form)))
    assert f"120 steps of {step}" in dataset.notes[0]
    wanted = DAYS.to_numpy("datetime64[s]").astype(int) - (3_600 if "+0100" in form else 0)
    window = first_window(dataset)
    assert (window["time"][0] == wanted[window["future"][0].astype(int)]).all()


@pytest.mark.parametrize(
    ("stamps", "step", "season_length"),
    [
        ([f"{1980 + place // 4}Q{1 + place % 4}" for place in range(80)], "3 months", 4),
        ([f"{1980 + place // 12}M{1 + place % 12:02d}" for place in range(120)], "1 month", 12),
        (pd.date_range("2021-01-04", periods=200, freq="B").strftime("%d.%m.%Y"),
         "1 business day", 5),
        ([1_577_836_800 + 3_600 * place for place in range(300)], "1 hour", 24),
        ([1_577_836_800_000 + 60_000 * place for place in range(300)], "1 minute", 60),
    ],
)  # fmt: skip
def test_steps_of_all_kinds_are_found(tmp_path, stamps, step, season_length):
    dataset = load(write(tmp_path / "t.csv", stamps), time="when")
    assert f"{len(stamps)} steps of {step};" in dataset.notes[0]
    assert dataset.facts.season_length == season_length


def test_what_comes_after_a_friday_is_a_monday(tmp_path):
    stamps = pd.date_range("2021-01-04", periods=200, freq="B")
    path = write(tmp_path / "t.csv", stamps.strftime("%Y-%m-%d"))
    facts = load(path).facts
    [found] = read_inputs([path], facts, None, 8)
    wanted = pd.date_range(stamps[-1], periods=facts.horizon + 1, freq="B")[1:]
    assert found.examples["time"][0].tolist() == (
        wanted.to_numpy("datetime64[s]").astype(int).tolist()
    )
    task = find_task("forecasting")(facts)
    forecasts = np.zeros((1, facts.horizon, len(facts.quantiles)), np.float32)
    [record] = task.describe({"forecasts": forecasts}, found.examples)
    assert record["time"] == wanted.strftime("%Y-%m-%d").tolist()


BERLIN = pd.date_range("2021-10-01", "2021-11-30", freq="h", tz="Europe/Berlin")
SPRING = pd.date_range("2021-03-01", "2021-04-30", freq="h", tz="Europe/Berlin")


def test_the_hour_that_a_clock_repeats_or_skips_needs_its_zone(tmp_path):
    for hours, place in ((BERLIN, "2021-10-31 02:00"), (SPRING, "2021-03-28 03:00")):
        path = write(tmp_path / "t.csv", hours.strftime("%Y-%m-%d %H:%M"))
        with refused() as error:
            load(path)
        assert place in str(error.value) and "-d time_zone=" in str(error.value)
        dataset = load(path, time_zone="Europe/Berlin")
        assert f"{len(hours):,} steps of 1 hour;" in dataset.notes[0]
        window = first_window(dataset)
        utc = hours.tz_convert("UTC").tz_localize(None).to_numpy("datetime64[s]").astype(int)
        assert (window["time"][0] == utc[window["future"][0].astype(int)]).all()
        [found] = read_inputs([path], dataset.facts, None, 8)
        task = find_task("forecasting")(dataset.facts)
        forecasts = np.zeros((1, dataset.facts.horizon, 3), np.float32)
        [record] = task.describe({"forecasts": forecasts}, found.examples)
        after = hours[-1] + pd.Timedelta(hours=1)
        assert record["time"][0] == after.isoformat(sep=" ", timespec="minutes")


@pytest.mark.parametrize(
    ("stamps", "zone", "words"),
    [
        (SPRING.tz_convert("UTC").strftime("%Y-%m-%d %H:%M"), "Europe/Berlin",
         ["no '2021-03-28 02:00' in Europe/Berlin", "clocks were set forward"]),
        (BERLIN.strftime("%Y-%m-%d %H:%M%z"), "Europe/Berlin", ["say their zone themselves"]),
        (BERLIN.strftime("%Y-%m-%d %H:%M"), "Europe/Berln", ["mean 'Europe/Berlin'?"]),
    ],
)  # fmt: skip
def test_a_zone_that_cannot_be_is_refused(tmp_path, stamps, zone, words):
    with refused() as error:
        load(write(tmp_path / "t.csv", stamps), time_zone=zone)
    for word in words:
        assert word in str(error.value)


def test_steps_that_were_filled_are_no_truth(tmp_path):
    stamps = [*DAYS[:100], *DAYS[104:]]
    values = [*range(100), *range(104, 120)]
    path = write(tmp_path / "t.csv", [f"{stamp:%Y-%m-%d}" for stamp in stamps], values)
    dataset = load(path, fill="zero", horizon=2, context=4, season_length=1)
    assert "filled by zero: 4 steps, which the metrics do not count" in dataset.notes
    task = find_task("forecasting")(dataset.facts)
    test = dataset.splits["test"]
    examples = test[np.arange(len(test))]
    truth = task.truth(examples)
    assert np.isnan(truth["future"]).sum() == (examples["future"] == 0).sum() > 0
    assert not np.isnan(task.targets(examples)).any()
    forecasts = np.repeat(
        np.where(examples["future"] == 0, 1e6, examples["future"])[..., None], 3, 2
    )
    metrics = task.compute_metrics({"forecasts": forecasts}, truth)
    assert (metrics["mae"], metrics["coverage"]) == (0, 1)


def test_where_most_steps_would_be_made_up_filling_is_no_advice(tmp_path):
    stamps = [*DAYS[:20], *DAYS[20::7]]
    with refused() as error:
        load(write(tmp_path / "t.csv", [f"{stamp:%Y-%m-%d}" for stamp in stamps]))
    assert "steps would be made up" in str(error.value) and "longer step" in str(error.value)
    assert "-d fill" not in str(error.value)


def test_a_few_years_of_weeks_fill_all_splits(tmp_path):
    weeks = pd.date_range("2018-01-01", periods=250, freq="7D").strftime("%Y-%m-%d")
    path = write(tmp_path / "t.csv", weeks)
    dataset = load(path)
    assert set(dataset.splits) == {"train", "validation", "test"}
    assert (dataset.facts.season_length, dataset.facts.horizon) == (52, 25)
    assert min(map(len, dataset.splits.values())) >= 10
    dataset = load(path, horizon=48)
    assert set(dataset.splits) == {"train"}
    assert dataset.notes[-2] == (
        "no window of 48 steps to predict fits into the validation split: give a shorter one with "
        "-d horizon=, or more with -d validation_fraction="
    )


def test_a_slip_among_values_is_missing_and_named(tmp_path):
    values = ["1,5"] * 60 + ["defekt"] + ["2,25"] * 59
    path = write(tmp_path / "t.csv", DAYS.strftime("%d.%m.%Y"), values)
    with refused() as error:
        load(path)
    assert "line 62: column 'y' is empty" in str(error.value)
    dataset = load(path, fill="previous")
    assert "y: 'defekt' (line 62) taken for missing" in dataset.notes
    assert first_window(dataset)["history"][0, 0] == 1.5
    # A run reads later tables as it read its own: these say nothing of commas.
    path = write(tmp_path / "u.csv", DAYS.strftime("%d.%m.%Y"), ["1.234"] * 120)
    [found] = read_inputs([path], dataset.facts, None, 8)
    assert set(found.examples["history"][0]) == {1234}


def test_a_quantity_far_from_zero_is_learned_as_one_near_it(tmp_path):
    generator = np.random.default_rng(0)
    values = generator.normal(size=120).round(4)
    stamps = DAYS.strftime("%Y-%m-%d")
    learned = []
    for offset in (0, 100_000_000):
        dataset = load(write(tmp_path / "t.csv", stamps, [f"{offset + v:.4f}" for v in values]))
        task = find_task("forecasting")(dataset.facts)
        examples = first_window(dataset)
        history = task.model_inputs(examples)["history"]
        assert history.dtype == np.float32
        learned.append(history - history.mean())
        outputs = np.repeat(task.targets(examples)[..., :1], 3, 2)
        forecasts = task.postprocess(outputs)["forecasts"]
        np.testing.assert_allclose(forecasts[..., 1], examples["future"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(*learned, rtol=0, atol=1e-5)
    assert {field.name: field.dtype for field in task.input_fields()}["history"] == "float64"
