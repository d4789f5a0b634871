"""Annotations of images as COCO writes them: one JSON file for all images of a split.

What an annotation must hold (a box, a segmentation) is read elsewhere.
"""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any, NamedTuple

from threefold.core.errors import UserError
from threefold.core.files import parse_json
from threefold.datasets.folder_files import walk
from threefold.datasets.folder_listing import split_of, sub_folders
from threefold.datasets.images.annotation_files import LARGEST, check_names, read_text
from threefold.datasets.images.image_files import SUFFIXES

FILES = ("annotations.json", "_annotations.coco.json")
PREFIX = "instances_"  # instances_train2017.json


class Entry(NamedTuple):
    """One annotation.

    Args:
        number: int. Its id.
        name: str. Of its class.
        values: dict. All that the file holds of it.
    """

    number: int
    name: str
    values: dict[str, Any]


class AnnotatedImage(NamedTuple):
    """One image and its annotations.

    Args:
        path: str. Of the image, in the folder of the data.
        split: str. `train`, `validation` or `test`.
        entries: list of Entry. In the order of the file.
        file: Path. Where they are written.
        size: tuple of two ints. Height and width as that file has them, if it does.
    """

    path: str
    split: str
    entries: list[Entry]
    file: Path
    size: tuple[int, int] | None


class CocoData(NamedTuple):
    """What all files of a folder hold: their images, the classes, and what was decided."""

    images: list[AnnotatedImage]
    class_names: tuple[str, ...]
    notes: list[str]


def find_files(root: Path, annotation_folders: Sequence[str]) -> dict[str, Path]:
    """Return the file of each split: in the folder, in `annotations`, or in those of the splits.

    Args:
        root: Path. The folder of the data.
        annotation_folders: sequence of str. What folders of annotations are called.

    Raises:
        UserError: for two files of one split, or splits without `train`.
    """
    inside = [name for name in sub_folders(root) if name in annotation_folders or split_of(name)]
    paths = [
        path
        for folder in (root, *(root / name for name in inside))
        for path in sorted(folder.glob("*.json"))
        if path.is_file() and (path.name in FILES or path.name.startswith(PREFIX))
    ]
    found: dict[str, Path] = {}
    for path in paths:
        split = split_of(path.stem.removeprefix(PREFIX))
        if path.parent != root:
            split = split_of(path.parent.name) or split
        if split is None and len(paths) > 1:
            raise UserError(
                f"'{path}' says no split by its name, though it is one of {len(paths)} files; "
                f"expected one file, or {PREFIX}train.json, {PREFIX}val.json"
            )
        split = split or "train"
        if split in found:
            raise UserError(f"'{found[split]}' and '{path}' are both for {split}; keep one of them")
        found[split] = path
    if found and "train" not in found:
        raise UserError(
            f"folder '{root}' holds annotations for {' and '.join(found)} but none for train"
        )
    return found


def read(root: Path, files: dict[str, Path], image_folders: Sequence[str]) -> CocoData:
    """Read annotations in the format of COCO.

    Args:
        root: Path. The folder of the data.
        files: dict of str to Path. As from `find_files`.
        image_folders: sequence of str. What folders of images are called.

    Returns:
        CocoData. Classes are the categories of the file for training, in the order of their ids.

    Raises:
        UserError: naming the file and the entry that is wrong.
    """
    images = []
    class_names: tuple[str, ...] = ()
    owners: dict[str, Path] = {}
    folders = {}
    for split in sorted(files, key=lambda split: split != "train"):
        file = files[split]
        data = _parse(file)
        categories = _index(file, data, "categories", "category", ("name",))
        names = check_names(
            [_read_name(file, number, categories[number]) for number in sorted(categories)], file
        )
        class_names = class_names or names
        listed = _index(file, data, "images", "image", ("file_name",))
        entries = _read_entries(
            file, data, listed, dict(zip(sorted(categories), names, strict=True))
        )
        if not listed:
            raise UserError(f"'{file}' lists no images")
        inner = {number: _inner_path(file, number, entry) for number, entry in listed.items()}
        folder = _find_folder(root, file, split, next(iter(inner.values())), image_folders)
        folders[folder] = True
        for number, entry in listed.items():
            path = folder / inner[number]
            if not path.is_file():
                raise UserError(f"'{file}' image {number}: there is no '{path}'")
            place = os.path.relpath(path, root)
            if place in owners:
                where = "" if owners[place] == file else f", and by '{owners[place]}'"
                raise UserError(f"'{file}' image {number}: '{place}' is listed twice{where}")
            owners[place] = file
            size = _read_size(file, number, entry)
            images.append(AnnotatedImage(place, split, entries[number], file, size))
    notes = []
    there = {os.path.relpath(f / name, root) for f in folders for name in walk(f, SUFFIXES).names}
    if unlisted := len(there - set(owners)):
        notes.append(f"{unlisted:,} images that no file of annotations lists are left out")
    return CocoData(images, class_names, notes)


def _parse(file: Path) -> dict:
    try:
        data = parse_json(read_text(file))
    except (json.JSONDecodeError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"cannot read '{file}': {error}") from None
    if not isinstance(data, dict):
        raise UserError(
            f"'{file}' holds no object with 'images', 'annotations' and 'categories' at its top"
        )
    return data


def _index(
    file: Path, data: dict, key: str, noun: str, needed: tuple[str, ...]
) -> dict[int, dict[str, Any]]:
    """Return the entries of a list by their ids."""
    entries = data.get(key)
    if not isinstance(entries, list):
        raise UserError(f"'{file}' has no list '{key}'")
    found = {}
    for place, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or type(entry.get("id")) is not int:
            raise UserError(f"'{file}': {noun} number {place} of the list has no whole number 'id'")
        number = entry["id"]
        if number in found:
            raise UserError(f"'{file}' {noun} {number}: two have this id")
        lacking = [name for name in needed if name not in entry]
        if lacking:
            raise UserError(f"'{file}' {noun} {number}: it has no '{lacking[0]}'")
        found[number] = entry
    return found


def _read_entries(
    file: Path,
    data: dict,
    images: dict[int, dict],
    names: dict[int, str],
) -> dict[int, list[Entry]]:
    """Return the annotations of each image by its id."""
    entries: dict[int, list[Entry]] = {number: [] for number in images}
    needed = ("image_id", "category_id")
    for number, entry in _index(file, data, "annotations", "annotation", needed).items():
        for key, known in (("image_id", images), ("category_id", names)):
            if type(entry[key]) is not int or entry[key] not in known:
                raise UserError(
                    f"'{file}' annotation {number}: {key} {show(entry[key])} is not in the file"
                )
        found = Entry(number, names[entry["category_id"]], entry)
        entries[entry["image_id"]].append(found)
    return entries


def is_number(value: Any) -> bool:
    """Return whether a value is a number that a coordinate may be."""
    return type(value) in (int, float) and -LARGEST < value < LARGEST  # of NaN neither holds


def show(value: Any) -> str:
    """Return a value as the file has it, cut."""
    return json.dumps(value)[:60]


def _read_name(file: Path, number: int, entry: dict) -> str:
    if not isinstance(entry["name"], str):
        raise UserError(f"'{file}' category {number}: its name is {show(entry['name'])}, no text")
    return " ".join(entry["name"].split())


def _read_size(file: Path, number: int, entry: dict) -> tuple[int, int] | None:
    size = entry.get("height"), entry.get("width")
    if size == (None, None):
        return None
    if not all(map(is_number, size)):
        raise UserError(f"'{file}' image {number}: height and width are {show(size)}, no numbers")
    return size


def _inner_path(file: Path, number: int, entry: dict) -> str:
    """Return the path of an image below its folder; refuse one that leads out of it."""
    name = entry["file_name"]
    # Of Windows' paths both separators are known, and drives; the file may come from there.
    path = PureWindowsPath(name) if isinstance(name, str) else None
    if not path or not path.parts or path.drive or path.root or ".." in path.parts or "\0" in name:
        raise UserError(
            f"'{file}' image {number}: file_name is {show(name)}, expected a path below the "
            "folder of the images"
        )
    return "/".join(path.parts)


def _find_folder(
    root: Path, file: Path, split: str, first: str, image_folders: Sequence[str]
) -> Path:
    """Return the folder in which the first image lies that a file lists."""
    for folder in _candidates(root, file, split, image_folders):
        if (folder / first).is_file():
            return folder
    raise UserError(
        f"'{file}' lists '{first}', which is neither beside it nor in '{root}' or a folder "
        f"{', '.join(f'{name}/' for name in image_folders)} or {split}/ there"
    )


def _candidates(root: Path, file: Path, split: str, image_folders: Sequence[str]) -> Iterator[Path]:
    for base in dict.fromkeys((file.parent, root)):
        for holder in (*(base / name for name in image_folders), base):
            if holder.is_dir():
                yield holder / file.stem.removeprefix(PREFIX)
                yield from (holder / n for n in sub_folders(holder) if split_of(n) == split)
                yield holder
