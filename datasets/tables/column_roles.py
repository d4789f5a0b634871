"""Which column of a table does what: what is predicted, and what says the split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from threefold.core.errors import UserError, suggest
from threefold.datasets.dataset import SPLITS, narrow, numeric_targets
from threefold.datasets.facts import TableFacts
from threefold.datasets.facts_base import NumericTarget
from threefold.datasets.splitting import SplitFractions
from threefold.datasets.tables.columns import (
    MISSING,
    Kind,
    as_text,
)
from threefold.datasets.tables.notations import BOOLEANS, MOSTLY, PLAIN
from threefold.datasets.tables.table_files import Table

if TYPE_CHECKING:
    import pandas as pd

TASKS = ("tabular_classification", "tabular_regression")
TARGET_NAMES = ("target", "label", "class", "y", "outcome")
MOST_GUESSED_CLASSES = 20  # whole numbers of more values than this are taken for amounts
# Several groups of digits with marks between them, or digits and a unit.
_AMOUNT = r"\W*\d+(?:[.,/:'\s-]+\d+)+(?:\s*[^\W\d]{0,4})\W*|\W*\d+\s*[^\W\d]{1,6}|\W*\d+\W*"
SPLIT_WORDS = {
    "train": "train", "training": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip


@dataclass(frozen=True)
class ColumnRoles:
    """What a user said of the columns.

    Args:
        target: sequence of str. What to predict; guessed if empty.
        ignore: sequence of str. Columns to leave out.
        kinds: mapping of str to Kind. Columns whose kind is given.
        split_column: str. The column that says each row's split.
    """

    target: Sequence[str] = ()
    ignore: Sequence[str] = ()
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    split_column: str | None = None

    def check(self, table: Table) -> None:
        """Raise a UserError for a column that is not there or that has two roles."""
        column_roles = {
            "target": self.target,
            "ignore": self.ignore,
            "numeric, dates or categorical": self.kinds,
            "split_column": [self.split_column] if self.split_column else [],
        }
        seen: dict[str, str] = {}
        for role, names in column_roles.items():
            for name in dict.fromkeys(names):
                require_column(table, name)
                if seen.setdefault(name, role) != role:
                    raise UserError(f"column '{name}' is given both as {seen[name]} and as {role}")


@dataclass(frozen=True)
class Target:
    """What is predicted, read.

    Args:
        task: str. One of `TASKS`.
        names: list of str. The target columns.
        values: array. Labels int64 (rows,), or numbers (rows, targets), from `narrow`.
        class_names: tuple of str. Empty for a regression.
        guessed: bool. Whether whole numbers were taken for classes, or for amounts, by guess.
    """

    task: str
    names: list[str]
    values: np.ndarray
    class_names: tuple[str, ...] = ()
    guessed: bool = False

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The values under the name that the network's losses know."""
        return {"label" if self.class_names else "target": self.values}

    def describe(self) -> str:
        """Return the goal in a person's words."""
        names = ", ".join(f"'{name}'" for name in self.names)
        what = f"{names} ({len(self.class_names)} classes)" if self.class_names else names
        other = TASKS[1] if self.class_names else TASKS[0]
        return what + (f", by its whole numbers (else: --task {other})" if self.guessed else "")

    def facts(self, train: np.ndarray) -> dict[str, tuple]:
        """Return the part of the facts that describes the target, taken from the rows of
        training.
        """
        values = self.values[train]
        if self.class_names:
            counts = np.bincount(values, minlength=len(self.class_names))
            return {"class_names": self.class_names, "class_counts": tuple(counts.tolist())}
        targets: tuple[NumericTarget, ...] = numeric_targets(self.names, values)
        return {"targets": targets}


def require_column(table: Table, name: str) -> None:
    """Raise a UserError that suggests another name if a column is not there."""
    if name not in table.frame.columns:
        hint = suggest(name, table.frame.columns)
        raise UserError(f"{table.name} has no column '{name}'{hint}")


def find_split_column(
    table: Table, column_roles: ColumnRoles, facts: TableFacts | None
) -> str | None:
    """Return the split column that was named, or one named `split` that holds nothing else."""
    if column_roles.split_column is not None:
        return column_roles.split_column
    for name in table.frame.columns:
        if name.lower() == "split" and name not in (
            *column_roles.target,
            *column_roles.ignore,
            *column_roles.kinds,
        ):
            known = as_text(table.frame[name]).str.lower().map(SPLIT_WORDS)
            # One wrong word among many is for `divide` to name, and no reason to learn from it.
            if (known == "train").any() or (facts is not None and known.notna().all()):
                return name if 2 * known.notna().sum() > len(known) else None
    return None


def find_targets(
    table: Table, column_roles: ColumnRoles, split_column: str | None, facts: TableFacts | None
) -> tuple[list[str], str]:
    """Return the columns to predict, and a remark on how they were found."""
    if facts is not None:
        names = [target.name for target in facts.targets] or [facts.target_name]
        for name in names:
            require_column(table, name)
        return names, ""
    if column_roles.target:
        return list(dict.fromkeys(column_roles.target)), ""
    free = [
        name
        for name in table.frame.columns
        if name not in (*column_roles.ignore, *column_roles.kinds, split_column)
    ]
    if not free:
        raise UserError(f"{table.name} has no column left to predict; name one with -d target=NAME")
    for wanted in TARGET_NAMES:
        for name in free:
            if name.lower() == wanted:
                return [name], ", by its name"
    return [free[-1]], ", the last column (another: -d target=NAME)"


def drop_missing(
    table: Table, targets: Sequence[str], drop: bool, facts: TableFacts | None
) -> tuple[Table, list[str]]:
    """Leave out the rows without a target, with a remark, or refuse them."""
    classes = facts.class_names if facts is not None else ()
    missing = np.zeros(len(table.frame), bool)
    for name in targets:
        missing |= _target_text(table, name, classes).isna().to_numpy()
    if not missing.any():
        return table, []
    count, names = int(missing.sum()), ", ".join(targets)
    if missing.all():
        raise UserError(f"{table.name}: target '{names}' is missing in every row")
    if not drop:
        raise UserError(
            f"{table.where(int(np.argmax(missing)))}: target '{names}' is missing, as in {count} "
            f"of {len(missing)} rows; fix them or pass -d drop_missing_targets=true"
        )
    return table.take(~missing), [f"{count} rows without a target left out"]


def read_target(
    table: Table, targets: list[str], task: str | None, facts: TableFacts | None
) -> Target:
    """Read the target columns.

    Args:
        table: Table. No target is missing in it.
        targets: list of str. The target columns.
        task: str. The task that the user named, if any.
        facts: TableFacts. Those of a run: they then say the task and the classes.

    Returns:
        Goal. Class names in sorted order, numbers by their value.

    Raises:
        UserError: for cells that do not fit the task.
    """
    guessed = False
    if facts is not None:
        task = TASKS[0] if facts.class_names else TASKS[1]
    elif task is None:
        task, guessed = (TASKS[1], False) if len(targets) > 1 else _guess_task(table, targets[0])
    if task not in TASKS:
        raise UserError(f"a table serves {' or '.join(TASKS)}, not {task}")
    if task == TASKS[1]:
        amounts = _read_amounts(table, targets, facts is None)
        return Target(task, targets, amounts, guessed=guessed)
    if len(targets) > 1:
        raise UserError(f"{task} takes one target, got {', '.join(targets)}")
    labels, class_names = _read_labels(table, targets[0], facts.class_names if facts else ())
    return Target(task, targets, labels, class_names, guessed)


def divide(
    table: Table,
    found_target: Target,
    split_column: str | None,
    split_fractions: SplitFractions,
    facts: TableFacts | None,
) -> tuple[dict[str, np.ndarray], str]:
    """Return the rows of each split, and how they were divided in words.

    Data for a run (`facts`) need no rows to train on.
    """
    labels = (
        found_target.values if found_target.class_names else np.zeros(len(table.frame), np.int64)
    )
    if split_column is None:
        splits = split_fractions.split(labels)
        how = f"split by seed {split_fractions.split_seed}" + (
            ", stratified" if found_target.class_names else ""
        )
    else:
        read = as_text(table.frame[split_column]).str.lower().map(SPLIT_WORDS)
        if read.isna().any():
            row = int(np.argmax(read.isna()))
            raise UserError(
                f"{table.where(row)}: column '{split_column}' holds "
                f"'{table.show(row, split_column)}', expected train, validation or test; fix it, "
                f"or pass -d ignore={split_column} to divide the rows anew"
            )
        splits = {name: np.flatnonzero(read == name) for name in SPLITS if (read == name).any()}
        if "train" not in splits and facts is None:
            raise UserError(f"{table.name}: column '{split_column}' marks no row as train")
        how = f"split by column '{split_column}'"
        if "train" in splits and "validation" not in splits and split_fractions.validation_fraction:
            train = splits["train"]
            # A column that marks none for the test means none.
            inner, note = split_fractions.fill_in(labels[train], ("test",), noun="rows to train on")
            splits |= {name: train[rows] for name, rows in inner.items()}
            splits = {name: splits[name] for name in SPLITS if name in splits}
            how += f", {note}"
    sizes = ", ".join(f"{len(rows)} {name}" for name, rows in splits.items())
    return splits, f"{how}: {sizes}"


def _target_text(table: Table, name: str, classes: Sequence[str] = ()) -> "pd.Series":
    """Return a target's cells as text; a word such as `-` may be a class there."""
    column = table.frame[name]
    text = as_text(column, tuple(word for word in MISSING if word != "-"))
    if classes:
        raw = as_text(column, missing=("",))
        return text.where(~raw.isin(classes), raw)
    dashes = text == "-"
    written = table.notations.get(name, PLAIN)
    if dashes.any() and not np.isnan(written.read_numbers(text[~dashes].dropna())).any():
        return text.mask(dashes)
    return text


def _guess_task(table: Table, name: str) -> tuple[str, bool]:
    """Return the task that a target suggests, and whether whole numbers leave it in doubt."""
    text = _target_text(table, name)
    values = text.value_counts()
    words = values.index.to_series()
    if any(set(words.str.lower()) <= set(pair) for pair in BOOLEANS):
        return TASKS[0], False
    numbers = table.notations.get(name, PLAIN).read_numbers(words)
    # A slip among amounts is better refused by its line than taken for a class.
    if values.to_numpy()[np.isnan(numbers)].sum() > (1 - MOSTLY) * len(text):
        _require_words(table, name, words)
        return TASKS[0], False
    numbers = numbers[~np.isnan(numbers)]
    if (numbers != np.rint(numbers)).any():
        return TASKS[1], False
    few = len(words) <= min(MOST_GUESSED_CLASSES, len(text) / 2)
    return TASKS[0] if few else TASKS[1], True


def _require_words(table: Table, name: str, words: "pd.Series") -> None:
    """Refuse to take many different cells for classes that look like amounts, or like dates."""
    if len(words) <= MOST_GUESSED_CLASSES:
        return
    if words.str.fullmatch(_AMOUNT).mean() >= MOSTLY:
        raise UserError(
            f"{table.name}: target '{name}' has {len(words)} different cells such as "
            f"'{words.iloc[0]}', which look like numbers or dates but are not read as numbers; say "
            f"how they are written (-d decimal=, or -d thousands=.), or pass --task {TASKS[0]} if "
            "they are classes"
        )


def _read_amounts(table: Table, targets: list[str], fitting: bool) -> np.ndarray:
    columns = []
    for name in targets:
        numbers, bad = table.read(name, "numeric")
        if bad.any():
            row = int(np.argmax(bad))
            raise UserError(
                f"{table.where(row)}: target '{name}' holds '{table.show(row, name)}', "
                f"expected a finite number for {TASKS[1]}"
            )
        columns.append(numbers)
        if fitting and (columns[-1] == columns[-1][0]).all():
            raise UserError(f"{table.name}: target '{name}' is {numbers[0]:g} in every row")
    return narrow(np.stack(columns, axis=1))


def _read_labels(
    table: Table, name: str, class_names: tuple[str, ...]
) -> tuple[np.ndarray, tuple[str, ...]]:
    import pandas as pd

    text = _target_text(table, name, class_names)
    # A whole number is one class however it is written.
    plain = text.str.replace(r"^([+-]?\d+)\.0*$", r"\1", regex=True)
    text = plain.where(~text.isin(class_names), text)
    if not class_names:
        words = text.unique().tolist()
        if len(words) == 1:
            raise UserError(
                f"{table.name}: target '{name}' is '{table.show(0, name)}' in every row; "
                "a classification needs two classes"
            )
        if len(words) == len(text):
            raise UserError(
                f"{table.name}: target '{name}' has another class in every row; "
                "name another column with -d target=NAME"
            )
        numbers = pd.to_numeric(pd.Series(words), errors="coerce").to_numpy(np.float64)
        order = np.argsort(words) if np.isnan(numbers).any() else np.lexsort((words, numbers))
        class_names = tuple(words[position] for position in order)
    labels = pd.Index(class_names, dtype="str").get_indexer(text)
    if (labels < 0).any():
        row = int(np.argmax(labels < 0))
        raise UserError(
            f"{table.where(row)}: target '{name}' holds '{table.show(row, name)}', "
            f"which is no class of the run{suggest(text.iloc[row], class_names)}"
        )
    return labels.astype(np.int64), class_names
