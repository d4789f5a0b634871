"""What stands around the rows of a CSV: titles and comments before them, sums after them."""

import csv
import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from threefold.datasets.tables.notations import Notation

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = ",;\t|"
_LOOKED_AT = 200  # lines
_COMMENTS = ("#", "%", "//")
_SAYS_SEPARATOR = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # for Excel, before the header
_AMOUNT = re.compile(r"[^\w]*\d[\d.,:/\s'\u2019-]*\D{0,5}")
_SUMMARY = re.compile(
    r"(grand |sub-?)?totals?|sum|average|avg\.?|mean|summe|gesamt(summe)?|insgesamt|durchschnitt|"
    r"mittel(wert)?|total g[ée]n[ée]ral|somme|moyenne|totale|m[eé]dia|suma|soma|promedio|totaal|"
    r"gemiddelde|total geral|razem|итого|всего|合計|总计|合计|합계",
    re.IGNORECASE,
)
_NO_NUMBER = re.compile(r"[^\d.,+\-'\u2019]")
_SHOWN = 40  # characters of a line in a note


class Layout(NamedTuple):
    """Where the cells of a CSV are.

    Args:
        separator: str. What stands between them.
        skip: int. How many lines come before the header.
        ends_open: bool. Whether every row but the header ends in a separator.
        notes: tuple of str. What was left out.
    """

    separator: str
    skip: int = 0
    ends_open: bool = False
    notes: tuple[str, ...] = ()


class _Line(NamedTuple):
    number: int
    cells: list[str]

    @property
    def filled(self) -> int:
        return sum(bool(cell.strip()) for cell in self.cells)

    @property
    def is_comment(self) -> bool:
        return self.cells[0].lstrip().startswith(_COMMENTS)


def find_layout(sample: str, name: str, header: bool | None = None) -> Layout:
    """Find the separator by which rows agree, and the lines before the header.

    Args:
        sample: str. The start of a file.
        name: str. What notes call it.
        header: bool. What a user says: with True the first line is the header whatever it is,
            with False only comments may come before the rows.

    Returns:
        Layout. A line before the header is a comment, or holds half as many cells as the rows at
        most, under which names stand above numbers.
    """
    lines = sample.splitlines(keepends=True)[:_LOOKED_AT]
    said = _SAYS_SEPARATOR.fullmatch(lines[0]) if lines else None
    if said:
        return Layout(said[1], 1, _ends_open(_split_lines(lines[1:], said[1], 1)))
    split = {separator: _split_lines(lines, separator) for separator in SEPARATORS}
    best = max(SEPARATORS, key=lambda separator: _agreement(split[separator]))
    start = {} if header else {s: _find_start(rows, header is None) for s, rows in split.items()}
    # Where rows agree without their first lines, these name no columns.
    start = {separator: place for separator, place in start.items() if place}
    if start:
        other = max(start, key=lambda s: _agreement(split[s][start[s] :]))
        place, rows = start[other], split[other]
        if _agreement(rows[place:]) > _agreement(split[best]) or other == best:
            skip = rows[place].number - 1
            shown = " ".join(lines[rows[0].number - 1].split())[:_SHOWN]
            what = "line 1" if skip == 1 else f"lines 1 to {skip}"
            note = (
                f"{name}: {what} before the {'header' if header is None else 'rows'} left out "
                f"('{shown}'); -d header=true takes the first line for the header"
            )
            return Layout(other, skip, _ends_open(rows[place:]), (note,))
    return Layout(best, 0, _ends_open(split[best]))


def _split_lines(lines: list[str], separator: str, before: int = 0) -> list[_Line]:
    """Return the rows that are not blank, with the line where each starts."""
    reader, found = csv.reader(lines, delimiter=separator, skipinitialspace=True), []
    number = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row) or len(row) > 1:
                found.append(_Line(number + before, row))
            number = reader.line_num + 1
    except csv.Error:
        return []
    return found


def _agreement(rows: list[_Line]) -> tuple[float, int]:
    """Return which share of rows is as wide as the first one, and how wide that is."""
    rows = rows[:50]
    if not rows or len(rows[0].cells) < 2:
        return 0, 0
    width = len(rows[0].cells)
    return sum(len(row.cells) == width for row in rows) / len(rows), width


def _find_start(rows: list[_Line], named: bool) -> int:
    """Return how many rows come before the header."""
    if len(rows) < 2:
        return 0
    width = Counter(len(row.cells) for row in rows[len(rows) // 2 :]).most_common(1)[0][0]
    if width < 2:
        return 0
    start = 0
    while start < len(rows) - 1 and _is_before(rows[start], width, named):
        start += 1
    before, first, rest = rows[:start], rows[start], rows[start + 1 :]
    if not before or len(first.cells) != width:
        return 0
    if all(row.is_comment for row in before):
        # The header itself may be marked as a comment.
        marked = len(before[-1].cells) == width and not _names_numbers(first, rest)
        return start - 1 if named and marked else start
    return start if _names_numbers(first, rest) else 0


def _is_before(row: _Line, width: int, named: bool) -> bool:
    if row.is_comment:
        return True
    title = len(row.cells) < width or bool(row.cells[0].strip()) or not row.filled
    return named and title and row.filled <= max(1, width // 2)


def _names_numbers(first: _Line, rest: list[_Line]) -> bool:
    """Return whether a row of different words stands above numbers or dates."""
    names = [cell.strip() for cell in first.cells]
    filled = [name for name in names if name]
    if len({*filled}) < len(filled):
        return False
    rest = [row.cells for row in rest[:20] if len(row.cells) == len(names)]
    for place, name in enumerate(names):
        below = [row[place].strip() for row in rest]
        numbers = sum(bool(_AMOUNT.fullmatch(cell)) for cell in below)
        if len(name) > 2 or name.isalpha():
            if not _AMOUNT.fullmatch(name) and below and 2 * numbers > len(below):
                return name.lower() not in ("na", "n/a", "nan", "null")
    return False


def _ends_open(rows: list[_Line]) -> bool:
    """Return whether all rows but the first end in a separator that this one lacks."""
    if len(rows) < 2 or not rows[0].cells[-1].strip():
        return False
    width = len(rows[0].cells) + 1
    return all(len(row.cells) == width and not row.cells[-1].strip() for row in rows[1:])


def find_strays(
    frame: "pd.DataFrame", names: list[str], lines: np.ndarray, name: str
) -> tuple[np.ndarray, list[str]]:
    """Find rows that are none: the header once more, and sums of the others at the end.

    Args:
        frame: pandas.DataFrame. The cells, all text.
        names: list of str. What the header calls the columns.
        lines: int array of shape (rows,). Where each row stands.
        name: str. What notes call the file.

    Returns:
        (bool array of shape (rows,), list of str): the rows to keep, and notes on the others.
    """
    keep, notes = np.ones(len(frame), bool), []
    if len(names) < 2 or len(frame) < 2:
        return keep, notes
    for row in np.flatnonzero((frame.iloc[:, 0].str.strip() == names[0]).to_numpy(bool)):
        keep[row] = [cell.strip() for cell in frame.iloc[row]] != names
    if again := int((~keep).sum()):
        more = f" and {again - 1} more" if again > 1 else ""
        notes.append(
            f"{name} line {lines[np.argmin(keep)]}{more}: the header once more, left out "
            "(else: -d keep_all_rows=true)"
        )
    last = int(np.flatnonzero(keep)[-1]) if keep.any() else 0
    cells = [str(cell).strip() for cell in frame.iloc[last]]
    places = [p for p, cell in enumerate(cells) if _SUMMARY.fullmatch(cell.rstrip(": "))]
    if len(places) == 1 and (frame.iloc[:, places[0]].str.strip() == cells[places[0]]).sum() == 1:
        where = f"{name} line {lines[last]} says '{cells[places[0]]}'"
        if _sums_up(frame[keep].iloc[:-1], cells, places[0]):
            keep[last] = False
            notes.append(f"{where} of the rows above: left out (else: -d keep_all_rows=true)")
        elif last > 20:
            notes.append(f"{where}: read as a row; remove it if it sums up the others")
    return keep, notes


def _sums_up(above: "pd.DataFrame", cells: list[str], place: int) -> bool:
    """Return whether a last row holds nothing else, or sums or means of the rows above."""
    import pandas as pd

    others = [p for p, cell in enumerate(cells) if cell and p != place]
    if not others:
        return True
    for other in others:
        decimals = len(re.split("[.,]", _NO_NUMBER.sub("", cells[other]))[-1])
        half = 0.51 * 10.0 ** (-decimals if re.search("[.,]", cells[other]) else 0)
        cleaned = [*above.iloc[:, other], cells[other]]
        column = pd.Series([_NO_NUMBER.sub("", str(cell)) for cell in cleaned], dtype="str")
        for notation in (Notation(), Notation(",", ".")):
            *numbers, total = notation.read_numbers(column)
            numbers = np.array(numbers)[~np.isnan(numbers)]
            if len(numbers) > 1 and numbers.any():
                known = np.array([numbers.sum(), numbers.mean()])
                if (np.abs(known - total) <= np.minimum(half, 0.01 * np.abs(known))).any():
                    return True
    return False
