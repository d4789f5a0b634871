"""Images of a user's own and boxes around the objects in them, as COCO, Pascal VOC or YOLO say.

Images stay in their files and are decoded when a batch asks for them. All annotations are read at
once: a box that fits no image must not end a training in its middle.
"""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.dataset import Dataset, SubsetSource, fingerprint_arrays, fingerprint_files
from threefold.datasets.facts import Facts, ImageFacts
from threefold.datasets.folder_files import walk
from threefold.datasets.images import coco_files
from threefold.datasets.images.annotation_files import SHOWN
from threefold.datasets.images.boxes import coco, voc, yolo
from threefold.datasets.images.boxes.files import Annotations, BoxTable, list_places, settle_boxes
from threefold.datasets.images.image_files import (
    File,
    Header,
    ImageShape,
    fit_image,
    in_threads,
    require_headers,
    settle_shape,
    stack_images,
)
from threefold.datasets.images.letterbox import letterbox, scale_and_offset
from threefold.datasets.reader import Reader
from threefold.datasets.splitting import SplitFractions

READER = Reader(
    ("object_detection",),
    only="a folder with images and their boxes (COCO, Pascal VOC or YOLO)",
    inside=(
        ("images", "image", "JPEGImages"),
        ("labels", "annotations", "Annotations", "annotations.json"),
    ),
)
IMAGE_FOLDERS, ANNOTATION_FOLDERS = READER.inside
NO_CLASS = -1  # of a place in which no further object is


def load(
    path: str,
    *,
    facts: Facts | None = None,
    image_size: int | tuple[int, int] | None = None,
    channels: Literal[1, 3] | None = None,
    split_fractions: SplitFractions = SplitFractions(),
) -> Dataset:
    """Load a folder of images with boxes around the objects in them.

    Args:
        path: str. The folder. It holds `images` and `labels` (YOLO) or `annotations` (Pascal VOC),
            below `train` and other splits or not, or files of COCO (`annotations.json`,
            `_annotations.coco.json`, `instances_*.json`).
        facts: Facts. Those of a run: its image shape and its classes then rule.
        image_size: int, or height and width. The size to bring images to; guessed if None.
        channels: int. 1 reads the images as grayscale, 3 as colour; guessed if None.
        split_fractions: SplitFractions. How images are divided where nothing says so.

    Returns:
        Dataset. `image` float32 (height, width, channels), values 0 to 255, whole and on gray;
        `boxes` float32 (most, 4), the left, top, right and bottom edge of each object in pixels of
        that image; `box_class` int64 (most,), -1 where there is no further object.

    Raises:
        UserError: for annotations that are damaged or fit no image.
    """
    root = Path(path).expanduser()
    facts = facts_of_boxes(facts)
    found = _read(root, facts and facts.class_names)
    paths = [root / image.path for image in found.images]
    headers = require_headers(paths)
    read = [os.path.relpath(file, root) for file in {image.file: True for image in found.images}]
    files = {
        name: os.path.getsize(root / name)
        for name in (*(image.path for image in found.images), *read)
        if (root / name).is_file()  # of images without objects there may be none
    }
    return detect_objects(
        path,
        found,
        paths,
        headers,
        files,
        facts=facts,
        image_size=image_size,
        channels=channels,
        split_fractions=split_fractions,
    )


def facts_of_boxes(facts: Facts | None) -> ImageFacts | None:
    """Return the facts of a run of boxes; whoever gave those of another kind compares and refuses.

    Args:
        facts: Facts. Those of a run, if there is one.
    """
    return facts if facts is not None and facts.kind == "image" and facts.boxes else None


def detect_objects(
    reference: str,
    found: Annotations,
    images: Sequence[File],
    headers: Sequence[Header],
    files: dict[str, int],
    *,
    facts: ImageFacts | None,
    image_size: int | tuple[int, int] | None,
    channels: Literal[1, 3] | None,
    split_fractions: SplitFractions,
) -> Dataset:
    """Make a dataset of images and boxes, wherever they are from.

    Args:
        reference: str. What the user typed.
        found: Annotations. The boxes, and the splits.
        images: sequence of path or bytes. The images.
        headers: sequence of Header. What each says of itself.
        files: dict of str to int. The sizes of the files that were looked at, if there are such.
        facts: ImageFacts. Those of a run, as from `facts_of_boxes`.
        image_size: int, or height and width. As for `load`.
        channels: int. Likewise.
        split_fractions: SplitFractions. Likewise.

    Returns:
        Dataset. As from `load`.

    Raises:
        UserError: for boxes that fit no image, and a split without an object.
    """
    class_names = facts.class_names if facts else found.class_names
    table, cuts = settle_boxes(found, headers, class_names)
    if not len(table.boxes):
        raise UserError(f"'{reference}' holds {len(images):,} images and no object in them")
    known = facts and facts.image_shape
    shape, remarks = settle_shape(known, headers, image_size=image_size, channels=channels)
    own = [image.split for image in found.images]
    rows, decision = split_fractions.divide(own, noun="training images")
    for name, chosen in rows.items():
        if not table.counts[chosen].any():
            anew = ", or divide anew with another -d split_seed" if decision else ""
            raise UserError(
                f"none of the {len(chosen):,} images for {name} holds an object; add some{anew}"
            )
    source = BoxedImages(images, table, shape)
    read = f"{class_names}{fingerprint_arrays(table._asdict())}{found.fingerprint}"
    return Dataset(
        reference=reference,
        task="object_detection",
        facts=ImageFacts(image_shape=shape, class_names=class_names, boxes=True),
        splits={name: SubsetSource(source, some) for name, some in rows.items()},
        fingerprint=fingerprint_files(files, read),
        notes=[
            _describe(found, table),
            *found.notes,
            *cuts,
            *remarks,
            *([f"{reference}: {decision}"] if decision else []),
        ],
        files=files,
    )


class BoxedImages:
    """Images that are decoded when they are asked for, and the boxes in them.

    Args:
        paths: sequence of path or bytes. The images.
        table: BoxTable. Their boxes in pixels of the files.
        image_shape: tuple of three ints. Height, width, channels.
    """

    def __init__(self, paths: Sequence[File], table: BoxTable, image_shape: ImageShape):
        self.paths, self.table, self.image_shape = paths, table, image_shape
        self.most = int(table.counts.max())

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        height, width, channels = self.image_shape
        read = in_threads(self._read, [self.paths[index] for index in indices])
        boxes = np.zeros((len(read), self.most, 4), np.float32)
        box_class = np.full((len(read), self.most), NO_CLASS, np.int64)
        images = []
        for place, (index, found) in enumerate(zip(indices, read, strict=True)):
            if isinstance(found, UserError):
                raise found
            image, size = found
            images.append(image)
            own = slice(*self.table.starts[index : index + 2])
            count = own.stop - own.start
            boxes[place, :count] = self.table.boxes[own]
            box_class[place, :count] = self.table.classes[own]
            if height is not None:
                scale, offset = scale_and_offset(size, (height, width))
                boxes[place, :count] = boxes[place, :count] * scale + offset
        empty = np.empty((0, height or 0, width or 0, channels), np.float32)
        return {
            "image": stack_images(images) if images else empty,
            "boxes": boxes,
            "box_class": box_class,
        }

    def _read(self, file: File) -> tuple[np.ndarray, tuple[int, int]]:
        """Return an image in the network's size, or in its own, and its own height and width."""
        height, width, channels = self.image_shape
        image = fit_image(file, (None, None, channels))
        fitted = image if height is None else letterbox(image, (height, width))
        return fitted, image.shape[:2]


def _read(root: Path, run_classes: tuple[str, ...] | None) -> Annotations:
    """Read annotations in the format in which they are."""
    files = coco_files.find_files(root, ANNOTATION_FOLDERS)
    if files:
        return coco.read(root, files, IMAGE_FOLDERS)
    places, notes = list_places(root, IMAGE_FOLDERS, ANNOTATION_FOLDERS)
    ends = (voc.SUFFIX, yolo.SUFFIX)
    counts = Counter(
        os.path.splitext(name)[1].lower()
        for place in places
        for name in walk(place.annotations, ends).names
    )
    if not counts:
        raise UserError(
            f"'{places[0].annotations}' holds no boxes: expected .txt files (YOLO), .xml files "
            "(Pascal VOC) or instances_train.json (COCO); a folder of masks is called masks"
        )
    if counts[voc.SUFFIX] >= counts[yolo.SUFFIX]:
        found = voc.read(root, places)
    else:
        found = yolo.read(root, places, run_classes)
    if len(counts) == 2:
        notes.append(f"{min(counts.values()):,} files {min(counts, key=counts.get)} are not read")
    return found._replace(notes=[*notes, *found.notes])


def _describe(found: Annotations, table: BoxTable) -> str:
    """Return what was found, in a person's words."""
    names = ", ".join(found.class_names[:SHOWN])
    more = ", ..." if len(found.class_names) > SHOWN else ""
    return (
        f"boxes in the format of {found.format}: {len(found.images):,} images, "
        f"{len(table.boxes):,} objects of {len(found.class_names)} "
        f"class{'es' * (len(found.class_names) > 1)} ({names}{more}), "
        f"{int((table.counts == 0).sum()):,} images without any"
    )
