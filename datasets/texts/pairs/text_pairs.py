"""Pairs of texts of a user's own, each of one class, such as whether one follows from the other."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.dataset import ArraySource, Dataset, SubsetSource, fingerprint_arrays
from threefold.datasets.facts import Facts, TextPairFacts
from threefold.datasets.reader import Reader
from threefold.datasets.splitting import SplitFractions
from threefold.datasets.tables.column_roles import (
    ColumnRoles,
    divide,
    drop_missing,
    find_split_column,
    read_target,
    require_column,
)
from threefold.datasets.tables.table_files import Table
from threefold.datasets.texts.documents import as_objects, known_facts
from threefold.datasets.texts.labeled_texts import LABEL_NAMES
from threefold.datasets.texts.pairs.pair_files import Pairs, Sides, find_column, require_both
from threefold.datasets.texts.text_files import TextFiles, read_text_table, read_texts
from threefold.datasets.texts.token_notes import describe_tokens
from threefold.datasets.texts.tokenizer_config import (
    PairTokenizerConfig,
    TokenizerConfig,
)
from threefold.datasets.texts.tokenizing import encode, token_names
from threefold.datasets.texts.truncation import shorten

READER = Reader(
    ("text_pair_classification",),
    only="a table of pairs of texts, such as a .jsonl",
    # What public sets call the two: SNLI and MNLI, GLUE's others, Quora's, QNLI.
    fields=(
        ("premise", "hypothesis"),
        ("sentence1", "sentence2"),
        ("question1", "question2"),
        ("text1", "text2"),
        ("text_a", "text_b"),
        ("question", "sentence"),
        ("first", "second"),
    ),
)
LABELS = ("gold_label", *LABEL_NAMES, "is_duplicate", "entailment")
SIDES = Sides("first text", "second text", (), ())


def load(
    path: str,
    *,
    facts: Facts | None = None,
    first: str | None = None,
    second: str | None = None,
    label: str | None = None,
    text_files: TextFiles = TextFiles(),
    tokenizer_config: PairTokenizerConfig = PairTokenizerConfig(),
    split_fractions: SplitFractions = SplitFractions(),
) -> Dataset:
    """Load pairs of texts.

    Args:
        path: str. A `.jsonl`, `.tsv`, `.csv` or `.parquet` file with two columns of texts and one
            of classes.
        facts: Facts. Those of a run: its tokenizer, columns and classes then rule.
        first: str. The column of the first texts; guessed by its name if None, such as `premise`,
            `sentence1`, `question1` or `first`.
        second: str. The column of the second texts, likewise.
        label: str. The column of the classes, likewise, such as `label` or `gold_label`.
        text_files: TextFiles. How the files are written.
        tokenizer_config: PairTokenizerConfig. How texts become tokens.
        split_fractions: SplitFractions. How pairs are divided where nothing says so.

    Returns:
        Dataset. `first` and `second` int32, as objects, both as texts, and `label`.

    Raises:
        UserError: for a file or a row that cannot be used, with its place.
    """
    known = known_facts(facts, TextPairFacts)
    table = read_text_table(Path(path).expanduser(), encoding=text_files.encoding)
    if known is not None:
        first, second = first or known.columns[0], second or known.columns[1]
    columns = find_columns(table, first, second)
    label = label or find_column(table.frame.columns, LABELS)
    if label is None:
        raise UserError(f"{table.name}: say which column holds the classes with -d label=NAME")
    column_roles = ColumnRoles((*columns, label), split_column=text_files.split_column)
    column_roles.check(table)
    splitting = find_split_column(table, column_roles, known)
    table, remarks = drop_missing(table, [label], text_files.drop_missing_targets, known)
    pairs = read_both(table, columns)
    full = require_both(pairs, SIDES, text_files.skip_empty)
    if len(full.sources) < len(pairs.sources):
        kept = np.isin(pairs.where, full.where)
        table, remarks = table.take(kept), [*remarks, *full.notes]
    found_target = read_target(table, [label], "tabular_classification", known)
    rows, how = divide(table, found_target, splitting, split_fractions, known)
    about = f"{len(full.sources)} pairs of '{columns[0]}' and '{columns[1]}'"
    return compare(
        path,
        full,
        found_target.values,
        found_target.class_names,
        rows,
        tokenizer_config,
        columns=columns,
        facts=facts,
        notes=[f"{about}; classes of {found_target.describe()}", *remarks, how],
    )


def find_columns(table: Table, first: str | None, second: str | None) -> tuple[str, str]:
    """Return the columns of the two texts.

    Args:
        table: Table. As it was read.
        first: str. The column of the first texts, if the user named it.
        second: str. That of the second.

    Raises:
        UserError: where they are not there, or were not named and are not called as usual.
    """
    usual = guess_columns(table.frame.columns) or (None, None)
    first, second = first or usual[0], second or usual[1]
    if not (first and second):
        raise UserError(
            f"{table.name}: say which columns hold the two texts with -d first=NAME -d second=NAME:"
            f" {', '.join(table.frame.columns)}"
        )
    for name in (first, second):
        require_column(table, name)
    if first == second:
        raise UserError(f"{table.name}: column '{first}' is both the first text and the second")
    return first, second


def guess_columns(columns: Iterable[str]) -> tuple[str, str] | None:
    """Return the columns of two texts that are called as in public sets, if there are such."""
    names = {name.strip().lower(): name for name in columns}
    for first, second in READER.fields:
        if first in names and second in names:
            return names[first], names[second]
    return None


def read_both(table: Table, columns: tuple[str, str]) -> Pairs:
    """Return the two texts of every row of a table, empty ones too."""
    where = [table.where(row) for row in range(len(table.frame))]
    return Pairs(read_texts(table, columns[0]), read_texts(table, columns[1]), where, [])


def compare(
    reference: str,
    pairs: Pairs,
    labels: np.ndarray,
    class_names: Sequence[str],
    rows: Mapping[str, np.ndarray],
    tokenizer_config: TokenizerConfig,
    *,
    columns: tuple[str, str] = ("first", "second"),
    facts: Facts | None = None,
    notes: Sequence[str] = (),
) -> Dataset:
    """Make a dataset of pairs of texts that each have a class.

    Args:
        reference: str. The dataset's.
        pairs: Pairs. The first texts are their sources, the second their targets.
        labels: int array of shape (pairs,). Positions in `class_names`.
        class_names: sequence of str. In the run's order where there are `facts`.
        rows: mapping of str to int array. The pairs of each split.
        tokenizer_config: TokenizerConfig. How they become tokens; `facts` know better.
        columns: pair of str. The columns of a table that hold the two.
        facts: Facts. Those of a run.
        notes: sequence of str. What was decided before.

    Returns:
        Dataset. `first` and `second` int32, as objects, `first_text`, `second_text`, and `label`.

    Raises:
        UserError: for a text that is too long, where the tokenizer_config refuses such.
    """
    known = known_facts(facts, TextPairFacts)
    if known is None:
        train = rows["train"]
        content = tokenizer_config.learn([side[row] for side in pairs[:2] for row in train])
        known = TextPairFacts(
            tokenizer=content,
            vocabulary_size=len(token_names(content)),
            max_length=tokenizer_config.max_tokens,
            columns=columns,
            class_names=tuple(class_names),
            class_counts=tuple(np.bincount(labels[train], minlength=len(class_names)).tolist()),
        )
    arrays, remarks = {}, []
    for name, texts in (("first", pairs.sources), ("second", pairs.targets)):
        tokens = encode(known.tokenizer, texts)
        parts, said = shorten(
            tokens, known.max_length, tokenizer_config.long, f"{name} texts", where=pairs.where
        )
        arrays[name], remarks = parts.of(tokens), [*remarks, *said]
        if facts is None:
            remarks += describe_tokens(known.tokenizer, tokens, rows, f"{name} texts")
    raw = {
        "first_text": as_objects(pairs.sources),
        "second_text": as_objects(pairs.targets),
        "label": labels.astype(np.int64),
    }
    source = ArraySource(arrays | raw)
    splits = {name: SubsetSource(source, found) for name, found in rows.items()}
    task, fingerprint = "text_pair_classification", fingerprint_arrays(raw)
    return Dataset(reference, task, known, splits, fingerprint, [*notes, *remarks])
