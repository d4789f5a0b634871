"""Pairs of texts of a user's own: one to be made of the other, as in translation."""

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from pydantic import PositiveInt

from threefold.datasets.dataset import Dataset
from threefold.datasets.documents import Wording, pair
from threefold.datasets.errors import UserError, suggest
from threefold.datasets.facts import Facts
from threefold.datasets.splitting import split_rows
from threefold.datasets.table_roles import require_column
from threefold.datasets.text_files import read_lines, read_text, read_text_table, read_texts
from threefold.datasets.tokenizing import Kind

_TABLES = (".jsonl", ".parquet", ".csv")


class _Pairs(NamedTuple):
    """Sources and targets, where each pair stands, and what was decided."""

    sources: list[str]
    targets: list[str]
    where: list[str]
    note: str


def load(
    path: str,
    *,
    facts: Facts | None = None,
    source: str | None = None,
    target: str | None = None,
    encoding: str = "utf-8",
    skip_empty: bool = False,
    unit: Literal["word", "character", "phoneme"] = "word",
    tokenizer: Kind = "bpe",
    target_tokenizer: Kind | None = None,
    vocabulary_size: PositiveInt = 8000,
    max_tokens: PositiveInt = 128,
    lowercase: bool = False,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_seed: int = 0,
) -> Dataset:
    """Load pairs.

    Args:
        path: str. A `.tsv` or `.txt` file, on each line a source, a tab, a target, and perhaps
            more cells; quotes stand for themselves. Or a `.jsonl`, `.csv` or `.parquet` file with
            columns `source` and `target`.
        facts: Facts. Those of a run: its tokenizers then rule.
        source: str. The column of the sources: a name in the first line, or a number from 1.
        target: str. The column of the targets, likewise.
        encoding: str. Of the characters of the file.
        skip_empty: bool. Whether pairs with an empty side are left out or refused.
        unit: str. What an error rate counts in a target: word, character, or phoneme (symbols
            with spaces between them).
        tokenizer: str. What a token is: word, character, wordpiece or bpe.
        target_tokenizer: str. The same for targets; none for as the sources.
        vocabulary_size: int. The most tokens each of the tokenizers learns.
        max_tokens: int. Where longer texts are cut.
        lowercase: bool. Whether capital letters of the sources are made small.
        validation_fraction: float. Share of the sources kept for validation.
        test_fraction: float. Share of the sources kept for the test.
        split_seed: int. Which seeded division into splits. A source that is there twice is in
            one split with all its targets.

    Returns:
        Dataset. `source` and `target`, and both as texts.

    Raises:
        UserError: for a file or a line that cannot be used, with its place.
    """
    file = Path(path).expanduser()
    read = _read_table if file.suffix.lower() in _TABLES else _read_lines
    found = read(file, source, target, encoding)
    found, notes = _require_both(found, skip_empty)
    if not found.sources:
        raise UserError(f"{path} holds no pairs; expected a source and a target in each row")
    rows = _split(found.sources, (validation_fraction, test_fraction), split_seed)
    kind = target_tokenizer or tokenizer
    wordings = (
        Wording(tokenizer, vocabulary_size, max_tokens, lowercase),
        Wording(kind, vocabulary_size, max_tokens),
    )
    notes = [f"{len(found.sources)} pairs: {found.note}", *notes]
    return pair(
        path, found.sources, found.targets, rows, wordings, unit=unit, facts=facts, notes=notes
    )


def _read_table(file: Path, source: str | None, target: str | None, encoding: str) -> _Pairs:
    table = read_text_table(file, encoding=encoding)
    names = source or "source", target or "target"
    for name in names:
        require_column(table, name)
    where = [table.where(row) for row in range(len(table.frame))]
    sources, targets = (read_texts(table, name) for name in names)
    return _Pairs(sources, targets, where, f"'{names[1]}' of '{names[0]}'")


def _read_lines(file: Path, source: str | None, target: str | None, encoding: str) -> _Pairs:
    lines = list(read_lines(read_text(file, encoding=encoding)))
    if not lines:
        raise UserError(f"{file} is empty; expected a source, a tab and a target on each line")
    rows = [(number, line.split("\t")) for number, line in lines]
    first, width = rows[0][0], len(rows[0][1])
    for number, cells in rows:
        if len(cells) != width or width < 2:
            expected = f"{width}, as in line {first}" if width > 1 else "at least two, tabs between"
            raise UserError(
                f"{file} line {number}: {len(cells)} cell{'s' if len(cells) > 1 else ''}; "
                f"expected {expected}"
            )
    header = [cell.strip() for cell in rows[0][1]]
    named = [name for name in (source, target) if name and not name.isdecimal()]
    if named or [cell.lower() for cell in header[:2]] == ["source", "target"]:
        rows = rows[1:]
    places = [_place(file, header, source, 0), _place(file, header, target, 1)]
    sources, targets = ([cells[place].strip() for _, cells in rows] for place in places)
    where = [f"{file} line {number}" for number, _ in rows]
    return _Pairs(sources, targets, where, f"column {places[1] + 1} of column {places[0] + 1}")


def _place(file: Path, header: list[str], told: str | None, usual: int) -> int:
    """Return the position of a column that was told by number or name."""
    if told is None:
        return usual
    if told.isdecimal():
        if not 1 <= int(told) <= len(header):
            raise UserError(f"{file} has {len(header)} columns, none of number {told}")
        return int(told) - 1
    if told not in header:
        raise UserError(f"{file} has no column '{told}'{suggest(told, header)}")
    return header.index(told)


def _require_both(found: _Pairs, skip_empty: bool) -> tuple[_Pairs, list[str]]:
    """Refuse pairs with an empty side, or leave them out and say so."""
    full = np.array([bool(text.strip()) for text in found.sources], bool)
    full &= np.array([bool(text.strip()) for text in found.targets], bool)
    if not len(full) or full.all():
        return found, []
    row = int(np.argmin(full))
    side = "target" if found.sources[row].strip() else "source"
    if not skip_empty:
        raise UserError(
            f"{found.where[row]}: the {side} is empty; fill it, remove the line, or leave such "
            "pairs out with -d skip_empty=true"
        )
    kept = np.flatnonzero(full)
    sources, targets, where = ([column[row] for row in kept] for column in found[:3])
    note = f"left out with an empty side: {len(full) - len(kept)} of {len(full)} pairs"
    return _Pairs(sources, targets, where, found.note), [note]


def _split(sources: list[str], fractions: tuple[float, float], seed: int) -> dict[str, np.ndarray]:
    """Divide pairs so that equal sources are in one split."""
    numbers: dict[str, int] = {}
    owners = np.array([numbers.setdefault(source, len(numbers)) for source in sources])
    parts = split_rows(len(numbers), *fractions, seed)
    return {name: np.flatnonzero(np.isin(owners, chosen)) for name, chosen in parts.items()}
