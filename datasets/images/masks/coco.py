"""Masks of the regions that COCO writes: the polygons or runs of pixels of each annotation."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from threefold.core.errors import UserError, suggest
from threefold.datasets.dataset import fingerprint_arrays
from threefold.datasets.images import coco_files
from threefold.datasets.images.annotation_files import SHOWN, check_size
from threefold.datasets.images.augmentation import IGNORED
from threefold.datasets.images.image_files import Header, require_headers
from threefold.datasets.images.masks.files import MOST_CLASSES, Classes, FoundMasks
from threefold.datasets.images.masks.regions import Region, parse_region, rasterize

BACKGROUND = "background"  # what is in no region


def read(
    root: Path, files: dict[str, Path], image_folders: Sequence[str], classes: Classes | None
) -> FoundMasks:
    """Read regions in the format of COCO.

    Args:
        root: Path. The folder of the data.
        files: dict of str to Path. As from `coco_files.find_files`.
        image_folders: sequence of str. What folders of images are called.
        classes: Classes. Those of a run, if there is one; else the background and all categories.

    Returns:
        FoundMasks. Pixels of crowds count for nothing.

    Raises:
        UserError: naming the file and the annotation that is wrong.
    """
    found = coco_files.read(root, files, image_folders)
    images = found.images
    known = classes or _name_classes(found, files["train"])
    if BACKGROUND not in known.names:
        raise UserError(
            f"the run has no class '{BACKGROUND}', of which the pixels outside all regions of "
            f"'{files['train']}' are"
        )
    paths = [root / image.path for image in images]
    headers = require_headers(paths)
    for image, header in zip(images, headers, strict=True):
        check_size(image.path, image.size, header, image.file)
    regions = [
        [_read_region(image.file, entry, known, header) for entry in image.entries]
        for image, header in zip(images, headers, strict=True)
    ]
    if classes is None and not any(regions):
        raise UserError(f"folder '{root}' holds {len(images):,} images and no region in them")
    background = known.names.index(BACKGROUND)

    def read_mask(index: int) -> np.ndarray:
        return rasterize(regions[index], background, headers[index].height, headers[index].width)

    read_files = [os.path.relpath(file, root) for file in files.values()]
    return FoundMasks(
        paths,
        [image.split for image in images],
        headers,
        known,
        read_mask,
        [*(image.path for image in images), *read_files],
        _fingerprint(regions),
        [_describe(found, regions), *found.notes],
    )


def _name_classes(found: coco_files.CocoData, file: Path) -> Classes:
    """Return the background and the categories, all of them, whether regions have them or not."""
    names = (BACKGROUND, *(name for name in found.class_names if name != BACKGROUND))
    if len(names) > MOST_CLASSES:
        raise UserError(
            f"'{file}' names {len(names) - 1} classes beside {BACKGROUND}; at most "
            f"{MOST_CLASSES - 1} can be told"
        )
    return Classes(names, tuple(range(len(names))), IGNORED)


def _read_region(file: Path, entry: coco_files.Entry, classes: Classes, header: Header) -> Region:
    def refuse(problem: str) -> UserError:
        return UserError(f"'{file}' annotation {entry.number}: {problem}")

    if entry.name not in classes.names:
        raise refuse(f"no class '{entry.name}'{suggest(entry.name, classes.names)}")
    segmentation = entry.values.get("segmentation")
    if segmentation is None or segmentation == []:
        raise refuse("it has no 'segmentation', a box at most; fit detector takes boxes")
    value = IGNORED if entry.values.get("iscrowd") else classes.names.index(entry.name)
    try:
        return parse_region(segmentation, value, header[:2])
    except ValueError as error:
        raise refuse(str(error)) from None


def _fingerprint(regions: Sequence[Sequence[Region]]) -> str:
    every = [region for some in regions for region in some]
    polygons = [polygon for region in every for polygon in region.polygons]
    return fingerprint_arrays(
        {
            "regions": np.array([len(some) for some in regions]),
            "values": np.array([region.value for region in every]),
            "polygons": np.array([len(region.polygons) for region in every]),
            "points": np.array([len(polygon) for polygon in polygons]),
            "places": np.concatenate([np.empty((0, 2)), *polygons]),
            "bounds": np.concatenate([np.empty(0, np.int64), *(r.bounds for r in every)]),
        }
    )


def _describe(found: coco_files.CocoData, regions: Sequence[Sequence[Region]]) -> str:
    """Return what was found, in a person's words."""
    names = ", ".join(found.class_names[:SHOWN])
    more = ", ..." if len(found.class_names) > SHOWN else ""
    values = [region.value for some in regions for region in some]
    crowds = values.count(IGNORED)
    void = f"; {crowds:,} are crowds (iscrowd), whose pixels count for nothing" if crowds else ""
    return (
        f"regions in the format of COCO: {len(regions):,} images, {len(values):,} regions of "
        f"{len(found.class_names)} class{'es' * (len(found.class_names) > 1)} beside {BACKGROUND} "
        f"({names}{more}), {sum(not some for some in regions):,} images without any{void}"
    )
