"""Tables of series from which the latest history is read, to be told ahead."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
from small_series import days, load, write

from threefold.datasets.inference_inputs import read_inputs


def read(path, facts, stdin=b"", **options):
    [found] = read_inputs([path], facts, io.BytesIO(stdin), 8, **options)
    return found


def test_the_latest_history_is_read_to_be_told_ahead(tmp_path, shops):
    facts = load(write(tmp_path, shops), past_covariates="visitors", future_covariates="open").facts
    plans = shops.groupby("shop").tail(2).assign(sales="", visitors="", open=7)
    plans["date"] = days(2, "2024-03-01") * 2
    path = write(tmp_path, pd.concat([shops, plans]), "new.csv")
    names, examples, errors, *_ = read(path, facts)
    assert names == [f"{path}, series 'north'", f"{path}, series 'south'"] and not errors
    np.testing.assert_array_equal(examples["history"], [[56, 57, 58, 59], [1056, 1057, 1058, 1059]])
    np.testing.assert_array_equal(examples["past_covariates"][0, :, 0], [112, 114, 116, 118])
    np.testing.assert_array_equal(examples["future_covariates"][1, :, 0], [0, 1, 0, 1, 7, 7])
    stamps = examples["time"][0].astype("datetime64[s]").astype("datetime64[D]")
    assert stamps.astype(str).tolist() == ["2024-03-01", "2024-03-02"]
    assert "future" not in examples and examples["series"].tolist() == ["north", "south"]


def test_a_table_of_history_alone_is_enough_where_no_plans_are_known(tmp_path, plain):
    path = write(tmp_path, plain)
    facts = load(path).facts
    names, examples, errors, *_ = read(path, facts)
    assert names == [path] and not errors
    assert examples["history"].tolist() == [[56, 57, 58, 59]]
    names, again, *_ = read("-", facts, stdin=Path(path).read_bytes())
    assert names == ["standard input"]
    np.testing.assert_array_equal(again["history"], examples["history"])


def test_series_that_cannot_be_told_ahead_cost_no_others(tmp_path, shops):
    facts = load(write(tmp_path, shops), future_covariates="open", target="sales").facts
    plans = shops.groupby("shop").tail(2).assign(sales="", open=7)
    plans["date"] = days(2, "2024-03-01") * 2
    plans = plans[(plans.shop == "north") | (plans.date == "2024-03-01")]
    young = shops[shops.shop == "north"].head(3).assign(shop="young")
    holed = shops[shops.shop == "north"].drop(index=57).assign(shop="holed")
    path = write(tmp_path, pd.concat([shops, plans, young, holed]), "new.csv")
    names, examples, errors, *_ = read(path, facts)
    assert names == [f"{path}, series 'north'"] and len(examples["history"]) == 1
    explicit = " ".join(map(str, errors))
    assert "series 'young' has 3 steps; the run looks at 4" in explicit
    assert ("series 'south' needs open for 2 steps after 2024-02-29, from 2024-03-01 to "
            "2024-03-02") in explicit  # fmt: skip
    assert "a gap of series 'holed': 1 day missing between 2024-02-26 and 2024-02-28" in explicit


def test_gaps_in_the_history_are_filled_where_told(tmp_path, plain):
    facts = load(write(tmp_path, plain)).facts
    path = write(tmp_path, plain.drop(index=57), "new.csv")
    assert "a gap" in str(read(path, facts).errors[0])
    filled = read(path, facts, fill="interpolate").examples["history"]
    np.testing.assert_array_equal(filled, [[56, 57, 58, 59]])
    # What the run does not look at may have gaps.
    assert not read(write(tmp_path, plain.drop(index=5), "old.csv"), facts).errors


def test_a_table_that_cannot_be_read_is_one_error(tmp_path, plain):
    facts = load(write(tmp_path, plain)).facts
    names, examples, errors, *_ = read(write(tmp_path, plain.rename(columns={"sales": "x"})), facts)
    assert (names, examples) == ([], {}) and "no column 'sales'" in str(errors[0])
