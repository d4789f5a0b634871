import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused

from threefold.core.errors import UserError
from threefold.datasets.tables.table_files import read_table


def read(content, **options):
    content = content if isinstance(content, bytes) else content.encode()
    return read_table(io.BytesIO(content), **options)


def write(tmp_path, content, name="table.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,x\n2,y\n",
        "a;b\n1;x\n2;y\n",
        "a\tb\n1\tx\n2\ty\n",
        "a|b\n1|x\n2|y\n",
        "a,b\r\n1,x\r\n2,y",
        "a,b\r1,x\r2,y\r",
        "\n a , b \n\n1,x\n   \n2, y\n\n",
        '"a","b"\n"1","x"\n"2","y"\n',
        "\ufeffa,b\n1,x\n2,y\n",
        '\ufeff"a",b\n1,x\n2,y\n',
    ],
)
def test_usual_ways_to_write_a_table(content, tmp_path):
    for table in (read(content), read_table(write(tmp_path, content))):
        assert table.frame.columns.tolist() == ["a", "b"]
        assert table.frame.to_numpy().tolist() == [["1", "x"], ["2", "y"]]


def test_separators_inside_cells_mislead_nobody():
    table = read("name;price, net;weight, net\n" + "x, y;1;2\n" * 3)
    assert table.frame.columns.tolist() == ["name", "price, net", "weight, net"]
    table = read('a,b\n"1;2;3;4","x;y"\n')
    assert table.frame.to_numpy().tolist() == [["1;2;3;4", "x;y"]]


def test_rows_are_found_by_their_lines():
    table = read('a,b\n"1\n2",x\n\n3,y\n')
    assert [table.where(0), table.where(1)] == ["standard input line 2", "standard input line 5"]


def test_line_ends_inside_cells_stay(tmp_path):
    content = 'a,b\r\n"1\r\n2",x\r\n'
    for table in (read(content), read_table(write(tmp_path, content))):
        assert table.frame["a"].tolist() == ["1\r\n2"]


def test_open_text_is_read_too():
    assert read_table(io.StringIO("\ufeffa,b\n1,2\n")).frame.columns.tolist() == ["a", "b"]


def test_columns_without_a_name_get_one():
    assert read(",a,\n0,1,2\n").frame.columns.tolist() == ["Unnamed: 0", "a", "Unnamed: 2"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["is empty"]),
        ("\n\n", ["is empty"]),
        ("a,b\n", ["has a header and no rows"]),
        ("a,b\n1,2\n3\n", ["line 3: 1 cell where the header names 2 columns"]),
        ("a,b\n1,2\n3,4,5\n", ["line 3: 3 cells"]),
        ("a,b\n1,2,3\n4,5,6\n", ["line 2: 3 cells"]),  # pandas would make `1` an index
        ("a,b\n1,2\n3,\0\n", ["line 3", "NUL byte"]),
        ("a,b\0\n1,2\n", ["line 1", "NUL byte"]),
        ("a,b,a\n1,2,3\n", ["more than one column is named 'a'"]),
        ('a,b\n1,2\n3,"4\n5,6\n7,8\n', ["line 3", "quotes"]),
        ('a,b\n1,"2"3\n', ["line 2", "quotes"]),
        ("5.1,3.5,1\n4.9,3.0,0\n", ["line 1", "expected column names", "5.1"]),
        ("a,b\n1,é\n".encode("latin-1"), ["line 2: byte 0xe9 is not utf-8", "-d encoding=latin-1"]),
        ("a,b\n1,2\n".encode("utf-16-le"), ["as UTF-16 has", "-d encoding=utf-16-le"]),
        ("a,b\n1,€\n".encode("cp1252"), ["line 2: byte 0x80", "-d encoding=cp1252"]),
    ],
)
def test_bad_files_are_refused_in_one_line(content, words, tmp_path):
    for source in (write(tmp_path, content), None):
        with refused() as error:
            read_table(source) if source else read(content)
        for word in words:
            assert word in str(error.value)
        assert (str(source) if source else "standard input") in str(error.value)


def test_a_bad_byte_deep_in_a_file_is_found_by_its_line(tmp_path):
    lines = [b"a,b"] + [b"1,2"] * 100_000 + [b"3,\xe9"]
    with pytest.raises(UserError, match="line 100002: byte 0xe9"):
        read_table(write(tmp_path, b"\n".join(lines)))


def test_encodings_can_be_told(tmp_path):
    for encoding in ("latin-1", "utf-16", "cp1252", "UTF8"):
        path = write(tmp_path, "a,b\n1,é\n".encode(encoding))
        assert read_table(path, encoding=encoding).frame["b"].tolist() == ["é"]
    for wrong in ("klingon", "hex"):
        with pytest.raises(UserError, match=f"encoding '{wrong}'"):
            read_table(path, encoding=wrong)


def test_bad_rows_can_be_left_out_with_their_places():
    table = read('a,b\n1,2\n3\n4,5\n6,"7"x\n8,\0\n9,10\n', skip_bad_rows=True)
    assert table.frame["a"].tolist() == ["1", "4", "9"]
    assert table.positions.tolist() == [0, 2, 5]
    assert table.numbers.tolist() == [2, 4, 7]
    assert {place: str(error).split(":")[0] for place, error in table.errors.items()} == {
        1: "standard input line 3",
        3: "standard input line 5",
        4: "standard input line 6",
    }


def test_parquet_keeps_types_and_columns_in_the_index(tmp_path):
    frame = pd.DataFrame({"a": [1.5, np.nan], "b": ["x", None], "c": [True, False]})
    frame.set_index("b").to_parquet(tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    assert sorted(table.frame.columns) == ["a", "b", "c"]
    assert table.frame["c"].dtype == bool
    assert table.where(1) == f"{tmp_path / 't.parquet'} row 2"


def test_bad_parquet_files_are_refused_in_one_line(tmp_path):
    with pytest.raises(UserError, match="as Parquet"):
        read_table(write(tmp_path, "a,b\n1,2\n", "t.parquet"))
    pd.DataFrame({"a": []}).to_parquet(tmp_path / "empty.parquet")
    with pytest.raises(UserError, match="holds no rows"):
        read_table(tmp_path / "empty.parquet")


def test_a_folder_or_absent_file_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "absent.csv", tmp_path / "absent.parquet"):
        with pytest.raises(UserError, match="cannot read"):
            read_table(path)


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(2, 4).flatmap(lambda width: st.lists(st.tuples(*[texts] * width), min_size=1)),
    st.sampled_from(",;\t|"),
)
def test_any_text_that_pandas_writes_is_read(rows, separator):
    frame = pd.DataFrame(rows, columns=[f"column {index}" for index in range(len(rows[0]))])
    written = frame.to_csv(index=False, sep=separator, quoting=1, lineterminator="\n")
    read_back = read(written.encode()).frame
    assert read_back.columns.tolist() == frame.columns.tolist()
    assert read_back.to_numpy().tolist() == frame.to_numpy().tolist()


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_read_or_refused(content, skip):
    try:
        table = read_table(io.BytesIO(content), skip_bad_rows=skip)
    except UserError as error:
        assert len(str(error).splitlines()) == 1
    else:
        places = sorted([*table.positions.tolist(), *table.errors])
        assert places == list(range(len(places)))
