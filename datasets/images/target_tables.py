"""Tables that say what is to be learned of the images in a folder: numbers, or labels."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from threefold.core.errors import UserError, suggest
from threefold.datasets.dataset import narrow
from threefold.datasets.facts import ImageFacts
from threefold.datasets.folder_files import describe_ignored, walk
from threefold.datasets.folder_listing import IMAGES, TARGET_FILES, Listing, find_target_file
from threefold.datasets.images.image_files import CONVERTIBLE, SUFFIXES
from threefold.datasets.tables.columns import guess_columns
from threefold.datasets.tables.table_files import Table, read_table


class TargetTable(NamedTuple):
    """A table that says what is to be learned of a folder's images.

    Args:
        root: Path. The folder.
        table: Table. Its first column names images.
    """

    root: Path
    table: Table

    def list_images(self, found_targets: np.ndarray, target_names: tuple[str, ...]) -> Listing:
        """Return the images that the table names, sorted, with what is to be learned of each row.

        Raises:
            UserError: for an image that is not there, or is named twice.
        """
        names = _read_names(self.root, self.table, self.table.frame.columns[0])
        images, ignored = walk(self.root, SUFFIXES)
        unnamed, notes = len(set(images) - set(names)), []
        if unnamed:
            table = os.path.basename(self.table.name)
            notes.append(f"{unnamed} images that {table} does not name are ignored")
        known = Counter({suffix: ignored[suffix] for suffix in CONVERTIBLE if suffix in ignored})
        notes += describe_ignored(known, IMAGES.noun, CONVERTIBLE)
        splits = np.zeros(len(names), np.int64)
        order = np.array(sorted(range(len(names)), key=names.__getitem__))
        return Listing(names, found_targets, target_names, splits, notes).keep(order)


def read_target_table(root: Path) -> TargetTable:
    """Read the table of targets in a folder.

    Raises:
        UserError: where there is none, or it has no header or a single column.
    """
    path = find_target_file(root)
    if path is None:
        raise UserError(
            f"folder '{root}' has no {' or '.join(TARGET_FILES)}; expected a table whose first "
            "column names the images and whose others hold the numbers to predict, or labels"
        )
    table = read_table(path, keep_all_rows=True)
    guesses = guess_columns(table.frame, separator=table.separator)
    table = replace(table, notations={name: one.notation for name, one in guesses.items()})
    first, *others = table.frame.columns
    if (root / first).is_file() and first.lower().endswith(SUFFIXES):
        raise UserError(
            f"{path} line 1: expected column names, found the image '{first}'; "
            "write a header line such as file,target"
        )
    if not others:
        raise UserError(
            f"{path} has one column; expected a file name, then one or more numbers, or labels"
        )
    return TargetTable(root, table)


def list_targets(found: TargetTable, facts: ImageFacts | None) -> Listing:
    """List images that a table gives numbers for.

    Args:
        found: TargetTable. The table.
        facts: ImageFacts. Those of a run, whose targets are then read.

    Returns:
        Listing. Its images are those that the table names, in its first column.

    Raises:
        UserError: where a row cannot be used.
    """
    table = found.table
    _, *others = table.frame.columns
    wanted = [target.name for target in facts.targets] if facts else others
    for name in wanted:
        if name not in others:
            raise UserError(f"{table.name} has no column '{name}'{suggest(name, others)}")
    found_targets = narrow(np.stack([_read_numbers(table, name) for name in wanted], axis=1))
    listing = found.list_images(found_targets, tuple(wanted))
    note = f"targets are read from {os.path.basename(table.name)}: {', '.join(wanted)}"
    return replace(listing, notes=[note, *listing.notes])


def _read_names(root: Path, table: Table, column: str) -> list[str]:
    seen: dict[str, int] = {}
    for row, cell in enumerate(table.frame[column]):
        name = os.path.normpath(cell.strip()) if cell.strip() else ""
        if not name or not (root / name).is_file():
            raise UserError(f"{table.where(row)}: no image '{name}' in '{root}'")
        if name in seen:
            earlier = table.numbers[seen[name]]
            raise UserError(
                f"{table.where(row)}: '{name}' was named in {table.unit} {earlier} already"
            )
        seen[name] = row
    return list(seen)


def _read_numbers(table: Table, name: str) -> np.ndarray:
    numbers, bad = table.read(name, "numeric")
    if (bad := bad | np.isnan(numbers)).any():
        row = int(np.argmax(bad))
        raise UserError(
            f"{table.where(row)}: expected a number in column '{name}', "
            f"found '{table.frame[name][row]}'"
        )
    return numbers
