"""Tables of series: what is found in them, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused
from small_series import days, load, whole, write

from threefold.core.errors import UserError
from threefold.datasets import loading
from threefold.datasets.dataset import SPLITS
from threefold.datasets.series.forecasting_tables import from_table
from threefold.datasets.series.series_columns import Columns
from threefold.datasets.series.windows import WindowConfig
from threefold.datasets.tables.table_files import table_of


def test_a_table_of_one_series(tmp_path, plain):
    data = load(write(tmp_path, plain))
    assert data.task == "forecasting" and set(data.splits) == set(SPLITS)
    facts = data.facts
    assert (facts.time, facts.columns, facts.unit, facts.step) == (
        "date", ("sales",), "second", 86_400
    )  # fmt: skip
    assert (facts.context, facts.horizon, facts.season_length) == (4, 2, 1)
    train = whole(data.splits["train"])
    np.testing.assert_array_equal(train["history"][0], [0, 1, 2, 3])
    np.testing.assert_array_equal(train["future"][0], [4, 5])
    # 70 % of 60 days: the last that is told in training is the 42nd, from 0 the 41.
    assert train["future"].max() == 41
    assert whole(data.splits["validation"])["future"].min() == 42
    assert whole(data.splits["test"])["future"].max() == 59
    assert facts.targets[0].name == "sales" and facts.targets[0].mean == pytest.approx(20.5)
    assert "time is 'date'" in data.notes[0] and "'sales'" in data.notes[0]
    assert "validation from 2024-02-12, test from 2024-02-21" in data.notes[0]


def test_series_one_below_the_other_are_told_apart_by_their_names(tmp_path, shops):
    data = load(write(tmp_path, shops), past_covariates="visitors", future_covariates="open")
    facts = data.facts
    assert (facts.series, facts.columns) == (("shop",), ("sales",))
    assert [column.name for column in facts.past_covariates] == ["visitors"]
    assert [column.name for column in facts.future_covariates] == ["open"]
    assert "series are named by 'shop'" in data.notes[0]
    test = whole(data.splits["test"])
    assert set(test["series"]) == {"north", "south"}
    south = test["series"] == "south"
    assert (test["history"][south] >= 1000).all() and (test["history"][~south] < 1000).all()
    np.testing.assert_array_equal(test["past_covariates"][..., 0], 2 * (test["history"] % 1000))
    steps = np.concatenate([test["history"], test["future"]], axis=1) % 1000
    np.testing.assert_array_equal(test["future_covariates"][..., 0], steps % 2)
    # Both are divided at the same day.
    for name, source in data.splits.items():
        starts = [whole(source)["time"][whole(source)["series"] == shop].min()
                  for shop in ("north", "south")]  # fmt: skip
        assert name == "train" or starts[0] == starts[1]


def test_series_side_by_side_are_each_a_series(tmp_path, plain):
    path = write(tmp_path, plain.assign(rent=7.0 + np.arange(60) % 3))
    data = load(path)
    assert data.facts.columns == ("sales", "rent") and data.facts.targets[0].name == "value"
    assert "2 series, one a column: 'sales', 'rent'" in data.notes[0]
    assert set(whole(data.splits["test"])["series"]) == {"sales", "rent"}
    alone = load(path, target="rent")
    assert alone.facts.columns == ("rent",) and "ignored: sales" in alone.notes[0]


def test_several_columns_can_name_a_series(tmp_path, shops):
    frame = pd.concat([shops.assign(item=item) for item in ("tea", "rum")])
    data = load(write(tmp_path, frame), series="shop,item", target="sales")
    assert "north, tea" in whole(data.splits["train"])["series"]


def test_tsv_and_parquet_read_the_same(tmp_path, plain):
    first = load(write(tmp_path, plain))
    plain.to_csv(tmp_path / "sales.tsv", sep="\t", index=False)
    plain.assign(date=pd.to_datetime(plain.date)).to_parquet(tmp_path / "sales.parquet")
    for name in ("sales.tsv", "sales.parquet"):
        assert load(str(tmp_path / name)).fingerprint == first.fingerprint


@settings(max_examples=20)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_means_nothing(random_numbers):
    frame = pd.DataFrame({"t": days(40) * 2, "id": ["a"] * 40 + ["b"] * 40, "y": np.arange(80.0)})
    order = list(range(80))
    random_numbers.shuffle(order)
    window_config = WindowConfig(context=4, horizon=2, season_length=1)
    data = [
        from_table(table_of(rows, "x"), "x", Columns("t", ("id",), ("y",)), window_config)
        for rows in (frame, frame.iloc[order])
    ]
    found, wanted = (
        {
            (row["series"], int(row["time"][0])): tuple(row["future"])
            for split in one.splits.values()
            for row in (
                {name: array[place] for name, array in whole(split).items()}
                for place in range(len(split))
            )
        }
        for one in data
    )
    assert found == wanted


def test_rows_that_are_not_in_order_are_sorted_and_said(tmp_path, plain):
    moved = plain.iloc[[0, 2, 1, *range(3, 60)]]
    data = load(write(tmp_path, moved))
    assert data.fingerprint == load(write(tmp_path, plain)).fingerprint
    path = write(tmp_path, moved)
    assert f"sorted by time: {path} line 4 is earlier than the row before it" in load(path).notes


@settings(max_examples=60, deadline=None)
@given(
    st.data(),
    st.integers(30, 70),
    st.floats(0.1, 0.35),
    st.floats(0.1, 0.35),
    st.sampled_from(["interpolate", "previous", "zero"]),
)
def test_nothing_of_a_later_split_reaches_an_earlier_one(data, steps, validation, test, fill):
    """Neither its windows nor the facts: whatever comes later, gaps and columns included."""
    sample = np.random.default_rng(data.draw(st.integers(0, 1000)))
    window_config = WindowConfig(
        context=6, horizon=3, season_length=2, fill=fill,
        validation_fraction=validation, test_fraction=test,
    )  # fmt: skip
    columns = Columns("t", ("id",), ("y",), ("p",), ("k",))
    frame = pd.DataFrame({
        "t": days(steps) * 2,
        "id": ["a"] * steps + ["b"] * steps,
        **{name: sample.normal(size=2 * steps) for name in "ypk"},
    })  # fmt: skip
    inner = frame.t.isin(days(steps)[1:-1])
    frame.loc[inner & (sample.random(2 * steps) < 0.2), ["y", "p"]] = np.nan
    one = from_table(table_of(frame, "x"), "x", columns, window_config)
    starts = {name: whole(split)["time"].min() for name, split in one.splits.items()}
    for later, earlier in (("validation", ["train"]), ("test", ["train", "validation"])):
        if later not in starts:
            continue
        seconds = pd.to_datetime(frame.t).to_numpy("datetime64[s]").astype(np.int64)
        beyond = seconds >= starts[later]
        changed = frame.copy()
        changed.loc[beyond, list("ypk")] = sample.normal(50, 20, (beyond.sum(), 3))
        other = from_table(table_of(changed, "x"), "x", columns, window_config)
        assert other.facts == one.facts
        for name in earlier:
            if name in one.splits:
                assert whole(one.splits[name])["time"].max() < starts[later]
                for key, array in whole(one.splits[name]).items():
                    np.testing.assert_array_equal(whole(other.splits[name])[key], array, key)


def test_gaps_are_refused_with_their_place_or_filled_and_said(tmp_path, plain):
    path = write(tmp_path, plain.drop(index=[20, 21, 30]))
    with pytest.raises(UserError, match=(
        r"sales.csv line 22: a gap of series 'sales': 2 days missing between 2024-01-20 and "
        r"2024-01-23 \(the first of 3 such steps\); fill such gaps with -d fill=interpolate"
    )):  # fmt: skip
        load(path)
    data = load(path, fill="interpolate")
    assert "filled by interpolate: 3 steps, which the metrics do not count" in data.notes
    assert data.facts.targets[0].mean == pytest.approx(20.5)
    assert 0 in whole(load(path, fill="zero").splits["train"])["future"]


def test_missing_numbers_are_refused_with_their_place_or_filled(tmp_path, plain):
    plain.loc[7, "sales"] = np.nan
    path = write(tmp_path, plain.assign(rain=1.0))
    with pytest.raises(UserError, match="sales.csv line 9: column 'sales' is empty; fill such"):
        load(path, target="sales")
    train = whole(load(path, target="sales", fill="previous").splits["train"])
    np.testing.assert_array_equal(train["future"][2:5, 0], [6, 6, 8])
    plain["rain"] = np.where(np.arange(60) == 5, np.nan, 1.0)
    with pytest.raises(UserError, match="line 7: column 'rain' is empty"):
        load(write(tmp_path, plain.fillna({"sales": 1})), target="sales", past_covariates="rain")


def test_a_column_that_begins_empty_cannot_be_filled(tmp_path, plain):
    plain["rain"] = np.where(np.arange(60) < 3, np.nan, 1.0)
    with pytest.raises(UserError, match="line 2: column 'rain' is empty .* nothing before it"):
        load(write(tmp_path, plain), target="sales", future_covariates="rain", fill="previous")


def test_what_is_empty_before_and_behind_a_series_is_no_gap(tmp_path, plain):
    plain.loc[[0, 1, 58, 59], "sales"] = np.nan
    data = load(write(tmp_path, plain))
    train, test = whole(data.splits["train"]), whole(data.splits["test"])
    assert train["history"].min() == 2 and test["future"].max() == 57


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"date": [*days(59), "2024-01-07"]}, {},
         "line 61: the time stamp '2024-01-07' stands in line 8 already; keep one of them, or say "
         "which column names the series"),
        ({"date": [*days(59), "2024-02-29 12:00"]}, {},
         "line 61: the time stamp '2024-02-29 12:00' stands between two steps: a step is 1 day"),
        ({"date": ["x", *days(59)]}, {"time": "date"},
         "line 2: column 'date' holds 'x', expected a time stamp such as 2024-05-31"),
        ({"date": ["", *days(59)]}, {}, "line 2: column 'date' holds '', expected a time stamp"),
        ({"date": [*days(59), "soon"]}, {}, "line 61: column 'date' holds 'soon', expected"),
        ({"date": [*days(59), "2444-01-01"]}, {}, "60 rows span 153,.* too few to fill the gaps"),
        ({"sales": [*["1"] * 40, *["many"] * 20]}, {"target": "sales"},
         "line 42: column 'sales' holds 'many', expected a number"),
        ({"sales": ["1e99"] * 60}, {"target": "sales"}, "line 2: column 'sales' holds '1e99'"),
        ({"sales": [""] * 60}, {"target": "sales"}, "column 'sales' is empty in every row"),
        ({"sales": ["a", "b"] * 30}, {}, "has no column of numbers to forecast"),
        ({}, {"time": "when"}, "has no column 'when'; there are: date, sales"),
        ({}, {"target": "sale"}, "no column 'sale'; did you mean 'sales'"),
        ({}, {"target": "sales", "past_covariates": "sales"},
         "'sales' is given both as target and as past_covariates"),
        ({}, {"context": "40", "horizon": "30"},
         "series 'sales' has 60 steps, fewer than a window of context 40 and horizon 30; give"),
        ({}, {"context": "40", "horizon": "10"},
         "no window of 40 \\+ 10 steps ends before 2024-02-12, where the training split does"),
        ({}, {"season_length": "3"}, "context=4 must be two seasons of 3 steps at least"),
        ({}, {"quantiles": "0.1,0.9"}, "quantiles=0.1,0.9: they must rise, and 0.5 must be one"),
        ({}, {"quantiles": "0.9,0.5"}, "they must rise"),
        ({}, {"quantiles": "0.5,1"}, "-d quantiles=0.5,1 does not fit: .* less than 1"),
        ({}, {"fill": "guess"}, "-d fill=guess does not fit; there are: interpolate, none, prev"),
        ({}, {"calendar": "moon"}, "-d calendar=moon does not fit"),
        ({}, {"horizon": "0"}, "-d horizon=0 does not fit"),
        ({}, {"test_fraction": "0.9"}, "below 1 together"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_said_in_one_line(tmp_path, plain, change, options, message):
    path = write(tmp_path, plain.assign(**change))
    with refused(message):
        load(path, **options)


def test_a_table_without_time_is_refused(tmp_path, plain):
    path = write(tmp_path, plain.drop(columns="date").assign(rent=1.5))
    with pytest.raises(UserError, match=(
        r"has no column of time stamps \(its columns: sales, rent\); name it with -d time=COLUMN"
    )):  # fmt: skip
        load(path)


def test_a_row_without_a_name_is_refused(tmp_path, shops):
    shops.loc[3, "shop"] = ""
    with pytest.raises(UserError, match="line 5: column 'shop' names no series: it is empty"):
        load(write(tmp_path, shops), series="shop")


def test_short_series_are_left_out_and_said(tmp_path, plain):
    frame = pd.concat([plain.assign(shop="old"), plain.tail(5).assign(shop="new")])
    data = load(write(tmp_path, frame), target="sales")
    assert "left out as shorter than 6 steps: 1 series, such as 'new'" in data.notes
    assert set(whole(data.splits["test"])["series"]) == {"old"}


def test_months_and_years_are_steps_too(tmp_path):
    months = pd.DataFrame({"month": [f"{1950 + i // 12}-{i % 12 + 1:02d}" for i in range(144)],
                           "passengers": np.arange(144.0)})  # fmt: skip
    facts = loading.load(write(tmp_path, months), task="forecasting").facts
    assert (facts.unit, facts.step, facts.season_length, facts.horizon) == ("month", 1, 12, 12)
    assert facts.context >= 24
    years = pd.DataFrame({"year": range(1900, 1960), "area": np.arange(60.0)})
    data = load(write(tmp_path, years))
    assert (data.facts.time, data.facts.unit, data.facts.cycles) == ("year", "number", ())
    assert whole(data.splits["train"])["time"][0].tolist() == [1904, 1905]
    with pytest.raises(UserError, match="calendar=year: plain numbers are no dates"):
        load(write(tmp_path, years), calendar="year")


def test_windows_suit_the_data_where_they_are_not_told(tmp_path):
    hours = np.datetime64("2024-01-01T00") + np.arange(24 * 60)
    frame = pd.DataFrame({"time": pd.Series(hours).astype(str), "load": np.arange(24 * 60.0)})
    facts = loading.load(write(tmp_path, frame), task="forecasting").facts
    assert (facts.context, facts.horizon, facts.season_length) == (168, 24, 24)
    assert facts.cycles == ("week",) and facts.quantiles == (0.1, 0.5, 0.9)
    short = loading.load(write(tmp_path, frame.head(60)), task="forecasting").facts
    assert short.season_length == 1 and short.context + short.horizon < 42


def test_back_tests_may_leave_origins_out(tmp_path, plain):
    path = write(tmp_path, plain)
    every, third = load(path).splits, load(path, stride="3").splits
    assert len(third["train"]) == len(every["train"])
    np.testing.assert_array_equal(
        whole(third["test"])["future"], whole(every["test"])["future"][::3]
    )


def test_errors_count_in_the_units_of_each_series(tmp_path, shops):
    shops.loc[shops.shop == "south", "sales"] *= 50
    test = whole(load(write(tmp_path, shops), target="sales").splits["test"])
    units = {shop: set(test["scale"][test["series"] == shop]) for shop in ("north", "south")}
    assert units == {"north": {1.0}, "south": {50.0}}


def test_a_constant_series_has_the_unit_of_the_others(tmp_path, plain):
    data = load(write(tmp_path, plain.assign(still=3.0)))
    assert set(whole(data.splits["test"])["scale"]) == {1.0}
    alone = load(write(tmp_path, plain.assign(sales=3.0)))
    assert set(whole(alone.splits["test"])["scale"]) == {1.0} and alone.facts.floor > 0


def test_other_data_are_read_as_the_runs(tmp_path, shops):
    run = load(write(tmp_path, shops), past_covariates="visitors", future_covariates="open").facts
    other = shops.assign(extra="x")[shops.columns[::-1].tolist() + ["extra"]].copy()
    other["sales"] += 5
    data = loading.load(write(tmp_path, other, "o.csv"), {}, task="forecasting", facts=run)
    assert data.facts == run
    assert whole(data.splits["train"])["history"].shape[1] == 4
    with pytest.raises(UserError, match="no column 'visitors'"):
        path = write(tmp_path, shops.drop(columns="visitors"), "o.csv")
        loading.load(path, {}, task="forecasting", facts=run)
    with pytest.raises(UserError, match="column 'date' holds plain numbers; the run was fitted"):
        path = write(tmp_path, shops.assign(date=range(len(shops))), "o.csv")
        loading.load(path, {}, task="forecasting", facts=run)


def test_a_run_of_other_steps_is_refused(tmp_path, plain):
    run = load(write(tmp_path, plain)).facts
    hourly = plain.assign(date=pd.date_range("2024-01-01", periods=60, freq="h"))
    with pytest.raises(UserError, match="line 3: .* stands between two steps: a step is 1 day"):
        loading.load(write(tmp_path, hourly), {}, task="forecasting", facts=run)


def test_rows_without_a_value_at_the_ends_are_counted_and_said(tmp_path, plain):
    plain["sales"] = plain["sales"].astype(float)
    plain.loc[[0, 1, len(plain) - 1], "sales"] = np.nan
    data = load(write(tmp_path, plain))
    (note,) = [note for note in data.notes if note.startswith("left out: rows without 'sales'")]
    assert note.endswith(", 2 before the first and 1 after the last value of the series")
