"""What a task needs to know of a dataset, in a form that is kept with the run.

Facts are plain data: `run.json` holds them, and a model is rebuilt from them without the dataset.
"""

import json
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NumericTarget(_Frozen):
    """One number to predict; networks learn ``(value - mean) / scale``."""

    name: str
    mean: float
    scale: float


class _Facts(_Frozen):
    """What all data may have: classes, or numbers to predict.

    `class_counts` says how many examples (of tags: how many words) of each class the training
    split holds.
    """

    examples: ClassVar[str]  # what examples are called
    class_names: tuple[str, ...] = ()
    class_counts: tuple[int, ...] = ()
    targets: tuple[NumericTarget, ...] = ()

    def sidecars(self) -> dict[str, str]:
        """Return what other programs must know of the data: contents by the names of files."""
        # One line each, whatever it holds.
        lines = [" ".join(name.split()) + "\n" for name in self.class_names]
        return {"labels.txt": "".join(lines)} if lines else {}

    def raw(self) -> Self:
        """Return the facts under which data are read as they are."""
        return self

    def schema(self) -> dict[str, tuple]:
        """Return what must agree between a run and data for it."""
        return {
            "classes": self.class_names,
            "targets": tuple(target.name for target in self.targets),
        }

    def _describe_target(self) -> str:
        if self.class_names:
            return f"{len(self.class_names)} classes"
        return f"target {', '.join(target.name for target in self.targets)}"


class ImageFacts(_Facts):
    """Images of one shape, values 0 to 255; exactly one of `class_names`, `targets` is filled.

    Without height and width (see `raw`) every image keeps the size that it has. `levels` are what
    becomes 0 and 255 in files of more than 8 bits.
    """

    examples: ClassVar[str] = "images"
    kind: Literal["image"] = "image"
    image_shape: tuple[
        int | None, int | None, int
    ]  # height, width, channels (1 grayscale, 3 colour)
    levels: tuple[float, float] | None = None

    def describe(self) -> str:
        """Return the facts in a person's words."""
        height, width, channels = self.image_shape
        colour = "grayscale" if channels == 1 else "colour"
        size = f"of {height} × {width} pixels" if height else "of any size"
        return f"{colour} images {size}, {self._describe_target()}"

    def raw(self) -> Self:
        """Return the facts under which data are read as they are: uint8, not resized."""
        return self.model_copy(update={"image_shape": (None, None, self.image_shape[2])})

    def schema(self) -> dict[str, tuple]:
        """Return what must agree between a run and data for it."""
        return super().schema() | {"shape": self.image_shape}


class _ScaledColumn(_Frozen):
    name: str
    mean: float
    scale: float
    knots: tuple[float, ...] = ()


class NumericColumn(_ScaledColumn):
    """A column of numbers (booleans are 0 and 1): their mean, scale and quantiles in training."""


class DateColumn(_ScaledColumn):
    """A column of dates, given to the network in days since 1970-01-01."""


class CategoricalColumn(_Frozen):
    """A column of words; the word at position i has the id i + 1, any other word the id 0."""

    name: str
    vocabulary: tuple[str, ...]


class TableFacts(_Facts):
    """The columns of a table, in the order in which the network takes them."""

    examples: ClassVar[str] = "rows of a table"
    kind: Literal["table"] = "table"
    numeric: tuple[NumericColumn, ...] = ()
    dates: tuple[DateColumn, ...] = ()
    categorical: tuple[CategoricalColumn, ...] = ()
    target_name: str

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


class TextFacts(_Facts):
    """Documents as tokens; `class_names` are those of documents, or the tags of words.

    `tokenizer` is the content of a `tokenizer.json` (Hugging Face `tokenizers`) of
    `vocabulary_size` tokens, trained on the training split; the token 0 is padding, 1 unknown.
    Documents of more than `max_length` tokens are cut there. `tagged` says that words have the
    classes, as BIO tags, and not documents.
    """

    examples: ClassVar[str] = "texts"
    kind: Literal["text"] = "text"
    tokenizer: str
    vocabulary_size: int
    max_length: int
    tagged: bool = False

    def describe(self) -> str:
        """Return the facts in a person's words."""
        text = f"text of up to {self.max_length} of {self.vocabulary_size:,} tokens"
        if self.tagged:
            return f"{text}, {len(self.class_names)} tags of words"
        return f"{text}, {self._describe_target()}" if self.class_names else text

    def sidecars(self) -> dict[str, str]:
        """Return what other programs must know of the data."""
        return super().sidecars() | {"tokenizer.json": self.tokenizer}


class TextPairFacts(_Facts):
    """Two texts each, of which `class_names` say how they stand to one another.

    Both are read by one tokenizer, as in TextFacts, and cut after `max_length` tokens. `columns`
    are those of a table that hold the first and the second.
    """

    examples: ClassVar[str] = "pairs of texts"
    kind: Literal["text_pair"] = "text_pair"
    tokenizer: str
    vocabulary_size: int
    max_length: int
    columns: tuple[str, str] = ("first", "second")

    def describe(self) -> str:
        """Return the facts in a person's words."""
        return (
            f"pairs of texts of up to {self.max_length} of {self.vocabulary_size:,} tokens each, "
            f"{self._describe_target()}"
        )

    def sidecars(self) -> dict[str, str]:
        """Return what other programs must know of the data."""
        return super().sidecars() | {"tokenizer.json": self.tokenizer}


class MaskedTextFacts(_Facts):
    """Texts in two parts each, of which masked tokens are to be predicted; as in TextFacts.

    A part has at most `max_length` tokens. `mask_rate` of the tokens are to be predicted, single
    ones or whole words (`masking`). `paired` says whether there are parts that follow one another.
    """

    examples: ClassVar[str] = "texts"
    kind: Literal["masked_text"] = "masked_text"
    tokenizer: str
    vocabulary_size: int
    max_length: int
    mask_rate: float
    masking: Literal["token", "whole_word"]
    paired: bool

    def describe(self) -> str:
        """Return the facts in a person's words."""
        return (
            f"texts in two parts of up to {self.max_length} of {self.vocabulary_size:,} tokens, "
            f"{100 * self.mask_rate:g} % of them masked"
        )

    def sidecars(self) -> dict[str, str]:
        """Return what other programs must know of the data."""
        return super().sidecars() | {"tokenizer.json": self.tokenizer}


class QuestionFacts(_Facts):
    """Questions about contexts; an answer is a span of its context, or there is none.

    Both are read by one tokenizer, as in TextFacts. Questions are cut after `max_question_length`
    tokens; contexts are read in windows of `max_length` tokens, of which neighbours share `stride`.
    `unanswerable` says that the training split has questions without an answer, and so whether a
    network may answer none.
    """

    examples: ClassVar[str] = "windows of contexts with questions"
    kind: Literal["question"] = "question"
    tokenizer: str
    vocabulary_size: int
    max_length: int
    max_question_length: int
    stride: int
    unanswerable: bool = False

    def describe(self) -> str:
        """Return the facts in a person's words."""
        some = ", some without an answer" if self.unanswerable else ""
        return (
            f"questions of up to {self.max_question_length} tokens{some}, contexts in windows of "
            f"up to {self.max_length} of {self.vocabulary_size:,} tokens"
        )

    def sidecars(self) -> dict[str, str]:
        """Return what other programs must know of the data."""
        return super().sidecars() | {"tokenizer.json": self.tokenizer}


class PairFacts(_Facts):
    """Pairs of texts, one to be made of the other; as in TextFacts, but for two languages.

    In both, the token 2 begins and 3 ends a text. `unit` is what an error rate counts in the
    target: `word`, `character` or `phoneme`. `documents` says that sources are documents, of any
    number of lines, and targets their summaries.
    """

    examples: ClassVar[str] = "texts"
    kind: Literal["pair"] = "pair"
    source_tokenizer: str
    target_tokenizer: str
    source_vocabulary_size: int
    target_vocabulary_size: int
    max_source_length: int
    max_target_length: int
    unit: Literal["word", "character", "phoneme"] = "word"
    documents: bool = False

    def describe(self) -> str:
        """Return the facts in a person's words."""
        return (
            f"{'documents with summaries' if self.documents else 'pairs of texts'}: "
            f"up to {self.max_source_length} of {self.source_vocabulary_size:,} "
            f"tokens to up to {self.max_target_length} of {self.target_vocabulary_size:,}"
        )

    def sidecars(self) -> dict[str, str]:
        """Return what other programs must know of the data."""
        return super().sidecars() | {
            "source_tokenizer.json": self.source_tokenizer,
            "target_tokenizer.json": self.target_tokenizer,
        }


class SequenceFacts(_Facts):
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


class ForecastFacts(_Facts):
    """Series of one quantity in time, and its covariates.

    A window holds `context` steps, after which `horizon` more are to be predicted.
    `past_covariates` columns are known up to now, `future_covariates` ones also for the horizon
    (plans, holidays). `season_length` steps make a period; `cycles` of the calendar are inputs of
    the network as well. Networks take the columns as ``(value - mean) / scale``; the quantity
    itself is scaled by each window inside the network, by no less than `floor`.

    Tables hold the stamps in the column `time`, the name of each row's series in the columns
    `series`, if there are such, and the quantity in `columns`; several are series of their own.
    """

    examples: ClassVar[str] = "windows of series"
    kind: Literal["forecast"] = "forecast"
    time: str
    series: tuple[str, ...] = ()
    columns: tuple[str, ...]
    unit: Literal["second", "month", "number"]
    step: int  # units between two stamps
    context: int
    horizon: int
    season_length: int
    cycles: tuple[Literal["day", "week", "year"], ...] = ()
    quantiles: tuple[float, ...]
    floor: float
    past_covariates: tuple[NumericColumn, ...] = ()
    future_covariates: tuple[NumericColumn, ...] = ()

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


class SpeechFacts(_Facts):
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
