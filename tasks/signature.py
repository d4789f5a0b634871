"""What goes into an exported model and what comes out: names, types, shapes, units.

An artifact keeps its signature as JSON; `Task.signature` makes it.
"""

import keyword
import re
from collections.abc import Sequence
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict


class Field(BaseModel):
    """One input or output of an exported model.

    Args:
        name: str. Letters, digits and underscores.
        dtype: str. Of the array; `string` for text.
        shape: tuple of int or str. The length of each axis; a word for one that is free.
        meaning: str. What the numbers are, with their unit.
        range: pair of float. The least and the largest value, where there are such.
        column: str. The column of the table, under the name that it has there.
        words: tuple of str. The words that a text may be; any other counts as unknown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    dtype: Literal["uint8", "int64", "float32", "float64", "string"]
    shape: tuple[int | str, ...]
    meaning: str
    range: tuple[float, float] | None = None
    column: str | None = None
    words: tuple[str, ...] | None = None

    @classmethod
    def index(cls, name: str, shape: tuple[int | str, ...], meaning: str, count: int) -> Self:
        """Return a field of positions among `count`, from 0: of classes, or of tokens."""
        return cls(name=name, dtype="int64", shape=shape, meaning=meaning, range=(0, count - 1))


class Output(Field):
    """An output, with how far it may lie from what the training backend answered.

    Args:
        limit: float. The largest difference of a number; `None` for what is derived from others.
        scale: tuple of float. Differences are counted in these units, one for each last index.
        decided: bool. Whether the numbers follow from decisions, so that a near tie, decided
            otherwise, gives other numbers.
    """

    limit: float | None = None
    scale: tuple[float, ...] = (1.0,)
    decided: bool = False

    @classmethod
    def probability(cls, name: str, shape: tuple[int | str, ...], meaning: str) -> "Output":
        """Return an output of probabilities, which may differ by 1e-5."""
        return cls(
            name=name, dtype="float32", shape=shape, meaning=meaning, range=(0, 1), limit=1e-5
        )


class Signature(BaseModel):
    """All inputs and outputs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    inputs: tuple[Field, ...]
    outputs: tuple[Output, ...]


def plain_names(names: Sequence[str], reserved: Sequence[str] = ()) -> list[str]:
    """Return names of letters, digits and underscores, each once, as graphs ask for.

    Args:
        names: sequence of str. Those of a table's columns, say.
        reserved: sequence of str. Names that something else has already: an output, say.

    Returns:
        list of str. As many, in the same order.
    """
    # TensorFlow makes each an argument of a method, in small letters.
    reserved = {word.lower() for word in (*reserved, *keyword.kwlist, "self")}
    found: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "column"
        if plain[0].isdigit() or plain.lower() in reserved:
            plain = f"column_{plain}"
        unique, count = plain, 1
        while unique.lower() in found:
            count += 1
            unique = f"{plain}_{count}"
        found[unique.lower()] = unique
    return list(found.values())
