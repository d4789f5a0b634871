"""Boxes around objects of images: where their files lie, and whether they fit the images.

The formats (COCO, Pascal VOC, YOLO) are read elsewhere; what they share is here.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from threefold.core.errors import UserError, suggest
from threefold.datasets.folder_listing import find_splits, split_of, sub_folders
from threefold.datasets.images.annotation_files import check_size
from threefold.datasets.images.image_files import Header


class Box(NamedTuple):
    """One object as a file has it: edges in pixels from 0, or in shares of the image."""

    left: float
    top: float
    right: float
    bottom: float
    name: str  # of its class
    row: int | str  # where in the file


class BoxedImage(NamedTuple):
    """One image and its objects.

    Args:
        path: str. Of the image, in the folder of the data.
        split: str. `train`, `validation` or `test`.
        boxes: list of Box. Of the objects; none in an image of background alone.
        file: Path or str. Where the boxes are written: a file, or what messages call the place.
        size: tuple of two ints. Height and width as that file has them, if it does.
    """

    path: str
    split: str
    boxes: list[Box]
    file: Path | str
    size: tuple[int, int] | None = None


class Annotations(NamedTuple):
    """What one format says of a folder.

    Args:
        format: str. What it is called.
        row_noun: str. What its files hold for an object: a line, an annotation.
        images: list of BoxedImage. All of them.
        class_names: tuple of str. The classes.
        notes: list of str. What was decided.
        relative: bool. Whether boxes are in shares of the image.
        fingerprint: str. Of what is in no file.
    """

    format: str
    row_noun: str
    images: list[BoxedImage]
    class_names: tuple[str, ...]
    notes: list[str]
    relative: bool = False
    fingerprint: str = ""


class BoxTable(NamedTuple):
    """The boxes of many images, one after the other.

    Args:
        boxes: float32 array of shape (objects, 4). Left, top, right and bottom in pixels.
        classes: int64 array of shape (objects,). The class of each.
        starts: int64 array of shape (images + 1,). Where the objects of each image begin.
    """

    boxes: np.ndarray
    classes: np.ndarray
    starts: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """Return the number of objects in each image."""
        return np.diff(self.starts)


class Place(NamedTuple):
    """Where the images of a split lie, and their annotations."""

    split: str
    images: Path
    annotations: Path


def list_places(
    root: Path, image_folders: Sequence[str], annotation_folders: Sequence[str]
) -> tuple[list[Place], list[str]]:
    """Find the folders of images and of annotations, one pair for each split.

    Args:
        root: Path. The folder of the data: `images` and `labels`, both of which may hold `train`
            and other splits; or `train` and others that hold both.
        image_folders: sequence of str. What folders of images are called.
        annotation_folders: sequence of str. What those of annotations are.

    Returns:
        tuple of the places, all in `train` where there are no splits, and what to say of others.

    Raises:
        UserError: for a folder that is not there.
    """

    def pick(folder: Path, names: Sequence[str]) -> list[Path]:
        there = sub_folders(folder)
        return [folder / name for name in names if name in there]

    splits = find_splits(root, lambda name: bool(pick(root / name, image_folders)))
    places, notes = [], []
    for split, folder in (splits or {"train": root}).items():
        images, annotations = pick(folder, image_folders), pick(folder, annotation_folders)
        if not images or not annotations:
            raise UserError(
                f"folder '{folder}' has no {'labels' if images else 'images'}/; expected images in "
                "images/ and their boxes in labels/ (YOLO) or annotations/ (Pascal VOC), or in "
                "annotations.json (COCO)"
            )
        places.append(Place(split, images[0], annotations[0]))
        unread = [f"'{found}'" for found in (*images[1:], *annotations[1:])]
        notes += [f"not read: {', '.join(unread)}"] if unread else []
    if splits:
        return places, notes
    place = places[0]
    inner = find_splits(place.images, lambda name: True)
    for folder in inner.values():
        if not (place.annotations / folder.name).is_dir():
            raise UserError(
                f"folder '{place.annotations}' has no {folder.name}/, which '{place.images}' has"
            )
    if inner:
        unread = [n for n in sub_folders(place.images) if split_of(n) is None]
        notes += [f"not read, alongside the splits: {', '.join(unread)}"] if unread else []
    found = [Place(split, f, place.annotations / f.name) for split, f in inner.items()]
    return found or places, notes


def settle_boxes(
    found: Annotations, headers: Sequence[Header], class_names: Sequence[str]
) -> tuple[BoxTable, list[str]]:
    """Bring boxes to pixels of their images, and see that they fit them.

    Args:
        found: Annotations. As a format has them.
        headers: sequence of Header. One for each image.
        class_names: sequence of str. The classes, in the order of their numbers.

    Returns:
        tuple of the boxes, cut where they reach out of their image, and what to say of these.

    Raises:
        UserError: naming the file and the row of the first that does not fit.
    """
    for image, header in zip(found.images, headers, strict=True):
        check_size(image.path, image.size, header, image.file)
    rows = [(image.file, box) for image in found.images for box in image.boxes]
    counts = [len(image.boxes) for image in found.images]
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    sizes = np.array([(header.width, header.height) * 2 for header in headers], np.float64)
    sizes = sizes.repeat(counts, axis=0)  # width, height, width, height of each box's image
    edges = np.array([box[:4] for _, box in rows], np.float64).reshape(-1, 4)
    boxes = (edges * sizes if found.relative else edges).astype(np.float32)
    numbers = {name: number for number, name in enumerate(class_names)}

    def refuse(row: int, problem: str) -> UserError:
        file, box = rows[row]
        place = file if isinstance(file, str) else f"'{file}'"
        return UserError(f"{place} {found.row_noun} {box.row}: {problem}")

    for row, (_, box) in enumerate(rows):
        if box.name not in numbers:
            raise refuse(row, f"no class '{box.name}'{suggest(box.name, numbers)}")
    empty = (boxes[:, 2:] <= boxes[:, :2]).any(axis=1)
    if empty.any():
        row = int(np.argmax(empty))
        width, height = boxes[row, 2:] - boxes[row, :2]
        raise refuse(row, f"a box of no size ({width:g} pixels wide, {height:g} high)")
    outside = ((boxes[:, 2:] <= 0) | (boxes[:, :2] >= sizes[:, :2])).any(axis=1)
    if outside.any():
        row = int(np.argmax(outside))
        edges = ", ".join(f"{edge:g}" for edge in boxes[row])
        raise refuse(
            row,
            f"a box outside the image (left, top, right, bottom {edges}; the image is "
            f"{sizes[row, 0]:g} pixels wide and {sizes[row, 1]:g} high)",
        )
    cut = int(((boxes < -1) | (boxes > sizes + 1)).any(axis=1).sum())
    notes = [f"{cut:,} boxes reach out of their image: cut at its edge"] if cut else []
    classes = np.array([numbers[box.name] for _, box in rows], np.int64)
    return BoxTable(boxes.clip(0, sizes).astype(np.float32), classes, starts), notes
