"""Files that say what is where in images: their texts, their names of classes, their sizes."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from threefold.core.errors import UserError
from threefold.datasets.folder_files import require_regular
from threefold.datasets.images.image_files import Header

LARGEST = 1e9  # number that a coordinate may be
SHOWN = 8  # names of classes in a note


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8, with or without the mark at its beginning.

    Raises:
        UserError: for a file that cannot be read, or is no text.
    """
    require_regular(path)
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"cannot read '{path}': not a text in UTF-8") from None
    except OSError as error:
        raise UserError(f"cannot read '{path}': {error.strerror or error}") from None


def check_names(names: Sequence[str], source: Path) -> tuple[str, ...]:
    """Return names of classes, or refuse what is none, or is there twice."""
    if not names:
        raise UserError(f"'{source}' names no class")
    if not all(names):
        raise UserError(f"'{source}' has a class without a name")
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise UserError(f"'{source}' names the class '{name}' twice")
    return tuple(names)


def check_size(path: str, size: tuple[int, int] | None, header: Header, file: Path) -> None:
    """Refuse an image of another size than its annotations say.

    Args:
        path: str. Of the image.
        size: tuple of two ints. Height and width as its annotations have them, if they do.
        header: Header. What the image says of itself.
        file: Path. Where the annotations are.

    Raises:
        UserError: naming both.
    """
    if size is not None and size != header[:2]:
        turned = " upright" if size == header[1::-1] else ""
        raise UserError(
            f"'{file}' has image '{path}' as {size[0]} × {size[1]} pixels, it is of "
            f"{header.height} × {header.width}{turned}"
        )
