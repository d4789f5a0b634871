"""How columns write numbers and dates: guessed over the whole column, kept with the run."""

import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threefold.core.errors import UserError
from threefold.datasets import loading
from threefold.datasets.tables.columns import guess_columns, read_cells
from threefold.datasets.tables.dates import read_dates
from threefold.datasets.tables.labeled_tables import read_rows
from threefold.datasets.tables.notations import Notation, NotationConfig

FEBRUARY = datetime.date(2020, 2, 29)


def read(frame, separator="", **config):
    """Return each column as guessed: its kind, and its cells."""
    frame = pd.DataFrame(frame, dtype="str")
    guesses = guess_columns(frame, NotationConfig(**config), separator=separator)
    cells = {
        name: read_cells(frame[name], guess.kind or "categorical", guess.notation)[0].tolist()
        for name, guess in guesses.items()
    }
    return {name: guess.kind for name, guess in guesses.items()}, cells, guesses


def days(text):
    """Return a date as days since 1970-01-01."""
    return (np.datetime64(text, "s").astype(float)) / 86_400


@pytest.mark.parametrize(
    ("cells", "separator", "numbers"),
    [
        (["0,941715", "1,171"], ";", [0.941715, 1.171]),
        (["1.101,55", "2,5"], ";", [1101.55, 2.5]),
        (["1,171", "2,345"], ";", [1.171, 2.345]),  # who writes `;` has commas in numbers
        (["1,171", "2,345"], ",", [1171, 2345]),
        (["1,171", "2,345"], "", [1171, 2345]),
        (["0,5", "12"], ",", [0.5, 12]),  # quoted
        (["1.234.567", "12"], "\t", [1234567, 12]),
        (["1,234,567.5", "12"], ";", [1234567.5, 12]),
        (["1 234,5", "-7 000"], ";", [1234.5, -7000]),
        (["1\u00a0234,5", "1\u202f000"], "\t", [1234.5, 1000]),
        (["1'234.5", "2\u2019000.25"], ";", [1234.5, 2000.25]),
        (["$12.50", "$1,200"], ",", [12.5, 1200]),
        (["12 %", "7.5 %"], ",", [12, 7.5]),
        (["12,50 €", "1.200,00 €"], ";", [12.5, 1200]),
        (["-$5.25", "$3"], ",", [-5.25, 3]),
        (["EUR 12", "EUR 7,25"], ";", [12, 7.25]),
        (["\u22125.5", "4"], ",", [-5.5, 4]),
        (["1,5e3", "2,25"], ";", [1500, 2.25]),
        (["+0,5", "-0,25"], "\t", [0.5, -0.25]),
    ],
)
def test_numbers_are_read_as_their_column_writes_them(cells, separator, numbers):
    kinds, found, _ = read({"x": cells}, separator)
    assert kinds == {"x": "numeric"}
    assert found["x"] == numbers


@pytest.mark.parametrize(
    "cells",
    [
        ["12 %", "7"],  # seven what?
        ["$5", "€6"],
        ["1,5", "2.25"],
        ["12,34,56", "1,2"],
        ["1.2.3", "10.20.30"],
        ["12 kg", "7 lb"],
    ],
)
def test_what_is_written_in_two_ways_is_words(cells):
    assert read({"x": cells})[0] != {"x": "numeric"}


def test_a_column_that_leaves_it_open_follows_the_others():
    open_, commas, points = ["1,171", "2,345"], ["0,5", "1,25"], ["0.5", "1.25"]
    assert read({"a": open_, "b": commas}, ";")[1]["a"] == [1.171, 2.345]
    assert read({"a": open_, "b": points}, ";")[1]["a"] == [1171, 2345]
    assert read({"a": ["1.171", "2.345"], "b": commas}, "\t")[1]["a"] == [1171, 2345]
    assert read({"a": ["1.171", "2.345"], "b": points}, "\t")[1]["a"] == [1.171, 2.345]
    assert read({"a": ["03/04/2021"], "b": ["13/04/2021"]})[1]["a"] == [days("2021-04-03")]
    assert read({"a": ["03/04/2021"], "b": ["04/13/2021"]})[1]["a"] == [days("2021-03-04")]


def test_what_is_said_of_numbers_decides():
    assert read({"a": ["1,171", "2,345"]}, decimal=",")[1]["a"] == [1.171, 2.345]
    assert read({"a": ["1.171", "2.345"]}, thousands=".")[1]["a"] == [1171, 2345]
    assert read({"a": ["1,171", "2,345"]}, ";", decimal=".")[1]["a"] == [1171, 2345]
    with pytest.raises(UserError, match="is the same"):
        NotationConfig(decimal=",", thousands=",").check()


@pytest.mark.parametrize(
    ("cells", "dates"),
    [
        (["13/04/2021", "01/02/2021"], ["2021-04-13", "2021-02-01"]),
        (["04/13/2021", "01/02/2021"], ["2021-04-13", "2021-01-02"]),
        (["03/04/2021", "01/02/2021"], ["2021-03-04", "2021-01-02"]),
        (["13.04.2021", "1.2.2021"], ["2021-04-13", "2021-02-01"]),
        (["13-04-2021", "01-02-2021"], ["2021-04-13", "2021-02-01"]),
        (["13.04.21 14:30", "1.2.69"], ["2021-04-13T14:30", "1969-02-01"]),
        (["20200131", "20200229"], ["2020-01-31", "2020-02-29"]),
        (["1990Q1", "1990Q4"], ["1990-01-01", "1990-10-01"]),
        (["Q1 1990", "Q4/1990"], ["1990-01-01", "1990-10-01"]),
        (["3 Mar 2020", "14 April 2021"], ["2020-03-03", "2021-04-14"]),
        (["March 3, 2020", "Sep 14 2021"], ["2020-03-03", "2021-09-14"]),
        (["3. März 2020", "14. Dez. 2021"], ["2020-03-03", "2021-12-14"]),
        (["3 août 2020", "14 juil. 2021"], ["2020-08-03", "2021-07-14"]),
        (["Mar 2020", "Apr 2020"], ["2020-03-01", "2020-04-01"]),
        (["2020M03", "2020M11"], ["2020-03-01", "2020-11-01"]),
        (["2020-W01", "2020-W53"], ["2019-12-30", "2020-12-28"]),
        (["Tue, 13 Apr 2021 10:00:00 +0200", "Wed, 14 Apr 2021 00:00:00 GMT"],
         ["2021-04-13T08:00", "2021-04-14"]),
        (["13/Apr/2021:10:00:00 +0000", "14/Apr/2021:10:00:00 -0530"],
         ["2021-04-13T10:00", "2021-04-14T15:30"]),
        (["Tue Apr 13 10:00:00 2021", "Wed Apr 14 00:00:00 2021"],
         ["2021-04-13T10:00", "2021-04-14"]),
        (["2021-04-13T10:00:00+02:00", "2021-04-13 10:00"],
         ["2021-04-13T08:00", "2021-04-13T10:00"]),
        (["4/13/2021 1:05 PM", "4/14/2021 12:00 AM"], ["2021-04-13T13:05", "2021-04-14"]),
        (["2021/4/3", "2021/12/31"], ["2021-04-03", "2021-12-31"]),
    ],
)  # fmt: skip
def test_dates_are_read_as_their_column_writes_them(cells, dates):
    kinds, found, _ = read({"x": cells})
    assert kinds == {"x": "date"}
    np.testing.assert_allclose(found["x"], [days(date) for date in dates], rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("created_at", ["1577836800", "1577836801"], "date"),
        ("timestamp", ["1577836800000", "1577836801000"], "date"),
        ("phone", ["1577836800", "1577836801"], "numeric"),  # only where the name speaks of time
        ("time", ["1000000", "1000001"], "numeric"),
        ("day", ["20200131", "20200230"], "numeric"),  # February has no 30th
        ("x", ["20200131", "20200131"], "numeric"),
        ("x", ["31.02.2020", "30.02.2020"], "categorical"),
        ("x", ["2020.5", "2021.25"], "numeric"),
    ],
)
def test_moments_in_plain_numbers(name, cells, kind):
    kinds, found, _ = read({name: [*cells, cells[0]]})
    assert kinds == {name: kind}
    if kind == "date":
        assert found[name][0] == days("2020-01-01")


def test_what_is_said_of_dates_decides():
    assert read({"x": ["03/04/2021"]}, day_first=True)[1]["x"] == [days("2021-04-03")]
    assert read({"x": ["03.04.2021"]}, day_first=False)[1]["x"] == [days("2021-03-04")]
    assert read({"x": ["21|04|03"]}, date_format="%y|%m|%d")[1]["x"] == [days("2021-04-03")]
    assert read({"time": ["1", "2"]}, date_format="seconds")[1]["time"] == [1 / 86_400, 2 / 86_400]
    with pytest.raises(UserError, match="expected a format of strptime"):
        NotationConfig(date_format="day").check()


def test_choices_are_said_with_what_overrules_them():
    said = {"a": ["0,5"], "b": ["03/04/2021"], "c": ["31.12.2021"], "d": ["5 %"]}
    remarks = {name: read({name: cells})[2][name].remark for name, cells in said.items()}
    assert "decimal commas (else: -d decimal=.)" in remarks["a"]
    assert remarks["b"] == (
        "read as month/day/year, though its cells leave it open (else: -d day_first=true)"
    )
    assert remarks["c"] == "read as day/month/year"
    assert remarks["d"] == "read without its %"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.decimals(-(10**6), 10**6, places=2), min_size=1),
    st.sampled_from([("", ","), (".", ","), (" ", ","), ("", "."), (",", "."), ("'", ".")]),
)
def test_numbers_come_back_from_any_office(numbers, marks):
    thousands, decimal = marks
    texts = [
        f"{number:,}".replace(",", "T").replace(".", decimal).replace("T", thousands)
        for number in numbers
    ]
    kinds, found, _ = read({"x": texts})
    assert kinds == {"x": "numeric"}
    assert found["x"] == [float(number) for number in numbers]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.dates(datetime.date(1969, 1, 1), datetime.date(2068, 12, 31)), min_size=1),
    st.sampled_from(
        ["%d.%m.%Y", "%d-%m-%Y", "%d.%m.%y", "%Y/%m/%d", "%d %b %Y", "%B %d, %Y", "%d-%b-%y",
         "%a, %d %b %Y %H:%M:%S +0000", "%d/%b/%Y:%H:%M:%S +0000", "%a %b %d %H:%M:%S %Y"]
    ),
)  # fmt: skip
def test_dates_come_back_from_any_format(dates, form):
    texts = [date.strftime(form) for date in dates]
    assert read_dates(pd.Series(texts, dtype="str")).tolist() == [
        (date - datetime.date(1970, 1, 1)).days for date in dates
    ]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_a_date_or_none(text):
    found = read_dates(pd.Series([text], dtype="str"))
    assert found.shape == (1,)


EUROPEAN = "datum;menge;preis;anteil;y\n" + "".join(
    f"{1 + row % 28:02d}.03.2021;1.{100 + row},{row % 10}5;{row},50 €;{row} %;0,{row + 100}715\n"
    for row in range(60)
)


def test_a_table_of_a_european_office(tmp_path):
    path = tmp_path / "büro.csv"
    path.write_text(EUROPEAN, encoding="utf-8")
    dataset = loading.load(str(path))
    assert dataset.task == "tabular_regression"
    facts = dataset.facts
    assert [column.name for column in facts.numeric] == ["menge", "preis", "anteil"]
    assert [column.name for column in facts.dates] == ["datum"]
    source = dataset.splits["train"].source
    row = source[np.array([7])]
    assert row["numeric"].tolist() == [[np.float32(1107.75), 7.5, 7.0]]
    assert row["target"].tolist() == [[np.float32(0.107715)]]
    assert row["dates"].tolist() == [[days("2021-03-08")]]
    assert (
        "preis: read with decimal commas (else: -d decimal=.), read without its €"
        in (dataset.notes[0])
    )
    # A single row of the run is read as the run was, though it alone would be read otherwise.
    path.write_text("datum;menge;preis;anteil\n03.04.2021;1.234;1,234 €;5 %\n", encoding="utf-8")
    arrays = read_rows(path, facts).arrays
    assert arrays["numeric"].tolist() == [[1234.0, np.float32(1.234), 5.0]]
    assert arrays["dates"].tolist() == [[days("2021-04-03")]]
    path.write_text("datum;menge;preis;anteil\n2021-04-03;1.234;$1;5 %\n", encoding="utf-8")
    assert "column 'preis' holds '$1'" in str(read_rows(path, facts).errors[0])
    assert facts.notations["menge"] == Notation(",", ".")


def test_amounts_that_are_not_read_are_never_made_classes(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x;y\n" + "".join(f"{row};{row},5 / {row}.5\n" for row in range(60)))
    with pytest.raises(UserError) as refused:
        loading.load(str(path))
    assert "look like numbers or dates but are not read as numbers" in str(refused.value)
    assert "-d decimal=" in str(refused.value) and "--task tabular_class" in str(refused.value)
    path.write_text("x;y\n" + "".join(f"{row};{1 + row % 28}.03.2021\n" for row in range(60)))
    with pytest.raises(UserError, match="look like numbers or dates"):
        loading.load(str(path))
