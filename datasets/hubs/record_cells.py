"""What readers of records say of columns and cells."""

from collections.abc import Iterable

from threefold.core.errors import UserError, suggest
from threefold.datasets.hubs.record_tables import Kind, RecordTable

_DECODED_BADLY = "\N{REPLACEMENT CHARACTER}"


def require_kind(table: RecordTable, name: str, what: str, *kinds: Kind) -> None:
    """Raise a UserError where a column is of none of some kinds, with one that is."""
    if table.columns[name].kind not in kinds:
        hint = suggest(name, table.named(*kinds))
        raise UserError(f"column '{name}' of '{table.reference}' holds no {what}{hint}")


def say_columns(table: RecordTable, *used: str) -> list[str]:
    """Return the notes of opening, and what is not looked at."""
    aside = [name for name in (*table.columns, *table.aside) if name not in used]
    return [*table.notes, *([f"columns ignored: {', '.join(aside)}"] if aside else [])]


def place_of(table: RecordTable, split: str, row: int) -> str:
    """Return what messages call a row of a split."""
    return f"dataset '{table.reference}' {split}, row {row}"


def count_bad(texts: Iterable[str]) -> list[str]:
    """Return a note on texts whose bytes were no UTF-8, if there are such."""
    count = sum(_DECODED_BADLY in one for one in texts)
    return [f"{count} texts hold {_DECODED_BADLY}, where bytes are no UTF-8"] if count else []
