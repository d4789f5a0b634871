"""Files as people have them: each is read as a person would, or refused in one line."""

import gzip
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets
from PIL import Image
from refusals import refused

from threefold.datasets import loading
from threefold.datasets.tables.labeled_tables import read_rows

LINES = (Path(sklearn.datasets.__file__).parent / "data" / "iris.csv").read_text().splitlines()
# Every fifth flower: 30, in the order of their classes.
FLOWERS = [line.split(",") for line in LINES[1::5]]
NAMES = LINES[0].split(",")[2:]
SIZES = np.array([row[:4] for row in FLOWERS], float)
HEAD = "length,width,petal,species"
ROWS = [",".join([*row[:3], NAMES[int(row[4])]]) for row in FLOWERS]
TABLE = "\n".join([HEAD, *ROWS]) + "\n"


@pytest.fixture
def load(tmp_path):
    """Write a file and load it."""

    def write_and_load(content, name="table.csv", options=(), **given):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return loading.load(str(path), dict(options), **given)

    return write_and_load


def read_all(dataset, name="numeric"):
    """Return an array of all examples, in the order of the file."""
    return next(iter(dataset.splits.values())).source.arrays[name]


def assert_flowers(dataset):
    assert [column.name for column in dataset.facts.numeric] == ["length", "width", "petal"]
    np.testing.assert_allclose(read_all(dataset), SIZES[:, :3], rtol=1e-6)
    assert dataset.facts.class_names == tuple(NAMES)
    assert read_all(dataset, "label").tolist() == [int(row[4]) for row in FLOWERS]


@pytest.mark.parametrize(
    "content",
    [
        TABLE,
        b"\xef\xbb\xbf" + TABLE.encode(),
        TABLE.encode("utf-16"),  # with its mark
        b"\xfe\xff" + TABLE.encode("utf-16-be"),
        TABLE.replace(",", "\t").encode("utf-16"),  # "Unicode text" of Excel
        TABLE.replace("\n", "\r\n"),
    ],
    ids=["plain", "mark", "utf-16", "utf-16-be", "excel", "windows"],
)
def test_a_table_says_its_encoding_by_its_mark(load, content):
    assert_flowers(load(content))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04\x14\0\x06\0", "is an Excel workbook, .* save it as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel .* save it as CSV"),
        (gzip.compress(TABLE.encode()), "compressed by gzip.* unpack it"),
        (b"PAR1\x15\x04PAR1", "a Parquet file.* ends in .parquet"),
        (b"%PDF-1.7\n1 0 obj, a\n", "a PDF.* export"),
        ("<!DOCTYPE html>\n<html><head><title>Log in, please</title></head>\n", "holds a page of"),
        ("\ufeff\n <table border=1>\n<tr><td>a, b</td></tr>\n</table>\n", "holds a page of HTML"),
        ('<?xml version="1.0"?>\n<Workbook>\n', "holds a page of HTML or XML"),
        ('[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]\n', "holds JSON.* ends in .jsonl"),
        ('{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n', "holds JSON"),
        ('{\n  "a": [1, 2],\n  "b": [3, 4]\n}\n', "holds JSON"),
        (TABLE.encode("utf-16-le"), "as UTF-16 has; pass -d encoding=utf-16-le"),
        (TABLE.encode("utf-16-be"), "-d encoding=utf-16-be"),
        (TABLE.replace("length", "Preis €").encode("cp1252"), "line 1: .* -d encoding=cp1252"),
        (TABLE.replace("length", "Länge").encode("latin-1"), "line 1: .* -d encoding=latin-1"),
    ],
)
def test_what_is_no_table_is_called_what_it_is(load, content, words):
    with refused(words):
        load(content)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("book.xlsx", "save it as CSV"),
        ("table.csv.gz", "unpack it first"),
        ("film.srt", "ends in .txt"),
        ("access.log", "ends in .txt; if it has columns, .csv"),
        ("survey.sav", "export its table as CSV"),
    ],
)
def test_names_of_kinds_that_are_not_read_come_with_a_way_out(load, name, words):
    with refused(words):
        load("x", name)


def test_texts_say_their_encoding_by_their_mark_too(load):
    text = "\n".join(f"the {name} is a flower" for name in NAMES * 60)
    plain = load(text, "plain.txt", task="text_generation")
    marked = load(text.encode("utf-16"), "marked.txt", task="text_generation")
    assert marked.fingerprint == plain.fingerprint
    with refused("is an Excel workbook, a Word document or"):
        load(b"PK\x03\x04\x14\0", "letter.txt", task="text_generation")


def sum_up(function, word="Total", decimals=1):
    sums = [f"{value:.{decimals}f}" for value in function(SIZES[:, :3], axis=0)]
    return TABLE + ",".join([*sums, word]) + "\n"


SEMICOLONS = TABLE.replace(",", ";")
AROUND = {
    "title": ("Flowers of 2023\n" + TABLE, "line 1 before the header left out ('Flowers of 2023')"),
    "title and blank": ("Flowers\n\n" + TABLE, "lines 1 to 2 before the header"),
    "title of a sheet": ("Flowers,,,\n,,,\n" + TABLE, "lines 1 to 2 before the header"),
    "names above names": ("Leaves,,Petals,\n" + TABLE, "line 1 before"),
    "key and value": ("Garden;Kew\nYear;1936\n\n" + SEMICOLONS, "lines 1 to 3 before the header"),
    "comments": ("# logger 2.1\n# roof, north, left\n" + TABLE, "lines 1 to 2 before the header"),
    "percent": ("% made by a program\n" + SEMICOLONS, "line 1 before the header"),
    "separator": ("sep=;\n" + SEMICOLONS, ""),
    "open ends": (SEMICOLONS.replace("\n", ";\n"), ""),
    "open rows": (f"{HEAD}\n" + ",\n".join([*ROWS, ""]), ""),
    "header again": (TABLE + TABLE, "line 32: the header once more, left out"),
    "header thrice": (TABLE + TABLE + f"{HEAD}\n", "line 32 and 1 more: the header once more"),
    "total": (sum_up(np.sum), "line 32 says 'Total' of the rows above: left out"),
    "mean": (sum_up(np.mean, "Average:", 2), "line 32 says 'Average:'"),
    "words alone": (TABLE + "Gesamt,,,\n", "line 32 says 'Gesamt' of the rows above: left out"),
}


@pytest.mark.parametrize(("content", "note"), AROUND.values(), ids=AROUND)
def test_what_stands_around_a_table_is_left_out_and_said(load, content, note, tmp_path):
    once = SIZES[:, :3]
    dataset = load(content)
    found = read_all(dataset)
    np.testing.assert_allclose(found, np.tile(once, (len(found) // 30, 1)), rtol=1e-6)
    assert len(found) == (60 if "once more" in note else 30)
    assert dataset.facts.class_names == tuple(NAMES)
    assert note in "\n".join(dataset.notes)
    # What comes later from the same program is read likewise.
    rows = read_rows(str(tmp_path / "table.csv"), dataset.facts)
    assert not rows.errors
    np.testing.assert_array_equal(rows.arrays["numeric"], found)
    assert note in "\n".join(rows.remarks)


@pytest.mark.parametrize(
    ("content", "options", "count"),
    [
        (sum_up(np.sum), {"keep_all_rows": "true"}, 31),
        (sum_up(lambda *_, **__: np.array([1, 2, 3])), {}, 31),  # no sum: a class of one flower
        (TABLE + "1,2,3,total\n" + "1,2,3,total\n", {}, 32),  # a class
    ],
)
def test_rows_that_only_look_like_sums_stay(load, content, options, count):
    dataset = load(content, options=options)
    assert sum(map(len, dataset.splits.values())) == count
    assert {"Total", "total"} & {*dataset.facts.class_names}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("text\nhello, world\nfoo, bar\n", "line 2: 2 cells where the header names 1"),
        (
            "a,b\n1,2,3\n4,5,6\n",
            "line 2: 3 cells where the header names 2",
        ),  # names of rows lack one
        ("Flowers\n" + "\n".join(ROWS), "line 2: 4 cells where the header names 1"),
        ("Flowers\n" + TABLE, "line 2: 4 cells where the header names 1"),
    ],
)
def test_no_row_is_taken_for_a_header(load, content, words):
    said = {"header": "true"} if content.endswith(TABLE) else {}
    with refused(words):
        load(content, options=said)


def test_a_column_without_a_header_ends_where_its_last_separator_is(load):
    dataset = load("\n".join(f"{row}," for row in ROWS), options={"header": "false"})
    np.testing.assert_allclose(read_all(dataset), SIZES[:, :3], rtol=1e-6)
    assert dataset.facts.target_name == "column_4"
    comments = load("# one, two\n# three\n" + "\n".join(ROWS), options={"header": "false"})
    assert comments.fingerprint == dataset.fingerprint


def test_names_of_columns_that_break_are_on_one_line(load):
    dataset = load(TABLE.replace("length", '"length\n(of a leaf, cm)"'))
    assert dataset.facts.numeric[0].name == "length (of a leaf, cm)"


WRITTEN = {
    "degrees": (["12,5 °C", "-3,0 °C"], [12.5, -3]),
    "speed": (["12.5km/h", "3km/h"], [12.5, 3]),
    "areas": (["12.5 m²", "3 m²"], [12.5, 3]),
    "periods": (["36 months", "60 months"], [36, 60]),
    "volumes": (["1.2M", "340.5K", "2B", "-"], [1.2e6, 340500, 2e9, np.nan]),
    "thousands": (["12K", "7.5K"], [12e3, 7.5e3]),
    "kelvin": (["293 K", "300.5 K"], [293, 300.5]),
    "files": (["12 KB", "3.5 MB"], [12e3, 3.5e6]),
    "budgets": (["$1.2M", "$340K"], [1.2e6, 340e3]),
    "millions": (["1,5 Mio. €", "2,0 Mrd. €"], [1.5e6, 2e9]),
    "accounts": (["(1,234.50)", "7.25"], [-1234.5, 7.25]),
    "books": (["($1,234.50)", "$(2.00)", "$7.25"], [-1234.5, -2, 7.25]),
    "SAP": (["609.50-", "1,234.00"], [-609.5, 1234]),
    "francs": (["Fr. 1'234.50", "Fr. 7.00"], [1234.5, 7]),
    "errors": (["1.5", "#VALUE!", "2.5", "k.A."], [1.5, np.nan, 2.5, np.nan]),
}


@pytest.mark.parametrize(("cells", "numbers"), WRITTEN.values(), ids=WRITTEN)
def test_amounts_are_read_as_they_are_written(load, cells, numbers, tmp_path):
    times = 24 // len(cells)
    labels = ["in", "out"] * 12
    rows = [f'"{cell}",{label}' for cell, label in zip(cells * times, labels, strict=False)]
    dataset = load("\n".join(["amount,way", *rows]))
    np.testing.assert_allclose(read_all(dataset)[:, 0], numbers * times, rtol=1e-6)
    # One cell alone is read as the run's.
    (tmp_path / "later.csv").write_text(f'amount\n"{cells[0]}"\n')
    rows = read_rows(str(tmp_path / "later.csv"), dataset.facts)
    np.testing.assert_allclose(rows.arrays["numeric"], [[numbers[0]]], rtol=1e-6)


def test_another_unit_than_the_runs_is_refused_by_its_line(load, tmp_path):
    facts = load("mass,y\n" + "".join(f"{n} kg,{'ab'[n % 2]}\n" for n in range(30))).facts
    (tmp_path / "later.csv").write_text("mass\n1 kg\n2\n3 lb\n")
    rows = read_rows(str(tmp_path / "later.csv"), facts)
    assert rows.arrays["numeric"].ravel().tolist() == [1, 2]
    assert "line 4: column 'mass' holds '3 lb', expected a number with kg" in str(rows.errors[0])


@pytest.mark.parametrize("signs", [("$", "€"), ("", "<"), ("", "about ")])
def test_numbers_that_are_not_written_alike_are_words_and_this_is_said(load, signs):
    cells = [f"{signs[n % 2]}{n % 24}.50" for n in range(48)]
    dataset = load("price,y\n" + "".join(f"{c},{'ab'[n % 3 > 0]}\n" for n, c in enumerate(cells)))
    assert [column.name for column in dataset.facts.categorical] == ["price"]
    assert "price: read as words, though most are numbers, written in" in dataset.notes[0]


STAMPS = [
    ("[13/Apr/2021:10:11:12 +0200]", "2021-04-13T08:11:12"),
    ("2021/04/13 1:05:06 PM GMT+1", "2021-04-13T12:05:06"),
    ("2021/04/13 1:05:06 AM UTC-3:30", "2021-04-13T04:35:06"),
    ("[13.04.21, 14:30]", "2021-04-13T14:30:00"),
    ("13 de abril de 2021", "2021-04-13"),
    ("13-abr.-2021", "2021-04-13"),
    ("13 avr. 2021", "2021-04-13"),
]


@pytest.mark.parametrize(("cell", "moment"), STAMPS)
def test_stamps_of_logs_forms_and_offices(load, cell, moment):
    rows = [f'"{cell}",{"ab"[n % 2]}' for n in range(20)] + ['"13 Apr 2020",a'] * 2
    dataset = load("\n".join(["when,y", *rows]))
    days = np.datetime64(moment, "s").astype(float) / 86_400
    np.testing.assert_allclose(read_all(dataset, "dates")[0, 0], days, rtol=0, atol=0.001)


def test_words_with_figures_in_them_stay_words(load):
    columns = {
        "seat": ["12A", "13B"], "age": ["18-24", "65+"], "version": ["1.0.0", "1.2.0"],
        "place": ["1st", "2nd"], "street": ["12 Main St", "3 Oak St"],
        "phone": ["(030) 12", "(040) 9"],
        "season": ["2020/21", "2021/22"], "score": ["1:2", "1:3"], "term": ["3M", "1Y"],
    }  # fmt: skip
    rows = [",".join([*(cells[n % 2] for cells in columns.values()), "xyy"[n % 3]])
            for n in range(40)]  # fmt: skip
    facts = load("\n".join([",".join([*columns, "y"]), *rows])).facts
    found = {column.name: list(column.vocabulary) for column in facts.categorical}
    assert found == {name: sorted(cells) for name, cells in columns.items()}


HOURS = np.arange("2021-03-26", "2021-04-05", dtype="datetime64[h]")
CELSIUS = np.round(10 + 3 * np.sin(np.arange(len(HOURS)) / 4), 1)


def sense(stamp, head="time;temp\n", value="{} °C"):
    rows = zip(HOURS.tolist(), CELSIUS, strict=True)
    return head + "".join(f"{stamp(at)};{value.format(t)}\n" for at, t in rows)


def in_milliseconds(at):
    return int((at - datetime(1970, 1, 1)).total_seconds() * 1000)


SENSORS = {
    "units": sense(lambda at: at.isoformat(" ")),
    "milliseconds": sense(in_milliseconds, "timestamp;temp\n", "{}"),
    "comments": sense(lambda at: at.isoformat(), "# device 4; roof\n# unit; °C\ntime;temp\n", "{}"),
    "header again": sense(lambda at: "time;temp\n" * (at.day == 1 and at.hour == 0) + f"{at}"),
}
SENSORS["comma"] = sense(lambda at: f"{at:%d/%m/%Y %H:%M}").replace(".", ",")


@pytest.mark.parametrize("content", SENSORS.values(), ids=SENSORS)
def test_exports_of_sensors_are_series(load, content):
    dataset = load(content, task="forecasting")
    windows = next(iter(dataset.splits.values())).source
    assert len(windows.names) == 1
    np.testing.assert_allclose(windows.values, CELSIUS, rtol=1e-6)
    assert (dataset.facts.unit, dataset.facts.step) == ("second", 3600)
    np.testing.assert_array_equal(windows.stamps, HOURS.astype("datetime64[s]").astype(int))


def test_days_and_times_in_two_columns_are_no_series_of_their_own(load):
    content = sense(lambda at: f"{at:%d/%m/%Y;%H:%M:%S}", "Date;Time;temp\n")
    with refused("'Date' has the days and 'Time' the time of the day.*-d series=Time"):
        load(content, task="forecasting")
    assert load(content, task="forecasting", options={"series": "Time"}).facts.series == ("Time",)


def test_a_survey_is_read_as_it_was_answered(load):
    likert = ["Agree", "Neutral", "Strongly disagree"]
    rows = [
        f"2021/04/13 {n % 12 + 1}:05:00 PM GMT+2,{['Yes', 'No'][n % 2]},{likert[n % 3]},"
        f'"{["Phone", "Phone, Tablet"][n % 2]}","I like ""it"", no {n}\n😀 שלום",,{18 + n % 40}'
        for n in range(40)
    ]
    head = '\ufeffTimestamp,Do you smoke?,"Is it ""good""?",Devices,Free text,Empty,Age'
    dataset = load("\r\n".join([head, *rows]), options={"target": "Do you smoke?"})
    facts = dataset.facts
    assert facts.class_names == ("No", "Yes")
    words = {column.name: column.vocabulary for column in facts.categorical}
    assert words == {'Is it "good"?': tuple(likert), "Devices": ("Phone", "Phone, Tablet")}
    assert [column.name for column in facts.dates] == ["Timestamp"]
    assert [column.name for column in facts.numeric] == ["Age"]
    assert "Free text (another word in every row), Empty (all missing)" in dataset.notes[0]


def test_the_folder_of_a_phone_is_one_of_photos(tmp_path):
    photo = np.zeros((30, 40, 3), np.uint8)
    photo[:, :20] = 255  # white on the left: on top, when it is turned
    turned = Image.Exif()
    turned[0x112] = 6
    for album in ("cats", "dogs"):
        (tmp_path / album).mkdir()
        for n in range(4):
            Image.fromarray(photo).save(tmp_path / album / f"IMG_{n:04}.JPG", exif=turned)
    Image.new("CMYK", (30, 40), (0, 255, 255, 0)).save(tmp_path / "cats" / "IMG_0009.JPG")
    for name in ("IMG_1.HEIC", "._IMG_1.JPG", ".nomedia", "Thumbs.db", "IMG_1.MOV", "IMG_1.AAE"):
        (tmp_path / "dogs" / name).write_bytes(b"\0\5\x16\7")
    dataset = loading.load(str(tmp_path))
    assert "1 .heic: not read; convert them" in dataset.notes[0]
    assert "3 hidden, 1 .aae, 1 .mov" in dataset.notes[1]
    source = dataset.splits["train"].source
    images = dict(zip(source.names, source[np.arange(9)]["image"], strict=True))
    assert images["dogs/IMG_0000.JPG"][:20].min() > 250 > 5 > images["dogs/IMG_0000.JPG"][20:].max()
    np.testing.assert_allclose(images["cats/IMG_0009.JPG"].mean((0, 1)), [255, 0, 0], atol=3)


MONTHS = "jan fév mars avr mai juin juil août sept oct nov déc".split()
MESES = "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro"
MESES = MESES.split()
OFFICES = {  # marks of decimals and thousands, money, dates
    "German": (";", ",.", "{} €", lambda at: f"{at:%d.%m.%Y}"),
    "French": (";", ",\u202f", "{}\xa0€", lambda at: f"{at.day} {MONTHS[at.month - 1]} {at:%Y}"),
    "Swiss": (";", ".\u2019", "CHF {}", lambda at: f"{at:%d.%m.%y}"),
    "American": (",", ".,", "${}", lambda at: f"{at:%m/%d/%Y}"),
    "Portuguese": (";", ",.", "R$ {}",
                   lambda at: f"{at.day} de {MESES[at.month - 1]} de {at:%Y}"),
}  # fmt: skip


@pytest.mark.parametrize(("separator", "marks", "money", "date"), OFFICES.values(), ids=OFFICES)
def test_a_sheet_is_the_same_in_every_office(load, separator, marks, money, date, tmp_path):
    days = np.datetime64("2021-01-05") + 17 * np.arange(30)
    numbers = [f"{900 * size + 0.5:,.2f}" for size in SIZES[:, 0]]
    written = [number.translate(str.maketrans(".,", marks)) for number in numbers]
    rows = [f'{date(day)}{separator}"{money.format(number)}"{separator}{row[4]}'
            for day, number, row in zip(days.tolist(), written, FLOWERS, strict=True)]  # fmt: skip
    dataset = load("\n".join([f"day{separator}sum{separator}class", *rows]))
    np.testing.assert_array_equal(read_all(dataset, "dates")[:, 0], days.astype(int))
    np.testing.assert_allclose(read_all(dataset)[:, 0], 900 * SIZES[:, 0] + 0.5, rtol=1e-6)
    (tmp_path / "later.csv").write_text(f"day{separator}sum\n{rows[0].rpartition(separator)[0]}\n")
    later = read_rows(str(tmp_path / "later.csv"), dataset.facts).arrays
    assert later["dates"][0, 0] == days[0].astype(int)
    np.testing.assert_allclose(later["numeric"], [[900 * SIZES[0, 0] + 0.5]], rtol=1e-6)


def test_comments_above_a_table_of_texts_are_said(load):
    rows = [f"Total,{NAMES[n % 2]}" if n == 29 else f"text {n},{NAMES[n % 2]}" for n in range(30)]
    content = "# export of 2021\ntext,label\n" + "\n".join(rows)
    dataset = load(content, task="text_classification")
    assert sum(map(len, dataset.splits.values())) == 30
    assert "line 1 before the header left out ('# export of 2021')" in "\n".join(dataset.notes)
