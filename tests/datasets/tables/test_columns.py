import datetime
import decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threefold.datasets.tables.columns import (
    MISSING,
    describe_numbers,
    describe_words,
    encode_words,
    guess_kind,
    is_constant,
    read_cells,
)
from threefold.datasets.tables.dates import read_dates
from threefold.datasets.tables.notations import PLAIN


def column(*cells, dtype="str", name="x"):
    return pd.Series(list(cells), dtype=dtype, name=name)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "2", "3", ""], "numeric"),
        (["1.5", "-2e3", "?", "NA"], "numeric"),
        (["1,234", "12", "1,234,567.5"], "numeric"),
        (["true", "False", "TRUE"], "numeric"),
        (["yes", "no", "-"], "numeric"),
        (["0", "1", "0"], "numeric"),
        (["7", "7", "8"], "numeric"),  # few whole numbers are still numbers
        (["20200101", "20200102", "20200103"], "date"),
        (["20200101", "20200102", "20201303"], "numeric"),  # there is no 13th month
        (["2020-01-31", "2020-02-01", "null"], "date"),
        (["2020-01-31T10:00:00Z", "2020-02-01 11:30", "2020-03-01"], "date"),
        (["31.12.2020", "1.1.2021"], "date"),
        (["3 Jan 2020", "14 Feb 2021"], "date"),
        (["red", "blue", "red"], "categorical"),
        (["1a", "2", "2", "3"], "categorical"),
        (["yes", "true", "yes"], "categorical"),  # of two pairs
        (["Ann", "Bob", "Cid"], None),
        (["", "NA", "?"], None),
    ],
)
def test_kind_of_text_is_guessed(cells, kind):
    assert guess_kind(column(*cells))[0] == kind


@pytest.mark.parametrize(
    ("typed", "kind"),
    [
        (pd.Series([True, False]), "numeric"),
        (pd.Series([True, None, False], dtype="boolean"), "numeric"),
        (pd.Series([True, None, False], dtype=object), "numeric"),
        (pd.Series([1, None, 3], dtype="Int64"), "numeric"),
        (pd.Series([0.5, np.nan], dtype="float32"), "numeric"),
        (pd.Series([decimal.Decimal("1.5"), None]), "numeric"),
        (pd.Series(pd.to_datetime(["2020-01-01", None])), "date"),
        (pd.Series([datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)]), "date"),
        (pd.Series([1, 2, 1], dtype="category"), "categorical"),
        (pd.Series([[1], [2]]), None),
    ],
)
def test_kind_of_typed_columns_is_guessed(typed, kind):
    assert guess_kind(typed)[0] == kind


def test_numbers_of_rows_are_told_by_name_and_cells_together():
    assert guess_kind(column("1", "2", "3", name="PassengerId".upper()))[0] == "numeric"
    assert guess_kind(column("1", "2", "3", name="user_id"))[:2] == (None, "row number")
    assert guess_kind(column("1", "2", "4", name="user_id"))[0] == "numeric"
    assert guess_kind(pd.Series([0, 1, 2], name="Unnamed: 0"))[:2] == (None, "row number")


def test_doubtful_readings_are_said_aloud():
    assert guess_kind(column("01/02/2020", "12/31/2020"))[:2] == ("date", "read as month/day/year")
    assert guess_kind(column("31/12/2020", "1/2/2020"))[:2] == ("date", "read as day/month/year")
    kind, remark, *_ = guess_kind(column("1,5", "2,25", "1,5"))
    assert (kind, "decimal commas" in remark) == ("numeric", True)


def test_a_slip_among_numbers_does_not_make_a_column_of_words():
    cells = column(*map(str, range(99)), "abc")
    assert guess_kind(cells)[0] == "numeric"
    _, bad = read_cells(cells, "numeric")
    assert np.flatnonzero(bad).tolist() == [99]


@pytest.mark.parametrize(
    ("text", "number"),
    [("1e3", 1000), (" -0.5 ", -0.5), ("1,234.5", 1234.5), ("Yes", 1), ("f", 0), ("+7", 7)],
)
def test_numbers_are_read_as_written(text, number):
    cells, bad = read_cells(column(text), "numeric")
    assert cells.tolist() == [number]
    assert not bad.any()


@pytest.mark.parametrize(
    "text", ["abc", "1,23", "0x10", "1_000", "inf", "-Infinity", "1e39", "1 2"]
)
def test_what_is_no_float32_is_marked(text):
    cells, bad = read_cells(column("1", text, "NA"), "numeric")
    assert bad.tolist() == [False, True, False]
    assert np.isnan(cells[2])


@pytest.mark.parametrize("word", [*MISSING, " NaN ", "Null"])
def test_missing_cells_are_missing_of_every_kind(word):
    for kind in ("numeric", "date"):
        cells, bad = read_cells(column(word), kind)
        assert np.isnan(cells).all()
        assert not bad.any()
    assert encode_words(read_cells(column(word), "categorical")[0], ("a",)).tolist() == [0]


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("1970-01-02", 1),
        ("1969-12-31", -1),
        ("1970-01-01T12:00:00Z", 0.5),
        ("1970-01-01 12:00+06:00", 0.25),
        ("1970-02", 31),
        ("1970/01/03", 2),
        ("01/03/1970", 2),
        ("3.1.1970 06:00", 2.25),
        ("Jan 3, 1970", 2),
        ("3-Jan-1970", 2),
        ("1/1/1970 6:00 PM", 0.75),
    ],
)
def test_dates_are_days_since_1970(text, days):
    assert read_dates(column(text)).tolist() == [days]


@pytest.mark.parametrize("text", ["2020", "-5", "2020.5", "2020-13-01", "soon", "1/1/2", "12-2020"])
def test_what_is_no_date_is_none(text):
    assert np.isnan(read_dates(column(text))).all()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)), min_size=1)
)
def test_iso_dates_come_back(moments):
    days = read_dates(pd.Series([moment.isoformat() for moment in moments], dtype="str"))
    epoch = datetime.datetime(1970, 1, 1)
    expected = [(moment - epoch) / datetime.timedelta(days=1) for moment in moments]
    np.testing.assert_allclose(days, expected, rtol=0, atol=1e-9)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_come_back_to_the_bit(numbers):
    text = pd.Series([repr(number) for number in numbers], dtype="str")
    assert PLAIN.read_numbers(text).astype(np.float32).tolist() == numbers


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1), st.integers(1, 5))
def test_any_words_are_encoded_by_their_vocabulary(words, max_categories):
    cells, _ = read_cells(pd.Series(words, dtype="str"), "categorical")
    facts = describe_words("x", cells, max_categories)
    assert len(facts.vocabulary) == min(max_categories, cells.nunique())
    assert list(facts.vocabulary) == sorted(facts.vocabulary)
    ids = encode_words(cells, facts.vocabulary)
    for cell, found in zip(cells, ids, strict=True):
        if found:
            assert facts.vocabulary[found - 1] == cell
        else:
            assert cell not in facts.vocabulary  # missing, or crowded out


def test_the_commonest_words_are_kept():
    cells = column("c", "b", "a", "c", "b", "d", None)
    assert describe_words("x", cells, 2).vocabulary == ("b", "c")
    assert describe_words("x", cells, 3).vocabulary == ("a", "b", "c")
    assert encode_words(column("c", "zebra", None, "a"), ("a", "b", "c")).tolist() == [3, 0, 0, 1]


def test_facts_of_numbers_pass_over_what_is_missing():
    facts = describe_numbers("x", "numeric", np.array([1.0, 3.0, np.nan]))
    assert (facts.mean, facts.scale) == (2.0, 1.0)
    assert describe_numbers("x", "date", np.array([5.0, 5.0])).scale == 1.0
    assert describe_numbers("x", "date", np.array([np.nan])).mean == 0.0
    assert describe_numbers("x", "numeric", np.array([0.0, 1e-300])).scale == 1.0


def test_the_quantiles_of_a_column_are_those_of_its_values_each_once():
    cells = np.repeat([0.0, 1.0, 5.0, np.nan], [60, 20, 20, 50])
    assert describe_numbers("x", "numeric", cells).knots == (0.0, 1.0, 5.0)
    assert describe_numbers("x", "numeric", np.arange(161.0)).knots == tuple(
        np.arange(0, 161, 10.0)
    )
    assert describe_numbers("x", "numeric", np.array([np.nan])).knots == ()


def test_columns_without_anything_to_learn_are_constant():
    assert is_constant(np.array([1.0, np.nan, 1.0]))
    assert is_constant(np.array([np.nan]))
    assert not is_constant(np.array([1e9, 1e9 + 1]))  # though they are one float32
    assert not is_constant(np.array([1.0, 2.0]))
    assert is_constant(column("a", "a"))
    assert not is_constant(column("a", None))  # that it is missing may tell something
