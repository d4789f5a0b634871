import csv
import io
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threefold.core.errors import Failure, UserError
from threefold.reporting.records import check_output, write_records

RECORDS = [
    {"input": "a.png", "label": "cat", "probabilities": {"cat": 0.75, "dog": 0.25}},
    {"input": 'odd, "name"\nin two lines.png', "label": "dog", "probabilities": {"dog": 1.0}},
]


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "OUT.CSV"])
def test_a_fit_output_passes(in_tmp, name):
    assert check_output(name) is None
    assert check_output(str(in_tmp / name)) is None
    assert list(in_tmp.iterdir()) == []  # nothing is written yet


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("out.json", "expected .csv or .jsonl; did you mean '.jsonl'?"),
        ("out", "has no ending, expected .csv or .jsonl"),
        ("out.parquet", "ends in '.parquet'"),
        ("nowhere/out.csv", "there is no folder nowhere"),
        ("folder.csv", "is a folder"),
    ],
)
def test_an_unfit_output_is_refused(in_tmp, path, said):
    (in_tmp / "folder.csv").mkdir()
    with pytest.raises(UserError, match="--output") as caught:
        check_output(path)
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert path in str(caught.value)


def test_csv_has_a_column_for_each_nested_value(in_tmp):
    write_records("out.csv", RECORDS)
    with open("out.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["input", "label", "probabilities.cat", "probabilities.dog"]
    assert rows[0]["probabilities.cat"] == "0.75"
    assert rows[1]["input"] == RECORDS[1]["input"]
    assert rows[1]["probabilities.cat"] == ""


def test_jsonl_is_one_object_a_line(in_tmp):
    write_records("out.jsonl", RECORDS)
    lines = (in_tmp / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == RECORDS


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_no_records_make_an_empty_file(in_tmp, name):
    write_records(name, [])
    assert (in_tmp / name).read_bytes() == b""


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_a_file_name_that_is_no_utf8_costs_no_answers(in_tmp, name):
    records = [{"input": os.fsdecode(b"caf\xe9.png"), "label": "cat"}]
    write_records(name, records)
    text = (in_tmp / name).read_text(encoding="utf-8")
    assert r"caf\udce9.png" in text
    assert name == "out.csv" or json.loads(text) == records[0]


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(TEXTS, st.floats(allow_nan=False), TEXTS), max_size=8))
def test_order_and_values_survive(tmp_path_factory, rows):
    folder = tmp_path_factory.getbasetemp()
    records = [{"input": i, "p": {"x": p}, "label": w} for i, p, w in rows]
    write_records(str(folder / "a.jsonl"), records)
    lines = (folder / "a.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    assert [json.loads(line) for line in lines] == records
    write_records(str(folder / "a.csv"), records, raw_cells=True)
    text = (folder / "a.csv").read_bytes().decode()
    read = [
        (r["input"], float(r["p.x"]), r["label"])
        for r in csv.DictReader(io.StringIO(text, newline=""))
    ]
    assert read == rows


def test_a_failed_write_keeps_the_old_file(in_tmp, monkeypatch):
    write_records("out.csv", RECORDS[:1])
    before = (in_tmp / "out.csv").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(Failure, match=r"cannot write out\.csv: No space left on device"):
        write_records("out.csv", RECORDS)
    assert [path.name for path in in_tmp.iterdir()] == ["out.csv"]
    assert (in_tmp / "out.csv").read_bytes() == before


def test_every_step_of_a_forecast_is_a_row(tmp_path):
    forecast = {
        "input": "load.csv",
        "time": ["09:00", "10:00"],
        "load": {"0.1": [1, 2], "0.5": [3, 4]},
    }
    write_records(str(tmp_path / "told.csv"), [forecast, {"input": "other.csv"}])
    assert (tmp_path / "told.csv").read_text().splitlines() == [
        "input,time,load.0.1,load.0.5",
        "load.csv,09:00,1,3",
        "load.csv,10:00,2,4",
        "other.csv,,,",
    ]


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("-2.5", "-2.5"),
        ("+1e3", "+1e3"),
        ("-", "-"),
        ("a=1", "a=1"),
        (-2.5, "-2.5"),
    ],
)
def test_words_that_a_spreadsheet_would_run_are_quoted(tmp_path, word, written):
    path, records = tmp_path / "a.csv", [{"input": word, "p": {"x": word}, "n": 1}]
    write_records(str(path), records)
    (row,) = csv.DictReader(io.StringIO(path.read_bytes().decode(), newline=""))
    assert row["input"] == row["p.x"] == written
    write_records(str(path), records, raw_cells=True)
    (row,) = csv.DictReader(io.StringIO(path.read_bytes().decode(), newline=""))
    assert row["input"] == str(word)


def test_names_of_columns_are_quoted_too(tmp_path):
    write_records(str(tmp_path / "a.csv"), [{"=HYPERLINK(1)": 2.0}])
    assert (tmp_path / "a.csv").read_text().startswith("'=HYPERLINK(1)\n")


def test_every_object_of_an_image_has_a_line_and_an_image_without_any_keeps_its_own(tmp_path):
    found = {"class": "cat", "score": 0.9, "left": 1.5}
    records = [{"input": "a.png", "objects": [found, found | {"score": 0.5}]},
               {"input": "b.png", "objects": []}]  # fmt: skip
    write_records(str(tmp_path / "found.csv"), records)
    assert (tmp_path / "found.csv").read_text().splitlines() == [
        "input,class,score,left",
        "a.png,cat,0.9,1.5",
        "a.png,cat,0.5,1.5",
        "b.png,,,",
    ]
    write_records(str(tmp_path / "found.jsonl"), records)
    assert json.loads((tmp_path / "found.jsonl").read_text().splitlines()[0]) == records[0]
