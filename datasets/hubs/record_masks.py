"""Masks of images, out of a second column of images of records."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.dataset import Dataset
from threefold.datasets.facts import Facts
from threefold.datasets.hubs.record_cells import place_of, require_kind, say_columns
from threefold.datasets.hubs.record_files import BLOCK, MASK_NAMES, RecordFiles, find_image
from threefold.datasets.hubs.record_tables import Choices, RecordTable
from threefold.datasets.images.image_files import File
from threefold.datasets.images.masks.files import CLASS_OPTION, Classes, read_class_file
from threefold.datasets.images.masks.folder import facts_of_masks, segment_images, settle_masks


def read_masks(table: RecordTable, choices: Choices, facts: Facts | None) -> Dataset:
    """Make a dataset of images and masks.

    Args:
        table: RecordTable. The source, under our names of splits.
        choices: Choices. The user's options.
        facts: Facts, optional. Those of a run: its image shape and its classes then rule.

    Returns:
        Dataset. As from a folder of images and masks.

    Raises:
        UserError: where the columns do not serve, and for a row that cannot be used.
    """
    image, mask = _find_columns(table, choices)
    rows, notes = [], say_columns(table, image, mask)
    for split, records in table.splits.items():
        if split != "train" and not _holds_any(table, split, mask):
            notes.append(f"{split}: no row has a mask; the split is ignored")
            continue
        rows += [(split, row) for row in range(len(records))]
    facts = facts_of_masks(facts)
    named, source = _name_classes(table, choices, mask)
    found = settle_masks(
        RecordFiles(table, rows, image),
        _Masks(table, rows, mask),
        [split for split, _ in rows],
        Classes.of(facts) if facts else None,
        named,
        choices.ignored,
        source,
    )
    return segment_images(
        table.reference,
        found._replace(fingerprint=table.fingerprint, notes=[*found.notes, *notes]),
        {},
        facts=facts,
        image_size=choices.image_size,
        tile_size=choices.tile_size,
        channels=choices.channels,
        split_fractions=choices.split_fractions,
    )


def guess_mask(table: RecordTable, choices: Choices) -> str | None:
    """Return the one column that is of masks by its kind or by its name, if there is one."""
    if choices.mask is not None:
        return choices.mask
    images = [name for name in table.named("image") if name != choices.image]
    named = [name for name in images if name.lower() in MASK_NAMES]
    found = table.named("mask") or named
    return found[0] if len(found) == 1 else None


class _Masks(RecordFiles):
    """The masks of a column, all of which have to be there."""

    def __getitem__(self, place: int) -> File:
        file = super().__getitem__(place)
        if isinstance(file, bytes) and not file:
            raise UserError(f"{place_of(self.table, *self.rows[place])}: its mask is missing")
        return file


def _find_columns(table: RecordTable, choices: Choices) -> tuple[str, str]:
    mask = guess_mask(table, choices)
    others = [name for name in table.named("image", "mask") if name != choices.image]
    if mask is None:
        several = "several columns of images" if len(others) > 1 else "no column of masks"
        raise UserError(
            f"dataset '{table.reference}' has {several}, none of which is known to hold masks by "
            f"its name; name it with -d mask=NAME: {', '.join(others or table.columns)}"
        )
    require_kind(table, mask, "masks", "image", "mask")
    if mask == choices.image:
        raise UserError(f"column '{mask}' of '{table.reference}' is both image and mask")
    others = {name: column for name, column in table.columns.items() if name != mask}
    return find_image(replace(table, columns=others), choices), mask


def _holds_any(table: RecordTable, split: str, mask: str) -> bool:
    """Return whether a split has a mask; public test sets hide theirs."""
    records = table.splits[split]
    blocks = (
        np.arange(start, min(start + BLOCK, len(records)))
        for start in range(0, len(records), BLOCK)
    )
    return any(file for rows in blocks for file in records.read(rows, [mask])[mask])


def _name_classes(table: RecordTable, choices: Choices, mask: str) -> tuple[Classes | None, str]:
    """Return the classes that a user or the source names, and who says which there are."""
    if choices.class_file is not None:
        path = Path(choices.class_file).expanduser()
        named = read_class_file(path)
        if named is None:
            raise UserError(f"no file '{path}' of names of classes (-d {CLASS_OPTION})")
        return named, f"'{path}'"
    names = table.columns[mask].class_names
    if names:
        return Classes(names, tuple(range(len(names)))), f"column '{mask}'"
    return None, f"the masks (-d {CLASS_OPTION}=FILE names them)"
