"""The quick reader and the strict one find the same cells in the same places."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threefold.core.errors import UserError
from threefold.datasets import loading
from threefold.datasets.tables.plain_csv import read_plain
from threefold.datasets.tables.table_files import read_table

CELLS = st.text(st.sampled_from("ab1,; .-é\u2028\x1c中"), max_size=5)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=2, max_size=8),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_the_quick_way_and_the_strict_one_agree(tmp_path_factory, rows, end, last):
    text = end.join("\t".join(cell.strip("\t") for cell in row) for row in rows)
    content = (text + end * last).encode()
    path = tmp_path_factory.mktemp("csv") / "t.tsv"
    path.write_bytes(content)

    def read(source):
        try:
            table = read_table(source, header=False)
        except UserError as error:
            return str(error).replace(str(path), "standard input")
        return table.frame.to_numpy().tolist(), table.numbers.tolist(), list(table.frame.columns)

    assert read(path) == read(io.BytesIO(content))


def test_most_files_go_the_quick_way(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbfa, b\r\n1, 2\r\n3,x y\r\n\r\n")
    assert read_plain(path, ",").to_numpy().tolist() == [["a", "b"], ["1", "2"], ["3", "x y"]]


@pytest.mark.parametrize(
    "content", [b'a,b\n"1",2\n', b"a,b\n1\n", b"a,b\n\n1,2\n", b"a,b\r1,2\n", b"a,b\n\xff,2\n", b""]
)
def test_what_needs_a_closer_look_gets_one(tmp_path, content):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    assert read_plain(path, ",") is None


def test_long_cells_are_read(tmp_path):
    path, long = tmp_path / "t.csv", "long " * 100_000
    path.write_text(f'a,b\n"{long}, yes",1\n')
    assert read_table(path).frame["a"].tolist() == [f"{long}, yes"]
    path.write_text(f"a,b\n{long},1\n")
    assert read_table(path).frame["a"].tolist() == [long]


@pytest.mark.parametrize(
    "first",
    ["5.1,3.5,1.4,0.2,setosa", "5,3,1,0,0", "1,2,2,x,y", "0.5,1,2,3,4", "-1,2,3,4,5"],
)
@pytest.mark.parametrize("quoted", [False, True])
def test_a_missing_header_is_noticed(tmp_path, first, quoted):
    path = tmp_path / "t.csv"
    rows = first + "\n" + ('"1",2,3,4,a\n' if quoted else "1,2,3,4,a\n") * 3
    path.write_text(rows)
    with pytest.raises(UserError, match="line 1: expected column names.*-d header=false"):
        read_table(path)
    table = read_table(path, header=False)
    assert list(table.frame.columns) == [f"column_{place}" for place in range(1, 6)]
    assert table.frame.iloc[0].tolist() == first.split(",")
    assert table.numbers.tolist() == [1, 2, 3, 4]
    if "2,2" not in first and "0,0" not in first:  # names must differ
        assert list(read_table(path, header=True).frame.columns) == first.split(",")


def test_years_and_numbered_columns_are_names(tmp_path):
    path = tmp_path / "t.csv"
    for names in (["1990", "1991", "1992"], ["0", "1", "2"], ["city", "1990", "2000"]):
        path.write_text(",".join(names) + "\n1,2,3\n")
        assert list(read_table(path).frame.columns) == names


def test_a_run_on_a_table_without_a_header_reads_such_tables(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("".join(f"{row}.5,{row % 7},{'ab'[row % 2]}\n" for row in range(60)))
    dataset = loading.load(str(path), {"header": "false"})
    assert dataset.facts.target_name == "column_3"
    assert [column.name for column in dataset.facts.numeric] == ["column_1", "column_2"]
    again = loading.load(str(path), facts=dataset.facts)
    np.testing.assert_array_equal(
        again.splits["train"].source[np.arange(60)]["numeric"],
        dataset.splits["train"].source[np.arange(60)]["numeric"],
    )
    assert again.splits["train"].source[np.array([0])]["numeric"].tolist() == [[0.5, 0.0]]
