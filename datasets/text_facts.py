"""Facts of texts: how they are cut into tokens."""

from typing import ClassVar, Literal

from threefold.datasets.facts_base import CommonFacts
from threefold.datasets.texts.tokenizer_sidecar import complete_tokenizer


class TextFacts(CommonFacts):
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
        if not self.class_names:  # of texts that go on, from any number of tokens
            return {"tokenizer.json": complete_tokenizer(self.tokenizer, start=True)}
        tokenizer = complete_tokenizer(self.tokenizer, self.max_length)
        return super().sidecars() | {"tokenizer.json": tokenizer}


class TextPairFacts(CommonFacts):
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
        tokenizer = complete_tokenizer(self.tokenizer, self.max_length)
        return super().sidecars() | {"tokenizer.json": tokenizer}


class MaskedTextFacts(CommonFacts):
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
        tokenizer = complete_tokenizer(self.tokenizer, 2 * self.max_length, mask=True)
        return super().sidecars() | {"tokenizer.json": tokenizer}


class QuestionFacts(CommonFacts):
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
        tokenizer = complete_tokenizer(self.tokenizer, self.max_length, stride=self.stride)
        return super().sidecars() | {"tokenizer.json": tokenizer}


class PairFacts(CommonFacts):
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
            "source_tokenizer.json": complete_tokenizer(
                self.source_tokenizer, self.max_source_length
            ),
            "target_tokenizer.json": self.target_tokenizer,
        }
