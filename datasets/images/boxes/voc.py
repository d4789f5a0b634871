"""Boxes as Pascal VOC writes them: an XML file for each image."""

import os
from pathlib import Path
from xml.etree import ElementTree

from threefold.core.errors import UserError
from threefold.datasets.folder_files import by_stem, describe_ignored, require_regular, walk
from threefold.datasets.images.annotation_files import LARGEST, read_text
from threefold.datasets.images.boxes.files import Annotations, Box, BoxedImage, Place
from threefold.datasets.images.image_files import CONVERTIBLE, SUFFIXES

SUFFIX = ".xml"
SET_FOLDER = Path("ImageSets", "Main")
_SETS = {"train": "train", "val": "validation", "test": "test"}
_EDGES = ("xmin", "ymin", "xmax", "ymax")


def read(root: Path, places: list[Place]) -> Annotations:
    """Read annotations in the format of Pascal VOC.

    Args:
        root: Path. The folder of the data; lists in `ImageSets/Main` say the splits where folders
            do not.
        places: list of Place. Where images and annotations are.

    Returns:
        Annotations. Classes are sorted by their names.

    Raises:
        UserError: naming the file that is damaged, or missing.
    """
    sets = _read_sets(root / SET_FOLDER) if len(places) == 1 else {}
    images, notes = [], []
    for place in places:
        names, ignored = walk(place.images, SUFFIXES)
        stems = by_stem(place.images, names)
        files = by_stem(place.annotations, walk(place.annotations, (SUFFIX,)).names)
        notes += describe_ignored(ignored, "images", CONVERTIBLE)
        if sets and (left_out := len(set(stems) - set(sets))):
            notes.append(f"{left_out:,} images that no list in {SET_FOLDER} names are left out")
        chosen = sets or dict.fromkeys(sorted({*stems, *files}), place.split)
        for stem, split in chosen.items():
            if stem not in stems:
                whose = f"'{place.annotations / files[stem]}'" if stem in files else f"'{stem}'"
                raise UserError(f"{whose} has no image in '{place.images}'")
            image = place.images / stems[stem]
            if stem not in files:
                raise UserError(
                    f"image '{image}' has no annotation in '{place.annotations}'; expected "
                    f"'{stem}{SUFFIX}', without an object where the image has none"
                )
            file = place.annotations / files[stem]
            boxes, size = _read_file(file)
            images.append(BoxedImage(os.path.relpath(image, root), split, boxes, file, size))
    class_names = sorted({box.name for image in images for box in image.boxes})
    return Annotations("Pascal VOC", "object", images, tuple(class_names), notes)


def _read_sets(folder: Path) -> dict[str, str]:
    """Return the split of each image that the lists name."""
    found: dict[str, str] = {}
    for name, split in _SETS.items():
        path = folder / f"{name}.txt"
        for line in read_text(path).splitlines() if path.is_file() else ():
            stem = line.strip()
            if stem in found:
                raise UserError(f"'{path}' names '{stem}', which is in {found[stem]} already")
            if stem:
                found[stem] = split
    if found and "train" not in found.values():
        raise UserError(f"folder '{folder}' has lists of images, but no train.txt that names any")
    return found


class _Builder(ElementTree.TreeBuilder):
    """Builds a tree of plain XML.

    A declaration of a document's type may define entities: a few lines of them grow to fill the
    memory, others name files of this machine. No annotation needs any.
    """

    def doctype(self, *_) -> None:
        raise UserError("it declares a document type (DOCTYPE), which is refused; remove it")


def _read_file(path: Path) -> tuple[list[Box], tuple[int, int] | None]:
    """Return the objects of a file, and the height and width that it says its image has."""
    require_regular(path)
    try:
        parser = ElementTree.XMLParser(target=_Builder())
        tree = ElementTree.fromstring(path.read_bytes(), parser)
    except OSError as error:
        raise UserError(f"cannot read '{path}': {error.strerror or error}") from None
    # Of an encoding that is not known, a LookupError or ValueError; of a bad file, a ParseError.
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise UserError(f"cannot read '{path}': {' '.join(str(error).split())}") from None
    if tree.tag != "annotation":
        raise UserError(f"'{path}' holds <{tree.tag}>, expected <annotation> of Pascal VOC")
    size = tree.find("size")
    where = f"'{path}'"
    shape = None
    if size is not None:
        height, width = (_read_number(size, name, f"{where} size") for name in ("height", "width"))
        shape = int(height), int(width)
    boxes = []
    for row, thing in enumerate(tree.findall("object"), 1):
        at = f"{where} object {row}"
        name = " ".join((thing.findtext("name") or "").split())
        if not name:
            raise UserError(f"{at} has no <name>")
        bounds = thing.find("bndbox")
        if bounds is None:
            raise UserError(f"{at} has no <bndbox>")
        left, top, right, bottom = (_read_number(bounds, edge, at) for edge in _EDGES)
        # Its pixels count from 1, and the last one belongs to the box.
        boxes.append(Box(left - 1, top - 1, right, bottom, name, row))
    return boxes, shape


def _read_number(element: ElementTree.Element, name: str, where: str) -> float:
    text = element.findtext(name)
    if text is None:
        raise UserError(f"{where} has no <{name}>")
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not -LARGEST < value < LARGEST:
        raise UserError(f"{where}: <{name}> is {text.strip()[:40]!r}, expected a number")
    return value
