"""Tables of records whose columns are described, as TFDS and Hugging Face open them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from threefold.datasets.table_roles import Division

Kind = Literal["picture", "classes", "number", "boolean", "text", "date"]


@dataclass(frozen=True)
class Column:
    """What one column holds; `class_names` are those of the ids of a column of classes."""

    kind: Kind
    class_names: tuple[str, ...] = ()


class Records(Protocol):
    """Rows that are read at random, only the columns that are asked for."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def read(self, rows: np.ndarray, columns: Sequence[str]) -> dict[str, list]:
        """Return the cells of some rows; pictures are bytes or paths, missing cells None."""


@dataclass(frozen=True)
class Choices:
    """What the user chose of the options that both sources have."""

    image: str | None
    label: str | None
    target: tuple[str, ...]
    image_size: int | tuple[int, int] | None
    channels: int | None
    division: Division


@dataclass(frozen=True)
class RecordTable:
    """A source of records, opened.

    Args:
        reference: str. What the user typed.
        columns: dict of str to Column. What can be used.
        splits: dict of str to Records. Under the source's own names.
        fingerprint: str. Hexadecimal digest that changes with the examples.
        label: str, optional. The column that the source itself names as the one to learn.
        notes: list of str. What was decided while opening.
    """

    reference: str
    columns: dict[str, Column]
    splits: dict[str, Records]
    fingerprint: str
    label: str | None = None
    notes: list[str] = field(default_factory=list)

    def named(self, *kinds: Kind) -> list[str]:
        """Return the names of the columns of some kinds."""
        return [name for name, column in self.columns.items() if column.kind in kinds]
