"""What is to be learned of records: labels or numbers, and the rows of each split that have it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from threefold.core.errors import UserError, suggest
from threefold.datasets.dataset import SPLITS
from threefold.datasets.facts import Facts, TableFacts
from threefold.datasets.hubs.record_tables import Choices, Column, Kind, RecordTable


@dataclass(frozen=True)
class Target:
    """What is to be learned.

    Args:
        names: tuple of str. The column of classes, or those of numbers.
        values: dict of str to array. For every split of the source either labels, int64 of shape
            (rows,), -1 where there is none; or numbers, float32 of shape (rows, targets), NaN
            likewise.
        class_names: tuple of str. Empty for numbers.
    """

    names: tuple[str, ...]
    values: dict[str, np.ndarray]
    class_names: tuple[str, ...] = ()


def read_target(
    table: RecordTable, choices: Choices, task: str | None, facts: Facts | None
) -> Target:
    """Find and read what is to be learned.

    Args:
        table: RecordTable. The source, under our names of splits.
        choices: Choices. The user's options.
        task: str, optional. The task that the user named.
        facts: Facts, optional. Those of a run: its classes or numbers are then looked for.

    Returns:
        Goal. Classes where the data allow both and nobody says otherwise.

    Raises:
        UserError: where it is not clear what to learn, or the run knows other classes.
    """
    if task is not None:
        classify = task.endswith("_classification")
    elif facts is not None:
        classify = bool(facts.class_names)
    elif choices.label or choices.target:
        classify = bool(choices.label) or table.columns[choices.target[0]].kind != "number"
    elif table.label is not None:
        classify = table.columns[table.label].kind != "number"
    else:
        classify = bool(table.named("classes")) or not table.named("number")
    if classify:
        return _read_labels(table, _label_name(table, choices, facts), facts)
    return _read_numbers(table, _target_names(table, choices, facts))


def only(table: RecordTable, kind: Kind, what: str, options: str) -> str:
    """Return the one column of a kind, or ask which is meant."""
    found = table.named(kind)
    if len(found) == 1:
        return found[0]
    held = f"several columns of {what}" if found else f"no column of {what}"
    raise UserError(
        f"dataset '{table.reference}' has {held}; name one with {options}: "
        f"{', '.join(found or table.columns)}"
    )


def _label_name(table: RecordTable, choices: Choices, facts: Facts | None) -> str:
    if choices.label or len(choices.target) == 1:
        return choices.label or choices.target[0]
    if isinstance(facts, TableFacts):
        return facts.target_name
    if table.label is not None:
        return table.label
    return only(table, "classes", "classes", "-d label=NAME")


def _target_names(table: RecordTable, choices: Choices, facts: Facts | None) -> tuple[str, ...]:
    if choices.target or choices.label:
        return choices.target or (choices.label,)
    if facts is not None:
        return tuple(target.name for target in facts.targets)
    if table.label is not None and table.columns[table.label].kind == "number":
        return (table.label,)
    return (only(table, "number", "numbers", "-d target=NAME"),)


def _read_whole(table: RecordTable, columns: Sequence[str]) -> dict[str, dict[str, list]]:
    return {
        split: records.read(np.arange(len(records)), columns)
        for split, records in table.splits.items()
    }


def _read_labels(table: RecordTable, name: str, facts: Facts | None) -> Target:
    column = require_column(table, name)
    if column.kind not in ("classes", "text", "number", "boolean"):
        raise UserError(f"column '{name}' of '{table.reference}' holds no classes")
    words = {
        split: [class_name(column, cell) for cell in cells[name]]
        for split, cells in _read_whole(table, [name]).items()
    }
    used = {word for found in words.values() for word in found if word is not None}
    if facts is not None:
        class_names = facts.class_names
        if unknown := sorted(used - set(class_names)):
            raise UserError(
                f"dataset '{table.reference}' holds classes that the run does not know: "
                f"{_shown(unknown)}; it knows {_shown(class_names)}"
            )
    elif column.kind == "classes":
        class_names = column.class_names
    else:
        class_names = tuple(sorted(used, key=natural_order))
    if len(class_names) < 2:
        raise UserError(
            f"column '{name}' of '{table.reference}' holds {len(class_names)} class; "
            "telling classes apart takes two"
        )
    ids: dict[str | None, int] = {word: index for index, word in enumerate(class_names)}
    ids[None] = -1
    values = {
        split: np.array([ids[word] for word in found], np.int64) for split, found in words.items()
    }
    return Target((name,), values, class_names)


def _read_numbers(table: RecordTable, names: tuple[str, ...]) -> Target:
    for name in names:
        if require_column(table, name).kind not in ("number", "boolean"):
            raise UserError(
                f"column '{name}' of '{table.reference}' holds no numbers"
                f"{suggest(name, table.named('number'))}"
            )
    # None becomes NaN on the way to float.
    values = {
        split: np.array([cells[name] for name in names], np.float32).T
        for split, cells in _read_whole(table, names).items()
    }
    return Target(names, values)


def require_column(table: RecordTable, name: str) -> Column:
    """Return what a column holds, or raise a UserError that suggests another name."""
    if name not in table.columns:
        raise UserError(
            f"dataset '{table.reference}' has no column '{name}'{suggest(name, table.columns)}"
        )
    return table.columns[name]


def class_name(column: Column, cell: object) -> str | None:
    """Return the class that a cell names, None where it names none."""
    if cell is None or cell != cell:  # NaN is missing too
        return None
    if column.kind == "classes":
        # Public test sets often hide their labels after -1.
        return column.class_names[cell] if cell >= 0 else None
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return str(cell)


def natural_order(word: str) -> tuple[float, str]:
    """Return what sorts numbers as numbers, before words."""
    try:
        return float(word), word
    except ValueError:
        return float("inf"), word


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def split_table(
    table: RecordTable, choices: Choices, found_target: Target, notes: list[str]
) -> dict[str, tuple[str, np.ndarray]]:
    """Choose each split's rows: those with a goal; what the source lacks is taken from train.

    Args:
        table: RecordTable. The source, under our names of splits.
        choices: Choices. The user's options.
        found_target: Goal. What is to be learned.
        notes: list of str. Is added to.

    Returns:
        dict of str to tuple. Each split's origin among those of `table`, and its rows there.

    Raises:
        UserError: where nothing is left to train on.
    """
    rows: dict[str, tuple[str, np.ndarray]] = {}
    for split, values in found_target.values.items():
        known = values >= 0 if found_target.class_names else np.isfinite(values).all(axis=1)
        if known.any():
            rows[split] = (split, np.flatnonzero(known))
        if not known.all():
            count = "no" if not known.any() else f"{int(known.sum())} of {len(known)}"
            notes.append(f"{split}: {count} rows say what is to be learned; the rest is left out")
    if not rows or ("train" in found_target.values and "train" not in rows):
        raise UserError(
            f"'{table.reference}': no row of {next(iter(found_target.values))} has a value of "
            f"{', '.join(found_target.names)}"
        )
    lacking = [name for name in SPLITS if name not in rows]
    if lacking and "train" in rows:
        train = rows["train"][1]
        labels = found_target.values["train"][train] if found_target.class_names else len(train)
        parts, note = choices.split_fractions.fill_in(labels, rows, noun="rows")
        rows |= {name: ("train", train[part]) for name, part in parts.items()}
        notes += [note] if note else []
    return {name: rows[name] for name in SPLITS if name in rows}
