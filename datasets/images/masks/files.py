"""Files of masks: a number or a colour in each pixel that says which class it is."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from threefold.core.errors import UserError
from threefold.core.threads import worker_threads
from threefold.datasets.facts import ImageFacts
from threefold.datasets.images.augmentation import IGNORED
from threefold.datasets.images.image_files import File, Header, open_image
from threefold.datasets.images.named_bytes import NamedBytes, name_file

CLASS_FILE = "classes.txt"
CLASS_OPTION = "class_file"  # of sets that are no folders
MOST_CLASSES = IGNORED  # the last number of a byte says that a pixel has none
MOST_GUESSED = 64  # classes that nobody named; more are the shades of a photograph
VOID = 255  # what a pixel without a class has in masks of Pascal VOC and of many others
_RED, _GREEN = 1 << 16, 1 << 8


class Classes(NamedTuple):
    """The classes of masks.

    Args:
        names: tuple of str. What they are called.
        codes: tuple of int. The number of each in a file, as of `read_codes`.
        ignored: int. The number of pixels that count for nothing, if there is one.
    """

    names: tuple[str, ...]
    codes: tuple[int, ...]
    ignored: int | None = None

    @classmethod
    def of(cls, facts: ImageFacts) -> "Classes":
        """Return the classes of a run."""
        return cls(facts.class_names, facts.mask_codes, facts.ignored_code)


class FoundMasks(NamedTuple):
    """The masks of a folder, in files or made of regions.

    Args:
        images: sequence of path or bytes. The images.
        splits: list of str. The split of each.
        headers: list of Header. What each says of itself.
        classes: Classes. What pixels are.
        read_mask: function of int. Returns the mask of an image by its place: uint8, a class or
            `IGNORED` each pixel.
        files: list of str. Paths in the folder of all that is read, if there is a folder.
        fingerprint: str. Of what was read of the masks already.
        notes: list of str. What was decided.
    """

    images: Sequence[File]
    splits: list[str]
    headers: list[Header]
    classes: Classes
    read_mask: Callable[[int], np.ndarray]
    files: list[str]
    fingerprint: str
    notes: list[str]


def read_codes(file: File) -> np.ndarray:
    """Read the number of each pixel of a mask.

    Args:
        file: path or bytes. A PNG, or another image without loss.

    Returns:
        int32 array of shape (height, width). The value of a gray pixel, the place in the palette of
        one that has such, red × 65,536 + green × 256 + blue of a colour. What is gray in a file
        of colours has the number of its gray.

    Raises:
        UserError: for a file that is no image.
    """

    def decode(image: Image.Image, _) -> np.ndarray:
        if image.mode in ("L", "P", "1") or image.mode.startswith("I"):
            return np.asarray(image).astype(np.int32)
        colours = np.asarray(image.convert("RGB")).astype(np.int32)
        return _join(colours)

    return open_image(file, decode)


def survey(files: Sequence[File]) -> tuple[list[tuple[int, int]], list[np.ndarray]]:
    """Return the height and width of each mask, and the numbers that it holds, sorted."""

    def look(file: File) -> tuple[tuple[int, int], np.ndarray]:
        codes = read_codes(file)
        return codes.shape, np.unique(codes)

    found = list(worker_threads().map(look, files))
    return [size for size, _ in found], [codes for _, codes in found]


def read_class_file(path: Path) -> Classes | None:
    """Read what classes are called, a line each: NAME, or NAME R,G,B for masks in colours.

    Args:
        path: Path. It need not be there.

    Returns:
        Classes. In the order of the lines; without colours, a line's place is its number.

    Raises:
        UserError: for a file that names nothing, or a class twice, or colours of some alone.
    """
    if not path.is_file():
        return None
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read '{path}': {error}") from None
    rows = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    found = [(number, *_parse(line)) for number, line in rows]
    if not found:
        raise UserError(f"{path} names no class; write one name on each line")
    names = [name for _, name, _ in found]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UserError(f"{path} names '{twice[0]}' twice")
    coloured = [code is not None for *_, code in found]
    if any(coloured) and not all(coloured):
        number, name, _ = found[coloured.index(False)]
        raise UserError(f"{path} line {number}: '{name}' has no colour, as others have")
    if len(names) > MOST_CLASSES:
        raise UserError(f"{path} names {len(names)} classes; at most {MOST_CLASSES} can be told")
    codes = [place if code is None else code for place, (*_, code) in enumerate(found)]
    return Classes(tuple(names), tuple(codes))


def guess_classes(
    masks: Sequence[File],
    found: Sequence[np.ndarray],
    named: Classes | None,
    ignored: int | None,
) -> Classes:
    """Return the classes of masks.

    Args:
        masks: sequence of path or bytes. The masks.
        found: sequence of int array. The numbers of each, as from `survey`.
        named: Classes. From `read_class_file`, if there is one.
        ignored: int. The number of pixels that count for nothing, if it is known.

    Raises:
        UserError: naming the first mask with a number that is no class.
    """
    held = sorted({int(code) for codes in found for code in codes})
    if named is not None:
        classes = named._replace(ignored=ignored)
        if ignored is None and VOID in held and VOID not in named.codes:
            classes = named._replace(ignored=VOID)
        return classes
    if ignored is None and VOID in held and len(held) > 2 and held[-2] < VOID:
        ignored = VOID
    codes = [code for code in held if code != ignored]
    if len(codes) > MOST_GUESSED:
        worst = int(np.argmax([len(codes) for codes in found]))
        raise UserError(
            f"{_name_mask(masks[worst])} holds {len(found[worst])} different values, and all masks "
            f"{len(codes)}: no classes but shades; name the classes in "
            f"{_class_file(masks[worst])}, or save masks without loss (PNG)"
        )
    if len(codes) < 2:
        only = _show(codes[0]) if codes else "nothing"
        raise UserError(f"the masks hold {only} alone; expected two classes or more")
    names = ("background", "foreground") if codes == [0, 255] else tuple(map(_show, codes))
    return Classes(names, tuple(codes), ignored)


def check_codes(masks: Sequence[File], found: Sequence[np.ndarray], classes: Classes) -> None:
    """Refuse the first mask with a number that is no class."""
    known = {*classes.codes, classes.ignored}
    for place, codes in enumerate(found):
        if unknown := [int(code) for code in codes if int(code) not in known]:
            more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
            raise UserError(
                f"{_name_mask(masks[place])} holds {_show(unknown[0])}{more}, which is no class; "
                f"expected one of {', '.join(map(_show, classes.codes[:8]))}"
                f"{', ...' if len(classes.codes) > 8 else ''}; name the classes in "
                f"{_class_file(masks[place])}, or leave such pixels out with -d ignored=NUMBER"
            )


def check_sizes(
    masks: Sequence[File],
    sizes: Sequence[tuple[int, int]],
    images: Sequence[File],
    headers: Sequence[Header],
) -> None:
    """Refuse the first mask of another size than its image."""
    for place, (size, header) in enumerate(zip(sizes, headers, strict=True)):
        if size != header[:2]:
            image = images[place]
            name = "" if isinstance(image, NamedBytes) else f" {name_file(image)}"
            raise UserError(
                f"{_name_mask(masks[place])} is of {size[0]} × {size[1]} pixels, its image{name} "
                f"of {header.height} × {header.width}"
            )


def classify_pixels(codes: np.ndarray, classes: Classes) -> np.ndarray:
    """Return the class of each number, uint8, `IGNORED` for what counts for nothing."""
    order = np.argsort(classes.codes)
    ordered = np.array(classes.codes)[order]
    places = np.searchsorted(ordered, codes).clip(0, len(ordered) - 1)
    return np.where(ordered[places] == codes, order[places], IGNORED).astype(np.uint8)


def resize_mask(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a mask of another size, each pixel as the nearest one was."""
    rows = ((np.arange(height) + 0.5) * len(mask) / height).astype(np.intp)
    columns = ((np.arange(width) + 0.5) * mask.shape[1] / width).astype(np.intp)
    return mask[rows[:, None], columns]


def _join(colours: np.ndarray) -> np.ndarray:
    """Return one number for each colour; that of a gray is its value."""
    red, green, blue = np.moveaxis(colours, -1, 0)
    joined = red * _RED + green * _GREEN + blue
    return np.where((red == green) & (green == blue), red, joined).astype(np.int32)


def _parse(line: str) -> tuple[str, int | None]:
    """Return the name of a line, and the number of its colour if there is one."""
    name, _, last = line.replace(";", " ").rpartition(" ")
    parts = last.split(",")
    if name and len(parts) == 3 and all(p.isdigit() and int(p) <= 255 for p in parts):
        return name.strip().rstrip(":"), int(_join(np.array([int(p) for p in parts])))
    return line, None


def _name_mask(mask: File) -> str:
    return name_file(mask) if isinstance(mask, NamedBytes) else f"mask {name_file(mask)}"


def _class_file(mask: File) -> str:
    """Return where the classes of a mask are named: in its folder, or where a user says."""
    return f"a file, -d {CLASS_OPTION}=FILE" if isinstance(mask, NamedBytes) else CLASS_FILE


def _show(code: int) -> str:
    """Return a number as a person finds it in the file: a colour in hexadecimal digits."""
    return f"#{code:06x}" if code > 255 else str(code)
