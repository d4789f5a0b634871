"""What a task needs to know of a dataset, in a form that is kept with the run.

Facts are plain data: `run.json` holds them, and a model is rebuilt from them without the dataset.
"""

import json
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from threefold.datasets.facts_base import CommonFacts, Frozen, Scaled
from threefold.datasets.tables.notations import Notation
from threefold.datasets.text_facts import (
    MaskedTextFacts,
    PairFacts,
    QuestionFacts,
    TextFacts,
    TextPairFacts,
)


class ImageFacts(CommonFacts):
    """Images of one shape, values 0 to 255; exactly one of `class_names`, `targets` is filled.

    Without height and width (see `raw`) every image keeps the size that it has. `levels` are what
    becomes 0 and 255 in files of more than 8 bits. Where pixels have classes, `mask_codes` are the
    number (of a colour: red × 65,536 + green × 256 + blue) of each class in a mask's file, and
    `ignored_code` that of pixels which count for nothing. With `boxes` an image holds any number of
    objects, each of a class and in a box. With `tile_size`, height and width, they are tiles of
    images, which keep their sizes.
    """

    examples: ClassVar[str] = "images"
    kind: Literal["image"] = "image"
    image_shape: tuple[
        int | None, int | None, int
    ]  # height, width, channels (1 grayscale, 3 colour)
    levels: tuple[float, float] | None = None
    mask_codes: tuple[int, ...] = ()
    ignored_code: int | None = None
    boxes: bool = False
    tile_size: tuple[int, int] | None = None

    def describe(self) -> str:
        """Return the facts in a person's words."""
        height, width, channels = self.image_shape
        colour = "grayscale" if channels == 1 else "colour"
        if self.tile_size:
            height, width = self.tile_size
            colour = f"tiles of {colour}"
        size = f"of {height} × {width} pixels" if height else "of any size"
        return f"{colour} images {size}, {self._describe_target()}"

    def raw(self) -> Self:
        """Return the facts under which data are read as they are: uint8, not resized."""
        return self.model_copy(update={"image_shape": (None, None, self.image_shape[2])})

    def schema(self) -> dict[str, tuple]:
        """Return what must agree between a run and data for it."""
        return super().schema() | {"shape": self.image_shape, "tiles": self.tile_size or ()}


class _Column(Scaled):
    knots: tuple[float, ...] = ()


class NumericColumn(_Column):
    """A column of numbers (booleans are 0 and 1): their mean, scale and quantiles in training."""


class DateColumn(_Column):
    """A column of dates, given to the network in days since 1970-01-01."""


class CategoricalColumn(Frozen):
    """A column of words; the word at position i has the id i + 1, any other word the id 0."""

    name: str
    vocabulary: tuple[str, ...]


class TableFacts(CommonFacts):
    """The columns of a table, in the order in which the network takes them.

    `notations` says of columns how they write numbers and dates, where not as programs do;
    `header` whether the first row of a file names the columns, where a user said so, and
    `keep_all_rows` whether rows count that repeat the header or sum up the others.
    """

    examples: ClassVar[str] = "rows of a table"
    kind: Literal["table"] = "table"
    numeric: tuple[NumericColumn, ...] = ()
    dates: tuple[DateColumn, ...] = ()
    categorical: tuple[CategoricalColumn, ...] = ()
    target_name: str
    notations: dict[str, Notation] = {}
    header: bool | None = None
    keep_all_rows: bool = False

    def describe(self) -> str:
        """Return the facts in a person's words."""
        counts = [
            (len(self.numeric), "numeric"),
            (len(self.dates), "date"),
            (len(self.categorical), "categorical"),
        ]
        columns = ", ".join(f"{count} {kind}" for count, kind in counts if count)
        return f"a table of {columns} columns, {self._describe_target()}"

    def schema(self) -> dict[str, tuple]:
        """Return what must agree between a run and data for it."""
        return super().schema() | {
            f"{kind} columns": tuple(column.name for column in getattr(self, kind))
            for kind in ("numeric", "dates", "categorical")
        }


class SequenceFacts(CommonFacts):
    """Series of several channels, each step a number of every channel; of any length.

    Networks take ``(value - mean) / scale``, NaN (missing) as 0.
    """

    examples: ClassVar[str] = "series"
    kind: Literal["sequence"] = "sequence"
    channels: tuple[NumericColumn, ...]
    max_length: int

    def describe(self) -> str:
        """Return the facts in a person's words."""
        count = len(self.channels)
        channels = f"{count} channel{'s' if count > 1 else ''}"
        return f"series of {channels}, up to {self.max_length} steps, {self._describe_target()}"

    def schema(self) -> dict[str, tuple]:
        """Return what must agree between a run and data for it."""
        return super().schema() | {"channels": tuple(column.name for column in self.channels)}


class ForecastFacts(CommonFacts):
    """Series of one quantity in time, and its covariates.

    A window holds `context` steps, after which `horizon` more are to be predicted.
    `past_covariates` columns are known up to now, `future_covariates` ones also for the horizon
    (plans, holidays). `season_length` steps make a period; `cycles` of the calendar are inputs of
    the network as well. Networks take the columns as ``(value - mean) / scale``; the quantity
    itself is scaled by each window inside the network, by no less than `floor`.

    Tables hold the stamps in the column `time`, the name of each row's series in the columns
    `series`, if there are such, and the quantity in `columns`; several are series of their own.
    They write numbers and dates as `notations` say, by the clock of `time_zone` if there is one.
    """

    examples: ClassVar[str] = "windows of series"
    kind: Literal["forecast"] = "forecast"
    time: str
    series: tuple[str, ...] = ()
    columns: tuple[str, ...]
    unit: Literal["second", "business day", "month", "number"]
    step: int  # units between two stamps
    context: int
    horizon: int
    season_length: int
    cycles: tuple[Literal["day", "week", "year"], ...] = ()
    quantiles: tuple[float, ...]
    floor: float
    past_covariates: tuple[NumericColumn, ...] = ()
    future_covariates: tuple[NumericColumn, ...] = ()
    notations: dict[str, Notation] = {}
    header: bool | None = None
    keep_all_rows: bool = False
    time_zone: str = ""

    def describe(self) -> str:
        """Return the facts in a person's words."""
        held = {"past": self.past_covariates, "future": self.future_covariates}
        counts = [f"{len(found)} {kind} covariates" for kind, found in held.items() if found]
        window = ", ".join([f"horizon {self.horizon}", f"context {self.context}", *counts])
        return f"series, {window}, {self._describe_target()}"

    def schema(self) -> dict[str, tuple]:
        """Return what must agree between a run and data for it."""
        return super().schema() | {
            "step": (self.unit, str(self.step)),
            "window": tuple(map(str, (self.context, self.horizon, self.season_length))),
            "past covariates": tuple(column.name for column in self.past_covariates),
            "future covariates": tuple(column.name for column in self.future_covariates),
        }


class SpeechFacts(CommonFacts):
    """Recordings of one rate, samples from -1 to 1, and what is said in them.

    `alphabet` holds the symbols of a transcript; the symbol at position i has the id i + 1, the
    id 0 is CTC's blank.
    """

    examples: ClassVar[str] = "recordings"
    kind: Literal["speech"] = "speech"
    rate: int  # samples a second
    max_length: int  # samples
    alphabet: tuple[str, ...]
    max_transcript_length: int

    def describe(self) -> str:
        """Return the facts in a person's words."""
        return (
            f"recordings of up to {self.max_length / self.rate:.3g} s at {self.rate:,} Hz, "
            f"{len(self.alphabet)} symbols"
        )

    def schema(self) -> dict[str, tuple]:
        """Return what must agree between a run and data for it."""
        return super().schema() | {"alphabet": self.alphabet, "rate": (self.rate,)}

    def sidecars(self) -> dict[str, str]:
        """Return what other programs must know of the data: the first symbol has the id 1."""
        alphabet = json.dumps(list(self.alphabet), ensure_ascii=False)
        return super().sidecars() | {"alphabet.json": alphabet + "\n"}


Facts = Annotated[
    ImageFacts
    | TableFacts
    | TextFacts
    | TextPairFacts
    | MaskedTextFacts
    | QuestionFacts
    | PairFacts
    | SequenceFacts
    | ForecastFacts
    | SpeechFacts,
    Field(discriminator="kind"),
]
