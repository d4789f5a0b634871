"""Files of text: plain ones, and those that hold a text on each line."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from threefold.core.errors import UserError
from threefold.core.files import parse_json
from threefold.datasets.file_kinds import START, codec_of, refuse_foreign
from threefold.datasets.tables.column_roles import require_column
from threefold.datasets.tables.table_files import (
    SUFFIXES,
    Table,
    describe_bad_bytes,
    find_codec,
    read_table,
)

TEXT_SUFFIXES = (".txt",)
TABLE_SUFFIXES = (*SUFFIXES, ".jsonl")


@dataclass(frozen=True)
class TextFiles:
    """What a user said of files whose texts have classes.

    Args:
        split_column: str. The column that says train, validation or test of each row; one named
            `split` that holds such words is found by itself.
        encoding: str. Of the characters of the files.
        skip_empty: bool. Whether texts in which there is nothing to see are left out or refused.
        drop_missing_targets: bool. Whether rows without a class are left out or refused.
    """

    split_column: str | None = None
    encoding: str = "utf-8"
    skip_empty: bool = False
    drop_missing_targets: bool = False


TEXT_NAMES = ("text", "document", "sentence", "review", "comment", "body", "content", "message")


def read_text(path: str | Path, *, encoding: str = "utf-8") -> str:
    """Read a file of plain text.

    Args:
        path: str or Path. The file.
        encoding: str. Of its characters.

    Returns:
        str. Lines end in a line feed.

    Raises:
        UserError: where the file cannot be read, with the line of a wrong byte.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    return decode_text(content, str(path), encoding=encoding)


def decode_text(content: bytes, name: str, *, encoding: str = "utf-8") -> str:
    """Turn bytes into text, as `read_text` does; `name` is what messages call them."""
    refuse_foreign(content[:START], name)
    try:
        text = content.decode(codec_of(content, find_codec(encoding)))
    except UnicodeDecodeError as error:
        raise UserError(describe_bad_bytes(content, name, encoding, error)) from None
    except UnicodeError as error:
        raise UserError(f"cannot read {name} as {encoding}: {error}") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank, with their numbers."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line


def read_every_line(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines, blank ones as nothing, with their numbers; for answers line by line."""
    lines = text.removesuffix("\n").split("\n") if text else []
    for number, line in enumerate(lines, 1):
        yield number, line if line.strip() else ""


def read_text_table(source: str | Path | IO, *, encoding: str = "utf-8") -> Table:
    """Read a table of texts: CSV, TSV, Parquet, or JSON Lines, an object on each line.

    Args:
        source: str, Path or file. The file; an open one is read as CSV.
        encoding: str. Of its characters.

    Returns:
        Table. Of JSON Lines the columns are the names that an object has; what it lacks is
        missing.

    Raises:
        UserError: where the file, or one of its rows, cannot be read.
    """
    if not isinstance(source, str | Path) or Path(source).suffix.lower() != ".jsonl":
        return read_table(source, encoding=encoding, keep_all_rows=True)
    import pandas as pd

    name = str(source)
    numbers, rows = [], []
    for number, line in read_lines(read_text(source, encoding=encoding)):
        numbers.append(number)
        rows.append(_read_object(line, f"{name} line {number}"))
    if not rows:
        raise UserError(f"{name} is empty; expected a JSON object on each line")
    return Table(pd.DataFrame(rows), name, "line", np.array(numbers), np.arange(len(rows)))


def _read_object(line: str, where: str) -> dict[str, str | None]:
    try:
        found = parse_json(line)
    except json.JSONDecodeError as error:
        raise UserError(f"{where}, character {error.pos + 1}: no JSON ({error.msg})") from None
    if not isinstance(found, dict):
        raise UserError(f'{where}: expected an object such as {{"text": "..."}}')
    cells = {name: _as_cell(value) for name, value in found.items()}
    try:
        "".join(filter(None, cells.values())).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start].encode("unicode_escape").decode()
        raise UserError(f"{where}: {half} is half a character") from None
    return cells


def _as_cell(value: object) -> str | None:
    """Return a cell as text; what is no text is written as JSON has it."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def find_text_column(
    table: Table, explicit: str | None, others: tuple[str | None, ...] = ()
) -> str:
    """Return the column that holds the texts.

    Args:
        table: Table. As it was read.
        explicit: str. The column that the user named, if any.
        others: tuple of str. Columns that hold something else.

    Returns:
        str. Without a word, one of a usual name, else that of the most words.

    Raises:
        UserError: for a column that is not there.
    """
    if explicit is not None:
        require_column(table, explicit)
        return explicit
    free = [name for name in table.frame.columns if name not in others]
    if not free:
        raise UserError(f"{table.name} has no column left for texts; name one with -d text=NAME")
    for wanted in TEXT_NAMES:
        for name in free:
            if name.lower() == wanted:
                return name
    words = {name: table.frame[name].astype(str).str.count(r"\w+").mean() for name in free}
    return max(free, key=words.__getitem__)


def read_texts(table: Table, column: str) -> list[str]:
    """Return the texts of a column; what is missing is empty."""
    cells = table.frame[column]
    return cells.where(cells.notna(), "").astype(str).tolist()
