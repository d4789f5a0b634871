"""Documents of a user's own, each of one class: folders of text files, or a table."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.dataset import Dataset
from threefold.datasets.facts import Facts, TextFacts
from threefold.datasets.folder_listing import (
    FileKind,
    divide_listing,
    list_classes,
    require_every_class,
)
from threefold.datasets.reader import Reader
from threefold.datasets.splitting import SplitFractions
from threefold.datasets.tables.column_roles import (
    TARGET_NAMES,
    ColumnRoles,
    divide,
    drop_missing,
    find_split_column,
    read_target,
)
from threefold.datasets.tables.table_files import Table
from threefold.datasets.texts.documents import classify, known_facts
from threefold.datasets.texts.text_files import (
    TEXT_SUFFIXES,
    TextFiles,
    find_text_column,
    read_text,
    read_text_table,
    read_texts,
)
from threefold.datasets.texts.tokenizer_config import (
    DocumentTokenizerConfig,
    TokenizerConfig,
)

READER = Reader(
    ("text_classification",), files=(".jsonl",), folders=(".txt", ".jsonl"), in_classes=True
)
FILES = FileKind("texts", TEXT_SUFFIXES)
LABEL_NAMES = (*TARGET_NAMES, "category", "sentiment", "topic", "stars", "rating")


class _Columns(NamedTuple):
    """What a user said of the columns of a table."""

    text: str | None
    label: str | None
    split_column: str | None


class Documents(NamedTuple):
    """What was read.

    Args:
        texts: list of str. The documents.
        where: list of str. What messages call each.
        labels: int array. The class of each.
        class_names: tuple of str. In the run's order where there is one.
        rows: dict of str to int array. The documents of each split.
        notes: list of str. What was decided.
    """

    texts: list[str]
    where: list[str]
    labels: np.ndarray
    class_names: tuple[str, ...]
    rows: dict[str, np.ndarray]
    notes: list[str]


def load(
    path: str,
    *,
    facts: Facts | None = None,
    text: str | None = None,
    label: str | None = None,
    text_files: TextFiles = TextFiles(),
    tokenizer_config: DocumentTokenizerConfig = DocumentTokenizerConfig(),
    split_fractions: SplitFractions = SplitFractions(),
) -> Dataset:
    """Load documents.

    Args:
        path: str. A folder with one sub-folder of `.txt` files per class, or `train` and perhaps
            `validation` and `test` that hold such; or a `.csv`, `.tsv`, `.parquet` or `.jsonl`
            file.
        facts: Facts. Those of a run: its tokenizer and classes then rule.
        text: str. The column of the texts; guessed if None, by its name, else the wordiest.
        label: str. The column of the classes; guessed if None, by its name, else the one of the
            fewest words.
        text_files: TextFiles. How the files are written.
        tokenizer_config: DocumentTokenizerConfig. How documents become tokens.
        split_fractions: SplitFractions. How documents are divided where nothing says so.

    Returns:
        Dataset. `tokens`, `label` and `text`.

    Raises:
        UserError: for a file or a row that cannot be used, with its place.
    """
    known = known_facts(facts, TextFacts)
    columns = _Columns(text, label, text_files.split_column)
    if Path(path).expanduser().is_dir():
        for name, value in columns._asdict().items():
            if value is not None:
                raise UserError(f"-d {name}={value} names a column, and '{path}' is a folder")
        found = _read_folder(path, known, split_fractions, text_files.encoding)
    else:
        table = read_text_table(Path(path).expanduser(), encoding=text_files.encoding)
        drop = text_files.drop_missing_targets
        found = _read_table(table, known, split_fractions, columns, drop)
    return classify_documents(
        path, found, tokenizer_config, skip_empty=text_files.skip_empty, facts=facts
    )


def classify_documents(
    reference: str,
    found: Documents,
    tokenizer_config: TokenizerConfig,
    *,
    skip_empty: bool,
    facts: Facts | None,
) -> Dataset:
    """Make a dataset of documents.

    Args:
        reference: str. The dataset's.
        found: Documents. As they were read.
        tokenizer_config: TokenizerConfig. How documents become tokens; `facts` know better.
        skip_empty: bool. Whether documents in which there is nothing to see are left out or
            refused.
        facts: Facts. Those of a run.

    Returns:
        Dataset. As from `classify`.

    Raises:
        UserError: for an empty document, with its place.
    """
    texts, _, labels, class_names, rows, notes = _require_texts(found, skip_empty)
    return classify(
        reference, texts, labels, class_names, rows, tokenizer_config, facts=facts, notes=notes
    )


def _read_folder(
    path: str, known: TextFacts | None, split_fractions: SplitFractions, encoding: str
) -> Documents:
    root = Path(path).expanduser()
    listing = list_classes(root, known, FILES)
    if known is None:
        require_every_class(root, listing)
    rows, notes = divide_listing(path, listing, split_fractions)
    where = [os.path.join(root, name) for name in listing.names]
    texts = [read_text(name, encoding=encoding) for name in where]
    notes = [*listing.notes, *notes]
    return Documents(texts, where, listing.found_targets, listing.target_names, rows, notes)


def _read_table(
    table: Table,
    known: TextFacts | None,
    split_fractions: SplitFractions,
    columns: _Columns,
    drop_missing_targets: bool,
) -> Documents:
    explicit = tuple(name for name in columns[:2] if name is not None)
    column_roles = ColumnRoles(explicit, split_column=columns.split_column)
    column_roles.check(table)
    splitting = find_split_column(table, column_roles, known)
    usual = [name for name in table.frame.columns if name.lower() in LABEL_NAMES]
    labelled = [columns.label] if columns.label else usual
    text = find_text_column(table, columns.text, (splitting, *labelled))
    label = columns.label or _guess_label(table, (text, splitting))
    table, remarks = drop_missing(table, [label], drop_missing_targets, known)
    if known is None and table.frame[label].nunique() == len(table.frame):
        raise UserError(
            f"{table.name}: column '{label}' has another class in every row; name that of the "
            "classes with -d label=NAME"
        )
    found_target = read_target(table, [label], "tabular_classification", known)
    rows, how = divide(table, found_target, splitting, split_fractions, known)
    about = f"{table.name}: {len(table.frame)} texts of column '{text}'"
    before = [note.partition("; -d ")[0] for note in table.notes]  # an option of other tables
    notes = [f"{about}; classes of {found_target.describe()}", *before, *remarks, how]
    where = [table.where(row) for row in range(len(table.frame))]
    return Documents(
        read_texts(table, text), where, found_target.values, found_target.class_names, rows, notes
    )


def _guess_label(table: Table, taken: tuple[str | None, ...]) -> str:
    """Return the column of the classes: one of a usual name, else the least varied one."""
    free = [name for name in table.frame.columns if name not in taken]
    if not free:
        raise UserError(
            f"{table.name} has no column left for classes; name one with -d label=NAME, or pass "
            "--task text_generation"
        )
    for wanted in LABEL_NAMES:
        for name in free:
            if name.lower() == wanted:
                return name
    return min(free, key=lambda name: table.frame[name].nunique())


def _require_texts(found: Documents, skip_empty: bool) -> Documents:
    """Refuse documents in which there is nothing to see, or leave them out and say so."""
    empty = np.array([not text.strip() for text in found.texts])
    if not empty.any():
        return found
    first = found.where[int(np.argmax(empty))]
    if not skip_empty:
        more = f", as are {int(empty.sum()) - 1} more" if empty.sum() > 1 else ""
        raise UserError(
            f"{first} is empty{more}; fill or remove it, or leave such out with -d skip_empty=true"
        )
    rows = {name: chosen[~empty[chosen]] for name, chosen in found.rows.items()}
    if not len(next(iter(rows.values()))):
        raise UserError(f"{first} is empty, and all others of {next(iter(rows))}, too")
    rows = {name: chosen for name, chosen in rows.items() if len(chosen)}
    note = f"left out as empty: {int(empty.sum())} of {len(empty)} texts, such as {first}"
    return found._replace(rows=rows, notes=[*found.notes, note])
