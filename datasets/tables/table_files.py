"""Files of tables, read so strictly that no cell can move to another row or column.

pandas fills short rows of a CSV with blanks and takes the surplus of long ones for an index; so
rows are split by Python's own `csv`, counted, and then handed to pandas.
"""

import codecs
import csv
import io
import itertools
import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.file_kinds import START, codec_of, refuse_foreign, suggest_encoding
from threefold.datasets.tables.columns import Kind, read_cells
from threefold.datasets.tables.layout import Layout, find_layout, find_strays
from threefold.datasets.tables.notations import PLAIN, Notation
from threefold.datasets.tables.plain_csv import read_plain

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".tsv", ".parquet")

# Parsing 200,000 rows takes 2.4 times as long as in pandas and 16 times as long as in pyarrow, a
# second in all; but of 12 kinds of damage they read 7 and 5 as if nothing were, and neither names
# the line of a wrong byte.
_LONGEST = 2**31 - 1  # characters of a cell
_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?")
_BLOCK = 50_000  # rows held as Python text at a time


@dataclass(frozen=True)
class Table:
    """A table and where its rows stand.

    Args:
        frame: pandas.DataFrame. The cells; all text where they come from a CSV.
        name: str. What messages call it.
        unit: str. What `numbers` count: `line` of a CSV, `row` of anything else.
        numbers: int array of shape (rows,). Each row's place, from 1, for messages.
        positions: int array of shape (rows,). Each row's place among the data rows of the file,
            from 0; some are absent where bad rows were left out.
        errors: dict of int to UserError. What is wrong with each row that was left out, by its
            place among the data rows of the file.
        separator: str. What stands between the cells of a CSV; empty of anything else.
        notations: mapping of str to Notation. How columns write numbers and dates, where it is not
            as programs do.
        notes: tuple of str. What of the file is no row and was left out.
    """

    frame: "pd.DataFrame"
    name: str
    unit: str
    numbers: np.ndarray
    positions: np.ndarray
    errors: dict[int, UserError] = field(default_factory=dict)
    separator: str = ""
    notations: Mapping[str, Notation] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def read(self, column: str, kind: Kind) -> tuple["np.ndarray | pd.Series", np.ndarray]:
        """Read a column's cells as one kind; see `columns.read_cells`."""
        return read_cells(self.frame[column], kind, self.notations.get(column, PLAIN))

    def exclude(self, column: str, cells: np.ndarray, bad: np.ndarray) -> tuple[np.ndarray, str]:
        """Return cells without the few that are not of their column's kind, and a remark on them.

        Args:
            column: str. Its name.
            cells: float64 array of shape (rows,).
            bad: bool array of shape (rows,). Which are missing from now on; at least one.
        """
        row, count = int(np.flatnonzero(bad)[0]), int(bad.sum())
        others = f" and {count - 1} more cells" if count > 1 else ""
        place = f"{self.unit} {self.numbers[row]}"
        remark = f"'{self.show(row, column)}' ({place}){others} taken for missing"
        return np.where(bad, np.nan, cells), remark

    def where(self, row: int) -> str:
        """Return where the row at a position of the frame stands: `table.csv line 7`."""
        return f"{self.name} {self.unit} {self.numbers[row]}"

    def show(self, row: int, column: str) -> str:
        """Return a cell as messages show it: on one line, and not for ever."""
        return textwrap.shorten(str(self.frame[column].iloc[row]), 60, placeholder=" ...")

    def take(self, keep: np.ndarray) -> "Table":
        """Return the table with only the rows that a bool array marks."""
        frame = self.frame[keep].reset_index(drop=True)
        numbers, positions = self.numbers[keep], self.positions[keep]
        return replace(self, frame=frame, numbers=numbers, positions=positions)


def table_of(frame: "pd.DataFrame", name: str) -> Table:
    """Wrap a frame that lies in memory.

    Args:
        frame: pandas.DataFrame. Its index is not looked at.
        name: str. What messages call it.

    Returns:
        Table.

    Raises:
        UserError: for two columns of one name.
    """
    frame = frame.reset_index(drop=True).set_axis([str(column) for column in frame.columns], axis=1)
    _require_unique(list(frame.columns), name)
    rows = np.arange(len(frame))
    return Table(frame, name, "row", rows + 1, rows)


def read_table(
    source: str | Path | IO,
    *,
    encoding: str = "utf-8",
    header: bool | None = None,
    keep_all_rows: bool = False,
    skip_bad_rows: bool = False,
) -> Table:
    """Read a CSV, TSV or Parquet file.

    Args:
        source: str, Path or file. The file; an open one (bytes or text) is read as CSV.
        encoding: str. Of a CSV. A byte-order mark is no part of the first column's name.
        header: bool. Whether the first row of a CSV names the columns, which else are called
            `column_1`, ...; with None it must, and what looks like no names is refused.
        keep_all_rows: bool. Whether rows of a CSV are kept that repeat the header or sum up the
            others.
        skip_bad_rows: bool. Whether a row that cannot be read is left out, and reported in the
            table's `errors`, instead of raised.

    Returns:
        Table. Columns with an empty name are called `Unnamed: 0`, ..., as by pandas.

    Raises:
        UserError: where the file, or one of its rows, cannot be read.
    """
    if isinstance(source, str | Path) and Path(source).suffix.lower() == ".parquet":
        return _read_parquet(Path(source))
    name = str(source) if isinstance(source, str | Path) else "standard input"
    try:
        handle, codec = _open_text(source, find_codec(encoding), name)
        with handle:
            layout = find_layout(handle.read(2**16), name, header)
            handle.seek(0)
            table = None
            plain = not layout.skip and not layout.ends_open and codec == "utf-8-sig"
            if plain and isinstance(source, str | Path):
                frame = read_plain(Path(source), layout.separator)
                if frame is not None:
                    table = _table_of_plain(frame, name, layout.separator, header)
            table = table or _read_rows(handle, name, layout, header, skip_bad_rows)
        return _tidy(replace(table, notes=layout.notes), header, keep_all_rows)
    except UnicodeDecodeError as error:
        # The decoder saw the file in pieces: only the file itself shows the line.
        content = Path(source).read_bytes() if isinstance(source, str | Path) else error.object
        raise UserError(describe_bad_bytes(content, name, encoding, error)) from None
    except UnicodeError as error:  # an encoding's own complaint, such as a missing mark of UTF-16
        raise UserError(f"cannot read {name} as {encoding}: {error}") from None
    except OSError as error:
        raise UserError(f"cannot read {name}: {error.strerror or error}") from None


def find_codec(encoding: str) -> str:
    """Return the codec of an encoding, for UTF-8 one that takes a byte-order mark off.

    Raises:
        UserError: for what is no encoding of text.
    """
    try:
        "a".encode(encoding)  # not every codec is one of text
        codec = codecs.lookup(encoding).name
    except LookupError:
        raise UserError(
            f"unknown encoding '{encoding}'; expected one of Python's, such as utf-8 or latin-1"
        ) from None
    return "utf-8-sig" if codec == "utf-8" else codec


def _open_text(source: str | Path | IO, codec: str, name: str) -> tuple[IO[str], str]:
    """Open a table's text; a mark of UTF-16 at its start says more than the default does."""
    if isinstance(source, str | Path):
        with open(source, "rb") as file:
            start = file.read(START)
        refuse_foreign(start, name, table=True)
        codec = codec_of(start, codec, name)
        return open(source, encoding=codec, newline=""), codec
    content = source.read()
    if isinstance(content, bytes):
        refuse_foreign(content[:START], name, table=True)
        codec = codec_of(content, codec, name)
        content = content.decode(codec)
    return io.StringIO(content.removeprefix("\ufeff"), newline=""), codec


def describe_bad_bytes(content: bytes, name: str, encoding: str, error: UnicodeDecodeError) -> str:
    """Return what to say of a file's bytes that are not of an encoding: the line, what to do."""
    try:
        content.decode(error.encoding)
        start = error.start
    except UnicodeDecodeError as whole:
        start = whole.start
    line = content.count(b"\n", 0, start) + 1
    return (
        f"{name} line {line}: byte 0x{content[start]:02x} is not {encoding}; "
        f"save the file as UTF-8 or pass -d encoding={suggest_encoding(content)}"
    )


def _read_parquet(path: Path) -> Table:
    import pandas as pd
    import pyarrow

    try:
        frame = pd.read_parquet(path)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"cannot read {path} as Parquet: {reason}") from None
    if any(frame.index.names):  # columns that pandas once took for an index
        frame = frame.reset_index()
    if frame.empty:
        raise UserError(f"{path} holds no rows")
    return table_of(frame, str(path))


def _tidy(table: Table, header: bool | None, keep_all_rows: bool) -> Table:
    """Leave out what no name and no cell is in, the header where it stands again, and sums."""
    frame = table.frame
    empty = [
        name
        for place, name in enumerate(frame.columns)
        if (name.startswith("Unnamed: ") or (header is False and place == len(frame.columns) - 1))
        and not frame[name].str.strip().any()
    ]
    if empty and len(empty) < len(frame.columns):
        table = replace(table, frame=frame.drop(columns=empty))
    if keep_all_rows:
        return table
    names = list(table.frame.columns)
    keep, notes = find_strays(table.frame, names, table.numbers, table.name)
    return replace(table.take(keep) if not keep.all() else table, notes=(*table.notes, *notes))


def _table_of_plain(frame: "pd.DataFrame", name: str, separator: str, header: bool | None) -> Table:
    names, named = _name_columns(frame.iloc[0].tolist(), header, name)
    if named and len(frame) == 1:
        raise UserError(f"{name} has a header and no rows")
    frame = frame.iloc[int(named) :].reset_index(drop=True).set_axis(names, axis=1)
    rows = np.arange(len(frame))
    return Table(frame, name, "line", rows + 1 + named, rows, {}, separator)


def _read_rows(
    handle: IO[str], name: str, layout: Layout, header: bool | None, skip_bad_rows: bool
) -> Table:
    import pandas as pd

    rows = _split(handle, layout, name)
    line, first = next(rows, (1, None))
    if first is None:
        raise UserError(f"{name} is empty; expected a line of column names, then rows")
    if isinstance(first, UserError):
        raise first
    names, named = _name_columns(first, header, name)
    if not named:
        rows = itertools.chain([(line, first)], rows)
    numbers, positions, blocks = [], [], []
    errors: dict[int, UserError] = {}
    position = 0
    while block := list(itertools.islice(rows, _BLOCK)):
        good = []
        for line, row in block:
            if layout.ends_open and not isinstance(row, UserError) and not row[-1].strip():
                row = row[:-1]
            if not isinstance(row, UserError) and len(row) != len(names):
                cells = f"{len(row)} cell{'s' if len(row) != 1 else ''}"
                what = "the header names" if named else "the first row has"
                row = UserError(f"{name} line {line}: {cells} where {what} {len(names)} columns")
            if not isinstance(row, UserError):
                good.append(row)
                numbers.append(line)
                positions.append(position)
            elif skip_bad_rows:
                errors[position] = row
            else:
                raise row
            position += 1
        blocks.append(pd.DataFrame(good, columns=names, dtype="str"))
    if not blocks:
        raise UserError(f"{name} has a header and no rows")
    frame = pd.concat(blocks, ignore_index=True)
    lines, places = np.array(numbers, int), np.array(positions, int)
    return Table(frame, name, "line", lines, places, errors, layout.separator)


def _split(
    handle: IO[str], layout: Layout, name: str
) -> Iterator[tuple[int, list[str] | UserError]]:
    """Yield every row that is not blank, with the line where it starts, or what is wrong there."""
    # Spaces before a quote are skipped as the cells' own are later; `strict` refuses quotes left
    # open or closed in the middle of a cell, which else would join cells and rows silently.
    csv.field_size_limit(_LONGEST)  # of the process; 131,072 are less than a long document has
    for _ in range(layout.skip):
        handle.readline()
    reader = csv.reader(handle, delimiter=layout.separator, skipinitialspace=True, strict=True)
    while True:
        line = layout.skip + reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, UserError(f"{name} line {line}: {error}; fix the quotes of that row")
            continue
        if "\0" in "".join(row):
            yield line, UserError(f"{name} line {line}: NUL byte; the file is damaged or no text")
        elif len(row) > 1 or (row and row[0].strip()):
            yield line, row


def _name_columns(cells: list[str], header: bool | None, name: str) -> tuple[list[str], bool]:
    """Return the names of columns, and whether the first row is what names them."""
    if header is False:
        return [f"column_{place}" for place in range(1, len(cells) + 1)], False
    cells = [" ".join(cell.splitlines()).strip() for cell in cells]
    if header is None and _looks_like_a_row(cells):
        raise UserError(
            f"{name} line 1: expected column names, found numbers ({', '.join(cells[:3])}); "
            "write a header line, or pass -d header=false if there is none (header=true if these "
            "are the names)"
        )
    names = [cell or f"Unnamed: {place}" for place, cell in enumerate(cells)]
    _require_unique(names, name, "; rename one, or pass -d header=false if there is no header")
    return names, True


def _looks_like_a_row(cells: list[str]) -> bool:
    """Tell whether a first row holds measurements and no names; years in order may be names."""
    numbers = [cell for cell in cells if _NUMBER.fullmatch(cell)]
    if 2 * len(numbers) < len(cells) or not numbers:
        return False
    if len({*numbers}) < len(numbers) or any(not number.isdigit() for number in numbers):
        return True
    steps = np.diff([int(number) for number in numbers])
    return len(numbers) == len(cells) > 1 and len({*steps.tolist()}) > 1


def _require_unique(names: list[str], name: str, remedy: str = "; rename one") -> None:
    repeated = [column for column, count in Counter(names).items() if count > 1]
    if repeated:
        raise UserError(f"{name}: more than one column is named '{repeated[0]}'{remedy}")
