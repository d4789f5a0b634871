"""Images of a user's own: a folder with one sub-folder per class, or with a table of numbers.

The images stay in their files and are decoded when a batch asks for them; only their names and
what is to be learned of them are kept in memory.
"""

import hashlib
import os
from pathlib import Path
from typing import Literal

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.dataset import Dataset, SubsetSource, numeric_targets
from threefold.datasets.facts import Facts, ImageFacts
from threefold.datasets.folder_listing import (
    Listing,
    divide_listing,
    find_target_file,
    list_any_images,
    list_classes,
    require_every_class,
    sub_folders,
)
from threefold.datasets.images.image_files import (
    Header,
    ImageShape,
    find_damage,
    find_levels,
    read_batch,
    read_headers,
    settle_shape,
)
from threefold.datasets.images.label_tables import describe_rare, holds_labels, list_label_sets
from threefold.datasets.images.pixels import WHOLE_RANGE, Levels
from threefold.datasets.images.target_tables import TargetTable, list_targets, read_target_table
from threefold.datasets.reader import Reader
from threefold.datasets.splitting import SplitFractions

READER = Reader(
    (
        "image_classification",
        "image_regression",
        "image_generation",
        "image_inpainting",
        "image_multilabel_classification",
    ),
    folders=("*",),
    only="a folder of images",
)
TASKS = READER.tasks
ANY_IMAGES = ("image_generation", "image_inpainting")  # tasks that ask for no classes
LABELS = "image_multilabel_classification"
SHOWN = 5  # files that a note names
SKIP_BAD = "fix or remove it, or leave such files out with -d skip_bad=true"


def load(
    path: str,
    *,
    task: str | None = None,
    facts: Facts | None = None,
    image_size: int | tuple[int, int] | None = None,
    channels: Literal[1, 3] | None = None,
    levels: tuple[float, float] | None = None,
    skip_bad: bool = False,
    label_separator: str | None = None,
    split_fractions: SplitFractions = SplitFractions(),
) -> Dataset:
    """Load a folder of images (JPEG, PNG, WebP, BMP, GIF, TIFF, PPM, AVIF).

    Args:
        path: str. The folder. It holds one sub-folder per class, or `train` and perhaps
            `validation` and `test` that do; or a `targets.csv` whose first column names images
            and whose others hold numbers to predict, or labels. To learn to make or to complete
            images, any that has some.
        task: str. `image_classification`, `image_regression`, `image_multilabel_classification`,
            `image_generation` or `image_inpainting`; all but these two are guessed if None.
        facts: Facts. Those of a run: its image shape, and its classes or targets, then rule.
        image_size: int, or height and width. The size to bring images to; guessed if None.
        channels: int. 1 reads the images as grayscale, 3 as colour; guessed if None.
        levels: tuple of two floats. What becomes 0 and 255 in images of more than 8 bits; if None,
            the smallest and the largest number in those of the training split.
        skip_bad: bool. Whether files that are no images, or damaged, are left out or refused;
            every image is then decoded before anything else is done.
        label_separator: str. What stands between the labels of one image in a table; guessed if
            None.
        split_fractions: SplitFractions. How images are divided where nothing says so.

    Returns:
        Dataset. Images `image` float32 (height, width, channels), values 0 to 255, and `label`,
        `target` float32 (targets,), or `labels` bool (labels,).

    Raises:
        UserError: for a folder, a table or an image that cannot be used. Headers of all files
            are read here; damage inside a file shows when it is decoded.
    """
    root = Path(path).expanduser()
    task, table = (task, None) if task else _guess_task(root, facts)
    if task not in TASKS:
        raise UserError(f"'{path}' is a folder of images; it serves {', '.join(TASKS)}, not {task}")
    classes, several = task != "image_regression", task == LABELS
    # Facts of another kind cannot rule; whoever gave them compares and refuses.
    if facts is not None and (facts.kind != "image" or bool(facts.class_names) != classes):
        facts = None
    listing = _list_images(root, task, facts, table, label_separator)
    listing, headers, notes = _check_headers(root, listing, skip_bad)
    if facts is None and classes and not several:
        require_every_class(root, listing)
    known = facts and facts.image_shape
    shape, remarks = settle_shape(known, headers, image_size=image_size, channels=channels)
    rows, decisions = divide_listing(path, listing, split_fractions)
    if several:
        decisions += describe_rare(listing, rows["train"])
    given = levels is not None
    if facts is None:
        deep = [row for row in rows["train"] if headers[row].deep]
        levels = _choose_levels(root, [listing.names[row] for row in deep], levels)
        facts = _describe(shape, listing, rows["train"]).model_copy(update={"levels": levels})
    notes += _describe_depth(listing, headers, facts.levels, given)
    found_target = ("labels" if several else "label") if classes else "target"
    files = {name: os.path.getsize(os.path.join(root, name)) for name in listing.names}
    source = ImageFiles(
        root, listing.names, found_target, listing.found_targets, shape, facts.levels
    )
    return Dataset(
        reference=path,
        task=task,
        facts=facts.model_copy(update={"image_shape": shape}),
        splits={name: SubsetSource(source, found) for name, found in rows.items()},
        fingerprint=_fingerprint(files, listing),
        notes=[*listing.notes, *notes, *remarks, *decisions],
        files=files,
    )


class ImageFiles:
    """Images that are decoded when they are asked for.

    Args:
        root: Path. The folder.
        names: list of str. The images, relative to `root`.
        found_target: str. `label`, `labels` or `target`.
        found_targets: array. What is to be learned of each image.
        image_shape: tuple of three ints. Height, width, channels.
        levels: tuple of two floats. As in ImageFacts.
    """

    def __init__(
        self,
        root: Path,
        names: list[str],
        found_target: str,
        found_targets: np.ndarray,
        image_shape: ImageShape,
        levels: Levels | None = None,
    ):
        self.root = root
        self.names = names
        self.arrays = {found_target: found_targets}
        self.image_shape = image_shape
        self.levels = levels

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        paths = [os.path.join(self.root, self.names[index]) for index in indices]
        try:
            images = read_batch(paths, self.image_shape, self.levels)
        except UserError as error:  # its header was good
            raise UserError(f"{error}; {SKIP_BAD}") from None
        return {"image": images} | {name: array[indices] for name, array in self.arrays.items()}


def _guess_task(root: Path, facts: Facts | None) -> tuple[str, TargetTable | None]:
    """Return what a folder serves, and its table, where it was read for that."""
    if facts is not None:
        return (TASKS[0] if facts.class_names else TASKS[1]), None
    # With less than two sub-folders there are no classes to distinguish.
    if not find_target_file(root) or len(sub_folders(root)) >= 2:
        return TASKS[0], None
    table = read_target_table(root)
    return (LABELS if holds_labels(table) else TASKS[1]), table


def _list_images(
    root: Path, task: str, facts: Facts | None, table: TargetTable | None, separator: str | None
) -> Listing:
    if task == "image_classification":
        return list_classes(root, facts)
    if task in ANY_IMAGES:
        return list_any_images(root, facts)
    table = table or read_target_table(root)
    if task == LABELS:
        return list_label_sets(table, facts, separator)
    return list_targets(table, facts)


def _check_headers(
    root: Path, listing: Listing, skip_bad: bool
) -> tuple[Listing, list[Header], list[str]]:
    """Look at every file, so that a bad one is found now and not in the middle of a training.

    Where bad files are to be left out, pixels are decoded too: a header may be all that is good.
    """
    paths = [os.path.join(root, name) for name in listing.names]
    headers = read_headers(paths)
    if skip_bad:
        damage = find_damage(paths)
        headers = [error or header for error, header in zip(damage, headers, strict=True)]
    bad = [row for row, header in enumerate(headers) if isinstance(header, UserError)]
    if not bad:
        return listing, headers, []
    if not skip_bad:
        more = f" (and {len(bad) - 1} more such)" if len(bad) > 1 else ""
        raise UserError(f"{headers[bad[0]]}{more}; {SKIP_BAD}")
    if len(bad) == len(headers):
        raise UserError(f"{headers[0]}, nor any other image of '{root}'")
    good = np.setdiff1d(np.arange(len(headers)), bad)
    shown = ", ".join(f"'{paths[row]}'" for row in bad[:SHOWN])
    such = "" if len(bad) <= SHOWN else "such as "
    notes = [f"left out as unreadable: {len(bad)} of {len(headers)} files, {such}{shown}"]
    return listing.keep(good), [headers[row] for row in good], notes


def _choose_levels(root: Path, deep: list[str], levels: Levels | None) -> Levels | None:
    """Return what becomes 0 and 255 in the deep images to train on."""
    if levels is not None and not levels[0] < levels[1]:
        raise UserError(
            f"-d levels={levels[0]:g},{levels[1]:g} does not fit: expected the number that becomes "
            "0, then a larger one that becomes 255"
        )
    if levels is not None or not deep:
        return levels
    return find_levels([os.path.join(root, name) for name in deep])


def _describe_depth(
    listing: Listing, headers: list[Header], levels: Levels | None, given: bool
) -> list[str]:
    """Return what is said of images of more than 8 bits, and of several pages."""
    notes = []
    if deep := sum(header.deep for header in headers):
        low, high = levels or WHOLE_RANGE
        whose = "the range of the training split" if levels else "all that 16 bits hold"
        whose = "as given" if given else whose
        notes.append(
            f"{deep} of {len(headers)} images have more than 8 bits: {low:g} to {high:g} ({whose}) "
            "become 0 to 255, and what is beyond becomes 0 or 255; levels=LOW,HIGH sets others"
        )
    if cut := [row for row, header in enumerate(headers) if header.cut]:
        notes.append(
            f"{len(cut)} images have colours of 16 bits, such as '{listing.names[cut[0]]}': "
            "the upper 8 bits are read"
        )
    if pages := [row for row, header in enumerate(headers) if header.pages > 1]:
        notes.append(
            f"{len(pages)} files hold several pages, such as '{listing.names[pages[0]]}': "
            "the first of each is read"
        )
    return notes


def _describe(shape: ImageShape, listing: Listing, train: np.ndarray) -> ImageFacts:
    found_targets, names = listing.found_targets[train], listing.target_names
    if found_targets.dtype == bool:
        counts = found_targets.sum(axis=0).tolist()
    elif found_targets.ndim == 2:
        return ImageFacts(image_shape=shape, targets=numeric_targets(list(names), found_targets))
    else:
        counts = np.bincount(found_targets, minlength=len(names)).tolist()
    return ImageFacts(image_shape=shape, class_names=names, class_counts=tuple(counts))


def _fingerprint(files: dict[str, int], listing: Listing) -> str:
    digest = hashlib.sha256()
    for name, size in files.items():
        digest.update(os.fsencode(name) + f"\0{size}\0".encode())
    if listing.found_targets.ndim == 2:  # classes are in the names already
        digest.update(listing.found_targets.tobytes())
    return digest.hexdigest()
