"""Raw images with holes for a prediction, and where their holes are."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.facts import ImageFacts
from threefold.datasets.images import image_inputs
from threefold.datasets.images.image_files import SUFFIXES, read_image, stack_images
from threefold.datasets.raw_inputs import Given, Inputs

COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
NEAR = 8  # levels of each channel that a pixel may be off a colour: JPEG blurs them
WHITE = 128  # levels from which on a pixel of a mask is in the hole
WAYS = "-d mask=FILE, a folder of masks, or a colour as '#FF00FF'"


def read(
    given: Given, facts: ImageFacts, batch_size: int, mask: str | None = None
) -> Iterator[Inputs]:
    """Read images and their masks.

    Args:
        given: Given. Files, or `-` for their paths, one on each line.
        facts: ImageFacts. Those of the run, raw: images keep their sizes.
        batch_size: int. Images in one part.
        mask: str. Where the holes are: a file of the image's size, white in the hole; a folder of
            such, of the images' names; or a colour of the image, #RRGGBB.

    Returns:
        iterator of Inputs. `image` uint8 (batch, height, width, channels) and `mask` uint8 (batch,
        height, width), 1 in the hole; of mixed sizes, arrays of objects. A hole that cannot be is
        one of the errors.

    Raises:
        UserError: at once, without a mask, and for one that is not there.
    """
    find_hole = _choose_source(mask)
    parts = image_inputs.read(given, facts, batch_size)
    return (_add_holes(part, find_hole) for part in parts)


def _choose_source(mask: str | None) -> Callable[[str], tuple[np.ndarray, str]]:
    """Return what finds the hole of an image's file: bool (height, width), and what it is called.

    Raises:
        UserError: as from `read`.
    """
    if mask is None:
        raise UserError(f"where are the holes? {WAYS}")
    if COLOUR.fullmatch(mask):
        colour = np.array([int(mask[at : at + 2], 16) for at in (1, 3, 5)])

        def find(image: str) -> tuple[np.ndarray, str]:
            off = np.abs(read_image(Path(image), 3).astype(np.float32) - colour)
            return (off <= NEAR).all(axis=-1), f"the colour {mask}"

        return find
    place = Path(mask).expanduser()
    if not place.exists():
        what = "no colour: expected six digits, '#FF00FF'" if mask.startswith("#") else "not there"
        raise UserError(f"-d mask={mask} is {what}; {WAYS}")

    def find_file(image: str) -> tuple[np.ndarray, str]:
        file = _find_namesake(place, image) if place.is_dir() else place
        return read_image(file, 1)[..., 0] >= WHITE, f"the mask {file}"

    return find_file


def _find_namesake(folder: Path, image: str) -> Path:
    stem = Path(image).stem
    found = [path for path in sorted(folder.iterdir())
             if path.stem == stem and path.suffix.lower() in SUFFIXES]  # fmt: skip
    if len(found) != 1:
        many = f"{len(found)} masks" if found else "no mask"
        raise UserError(f"{image}: the folder {folder} holds {many} of the name {stem}")
    return found[0]


def _add_holes(part: Inputs, find_hole: Callable[[str], tuple[np.ndarray, str]]) -> Inputs:
    names, images, holes, errors = [], [], [], list(part.errors)
    for name, image in zip(part.names, part.examples["image"], strict=True):
        try:
            hole, what = find_hole(name)
            _require_hole(name, image.shape[:2], hole, what)
        except UserError as error:
            errors.append(error)
            continue
        names.append(name)
        images.append(image)
        holes.append(hole.astype(np.uint8))
    if not names:
        return Inputs([], {"image": np.empty((0, 0, 0, 1)), "mask": np.empty((0, 0, 0))}, errors)
    examples = {"image": stack_images(images), "mask": stack_images(holes)}
    return Inputs(names, examples, errors, (), part.remarks)


def _require_hole(name: str, size: tuple[int, int], hole: np.ndarray, what: str) -> None:
    """Refuse a hole that is of another size, that is none, or that leaves nothing."""
    if hole.shape != size:
        sizes = [" × ".join(map(str, sides)) for sides in (hole.shape, size)]
        raise UserError(f"{name}: {what} has {sizes[0]} pixels, and the image {sizes[1]}")
    if not hole.any():
        hint = "" if "colour" in what else f"; pixels from {WHITE} of 255 on are in the hole"
        raise UserError(f"{name}: {what} covers nothing{hint}")
    if hole.all():
        raise UserError(f"{name}: {what} covers all of the image, of which nothing is left")
