"""Tables of records whose columns are described, as TFDS and Hugging Face open them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from threefold.datasets.splitting import SplitFractions

# `words` and `tags` are lists: of texts, and of ids of classes. A `mask` is an image of ids.
Kind = Literal[
    "image", "classes", "number", "boolean", "text", "date", "words", "tags", "mask", "objects"
]
# Edges of a box (x across, y down), or its width and height; `cxcywh` begins with its centre.
BoxFormat = Literal["xywh", "xyxy", "yxyx", "cxcywh"]


@dataclass(frozen=True)
class ObjectFields:
    """What the objects of an image are described by.

    Args:
        box: str. The field of their boxes.
        label: str. That of their classes.
        crowd: str. That which says of an object that it is a crowd, if there is one.
        box_format: str. One of `BoxFormat`, if the source says so.
        relative: bool. Whether boxes are in shares of the image, if the source says so.
    """

    box: str
    label: str
    crowd: str | None = None
    box_format: BoxFormat | None = None
    relative: bool | None = None


@dataclass(frozen=True)
class Column:
    """What one column holds; `class_names` are those of the ids of classes, tags or masks.

    `fields` are those of objects, whose cells are a list of mappings, or a mapping of lists.
    """

    kind: Kind
    class_names: tuple[str, ...] = ()
    fields: ObjectFields | None = None


class Records(Protocol):
    """Rows that are read at random, only the columns that are asked for."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def read(self, rows: np.ndarray, columns: Sequence[str]) -> dict[str, list]:
        """Return the cells of some rows; images are bytes or paths, missing cells None."""


@dataclass(frozen=True)
class ColumnChoices:
    """Which columns hold what, where a set does not say so, and how images are read.

    Args:
        image: str. The column of images, where there are several.
        label: str. The column of classes; the set's own choice if None.
        target: tuple of str. The columns of numbers to predict; of pairs, the column of targets.
        text: str. The column of texts; guessed if None, by its name, else the wordiest.
        first: str. The column of the first of two texts to be compared, such as `premise`.
        second: str. The column of the second, such as `hypothesis`.
        source: str. The column of the sources of pairs, such as a language.
        tokens: str. The column of the words to tag.
        tags: str. The column of their tags, in BIO.
        mask: str. The column of masks; guessed if None, by its name.
        objects: str. The column of objects and their boxes, where there are several.
        box_format: str. What the four numbers of a box are, `x` across and `y` down, `c` the
            centre: `xywh` (as in COCO), `xyxy`, `yxyx` or `cxcywh`; found by their values if None.
        ignored: int. The number of pixels in masks that count for nothing, where it is not 255.
        class_file: str. A file that names the classes of masks, a line each, as the `classes.txt`
            of a folder of masks.
        image_size: int, or height and width. The size to bring images to; guessed if None.
        tile_size: int, or height and width. Of tiles of images with masks, which keep their sizes.
        channels: int. 1 reads the images as grayscale, 3 as colour; guessed if None.
    """

    image: str | None = None
    label: str | None = None
    target: tuple[str, ...] = ()
    text: str | None = None
    first: str | None = None
    second: str | None = None
    source: str | None = None
    tokens: str | None = None
    tags: str | None = None
    mask: str | None = None
    objects: str | None = None
    box_format: BoxFormat | None = None
    ignored: int | None = None
    class_file: str | None = None
    image_size: int | tuple[int, int] | None = None
    tile_size: int | tuple[int, int] | None = None
    channels: Literal[1, 3] | None = None


@dataclass(frozen=True, kw_only=True)
class Choices(ColumnChoices):
    """All that the user chose.

    Args:
        reading: mapping of str to value. Options of texts, as those of a file of the task.
        split_fractions: SplitFractions. How splits that a set lacks are taken out of train.
    """

    reading: Mapping[str, Any]
    split_fractions: SplitFractions

    def columns(self) -> dict[str, tuple[str, ...]]:
        """Return the columns that were given, by their options."""
        alone = {
            name: (getattr(self, name),)
            for name in (
                *("image", "label", "text", "first", "second", "source", "tokens", "tags"),
                *("mask", "objects"),
            )
            if getattr(self, name) is not None
        }
        return alone | ({"target": self.target} if self.target else {})


@dataclass(frozen=True)
class RecordTable:
    """A source of records, opened.

    Args:
        reference: str. What the user typed.
        columns: dict of str to Column. What can be used.
        splits: dict of str to Records. Under the source's own names.
        fingerprint: str. Hexadecimal digest that changes with the examples.
        label: str, optional. The column that the source itself names as the one to learn.
        languages: tuple of str. The columns that are translations of one another, sources first.
        aside: tuple of str. The names of columns that cannot be used.
        notes: list of str. What was decided while opening.
    """

    reference: str
    columns: dict[str, Column]
    splits: dict[str, Records]
    fingerprint: str
    label: str | None = None
    languages: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)

    def named(self, *kinds: Kind) -> list[str]:
        """Return the names of the columns of some kinds."""
        return [name for name, column in self.columns.items() if column.kind in kinds]
