"""What a folder of images, or of texts, holds: names of files and what is to be learned of each.

Nothing is opened here but a table of targets.
"""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from threefold.core.errors import UserError, suggest
from threefold.datasets.dataset import SPLITS
from threefold.datasets.facts import Facts
from threefold.datasets.folder_files import describe_ignored, is_hidden, walk
from threefold.datasets.images.image_files import CONVERTIBLE, SUFFIXES
from threefold.datasets.splitting import SplitFractions
from threefold.datasets.tables.column_roles import SPLIT_WORDS

TARGET_FILES = ("targets.csv", "labels.csv")


class FileKind(NamedTuple):
    """A kind of file: what a person calls them, and how their names end.

    `convertible` are ends of names that are of the kind too, but not read.
    """

    noun: str
    suffixes: tuple[str, ...]
    convertible: tuple[str, ...] = ()


IMAGES = FileKind("images", SUFFIXES, CONVERTIBLE)


@dataclass(frozen=True)
class Listing:
    """The images, or other files, of a folder, sorted by name.

    Args:
        names: list of str. Paths relative to the folder.
        found_targets: int64 array of shape (files,), the class of each; float array of shape
            (files, targets), its numbers; or bool array of shape (files, labels), its labels.
        target_names: tuple of str. Names of the classes, or of the numbers.
        splits: int array of shape (images,). Which of `SPLITS` each belongs to; all to the
            first where the folder does not say.
        notes: list of str. What was decided.
        files: FileKind. What they are.
    """

    names: list[str]
    found_targets: np.ndarray
    target_names: tuple[str, ...]
    splits: np.ndarray
    notes: list[str] = field(default_factory=list)
    files: FileKind = IMAGES

    def keep(self, rows: np.ndarray) -> "Listing":
        """Return the listing of some of the files only."""
        names = [self.names[row] for row in rows]
        return replace(
            self, names=names, found_targets=self.found_targets[rows], splits=self.splits[rows]
        )

    def strata(self, rows: np.ndarray) -> np.ndarray | None:
        """Return the groups of which each split gets its share, int64 (rows,): classes, or the
        rarest label of each file; None of numbers.
        """
        found = self.found_targets[rows]
        if found.dtype != bool:
            return found if found.ndim == 1 else None
        counts = np.where(found, found.sum(axis=0), len(found) + 1)
        return np.where(found.any(axis=1), counts.argmin(axis=1), found.shape[1])


def find_target_file(root: Path) -> Path | None:
    """Return the table of targets in a folder, if there is one."""
    return next((root / name for name in TARGET_FILES if (root / name).is_file()), None)


def sub_folders(folder: Path) -> list[str]:
    """Return the names of the folders in a folder, sorted, without the hidden."""
    try:
        with os.scandir(folder) as entries:
            return sorted(e.name for e in entries if e.is_dir() and not is_hidden(e.name))
    except OSError as error:
        raise UserError(f"cannot read folder '{folder}': {error.strerror}") from None


def split_of(name: str) -> str | None:
    """Return the split that a folder or file belongs to by its name: `valid`, `train2017`."""
    return SPLIT_WORDS.get(name.lower().rstrip("0123456789"))


def find_splits(root: Path, is_split: Callable[[str], bool]) -> dict[str, Path]:
    """Return the folders of splits in a folder; none where there is no such.

    Args:
        root: Path. The folder.
        is_split: callable. Whether a folder of this name holds what a split does.

    Raises:
        UserError: for two folders of one split, and for splits without `train`.
    """
    found: dict[str, Path] = {}
    for name in sub_folders(root):
        split = split_of(name)
        if split is None or not is_split(name):
            continue
        if split in found:
            raise UserError(
                f"'{found[split]}' and '{root / name}' are both for {split}; keep one of them"
            )
        found[split] = root / name
    if found and "train" not in found:
        raise UserError(f"folder '{root}' holds {' and '.join(found)} but no train")
    return found


def list_classes(root: Path, facts: Facts | None, files: FileKind = IMAGES) -> Listing:
    """List files that lie in one sub-folder per class.

    Args:
        root: Path. The folder; it may hold `train` and other splits that hold the classes.
        facts: Facts. Those of a run, whose classes then rule.
        files: FileKind. Which files.

    Returns:
        Listing. Classes are in the order of the run, else of their names.

    Raises:
        UserError: where there are no classes, or one that is empty or not known.
    """
    folders = _split_folders(root) or {"train": root}
    present = sub_folders(folders["train"])
    if len(present) < (1 if facts else 2):
        raise _no_classes(root, folders["train"], present, files)
    class_names = facts.class_names if facts else tuple(present)
    places = []
    for split, folder in folders.items():
        for name in sub_folders(folder):
            if name not in class_names:
                whose = "of the run's" if facts else f"of those in '{folders['train']}'"
                raise UserError(
                    f"class folder '{folder / name}' is none {whose}{suggest(name, class_names)}"
                )
            places.append((folder / name, class_names.index(name), split))
    listing = _list_places(root, places, class_names, files, f"the class folders of '{root}' hold")
    beside = set(sub_folders(root)) - {folder.name for folder in folders.values()}
    if folders["train"] != root and beside:
        listing.notes.append(
            f"folders alongside the splits are ignored: {', '.join(sorted(beside))}"
        )
    return listing


def list_any_images(root: Path, facts: Facts | None) -> Listing:
    """List images in classes, as `list_classes` does, or, where there are no two, all as one class.

    Args:
        root: Path. The folder; it may hold `train` and other splits.
        facts: Facts. Those of a run, whose classes then rule.

    Returns:
        Listing. A single class is called like the only sub-folder, else like the folder.

    Raises:
        UserError: as from `list_classes`, and for a folder without images.
    """
    splits = _split_folders(root, flat=True)
    whole = splits.get("train", root)
    names = facts.class_names if facts else sub_folders(whole)
    if len(names) > 1:
        return list_classes(root, facts)
    name = names[0] if names else root.resolve().name
    places = [(folder, 0, split) for split, folder in (splits or {"train": root}).items()]
    return _list_places(root, places, (name,), IMAGES, f"folder '{root}' holds")


def _list_places(
    root: Path,
    places: list[tuple[Path, int, str]],
    class_names: tuple[str, ...],
    files: FileKind,
    holder: str,
) -> Listing:
    """List the files in some folders, given with the class and the split of each."""
    found, ignored = [], Counter()
    for folder, label, split in places:
        inside, others = walk(folder, files.suffixes)
        ignored += others
        prefix = os.path.relpath(folder, root)
        place = "" if prefix == os.curdir else prefix
        found += [(os.path.join(place, file), label, SPLITS.index(split)) for file in inside]
    notes = describe_ignored(ignored, files.noun, files.convertible)
    if not found:
        there = ", ".join([", ".join(files.suffixes), *notes])
        raise UserError(f"{holder} no {files.noun} ({there})")
    found.sort()
    return Listing(
        [name for name, _, _ in found],
        np.array([label for _, label, _ in found], np.int64),
        class_names,
        np.array([split for _, _, split in found], np.int64),
        notes,
        files,
    )


def _split_folders(root: Path, *, flat: bool = False) -> dict[str, Path]:
    """Return the folders of splits that hold folders of classes; none where there is no such.

    Where images need no classes, `flat`, splits may hold images if there is no other folder.
    """
    found: dict[str, Path] = {}
    names = sub_folders(root)
    flat = flat and all(name.lower() in SPLIT_WORDS for name in names)
    for name in names:
        split = SPLIT_WORDS.get(name.lower())
        # A class may be called `train` too: it then holds images.
        if split is None or not (flat or sub_folders(root / name)):
            continue
        if split in found:
            raise UserError(
                f"'{found[split]}' and '{root / name}' are both for {split}; keep one of them"
            )
        found[split] = root / name
    if found and "train" not in found:
        if len(found) < len(names):
            return {}
        raise UserError(
            f"folder '{root}' holds {' and '.join(found)} but no train; add it, or name the "
            "folder of the classes itself"
        )
    return found


def _no_classes(root: Path, folder: Path, class_names: list[str], files: FileKind) -> UserError:
    """Return what to say of a folder without classes to distinguish."""
    if class_names:
        found = f"holds a single class, '{class_names[0]}'"
    else:
        inside, ignored = walk(folder, files.suffixes)
        found = f"holds no {files.noun}" if ignored else "is empty"
        if inside:
            found = f"holds {len(inside)} {files.noun} and no sub-folders"
    expected = f"folder '{folder}' {found}; expected one sub-folder of {files.noun} for each class"
    if files != IMAGES:
        return UserError(expected)
    table = find_target_file(root)
    return UserError(
        f"{expected}, or "
        + (
            f"--task image_regression for the numbers in {table.name}"
            if table
            else f"a {TARGET_FILES[0]} with numbers for each image"
        )
    )


def require_every_class(root: Path, listing: Listing) -> None:
    """Refuse a class without a file to train on."""
    labels = listing.found_targets[listing.splits == SPLITS.index("train")]
    counts = np.bincount(labels, minlength=len(listing.target_names))
    for name, count in zip(listing.target_names, counts, strict=True):
        if count == 0:
            raise UserError(
                f"class folder '{name}' of '{root}' holds no {listing.files.noun} to train on "
                f"({', '.join(listing.files.suffixes)}); fill or remove it"
            )


def divide_listing(
    path: str, listing: Listing, split_fractions: SplitFractions
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the rows of each split, what the folder lacks taken out of train, and what to say.

    Args:
        path: str. What messages call the folder.
        listing: Listing. Its files.
        split_fractions: SplitFractions. Shares of the splits that are lacking.

    Returns:
        (dict of str to int array, list of str).
    """
    noun, notes = listing.files.noun, []
    rows = {name: np.flatnonzero(listing.splits == i) for i, name in enumerate(SPLITS)}
    train = rows["train"]
    labels = listing.strata(train)
    there = [name for name, found in rows.items() if len(found)]
    parts, note = split_fractions.fill_in(
        len(train) if labels is None else labels, there, noun=f"training {noun}"
    )
    rows = {name: train[parts[name]] if name in parts else rows[name] for name in SPLITS}
    if note:
        notes.append(f"{path}: {note}")
    if listing.found_targets.ndim == 1:
        counts = np.bincount(labels, minlength=len(listing.target_names))
        if alone := [listing.target_names[i] for i in np.flatnonzero(counts == 1)]:
            shown = ", ".join(alone[:5]) + (", ..." if len(alone) > 5 else "")
            notes.append(
                f"a single {noun[:-1]}, which train keeps, of {len(alone)} classes: {shown}"
            )
    return {name: found for name, found in rows.items() if len(found)}, notes
