"""Boxes as COCO writes them: left, top, width and height of each annotation."""

from collections.abc import Sequence
from pathlib import Path

from threefold.core.errors import UserError
from threefold.datasets.images import coco_files
from threefold.datasets.images.boxes.files import Annotations, Box, BoxedImage


def read(root: Path, files: dict[str, Path], image_folders: Sequence[str]) -> Annotations:
    """Read boxes in the format of COCO.

    Args:
        root: Path. The folder of the data.
        files: dict of str to Path. As from `coco_files.find_files`.
        image_folders: sequence of str. What folders of images are called.

    Returns:
        Annotations. Without the regions of crowds, which are counted.

    Raises:
        UserError: naming the file and the entry that is wrong.
    """
    found = coco_files.read(root, files, image_folders)
    images, crowds = [], 0
    for image in found.images:
        single = [entry for entry in image.entries if not entry.values.get("iscrowd")]
        crowds += len(image.entries) - len(single)
        boxes = [_read_box(image.file, entry) for entry in single]
        images.append(BoxedImage(image.path, image.split, boxes, image.file, image.size))
    notes = [f"{crowds:,} regions of crowds (iscrowd) are left out"] if crowds else []
    return Annotations("COCO", "annotation", images, found.class_names, [*notes, *found.notes])


def _read_box(file: Path, entry: coco_files.Entry) -> Box:
    if "bbox" not in entry.values:
        raise UserError(f"'{file}' annotation {entry.number}: it has no 'bbox'")
    box = entry.values["bbox"]
    if not (isinstance(box, list) and len(box) == 4 and all(map(coco_files.is_number, box))):
        raise UserError(
            f"'{file}' annotation {entry.number}: bbox is {coco_files.show(box)}, expected four "
            "numbers: left, top, width and height"
        )
    left, top, width, height = box
    return Box(left, top, left + width, top + height, entry.name, entry.number)
