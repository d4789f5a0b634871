"""Images that may have several labels, or none: a table that names them.

Either one column holds the labels of each image, with something between them, or each label has a
column of 0 and 1.
"""

import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from threefold.core.errors import UserError, suggest
from threefold.datasets.facts import Facts
from threefold.datasets.folder_listing import Listing
from threefold.datasets.images.target_tables import TargetTable
from threefold.datasets.tables.columns import as_text
from threefold.datasets.tables.table_files import Table

SEPARATORS = (";", "|", ",")


def holds_labels(found: TargetTable) -> bool:
    """Return whether a table names labels: words, or several columns of 0 and 1."""
    table = found.table
    _, *others = table.frame.columns
    if len(others) == 1:
        return bool(table.read(others[0], "numeric")[1].any())  # a cell is neither number nor empty
    return all(_are_flags(table, name) for name in others)


def list_label_sets(
    found: TargetTable, facts: Facts | None, separator: str | None = None
) -> Listing:
    """List images that a table gives labels for.

    Args:
        found: TargetTable. The table.
        facts: Facts. Those of a run, whose labels then rule.
        separator: str. What stands between the labels of a cell; guessed if None.

    Returns:
        Listing. Its images are those that the table names, in its first column; its targets are
        bool (files, labels).

    Raises:
        UserError: where a row cannot be used.
    """
    table, notes = found.table, []
    _, *others = table.frame.columns
    if len(others) > 1 and separator is None:
        names, present = tuple(others), _read_flags(table, others)
    else:
        if len(others) > 1:
            raise UserError(
                f"label_separator is for a single column of labels; '{table.name}' has "
                f"{', '.join(others[:5])}"
            )
        cells = as_text(table.frame[others[0]]).fillna("")
        chosen = _guess_separator(list(cells)) if separator is None else separator
        sets = [_split_cell(cell, chosen) for cell in cells]
        names = tuple(sorted(set().union(*sets)))
        if chosen and separator is None:
            notes.append(
                f"labels of an image are separated by '{chosen}'; label_separator= sets another"
            )
        present = _index_sets(sets, names)
    if facts is not None:
        present = _reorder(table, present, names, facts.class_names)
        names = facts.class_names
    _require_labels(table, names, present)
    counts = present.sum(axis=1)
    notes.append(
        f"labels are read from {os.path.basename(table.name)}: {len(names)}, "
        f"{counts.mean():.2g} an image"
        + (f"; {bare:,} images have none" if (bare := int((counts == 0).sum())) else "")
    )
    if facts is None and counts.max() == 1 == counts.min():
        notes.append(
            "each image has one label: a folder for each would serve image_classification, which "
            "tells them from one another"
        )
    listing = found.list_images(present, names)
    return replace(listing, notes=[*notes, *listing.notes])


def describe_rare(listing: Listing, train: np.ndarray) -> list[str]:
    """Return what is said of labels that no image has which is trained on.

    Args:
        listing: Listing. With sets of labels.
        train: int array. Its rows to train on.
    """
    lacking = np.flatnonzero(~listing.found_targets[train].any(axis=0))
    if not len(lacking):
        return []
    shown = ", ".join(listing.target_names[i] for i in lacking[:5])
    more = ", ..." if len(lacking) > 5 else ""
    return [f"no image to train on has the label {shown}{more}: it cannot be learned"]


def _are_flags(table: Table, name: str) -> bool:
    numbers, bad = table.read(name, "numeric")
    return not bad.any() and bool(np.isin(numbers, (0, 1)).all())


def _read_flags(table: Table, columns: Sequence[str]) -> np.ndarray:
    """Return whether each image has each label, bool (rows, labels), from columns of 0 and 1."""
    flags = []
    for name in columns:
        numbers, bad = table.read(name, "numeric")
        bad = bad | ~np.isin(numbers, (0, 1))
        if bad.any():
            row = int(np.argmax(bad))
            raise UserError(
                f"{table.where(row)}: expected 0 or 1 in the column of the label '{name}', found "
                f"'{table.show(row, name)}'"
            )
        flags.append(numbers == 1)
    return np.stack(flags, axis=1)


def _guess_separator(cells: Sequence[str]) -> str:
    """Return what stands between the labels of cells; empty where each holds one at most.

    A space does where that makes the words fewer than the cells: `hot dog` may be one label.
    """
    for separator in SEPARATORS:
        if any(separator in cell for cell in cells):
            return separator
    several = {cell for cell in cells if " " in cell}
    words = {word for cell in cells for word in cell.split()}
    return " " if several and len(words) < len(set(cells)) else ""


def _split_cell(cell: str, separator: str) -> set[str]:
    parts = cell.split(separator) if separator else [cell]
    return {" ".join(part.split()) for part in parts} - {""}


def _index_sets(sets: Sequence[set[str]], names: tuple[str, ...]) -> np.ndarray:
    places = {name: place for place, name in enumerate(names)}
    present = np.zeros((len(sets), len(names)), bool)
    for row, labels in enumerate(sets):
        present[row, [places[label] for label in labels]] = True
    return present


def _reorder(
    table: Table, present: np.ndarray, names: tuple[str, ...], wanted: tuple[str, ...]
) -> np.ndarray:
    """Return the columns of a run's labels; those that the table lacks are absent."""
    for place, name in enumerate(names):
        if name not in wanted and present[:, place].any():
            row = int(np.argmax(present[:, place]))
            raise UserError(
                f"{table.where(row)}: the label '{name}' is none of the run's"
                f"{suggest(name, wanted)}"
            )
    found = np.zeros((len(present), len(wanted)), bool)
    for place, name in enumerate(wanted):
        if name in names:
            found[:, place] = present[:, names.index(name)]
    return found


def _require_labels(table: Table, names: tuple[str, ...], present: np.ndarray) -> None:
    if not present.any():
        raise UserError(f"'{table.name}' gives no image a label")
    if len(names) < 2 and present.all():
        raise UserError(
            f"'{table.name}' gives every image the label '{names[0]}': there is nothing to learn"
        )
