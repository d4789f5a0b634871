"""Boxes around objects of images, out of a column of records."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.dataset import Dataset
from threefold.datasets.facts import Facts
from threefold.datasets.hubs.record_cells import place_of, require_kind, say_columns
from threefold.datasets.hubs.record_files import RecordFiles, find_image
from threefold.datasets.hubs.record_tables import (
    BoxFormat,
    Choices,
    Column,
    ObjectFields,
    RecordTable,
)
from threefold.datasets.hubs.record_targets import natural_order, only
from threefold.datasets.images.boxes.files import Annotations, Box, BoxedImage
from threefold.datasets.images.boxes.folder import detect_objects, facts_of_boxes
from threefold.datasets.images.coco_files import is_number, show
from threefold.datasets.images.image_files import Header

BOX_NAMES = ("bbox", "bboxes", "box", "boxes")
LABEL_NAMES = ("category", "label", "class", "categories", "labels", "classes", "category_id",
               "name", "type")  # fmt: skip
CROWD_NAMES = ("is_crowd", "iscrowd")
FORMATS: dict[BoxFormat, str] = {
    "xywh": "left, top, width, height",
    "xyxy": "left, top, right, bottom",
    "yxyx": "top, left, bottom, right",
    "cxcywh": "centre across and down, width, height",
}
# Of these, pixels tell one from the other; nobody writes the others in pixels without saying so.
DECISIVE = 0.1  # share of boxes that do not fit the other
USUAL: tuple[BoxFormat, ...] = ("xywh", "xyxy")


class _Objects(NamedTuple):
    """The objects of one row: the four numbers of each, its class, and which it is there."""

    split: str
    place: str
    boxes: list[list[float]]
    names: list[str]
    numbers: list[int]


def find_fields(names: Collection[str], boxes: Collection[str]) -> ObjectFields | None:
    """Return which fields of objects say what, None where they have no boxes or no classes.

    Args:
        names: collection of str. Those of all fields.
        boxes: collection of str. Those which may hold boxes.

    Example:
        >>> find_fields(["area", "bbox", "category"], ["bbox"])
        ObjectFields(box='bbox', label='category', crowd=None, box_format=None, relative=None)
    """
    box = next((name for name in BOX_NAMES if name in boxes), None)
    label = next((name for name in LABEL_NAMES if name in names), None)
    if box is None or label is None:
        return None
    return ObjectFields(box, label, next((name for name in CROWD_NAMES if name in names), None))


def read_objects(table: RecordTable, choices: Choices, facts: Facts | None) -> Dataset:
    """Make a dataset of images and the boxes in them.

    Args:
        table: RecordTable. The source, under our names of splits.
        choices: Choices. The user's options.
        facts: Facts, optional. Those of a run: its image shape and its classes then rule.

    Returns:
        Dataset. As from a folder of images with boxes.

    Raises:
        UserError: where the columns do not serve, and for a row that cannot be used.
    """
    image = find_image(table, choices)
    column = choices.objects or only(table, "objects", "objects with boxes", "-d objects=NAME")
    require_kind(table, column, "objects with boxes", "objects")
    rows, found, notes = [], [], say_columns(table, image, column)
    crowds = 0
    for split in table.splits:
        read, left_out = _read_split(table, split, column)
        if split != "train" and not any(each.boxes for each in read):
            notes.append(f"{split}: no row says where objects are; the split is ignored")
            continue
        rows += [(split, row) for row in range(len(read))]
        found += read
        crowds += left_out
    if crowds:
        notes.append(f"{crowds:,} regions of crowds ({table.columns[column].fields.crowd}) "
                     "are left out")  # fmt: skip
    files = RecordFiles(table, rows, image)
    headers = files.require_headers()
    annotations = _annotate(table, choices, column, found, headers)
    return detect_objects(
        table.reference,
        annotations._replace(notes=notes),
        files,
        headers,
        {},
        facts=facts_of_boxes(facts),
        image_size=choices.image_size,
        channels=choices.channels,
        split_fractions=choices.split_fractions,
    )


def _read_split(table: RecordTable, split: str, column: str) -> tuple[list[_Objects], int]:
    """Return the objects of each row of a split, and how many are crowds, which are left out."""
    records, described = table.splits[split], table.columns[column]
    cells = records.read(np.arange(len(records)), [column])[column]
    if split != "train" and all(cell is None for cell in cells):  # public test sets hide them
        cells = [[]] * len(cells)
    found, crowds = [], 0
    for row, cell in enumerate(cells):
        place = place_of(table, split, row)
        if cell is None:
            raise UserError(
                f"{place}: its {column} are missing; expected a list, empty where nothing is"
            )
        objects = _list_objects(cell, described.fields, place)
        own = [number for number, (*_, crowd) in enumerate(objects) if not crowd]
        crowds += len(objects) - len(own)
        boxes, names = [], []
        for number in own:
            where = f"{place} object {number}"
            boxes.append(_check_box(objects[number][0], where))
            names.append(_name_class(objects[number][1], described, where))
        found.append(_Objects(split, place, boxes, names, own))
    return found, crowds


def _list_objects(cell: Any, fields: ObjectFields, place: str) -> list[tuple[Any, Any, Any]]:
    """Return the box and the class of each object, and whether it is a crowd."""
    if not isinstance(cell, Mapping):
        names = (fields.box, fields.label, fields.crowd)
        cells = ({} if one is None else one for one in cell)
        return [tuple(map(one.get, names)) for one in cells]
    boxes, labels = (cell[name] or [] for name in (fields.box, fields.label))
    crowds = (cell[fields.crowd] if fields.crowd else None) or [False] * len(boxes)
    if not len(boxes) == len(labels) == len(crowds):
        raise UserError(
            f"{place}: {len(boxes)} of {fields.box} and {len(labels)} of {fields.label}; "
            "expected one of each for every object"
        )
    return list(zip(boxes, labels, crowds, strict=True))


def _check_box(box: Any, where: str) -> list[float]:
    if not (isinstance(box, Sequence) and len(box) == 4 and all(map(is_number, box))):
        raise UserError(f"{where}: its box is {show(box)}, expected four numbers")
    return list(box)


def _name_class(label: Any, column: Column, where: str) -> str:
    """Return the name of a class; without names a number is its own."""
    if isinstance(label, bytes):
        label = label.decode("utf-8", "replace")
    field = column.fields.label
    if label is None or label == "":
        raise UserError(f"{where}: its {field} is missing")
    if not column.class_names:
        return str(label)
    if not 0 <= label < len(column.class_names):
        raise UserError(
            f"{where}: its {field} is {label}, which has no name; expected 0 to "
            f"{len(column.class_names) - 1} ({', '.join(column.class_names[:8])}"
            f"{', ...' if len(column.class_names) > 8 else ''})"
        )
    return column.class_names[label]


def _annotate(
    table: RecordTable,
    choices: Choices,
    column: str,
    found: Sequence[_Objects],
    headers: Sequence[Header],
) -> Annotations:
    """Return objects as a format of files would have them, whatever theirs is."""
    counts = [len(each.boxes) for each in found]
    numbers = np.array([box for each in found for box in each.boxes], np.float64).reshape(-1, 4)
    sizes = np.array([(h.width, h.height) for h in headers], np.float64).repeat(counts, axis=0)
    described = table.columns[column]
    form, relative, by_values = _find_format(table, choices, column, numbers, sizes)
    edges = iter(_to_edges(numbers, form).tolist())
    images = [
        BoxedImage(
            each.place,
            each.split,
            [Box(*next(edges), name, row)
             for name, row in zip(each.names, each.numbers, strict=True)],
            each.place,
        )
        for each in found
    ]  # fmt: skip
    names = {name for each in found for name in each.names}
    unit = "shares of the image" if relative else "pixels"
    return Annotations(
        f"{form} ({FORMATS[form]} in {unit}{', by their values' if by_values else ''})",
        "object",
        images,
        described.class_names or tuple(sorted(names, key=natural_order)),
        [],
        relative,
        table.fingerprint,
    )


def _find_format(
    table: RecordTable, choices: Choices, column: str, numbers: np.ndarray, sizes: np.ndarray
) -> tuple[BoxFormat, bool, bool]:
    """Return the format of boxes, whether they are in shares, and whether their values said so.

    Of the two that pixels may have, the other must leave a good share of the boxes without a size
    or out of their image, and twice as many: a few damaged boxes decide nothing.
    """
    fields = table.columns[column].fields
    relative = fields.relative
    if relative is None:
        relative = bool(len(numbers)) and bool((np.abs(numbers) <= 1).all())
    form = choices.box_format or fields.box_format
    if form is not None:
        return form, relative, False
    if not len(numbers):  # which is refused as such
        return "xywh", relative, False
    misfits = {form: _count_misfits(_to_edges(numbers, form), sizes) for form in USUAL}
    best, other = sorted(USUAL, key=misfits.get)
    least = max(2 * misfits[best] + 1, DECISIVE * len(numbers))
    if relative or misfits[other] < least:
        may_be = "are in shares of the image" if relative else f"may be {' or '.join(USUAL)}"
        raise UserError(
            f"the boxes of column '{column}' of '{table.reference}' {may_be}; say what their "
            f"numbers are with -d box_format=NAME: "
            f"{'; '.join(f'{name} ({what})' for name, what in FORMATS.items())}"
        )
    return best, False, True


def _to_edges(numbers: np.ndarray, form: BoxFormat) -> np.ndarray:
    """Return left, top, right and bottom of boxes, shape (boxes, 4)."""
    first, second = numbers[:, :2], numbers[:, 2:]
    match form:
        case "xywh":
            return np.hstack([first, first + second])
        case "cxcywh":
            return np.hstack([first - second / 2, first + second / 2])
        case "yxyx":
            return np.hstack([first[:, ::-1], second[:, ::-1]])
    return numbers


def _count_misfits(edges: np.ndarray, sizes: np.ndarray) -> int:
    """Count boxes of no size, or that reach out of their image by more than a pixel."""
    empty = edges[:, 2:] <= edges[:, :2]
    outside = (edges[:, :2] < -1) | (edges[:, 2:] > sizes + 1)
    return int((empty | outside).any(axis=1).sum())
