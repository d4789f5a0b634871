"""Cells that are not what their column is, and rows that are read for a prediction."""

import io

import numpy as np
import pytest
from small_tables import everything, houses

from threefold.core.errors import UserError
from threefold.datasets import loading
from threefold.datasets.tables.labeled_tables import read_rows


@pytest.mark.parametrize("slip", ["inf", "x", "a b", "1e39", "#REF"])
def test_a_slip_among_numbers_is_missing_and_named(csv, slip):
    dataset = loading.load(csv(houses().assign(area=[*range(59), slip])))
    assert f"area: '{slip}' (line 61) taken for missing" in dataset.notes[0]
    assert np.isnan(everything(dataset, "numeric")[59, 1])


def test_a_slip_among_dates_is_missing_and_named(csv):
    dataset = loading.load(csv(houses().assign(sold=["13/04/2021"] * 58 + ["14/04/2021", "soon"])))
    assert "sold: 'soon' (line 61) taken for missing" in dataset.notes[0]
    assert everything(dataset, "dates")[58:, 0].tolist()[0] == 18731
    assert np.isnan(everything(dataset, "dates")[59, 0])


def test_rows_to_predict_are_encoded_as_the_run_reads(csv):
    path = csv(houses())
    dataset = loading.load(path)
    rows = read_rows(path, dataset.facts)
    assert rows.errors == []
    assert rows.names == [f"{path} line {line}" for line in range(2, 62)]
    assert sorted(rows.arrays) == ["categorical", "dates", "numeric"]
    for name, array in rows.arrays.items():
        np.testing.assert_array_equal(array, everything(dataset, name))
        assert array.dtype == everything(dataset, name).dtype


def test_rows_need_no_target_and_columns_no_order(csv):
    facts = loading.load(csv(houses())).facts
    text = "sold,city,garden,area,rooms,price,zip\n2024-01-01,Rome,true,,2,1e3,75001\n"
    rows = read_rows(io.BytesIO(text.encode()), facts)
    np.testing.assert_array_equal(rows.arrays["numeric"], [[2, np.nan, 1, 1000]])
    assert rows.arrays["categorical"].tolist() == [[3]]


def test_bad_rows_are_named_and_left_out_in_order(csv):
    facts = loading.load(csv(houses())).facts
    text = (
        "rooms,area,garden,city,sold,price\n"
        "1,2,yes,Rome,2024-01-01,5\n"
        "many,2,yes,Rome,2024-01-01,5\n"
        "2,2,yes\n"
        "3,inf,yes,Rome,someday,5\n"
        "4,2,no,Nowhere,2024-01-02,5\n"
    )
    path = csv(text, "rows.csv")
    rows = read_rows(path, facts)
    assert rows.names == [f"{path} line 2", f"{path} line 6"]
    assert rows.arrays["numeric"][:, 0].tolist() == [1, 4]
    assert rows.arrays["categorical"].tolist() == [[3], [0]]
    first, second, third = (str(error) for error in rows.errors)
    assert "rows.csv line 3: column 'rooms' holds 'many', expected a number" in first
    assert "rows.csv line 4: 3 cells where the header names 6 columns" in second
    assert "rows.csv line 5: column 'area' holds 'inf'" in third


def test_what_the_network_is_not_told_of_rows_is_counted(csv):
    facts = loading.load(csv(houses())).facts
    rows = houses(5).assign(city=["Rome", "Atlantis", "", "Oz", "Rome"], area=[1, "", 3, 4, ""])
    path = csv(rows)
    assert read_rows(path, facts).remarks == [
        f"{path}: 3 cells empty (area, city); 2 cells of words that the run does not know (city)"
    ]
    whole = houses(5).assign(city="Rome", area=1.0, garden="yes", sold="2024-01-01")
    assert read_rows(csv(whole), facts).remarks == []


def test_rows_that_are_all_bad_leave_empty_arrays(csv):
    facts = loading.load(csv(houses())).facts
    text = "rooms,area,garden,city,sold,price\nmany,2,yes,Rome,2024-01-01,5\n1,2\n"
    rows = read_rows(io.StringIO(text), facts)
    assert rows.arrays["numeric"].shape == (0, 4)
    assert rows.arrays["categorical"].shape == (0, 1)
    assert len(rows.errors) == 2


def test_rows_without_a_column_are_refused(csv):
    facts = loading.load(csv(houses())).facts
    text = "rooms,area,garden,City,sold,price\n1,2,yes,Rome,2024-01-01,5\n"
    with pytest.raises(UserError, match="standard input has no column 'city'; did you mean 'City'"):
        read_rows(io.StringIO(text), facts)
