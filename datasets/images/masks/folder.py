"""Images of a user's own and a mask for each: which class every pixel is of.

Masks are files, or are made of the polygons and runs of pixels in a file of COCO. Images and masks
are decoded when a batch asks for them. All masks are looked at once beforehand: a colour that is
no class must not end a training in its middle.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from threefold.core.errors import UserError
from threefold.core.threads import worker_threads
from threefold.datasets.dataset import Dataset, Source, SubsetSource, fingerprint_files
from threefold.datasets.facts import Facts, ImageFacts
from threefold.datasets.folder_files import by_stem, describe_ignored, walk
from threefold.datasets.folder_listing import find_splits, split_of, sub_folders
from threefold.datasets.images import coco_files
from threefold.datasets.images.boxes.folder import ANNOTATION_FOLDERS
from threefold.datasets.images.image_files import (
    CONVERTIBLE,
    SUFFIXES,
    File,
    ImageShape,
    check_size,
    fit_image,
    read_batch,
    require_headers,
    settle_shape,
    stack_images,
)
from threefold.datasets.images.masks import coco
from threefold.datasets.images.masks.files import (
    CLASS_FILE,
    Classes,
    FoundMasks,
    check_codes,
    check_sizes,
    classify_pixels,
    guess_classes,
    read_class_file,
    read_codes,
    resize_mask,
    survey,
)
from threefold.datasets.images.masks.tiles import MaskedTiles, keep_decoded
from threefold.datasets.reader import Reader
from threefold.datasets.splitting import SplitFractions

READER = Reader(
    ("image_segmentation",),
    only="a folder with images/ and masks/, or with images and their regions (COCO)",
    inside=(("images", "image", "JPEGImages"), ("masks", "mask", "SegmentationClass")),
)
IMAGE_FOLDERS, MASK_FOLDERS = READER.inside
NO_MASKS = np.empty((0, 0, 0), np.uint8)
MASK_SUFFIXES = (".png", ".bmp", ".tif", ".tiff", ".gif", ".pgm", ".ppm")
BLOCK = 512  # images whose content is held at a time, where they are no files
_ENDINGS = ("_mask", "-mask", "_seg", "_label")  # after the name of the image, in that of a mask


def load(
    path: str,
    *,
    facts: Facts | None = None,
    image_size: int | tuple[int, int] | None = None,
    tile_size: int | tuple[int, int] | None = None,
    channels: Literal[1, 3] | None = None,
    ignored: int | None = None,
    split_fractions: SplitFractions = SplitFractions(),
) -> Dataset:
    """Load a folder of images and masks, or of images and regions in them.

    Args:
        path: str. The folder. It holds `images` and `masks`, whose files have the same names but
            for their endings; or `train` and perhaps `validation` and `test` that do. Masks are
            gray, in colours or with a palette; `classes.txt` names their classes, a line each.
            Without `masks`, files of COCO (`annotations.json`, `_annotations.coco.json`,
            `instances_*.json`) hold the regions.
        facts: Facts. Those of a run: its image shape and its classes then rule.
        image_size: int, or height and width. The size to bring images to; guessed if None.
        tile_size: int, or height and width. Of tiles, cut out of images that keep their sizes.
        channels: int. 1 reads the images as grayscale, 3 as colour; guessed if None.
        ignored: int. The number of pixels in masks that count for nothing, where it is not 255.
        split_fractions: SplitFractions. How images are divided where nothing says so.

    Returns:
        Dataset. `image` float32 (height, width, channels), values 0 to 255, and `mask` uint8
        (height, width), a class each pixel, or 255 where it counts for nothing. Tiles of one image
        are in one split, and each pixel counts in one of them; see `MaskedTiles`.

    Raises:
        UserError: for an image without a mask, a mask of another size, a colour that is no class,
            a region that is damaged.
    """
    root = Path(path).expanduser()
    facts = facts_of_masks(facts)
    annotated = {} if _has_masks(root) else coco_files.find_files(root, ANNOTATION_FOLDERS)
    if annotated and ignored is not None:
        raise UserError(
            f"-d ignored={ignored} is for files of masks; of '{annotated['train']}' regions of "
            "crowds (iscrowd) count for nothing"
        )
    classes = Classes.of(facts) if facts else None
    if annotated:
        found = coco.read(root, annotated, IMAGE_FOLDERS, classes)
    else:
        found = _read_mask_files(root, classes, ignored)
    return segment_images(
        path,
        found,
        {name: os.path.getsize(root / name) for name in found.files},
        facts=facts,
        image_size=image_size,
        tile_size=tile_size,
        channels=channels,
        split_fractions=split_fractions,
    )


def facts_of_masks(facts: Facts | None) -> ImageFacts | None:
    """Return the facts of a run of masks; whoever gave those of another kind compares and refuses.

    Args:
        facts: Facts. Those of a run, if there is one.
    """
    return facts if facts is not None and facts.kind == "image" and facts.mask_codes else None


def segment_images(
    reference: str,
    found: FoundMasks,
    files: dict[str, int],
    *,
    facts: ImageFacts | None,
    image_size: int | tuple[int, int] | None,
    tile_size: int | tuple[int, int] | None,
    channels: Literal[1, 3] | None,
    split_fractions: SplitFractions,
) -> Dataset:
    """Make a dataset of images and masks, wherever they are from.

    Args:
        reference: str. What the user typed.
        found: FoundMasks. The images, the masks and their classes.
        files: dict of str to int. The sizes of the files that were looked at, if there are such.
        facts: ImageFacts. Those of a run, as from `facts_of_masks`.
        image_size: int, or height and width. As for `load`.
        tile_size: int, or height and width. Likewise.
        channels: int. Likewise.
        split_fractions: SplitFractions. Likewise.

    Returns:
        Dataset. As from `load`.
    """
    tile = _choose_tile(tile_size, image_size, facts)
    known, size = facts and facts.image_shape, tile or image_size
    shape, remarks = settle_shape(known, found.headers, image_size=size, channels=channels)
    rows, decision = split_fractions.divide(found.splits, noun="training images")
    return Dataset(
        reference=reference,
        task="image_segmentation",
        facts=ImageFacts(
            image_shape=shape,
            class_names=found.classes.names,
            mask_codes=found.classes.codes,
            ignored_code=found.classes.ignored,
            tile_size=tile,
        ),
        splits=_make_splits(found, rows, shape, tile),
        fingerprint=fingerprint_files(files, f"{found.classes!r}{found.fingerprint}"),
        notes=[*found.notes, *remarks, *([f"{reference}: {decision}"] if decision else [])],
        files=files,
    )


def _choose_tile(
    tile_size: int | tuple[int, int] | None,
    image_size: int | tuple[int, int] | None,
    facts: ImageFacts | None,
) -> tuple[int, int] | None:
    """Return the height and width of tiles, if there are such: the option's, or those of a run."""
    if tile_size is None:
        return facts.tile_size if facts else None
    if image_size is not None:
        raise UserError(
            "image_size brings images to one size, tile_size cuts them as they are: give one of "
            "them"
        )
    return check_size(tile_size, "tile_size")


def _make_splits(
    found: FoundMasks,
    rows: dict[str, np.ndarray],
    shape: ImageShape,
    tile: tuple[int, int] | None,
) -> dict[str, Source]:
    if tile is None:
        source = MaskedImages(found.images, found.read_mask, shape)
        return {name: SubsetSource(source, some) for name, some in rows.items()}

    def read(index: int) -> tuple[np.ndarray, np.ndarray]:
        return fit_image(found.images[index], (None, None, shape[2])), found.read_mask(index)

    kept = keep_decoded(read, found.headers)
    dtype = np.uint8 if shape[0] is None else np.float32  # as images of this shape come
    return {
        name: MaskedTiles(kept, found.headers, some, tile, dtype) for name, some in rows.items()
    }


class MaskedImages:
    """Images and masks that are decoded when they are asked for.

    Args:
        paths: sequence of path or bytes. The images.
        read_mask: function of int. Returns the mask of an image by its place, uint8, in the image's
            own size.
        image_shape: tuple of three ints. Height, width, channels.
    """

    def __init__(
        self,
        paths: Sequence[File],
        read_mask: Callable[[int], np.ndarray],
        image_shape: ImageShape,
    ):
        self.paths, self.read_mask, self.image_shape = paths, read_mask, image_shape

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        images = read_batch([self.paths[index] for index in indices], self.image_shape)
        height, width, _ = self.image_shape

        def read(index: int) -> np.ndarray:
            found = self.read_mask(index)
            return found if height is None else resize_mask(found, height, width)

        masks = list(worker_threads().map(read, indices))
        return {"image": images, "mask": stack_images(masks) if masks else NO_MASKS}


def _has_masks(root: Path) -> bool:
    """Return whether masks lie in files, in a folder or in those of its splits."""
    places = (root, *(root / name for name in sub_folders(root) if split_of(name)))
    return any(_find(place, MASK_FOLDERS) for place in places)


def _read_mask_files(root: Path, classes: Classes | None, ignored: int | None) -> FoundMasks:
    """Look at all files of masks; without the classes of a run, find them."""
    pairs, notes = _list_pairs(root)
    named = read_class_file(root / CLASS_FILE)
    found = settle_masks(
        [root / image for image, _, _ in pairs],
        [root / mask for _, mask, _ in pairs],
        [split for *_, split in pairs],
        classes,
        named,
        ignored,
        CLASS_FILE if named else f"the masks ({CLASS_FILE} names them)",
    )
    files = [name for pair in pairs for name in pair[:2]]
    return found._replace(files=files, notes=[*notes, *found.notes])


def settle_masks(
    images: Sequence[File],
    masks: Sequence[File],
    splits: list[str],
    classes: Classes | None,
    named: Classes | None,
    ignored: int | None,
    source: str,
) -> FoundMasks:
    """Look at all masks once: whether each fits its image, and which classes there are.

    Args:
        images: sequence of path or bytes. The images.
        masks: sequence of path or bytes. The mask of each.
        splits: list of str. The split of each.
        classes: Classes. Those of a run, if there is one.
        named: Classes. Those that the data name, if they do.
        ignored: int. The number of pixels that count for nothing, if it is known.
        source: str. Who says which classes there are, for the note.

    Returns:
        FoundMasks. Without `files`.

    Raises:
        UserError: for a mask of another size than its image, or with a number that is no class.
    """
    headers, codes, notes = [], [], []
    for start in range(0, len(masks), BLOCK):
        places = range(start, min(start + BLOCK, len(masks)))
        files = [images[place] for place in places], [masks[place] for place in places]
        sizes, held = survey(files[1])
        own = require_headers(files[0])
        check_sizes(files[1], sizes, files[0], own)
        headers += own
        codes += held
    if classes is None:
        classes = guess_classes(masks, codes, named, ignored)
        notes.append(_describe_classes(source, classes))
    check_codes(masks, codes, classes)
    return FoundMasks(
        images,
        splits,
        headers,
        classes,
        lambda index: classify_pixels(read_codes(masks[index]), classes),
        [],
        "",
        notes,
    )


def _list_pairs(root: Path) -> tuple[list[tuple[str, str, str]], list[str]]:
    """Return each image's path in the folder, its mask's and its split, sorted, and notes."""
    folders = find_splits(root, lambda name: _find(root / name, IMAGE_FOLDERS) is not None)
    pairs, notes = [], []
    for split, folder in (folders or {"train": root}).items():
        found, remarks = _pair(root, folder)
        pairs += [(image, mask, split) for image, mask in found]
        notes += remarks
    return sorted(pairs), notes


def _pair(root: Path, folder: Path) -> tuple[list[tuple[str, str]], list[str]]:
    """Return images and masks of one folder that belong together by their names."""
    images, masks = _find(folder, IMAGE_FOLDERS), _find(folder, MASK_FOLDERS)
    if images is None or masks is None:
        raise UserError(
            f"folder '{folder}' has no {'images' if images is None else 'masks'}/; expected images "
            "in images/ and, under the same names, masks in masks/, or regions in annotations.json "
            "(COCO)"
        )
    names, ignored = walk(images, SUFFIXES)
    if not names:
        raise UserError(f"folder '{images}' holds no images ({', '.join(SUFFIXES)})")
    stems = by_stem(images, names, _ENDINGS)
    others, _ = walk(masks, MASK_SUFFIXES)
    known = by_stem(masks, others, _ENDINGS)
    lacking = [stem for stem in stems if stem not in known]
    if lacking:
        more = f" (and {len(lacking) - 1} more such)" if len(lacking) > 1 else ""
        raise UserError(
            f"image '{images / stems[lacking[0]]}' has no mask in '{masks}'{more}; expected "
            f"'{lacking[0]}.png', or another of {', '.join(MASK_SUFFIXES)}"
        )
    notes = describe_ignored(ignored, "images", CONVERTIBLE)
    if alone := len(set(known) - set(stems)):
        notes.append(f"{alone} masks without an image are ignored")
    return [
        (os.path.relpath(images / name, root), os.path.relpath(masks / known[stem], root))
        for stem, name in stems.items()
    ], notes


def _find(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)


def _describe_classes(source: str, classes: Classes) -> str:
    """Return which classes there are, and where they are from."""
    shown = ", ".join(classes.names[:8]) + (", ..." if len(classes.names) > 8 else "")
    void = "" if classes.ignored is None else f"; pixels of {classes.ignored} count for nothing"
    return f"classes of pixels by {source}: {shown}{void}"
