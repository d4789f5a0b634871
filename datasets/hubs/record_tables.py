"""Tables of records whose columns are described, as TFDS and Hugging Face open them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from threefold.datasets.tables.column_roles import SplitFractions

# `words` and `tags` are lists: of texts, and of ids of classes.
Kind = Literal["image", "classes", "number", "boolean", "text", "date", "words", "tags"]


@dataclass(frozen=True)
class Column:
    """What one column holds; `class_names` are those of the ids of classes or tags."""

    kind: Kind
    class_names: tuple[str, ...] = ()


class Records(Protocol):
    """Rows that are read at random, only the columns that are asked for."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def read(self, rows: np.ndarray, columns: Sequence[str]) -> dict[str, list]:
        """Return the cells of some rows; images are bytes or paths, missing cells None."""


@dataclass(frozen=True)
class Choices:
    """What the user chose of the options of `hubs.load`; `tokenizer_config` are those of tokens."""

    image: str | None
    label: str | None
    target: tuple[str, ...]
    text: str | None
    first: str | None
    second: str | None
    source: str | None
    tokens: str | None
    tags: str | None
    image_size: int | tuple[int, int] | None
    channels: int | None
    tokenizer_config: Mapping[str, Any]
    split_fractions: SplitFractions

    def columns(self) -> dict[str, tuple[str, ...]]:
        """Return the columns that were given, by their options."""
        alone = {
            name: (getattr(self, name),)
            for name in ("image", "label", "text", "first", "second", "source", "tokens", "tags")
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
