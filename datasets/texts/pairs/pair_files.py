"""Files that hold two texts side by side: sources with targets, documents with summaries."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from threefold.core.errors import UserError, suggest
from threefold.datasets.tables.column_roles import require_column
from threefold.datasets.tables.table_files import Table
from threefold.datasets.texts.text_files import read_lines, read_text, read_text_table, read_texts

TABLES = (".jsonl", ".parquet", ".csv")


class Sides(NamedTuple):
    """What the two sides of a pair are called.

    Args:
        source: str. One of those that are given.
        target: str. One of those that are to be made.
        source_names: tuple of str. Columns that hold the first, the likelier name first.
        target_names: tuple of str. Columns that hold the second, likewise.
    """

    source: str
    target: str
    source_names: tuple[str, ...]
    target_names: tuple[str, ...]


TRANSLATIONS = Sides("source", "target", ("source",), ("target",))
SUMMARIES = Sides(
    "document",
    "summary",
    ("document", "article", "source", "text", "body", "content", "dialogue", "story"),
    ("summary", "highlights", "target", "abstract", "headline", "title"),
)


@dataclass(frozen=True)
class PairFiles:
    """What a user said of the files: the columns of both sides, or the file of the targets.

    Args:
        source: str. The column of the sources: a name in the first line, or a number from 1;
            guessed by its name if None.
        target: str. The column of the targets, likewise.
        target_file: str. A file of the targets alone, one on each line, as those of the sources.
        encoding: str. Of the characters of the files.
        skip_empty: bool. Whether pairs with an empty side are left out or refused.
    """

    source: str | None = None
    target: str | None = None
    target_file: str | None = None
    encoding: str = "utf-8"
    skip_empty: bool = False


class Pairs(NamedTuple):
    """Sources and targets, what messages call each pair, and what was decided."""

    sources: list[str]
    targets: list[str]
    where: list[str]
    notes: list[str]


def read_pairs(path: str, sides: Sides, pair_files: PairFiles) -> Pairs:
    """Read pairs.

    Args:
        path: str. A `.tsv` or other file of text, on each line a source, a tab, a target, and
            perhaps more cells; quotes stand for themselves. Or a `.jsonl`, `.csv` or `.parquet`
            file. Where the targets have a file of their own, a text on each line.
        sides: Sides. What the two are called.
        pair_files: PairFiles. What the user knows better.

    Returns:
        Pairs. At least one.

    Raises:
        UserError: for a file or a line that cannot be used, with its place.
    """
    file = Path(path).expanduser()
    table = file.suffix.lower() in TABLES
    if pair_files.target_file is not None:
        if table or pair_files.source or pair_files.target:
            what = f"{path} is a table" if table else "columns are given, too"
            raise UserError(
                f"-d target_file={pair_files.target_file} goes with a file that holds a "
                f"{sides.source} on each line, and {what}"
            )
        found = _read_two(file, Path(pair_files.target_file).expanduser(), pair_files.encoding)
    else:
        found = (_read_table if table else _read_cells)(file, sides, pair_files)
    found = require_both(found, sides, pair_files.skip_empty)
    if not found.sources:
        raise UserError(
            f"{path} holds no pairs; expected a {sides.source} and a {sides.target} in each row"
        )
    return found


def require_both(found: Pairs, sides: Sides, skip_empty: bool) -> Pairs:
    """Refuse pairs with an empty side, or leave them out and say so.

    Args:
        found: Pairs. As they were read.
        sides: Sides. What the two are called.
        skip_empty: bool. Whether such pairs are left out or refused.

    Returns:
        Pairs. Those of two sides, with what to say among the notes.

    Raises:
        UserError: for an empty side, with its place.
    """
    full = np.array([bool(text.strip()) for text in found.sources], bool)
    full &= np.array([bool(text.strip()) for text in found.targets], bool)
    if full.all():
        return found
    row = int(np.argmin(full))
    side = sides.target if found.sources[row].strip() else sides.source
    if not skip_empty:
        raise UserError(
            f"{found.where[row]}: the {side} is empty; fill it, remove the pair, or leave such "
            "pairs out with -d skip_empty=true"
        )
    kept = np.flatnonzero(full)
    sources, targets, where = ([column[row] for row in kept] for column in found[:3])
    note = f"left out with an empty side: {len(full) - len(kept)} of {len(full)} pairs"
    return Pairs(sources, targets, where, [*found.notes, note])


def find_column(
    columns: Sequence[str], names: Sequence[str], taken: str | None = None
) -> str | None:
    """Return the column of the likeliest name, if there is one.

    Args:
        columns: sequence of str. Those of a table.
        names: sequence of str. In small letters, the likeliest first.
        taken: str. A column that holds something else.

    Returns:
        str, as the table writes it, or None.
    """
    for name in names:
        for column in columns:
            if column.strip().lower() == name and column != taken:
                return column
    return None


def _read_table(file: Path, sides: Sides, explicit: PairFiles) -> Pairs:
    table = read_text_table(file, encoding=explicit.encoding)
    source = explicit.source or _guess(
        table, sides.source, "source", sides.source_names, explicit.target
    )
    target = explicit.target or _guess(table, sides.target, "target", sides.target_names, source)
    for name in (source, target):
        require_column(table, name)
    if source == target:
        raise UserError(f"{table.name}: '{source}' is both {sides.source} and {sides.target}")
    where = [table.where(row) for row in range(len(table.frame))]
    note = f"{len(where)} pairs: '{target}' of '{source}'"
    return Pairs(read_texts(table, source), read_texts(table, target), where, [note])


def _guess(table: Table, side: str, option: str, names: tuple[str, ...], taken: str | None) -> str:
    found = find_column(table.frame.columns, names, taken)
    if found is None:
        raise UserError(
            f"{table.name} has no column '{names[0]}'{suggest('', table.frame.columns)}; say which "
            f"holds each {side} with -d {option}=NAME"
        )
    return found


def _read_cells(file: Path, sides: Sides, explicit: PairFiles) -> Pairs:
    lines = list(read_lines(read_text(file, encoding=explicit.encoding)))
    if not lines:
        raise UserError(
            f"{file} is empty; expected a {sides.source}, a tab and a {sides.target} on each line"
        )
    rows = [(number, line.split("\t")) for number, line in lines]
    first, width = rows[0][0], len(rows[0][1])
    for number, cells in rows:
        if len(cells) != width or width < 2:
            expected = f"{width}, as in line {first}" if width > 1 else "at least two, tabs between"
            alone = f", or the {sides.target} in a file of -d target_file=FILE" * (width < 2)
            raise UserError(
                f"{file} line {number}: {len(cells)} cell{'s' if len(cells) > 1 else ''}; "
                f"expected {expected}{alone}"
            )
    header = [cell.strip() for cell in rows[0][1]]
    guessed = (
        find_column(header, sides.source_names, explicit.target),
        find_column(header, sides.target_names, explicit.source),
    )
    named = [name for name in (explicit.source, explicit.target) if name and not name.isdecimal()]
    if named or all(guessed):  # the first line holds names
        rows = rows[1:]
        explicit = replace(
            explicit,
            source=explicit.source or guessed[0],
            target=explicit.target or guessed[1],
        )
    places = [_place(file, header, explicit.source, 0), _place(file, header, explicit.target, 1)]
    if places[0] == places[1]:
        raise UserError(f"{file}: column {places[0] + 1} is both {sides.source} and {sides.target}")
    sources, targets = ([cells[place].strip() for _, cells in rows] for place in places)
    where = [f"{file} line {number}" for number, _ in rows]
    note = f"{len(rows)} pairs: column {places[1] + 1} of column {places[0] + 1}"
    return Pairs(sources, targets, where, [note])


def _place(file: Path, header: list[str], explicit: str | None, usual: int) -> int:
    """Return the position of a column that was given by number or name."""
    if explicit is None:
        return usual
    if explicit.isdecimal():
        if not 1 <= int(explicit) <= len(header):
            raise UserError(f"{file} has {len(header)} columns, none of number {explicit}")
        return int(explicit) - 1
    if explicit not in header:
        raise UserError(f"{file} has no column '{explicit}'{suggest(explicit, header)}")
    return header.index(explicit)


def _read_two(file: Path, other: Path, encoding: str) -> Pairs:
    """Read two files whose lines belong together, blank ones too."""
    sources, targets = (
        read_text(one, encoding=encoding).removesuffix("\n").split("\n") for one in (file, other)
    )
    if len(sources) != len(targets):
        raise UserError(
            f"{file} ends at line {len(sources):,} and {other} at line {len(targets):,}; expected "
            "as many lines in both, each the counterpart of that in the other file"
        )
    where = [f"{file} and {other} line {number}" for number in range(1, len(sources) + 1)]
    note = f"{len(sources)} pairs: the lines of {other} of those of {file}"
    return Pairs(sources, targets, where, [note])
