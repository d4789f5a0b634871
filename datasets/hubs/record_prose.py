"""Prose out of a column of records: to be continued, or with masked tokens."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.dataset import Dataset
from threefold.datasets.facts import Facts
from threefold.datasets.hubs.record_cells import count_bad, require_kind, say_columns
from threefold.datasets.hubs.record_tables import Choices, RecordTable
from threefold.datasets.tables.table_files import Table, table_of
from threefold.datasets.texts import masked_texts, prose
from threefold.datasets.texts.text_files import TEXT_NAMES, find_text_column

# Words in a cell: columns of fewer are names, or classes by another name.
WORDY = 4
SAMPLES = 100


def read_prose(
    table: RecordTable, choices: Choices, options: Mapping[str, Any], facts: Facts | None
) -> Dataset:
    """Return the texts of a column to be continued."""
    documents, notes = _read_documents(table, choices)
    return prose.continue_documents(
        table.reference,
        documents,
        choices.split_fractions,
        options["tokenizer_config"],
        facts=facts,
        notes=notes,
    )


def read_masked(
    table: RecordTable, choices: Choices, options: Mapping[str, Any], facts: Facts | None
) -> Dataset:
    """Return the texts of a column, with tokens to be masked."""
    given, notes = _read_documents(table, choices)
    documents, remarks = prose.divide_documents(table.reference, given, choices.split_fractions)
    return masked_texts.mask_documents(
        table.reference,
        documents,
        options["tokenizer_config"],
        options["mask_rate"],
        options["masking"],
        facts=facts,
        notes=[*notes, *remarks],
    )


def _read_documents(table: RecordTable, choices: Choices) -> tuple[dict[str, list[str]], list[str]]:
    column = find_text(table, choices.text)
    documents = {split: read_texts_of(table, split, column) for split in table.splits}
    notes = [*say_columns(table, column), f"texts of column '{column}'"]
    notes += count_bad(part for texts in documents.values() for part in texts)
    return documents, notes


def find_text(table: RecordTable, explicit: str | None, label: str | None = None) -> str:
    """Return the column of the texts: as given, by its name, or the wordiest."""
    if explicit is not None:
        require_kind(table, explicit, "texts", "text")
        return explicit
    free = [name for name in table.named("text") if name != label]
    if not free:
        held = (f"{name} ({column.kind})" for name, column in table.columns.items())
        raise UserError(
            f"dataset '{table.reference}' has no column of texts; it has {', '.join(held)}"
        )
    return find_text_column(_sample(table, free), None)


def holds_prose(table: RecordTable) -> bool:
    """Tell whether a column is called as texts are, or its cells are of many words."""
    names = table.named("text")
    if any(name.lower() in TEXT_NAMES for name in names):
        return True
    frame = _sample(table, names).frame if names else {}
    return any(frame[name].str.count(r"\w+").mean() >= WORDY for name in names)


def read_texts_of(table: RecordTable, split: str, column: str) -> list[str]:
    """Return all cells of a column of a split; those without a value are empty."""
    records = table.splits[split]
    return [cell or "" for cell in records.read(np.arange(len(records)), [column])[column]]


def _sample(table: RecordTable, names: Sequence[str]) -> Table:
    """Return some rows, spread over the first split, as a table."""
    import pandas as pd

    records = next(iter(table.splits.values()))
    rows = np.linspace(0, len(records) - 1, min(SAMPLES, len(records))).astype(int)
    frame = pd.DataFrame(records.read(rows, names), dtype="str")
    return table_of(frame[list(names)], table.reference)
