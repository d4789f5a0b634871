"""Boxes as YOLO writes them: a text file for each image, a line for each object."""

import os
import re
from pathlib import Path

from threefold.core.errors import UserError
from threefold.datasets.folder_files import by_stem, describe_ignored, walk
from threefold.datasets.images.annotation_files import check_names, read_text
from threefold.datasets.images.boxes.files import Annotations, Box, BoxedImage, Place
from threefold.datasets.images.image_files import CONVERTIBLE, SUFFIXES

SUFFIX = ".txt"
NAME_FILES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
CLASS_FILE = "classes.txt"
ROUNDING = 1e-3  # by which a share of the image may leave 0 to 1
MOST_UNNAMED = 1000  # classes
_QUOTED = r""" "(?:[^"\\]|\\.)*" | '(?:[^']|'')*' """
_ITEM = re.compile(rf"\s* (?:(\d+)\s*:\s+)? ({_QUOTED} | [^\s,'\"] [^,]*) \s* (?:,|$)", re.VERBOSE)
_LINE = re.compile(
    rf"\s* (?: -\s+ | (\d+)\s*:\s+ ) ({_QUOTED} | [^\s'\"] .*?) \s* (?:\s\#.*)? $", re.VERBOSE
)


def read(root: Path, places: list[Place], run_classes: tuple[str, ...] | None) -> Annotations:
    """Read annotations in the format of YOLO.

    Args:
        root: Path. The folder of the data, in which `data.yaml` or `classes.txt` names the classes.
        places: list of Place. Where images and labels are.
        run_classes: tuple of str. Those of a run: their numbers count where nothing names classes.

    Returns:
        Annotations. Boxes are in shares of their images.

    Raises:
        UserError: naming the file and the line that is wrong.
    """
    names, notes = _find_names(root, places)
    names = names or run_classes
    images, lacking, empty, most = [], 0, 0, 0
    for place in places:
        found, ignored = walk(place.images, SUFFIXES)
        notes += describe_ignored(ignored, "images", CONVERTIBLE)
        stems = by_stem(place.images, found)
        texts = walk(place.annotations, (SUFFIX,)).names
        files = by_stem(place.annotations, [name for name in texts if name != CLASS_FILE])
        if alone := sorted(set(files) - set(stems)):
            more = f" (and {len(alone) - 1} more such)" if len(alone) > 1 else ""
            raise UserError(
                f"'{place.annotations / files[alone[0]]}' has no image in '{place.images}'{more}"
            )
        for stem, name in stems.items():
            file = place.annotations / files.get(stem, stem + SUFFIX)
            rows = _read_rows(file, names) if stem in files else []
            lacking += stem not in files
            empty += stem in files and not rows
            most = max([most, *(number + 1 for number, _ in rows)])
            boxes = [box for _, box in rows]
            path = os.path.relpath(place.images / name, root)
            images.append(BoxedImage(path, place.split, boxes, file))
    if lacking or empty:
        notes.append(
            f"background alone: {lacking:,} images without a file of labels, {empty:,} with an "
            "empty one"
        )
    if names is None:
        names = tuple(map(str, range(most)))
        notes.append(f"no {NAME_FILES[0]} or {CLASS_FILE} names the classes: they are numbers")
    return Annotations("YOLO", "line", images, names, notes, relative=True)


def _read_rows(path: Path, names: tuple[str, ...] | None) -> list[tuple[int, Box]]:
    """Return the class and the box of each line."""
    rows = []
    for row, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            rows.append(_parse_row(line, row, names))
        except ValueError as error:
            raise UserError(f"'{path}' line {row}: {error}") from None
    return rows


def _parse_row(line: str, row: int, names: tuple[str, ...] | None) -> tuple[int, Box]:
    fields = line.split()
    try:
        values = [float(field) for field in fields]
    except ValueError:
        raise ValueError(f"'{line.strip()[:60]}' is not all numbers") from None
    if len(values) < 5 or len(values) % 2 == 0:
        raise ValueError(
            f"{len(values)} numbers; expected 5 (class, centre across and down, width, height), or "
            "a class and the points of a polygon"
        )
    most = len(names) if names else MOST_UNNAMED
    if not (0 <= values[0] < most and values[0] == int(values[0])):
        raise ValueError(f"class {fields[0]}; expected a whole number from 0 to {most - 1}")
    wrong = [
        field
        for field, value in zip(fields[1:], values[1:], strict=True)
        if not -ROUNDING <= value <= 1 + ROUNDING
    ]
    if wrong:
        raise ValueError(f"{wrong[0]}; expected shares of the image, from 0 to 1")
    number = int(values[0])
    if len(values) == 5:
        across, down, width, height = values[1:]
        edges = (across - width / 2, down - height / 2, across + width / 2, down + height / 2)
    else:
        xs, ys = values[1::2], values[2::2]
        edges = min(xs), min(ys), max(xs), max(ys)
    return number, Box(*edges, names[number] if names else str(number), row)


def _find_names(root: Path, places: list[Place]) -> tuple[tuple[str, ...] | None, list[str]]:
    """Return what classes are called, if a file says so, and a note of which."""
    # Programs that draw boxes leave their list of classes among the labels.
    lists = dict.fromkeys([root, *(f for p in places for f in (p.annotations, p.images.parent))])
    for path in (root / name for name in NAME_FILES):
        if path.is_file():
            names = _read_yaml(path)
            if names is not None:
                return names, [f"classes are named by {path.name}"]
    for path in (folder / CLASS_FILE for folder in lists):
        if path.is_file():
            lines = [line.strip() for line in read_text(path).splitlines()]
            names = check_names([line for line in lines if line], path)
            return names, [f"classes are named by {os.path.relpath(path, root)}"]
    return None, []


def _read_yaml(path: Path) -> tuple[str, ...] | None:
    """Return the names in a file of YAML, of which no more than these is understood."""
    lines = [line for line in read_text(path).splitlines() if not line.lstrip().startswith("#")]
    starts = [row for row, line in enumerate(lines) if re.match(r"names\s*:(\s|$)", line)]
    if not starts:
        return None
    head = lines[starts[0]].partition(":")[2].strip()
    rest = lines[starts[0] + 1 :]
    if head and not head.startswith("#"):
        items = _split_flow(" ".join(re.sub(r"\s#.*$", "", line) for line in (head, *rest)))
    else:
        items = []
        for line in rest:
            # A list may begin at the margin, as a key of the same file does.
            if line.strip() and not re.match(r"\s|-\s", line):
                break
            found = _LINE.match(line)
            if line.strip() and not found:
                raise _not_understood(path)
            items += [found.groups()] if found else []
    if not items:
        raise _not_understood(path)
    numbers = [number for number, _ in items]
    if any(numbers) and sorted(int(n or -1) for n in numbers) != list(range(len(items))):
        raise UserError(f"'{path}' names classes of other numbers than 0 to {len(items) - 1}")
    if any(numbers):
        items = sorted(items, key=lambda item: int(item[0]))
    return check_names([_unquote(word) for _, word in items], path)


def _not_understood(path: Path) -> UserError:
    return UserError(
        f"'{path}': cannot read its names; expected 'names: [cat, dog]', or below 'names:' a line "
        "for each, '- cat' or '0: cat'"
    )


def _split_flow(text: str) -> list[tuple[str | None, str]]:
    """Return numbers and words of a list or mapping in one piece; nothing where it is neither."""
    pairs = {"[": "]", "{": "}"}
    end = text.find(pairs.get(text[:1], "\n"))
    inside, items = text[1:end].strip() if end > 0 else "", []
    while inside:
        found = _ITEM.match(inside)
        if not found:
            return []
        items.append(found.groups())
        inside = inside[found.end() :].strip()
    return items


def _unquote(word: str) -> str:
    word = word.strip()
    if word[0] == '"':
        return re.sub(r"\\(.)", r"\1", word[1:-1])
    return word[1:-1].replace("''", "'") if word[0] == "'" else word
