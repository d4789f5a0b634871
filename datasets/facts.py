"""What a task needs to know of a dataset, in a form that is kept with the run.

Facts are plain data: `run.json` holds them, and a model is rebuilt from them without the dataset.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NumericTarget(_Frozen):
    """One number to predict; networks learn ``(value - mean) / scale``."""

    name: str
    mean: float
    scale: float


class ImageFacts(_Frozen):
    """Pictures of one shape, values 0 to 255; exactly one of `class_names`, `targets` is filled.

    Without height and width (see `raw`) every picture keeps the size that it has.

    `class_counts` says how many examples of each class the training split holds.
    """

    kind: Literal["image"] = "image"
    image_shape: tuple[int | None, int | None, int]  # height, width, channels (1 grey, 3 colour)
    class_names: tuple[str, ...] = ()
    class_counts: tuple[int, ...] = ()
    targets: tuple[NumericTarget, ...] = ()

    def describe(self) -> str:
        """Return the facts in a person's words."""
        height, width, channels = self.image_shape
        colour = "grey" if channels == 1 else "colour"
        size = f"of {height} × {width} pixels" if height else "of any size"
        return f"{colour} pictures {size}, {_describe_goal(self)}"

    def raw(self) -> "ImageFacts":
        """Return the facts under which data are read as they are: uint8, not resized."""
        return self.model_copy(update={"image_shape": (None, None, self.image_shape[2])})


class NumericColumn(_Frozen):
    """A column of numbers (booleans are 0 and 1), with its mean and scale in the training split."""

    name: str
    mean: float
    scale: float


class DateColumn(_Frozen):
    """A column of dates, given to the network in days since 1970-01-01."""

    name: str
    mean: float
    scale: float


class CategoricalColumn(_Frozen):
    """A column of words; the word at position i has the id i + 1, any other word the id 0."""

    name: str
    vocabulary: tuple[str, ...]


class TableFacts(_Frozen):
    """The columns of a table, in the order in which the network takes them."""

    kind: Literal["table"] = "table"
    numeric: tuple[NumericColumn, ...] = ()
    dates: tuple[DateColumn, ...] = ()
    categorical: tuple[CategoricalColumn, ...] = ()
    target_name: str
    class_names: tuple[str, ...] = ()
    class_counts: tuple[int, ...] = ()
    targets: tuple[NumericTarget, ...] = ()

    def describe(self) -> str:
        """Return the facts in a person's words."""
        counts = [
            (len(self.numeric), "numeric"),
            (len(self.dates), "date"),
            (len(self.categorical), "categorical"),
        ]
        columns = ", ".join(f"{count} {kind}" for count, kind in counts if count)
        return f"a table of {columns} columns, {_describe_goal(self)}"

    def raw(self) -> "TableFacts":
        """Return the facts under which data are read as they are."""
        return self


Facts = Annotated[ImageFacts | TableFacts, Field(discriminator="kind")]


def _describe_goal(facts: ImageFacts | TableFacts) -> str:
    if facts.class_names:
        return f"{len(facts.class_names)} classes"
    return f"target {', '.join(target.name for target in facts.targets)}"
