"""How texts become tokens: options that all readers of texts share, each kind with its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field, NonNegativeInt, PositiveInt

from threefold.core.errors import UserError
from threefold.datasets.texts.tokenizer_files import TokenizerOption, read_tokenizer
from threefold.datasets.texts.tokenizing import KINDS, Kind, token_names, train_tokenizer
from threefold.datasets.texts.truncation import Long, LongPair

AUTO = "auto"


class Tokenizing:
    """What has a tokenizer to learn: `tokenizer`, `vocabulary_size` and `lowercase`."""

    long: ClassVar[str] = "cut"  # what becomes of longer texts

    def learn(self, texts: Sequence[str], *, writes: bool = False, mask: bool = False) -> str:
        """Return the content of a tokenizer of texts, or of the one that was named.

        Args:
            texts: sequence of str. To learn from.
            writes: bool. Whether a network writes its tokens, and so must know where a text ends.
            mask: bool. Whether there must be a token that stands for a masked one.

        Raises:
            UserError: for a tokenizer that cannot be read, or not serve.
        """
        if self.tokenizer == AUTO:
            content = train_tokenizer(
                "word", texts, self.vocabulary_size, lowercase=self.lowercase, mask=mask
            )
            if len(token_names(content)) < self.vocabulary_size:
                return content
        elif self.tokenizer not in KINDS:
            if writes:
                raise UserError(
                    f"-d tokenizer={self.tokenizer}: a task that writes texts trains its own "
                    f"tokenizer: {', '.join(KINDS)}"
                )
            return read_tokenizer(self.tokenizer)
        kind = "wordpiece" if self.tokenizer == AUTO else self.tokenizer
        return train_tokenizer(
            kind, texts, self.vocabulary_size, lowercase=self.lowercase, mask=mask
        )


@dataclass(frozen=True, kw_only=True)
class TokenizerConfig(Tokenizing):
    """How texts become tokens.

    Args:
        tokenizer: str. What a token is: word, character, wordpiece or bpe; or the path of a
            `tokenizer.json` or `vocab.txt`, or of a folder that holds one.
        vocabulary_size: int. The most tokens the tokenizer learns.
        max_tokens: int. The most tokens of a text; what becomes of longer ones, `long` says.
        lowercase: bool. Whether capital letters are made small.
    """

    tokenizer: TokenizerOption = "wordpiece"
    vocabulary_size: PositiveInt = 8000
    max_tokens: PositiveInt = 256
    lowercase: bool = True


@dataclass(frozen=True, kw_only=True)
class DocumentTokenizerConfig(TokenizerConfig):
    """The same of documents, which can be split.

    Args:
        tokenizer: str. `word`, `character`, `wordpiece` or `bpe`; `auto`: wordpiece, or words where
            the texts have fewer than `vocabulary_size` different ones, since then each would be a
            piece and no part of it be seen in training; or a path as above.
        long: str. What becomes of longer texts: `cut` there, or `split` into several.
    """

    tokenizer: TokenizerOption = AUTO
    long: Long = "cut"


@dataclass(frozen=True, kw_only=True)
class PairTokenizerConfig(TokenizerConfig):
    """The same of texts that belong together.

    Args:
        long: str. What becomes of longer texts: `cut` there, or `refuse`.
    """

    max_tokens: PositiveInt = 128
    long: LongPair = "cut"


@dataclass(frozen=True, kw_only=True)
class MaskedTokenizerConfig(TokenizerConfig):
    """The same of two parts of a text of which tokens are masked.

    Args:
        max_tokens: int. The most tokens of an example: of its two parts together.
    """

    max_tokens: Annotated[int, Field(ge=4)] = 128


@dataclass(frozen=True, kw_only=True)
class QuestionTokenizerConfig(TokenizerConfig):
    """The same of questions about contexts, which are read in windows.

    Args:
        max_tokens: int. The most tokens of a window; longer contexts are read in several.
        max_question_tokens: int. Where longer questions are cut.
        stride: int. Tokens that two windows of a context share; below max_tokens.
    """

    max_question_tokens: PositiveInt = 64
    stride: NonNegativeInt = 64

    def check(self) -> None:
        """Raise a UserError for windows that do not move on."""
        if self.stride >= self.max_tokens:
            raise UserError(
                f"-d stride={self.stride} must be below max_tokens, {self.max_tokens}: it is how "
                "much of a window the next one repeats"
            )


@dataclass(frozen=True, kw_only=True)
class WindowTokenizerConfig(Tokenizing):
    """The same of texts that are read in windows, to be continued.

    Args:
        tokenizer: str. What a token is: word, character, wordpiece or bpe.
        vocabulary_size: int. The most tokens the tokenizer learns.
        context: int. Tokens of a window, where a text is to be continued.
        lowercase: bool. Whether capital letters are made small.
    """

    tokenizer: Kind = "character"
    vocabulary_size: PositiveInt = 256
    context: PositiveInt = 128
    lowercase: bool = False

    @property
    def max_tokens(self) -> int:
        """The length of a window."""
        return self.context


@dataclass(frozen=True, kw_only=True)
class SummaryTokenizerConfig:
    """How two texts become tokens of which a network reads one and writes the other.

    Args:
        tokenizer: str. What a token is: word, character, wordpiece or bpe.
        shared_vocabulary: bool. Whether sources and targets have one vocabulary, learned from both.
        vocabulary_size: int. The most tokens each of the tokenizers learns.
        max_tokens: int. The most tokens of a source.
        max_target_tokens: int. The most tokens of a target; none for as many as of a source.
        long: str. What becomes of longer texts: `cut` there, or `refuse`.
        lowercase: bool. Whether capital letters of the sources are made small; of both, where they
            have one vocabulary.
    """

    tokenizer: Kind = "bpe"
    shared_vocabulary: bool = True
    vocabulary_size: PositiveInt = 8000
    max_tokens: PositiveInt = 256
    max_target_tokens: PositiveInt | None = 48
    long: LongPair = "cut"
    lowercase: bool = False
    target_tokenizer: ClassVar[Kind | None] = None  # as of the sources

    def sides(self) -> tuple[TokenizerConfig, TokenizerConfig]:
        """Return how sources become tokens, and targets."""
        source = PairTokenizerConfig(
            tokenizer=self.tokenizer,
            vocabulary_size=self.vocabulary_size,
            max_tokens=self.max_tokens,
            lowercase=self.lowercase,
            long=self.long,
        )
        target = PairTokenizerConfig(
            tokenizer=self.target_tokenizer or self.tokenizer,
            vocabulary_size=self.vocabulary_size,
            max_tokens=self.max_target_tokens or self.max_tokens,
            lowercase=False,
            long=self.long,
        )
        return source, target


@dataclass(frozen=True, kw_only=True)
class TranslationTokenizerConfig(SummaryTokenizerConfig):
    """The same of texts in two languages, or ways to write them.

    Args:
        target_tokenizer: str. What a token of a target is; none for as of the sources.
    """

    shared_vocabulary: bool = False
    max_tokens: PositiveInt = 128
    max_target_tokens: PositiveInt | None = None
    target_tokenizer: Kind | None = None
