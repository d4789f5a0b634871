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

    def outline(self) -> dict[str, tuple]:
        """Return what must agree between a run and data for it."""
        return {
            "classes": self.class_names,
            "targets": tuple(target.name for target in self.targets),
        }

    def _describe_goal(self) -> str:
        if self.class_names:
            return f"{len(self.class_names)} classes"
        return f"target {', '.join(target.name for target in self.targets)}"


class ImageFacts(_Facts):
    """Pictures of one shape, values 0 to 255; exactly one of `class_names`, `targets` is filled.

    Without height and width (see `raw`) every picture keeps the size that it has.
    """

    examples: ClassVar[str] = "pictures"
    kind: Literal["image"] = "image"
    image_shape: tuple[int | None, int | None, int]  # height, width, channels (1 grey, 3 colour)

    def describe(self) -> str:
        """Return the facts in a person's words."""
        height, width, channels = self.image_shape
        colour = "grey" if channels == 1 else "colour"
        size = f"of {height} × {width} pixels" if height else "of any size"
        return f"{colour} pictures {size}, {self._describe_goal()}"

    def raw(self) -> Self:
        """Return the facts under which data are read as they are: uint8, not resized."""
        return self.model_copy(update={"image_shape": (None, None, self.image_shape[2])})

    def outline(self) -> dict[str, tuple]:
        """Return what must agree between a run and data for it."""
        return super().outline() | {"shape": self.image_shape}


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
        return f"a table of {columns} columns, {self._describe_goal()}"

    def outline(self) -> dict[str, tuple]:
        """Return what must agree between a run and data for it."""
        return super().outline() | {
            f"{kind} columns": tuple(column.name for column in getattr(self, kind))
            for kind in ("numeric", "dates", "categorical")
        }


class TextFacts(_Facts):
    """Documents as tokens; `class_names` are those of documents, or the tags of words.

    `tokenizer` is the content of a `tokenizer.json` (Hugging Face `tokenizers`) of
    `vocabulary_size` tokens, trained on the training split; the token 0 is padding, 1 unknown.
    Documents of more than `longest` tokens are cut there. `tagged` says that words have the
    classes, as BIO tags, and not documents.
    """

    examples: ClassVar[str] = "texts"
    kind: Literal["text"] = "text"
    tokenizer: str
    vocabulary_size: int
    longest: int
    tagged: bool = False

    def describe(self) -> str:
        """Return the facts in a person's words."""
        text = f"text of up to {self.longest} of {self.vocabulary_size:,} tokens"
        if self.tagged:
            return f"{text}, {len(self.class_names)} tags of words"
        return f"{text}, {self._describe_goal()}" if self.class_names else text

    def sidecars(self) -> dict[str, str]:
        """Return what other programs must know of the data."""
        return super().sidecars() | {"tokenizer.json": self.tokenizer}


class TextPairFacts(_Facts):
    """Two texts each, of which `class_names` say how they stand to one another.

    Both are read by one tokenizer, as in TextFacts, and cut after `longest` tokens. `columns` are
    those of a table that hold the first and the second.
    """

    examples: ClassVar[str] = "pairs of texts"
    kind: Literal["text_pair"] = "text_pair"
    tokenizer: str
    vocabulary_size: int
    longest: int
    columns: tuple[str, str] = ("first", "second")

    def describe(self) -> str:
        """Return the facts in a person's words."""
        return (
            f"pairs of texts of up to {self.longest} of {self.vocabulary_size:,} tokens each, "
            f"{self._describe_goal()}"
        )

    def sidecars(self) -> dict[str, str]:
        """Return what other programs must know of the data."""
        return super().sidecars() | {"tokenizer.json": self.tokenizer}


class MaskedTextFacts(_Facts):
    """Texts in two parts each, of which masked tokens are to be predicted; as in TextFacts.

    A part has at most `longest` tokens. `mask_rate` of the tokens are to be predicted, single ones
    or whole words (`masking`). `paired` says whether there are parts that follow one another.
    """

    examples: ClassVar[str] = "texts"
    kind: Literal["masked_text"] = "masked_text"
    tokenizer: str
    vocabulary_size: int
    longest: int
    mask_rate: float
    masking: Literal["token", "whole_word"]
    paired: bool

    def describe(self) -> str:
        """Return the facts in a person's words."""
        return (
            f"texts in two parts of up to {self.longest} of {self.vocabulary_size:,} tokens, "
            f"{100 * self.mask_rate:g} % of them masked"
        )

    def sidecars(self) -> dict[str, str]:
        """Return what other programs must know of the data."""
        return super().sidecars() | {"tokenizer.json": self.tokenizer}


class QuestionFacts(_Facts):
    """Questions about contexts; an answer is a span of its context, or there is none.

    Both are read by one tokenizer, as in TextFacts. Questions are cut after `longest_question`
    tokens; contexts are read in windows of `longest` tokens, of which neighbours share `stride`.
    `unanswerable` says that the training split has questions without an answer, and so whether a
    network may answer none.
    """

    examples: ClassVar[str] = "windows of contexts with questions"
    kind: Literal["question"] = "question"
    tokenizer: str
    vocabulary_size: int
    longest: int
    longest_question: int
    stride: int
    unanswerable: bool = False

    def describe(self) -> str:
        """Return the facts in a person's words."""
        some = ", some without an answer" if self.unanswerable else ""
        return (
            f"questions of up to {self.longest_question} tokens{some}, contexts in windows of up "
            f"to {self.longest} of {self.vocabulary_size:,} tokens"
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
    longest_source: int
    longest_target: int
    unit: Literal["word", "character", "phoneme"] = "word"
    documents: bool = False

    def describe(self) -> str:
        """Return the facts in a person's words."""
        return (
            f"{'documents with summaries' if self.documents else 'pairs of texts'}: "
            f"up to {self.longest_source} of {self.source_vocabulary_size:,} "
            f"tokens to up to {self.longest_target} of {self.target_vocabulary_size:,}"
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
    longest: int

    def describe(self) -> str:
        """Return the facts in a person's words."""
        count = len(self.channels)
        channels = f"{count} channel{'s' if count > 1 else ''}"
        return f"series of {channels}, up to {self.longest} steps, {self._describe_goal()}"

    def outline(self) -> dict[str, tuple]:
        """Return what must agree between a run and data for it."""
        return super().outline() | {"channels": tuple(column.name for column in self.channels)}


class ForecastFacts(_Facts):
    """Series of one quantity in time, and what is known beside it.

    A window holds `context` steps, behind which `horizon` more are to be told. `past` columns are
    known up to now, `known` ones also for the horizon (plans, holidays). `season` steps make a
    period; `cycles` of the calendar are told to the network as well. Networks take the columns as
    ``(value - mean) / scale``; the quantity itself is scaled by each window inside the network, by
    no less than `floor`.

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
    season: int
    cycles: tuple[Literal["day", "week", "year"], ...] = ()
    quantiles: tuple[float, ...]
    floor: float
    past: tuple[NumericColumn, ...] = ()
    known: tuple[NumericColumn, ...] = ()

    def describe(self) -> str:
        """Return the facts in a person's words."""
        beside = [f"{len(found)} {kind}" for kind, found in self._beside().items() if found]
        columns = f", {' and '.join(beside)} columns" if beside else ""
        return f"series, {self.horizon} steps told from {self.context}{columns}, " + (
            self._describe_goal()
        )

    def outline(self) -> dict[str, tuple]:
        """Return what must agree between a run and data for it."""
        beside = self._beside().items()
        return super().outline() | {
            "step": (self.unit, str(self.step)),
            "window": tuple(map(str, (self.context, self.horizon, self.season))),
            **{f"{kind} columns": tuple(column.name for column in found) for kind, found in beside},
        }

    def _beside(self) -> dict[str, tuple[NumericColumn, ...]]:
        return {"past": self.past, "known": self.known}


class SpeechFacts(_Facts):
    """Recordings of one rate, samples from -1 to 1, and what is said in them.

    `alphabet` holds the symbols of a transcript; the symbol at position i has the id i + 1, the
    id 0 is CTC's blank.
    """

    examples: ClassVar[str] = "recordings"
    kind: Literal["speech"] = "speech"
    rate: int  # samples a second
    longest: int  # samples
    alphabet: tuple[str, ...]
    longest_transcript: int

    def describe(self) -> str:
        """Return the facts in a person's words."""
        return (
            f"recordings of up to {self.longest / self.rate:.3g} s at {self.rate:,} Hz, "
            f"{len(self.alphabet)} symbols"
        )

    def outline(self) -> dict[str, tuple]:
        """Return what must agree between a run and data for it."""
        return super().outline() | {"alphabet": self.alphabet, "rate": (self.rate,)}

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
