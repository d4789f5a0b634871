"""Texts for BERT's pretraining: pairs of parts that follow one another, tokens to be masked."""

import re
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from threefold.core.errors import UserError
from threefold.datasets.batching import uniform
from threefold.datasets.dataset import Dataset, fingerprint_arrays
from threefold.datasets.facts import Facts, MaskedTextFacts
from threefold.datasets.ragged import Ragged, padded_length
from threefold.datasets.reader import Reader
from threefold.datasets.splitting import SplitFractions
from threefold.datasets.texts.documents import as_objects, known_facts
from threefold.datasets.texts.masking import Masking
from threefold.datasets.texts.prose import Documents, divide_documents, read_documents
from threefold.datasets.texts.token_notes import describe_unknown
from threefold.datasets.texts.tokenizer_config import (
    MaskedTokenizerConfig,
    TokenizerConfig,
)
from threefold.datasets.texts.tokenizing import encode, find_mask, token_names

SENTENCE_END = re.compile(r"(?<=[.!?…。！？])\s+|\n+")
MaskRate = Annotated[float, Field(gt=0, lt=1)]
_NUMBERS = 2  # random numbers of an example alongside those of its tokens

READER = Reader(("masked_language_modeling",))


def load(
    path: str,
    *,
    facts: Facts | None = None,
    text: str | None = None,
    encoding: str = "utf-8",
    mask_rate: MaskRate = 0.15,
    masking: Masking = "token",
    tokenizer_config: MaskedTokenizerConfig = MaskedTokenizerConfig(),
    split_fractions: SplitFractions = SplitFractions(0.1, 0.1),
) -> Dataset:
    """Load texts.

    Args:
        path: str. A `.txt` file; a folder of them, which may be called `train`, `validation`
            and `test` or lie in folders of these names; or a `.csv`, `.tsv`, `.parquet` or
            `.jsonl` file with a text in each row.
        facts: Facts. Those of a run: its tokenizer then rules.
        text: str. The column of the texts; guessed if None, by its name, else the wordiest.
        encoding: str. Of the characters of the files.
        mask_rate: float. Share of the tokens that are to be predicted.
        masking: str. Whether single tokens are masked (`token`) or all of a word (`whole_word`).
        tokenizer_config: MaskedTokenizerConfig. How documents become tokens.
        split_fractions: SplitFractions. How documents are divided where nothing says so.

    Returns:
        Dataset. As from `mask_documents`.

    Raises:
        UserError: for a file that cannot be used, and for too little text.
    """
    given, notes = read_documents(path, text, encoding)
    documents, remarks = divide_documents(path, given, split_fractions)
    notes = [*notes, *remarks]
    return mask_documents(
        path, documents, tokenizer_config, mask_rate, masking, facts=facts, notes=notes
    )


def mask_documents(
    reference: str,
    documents: Documents,
    tokenizer_config: TokenizerConfig,
    mask_rate: float,
    masking: Masking,
    *,
    facts: Facts | None = None,
    notes: Sequence[str] = (),
) -> Dataset:
    """Make a dataset of texts whose tokens are to be predicted when they are masked.

    Documents are cut into parts at the ends of sentences.

    Args:
        reference: str. The dataset's.
        documents: mapping of str to sequence of str. The documents of each split.
        tokenizer_config: TokenizerConfig. How they become tokens; its `max_tokens` is of two parts
            together.
        mask_rate: float. Share of the tokens that are to be predicted.
        masking: str. `token` or `whole_word`.
        facts: Facts. Those of a run.
        notes: sequence of str. What was decided before.

    Returns:
        Dataset. As from `MaskedTexts`.

    Raises:
        UserError: for a split of less than two parts of texts, and a tokenizer without a mask.
    """
    known = known_facts(facts, MaskedTextFacts)
    content = known.tokenizer if known else tokenizer_config.learn(documents["train"], mask=True)
    find_mask(content)  # which refuses tokenizers that have none
    max_length = known.max_length if known else tokenizer_config.max_tokens // 2
    splits: dict[str, MaskedTexts] = {}
    for name, texts in documents.items():
        splits[name] = MaskedTexts(content, texts, max_length)
        if len(splits[name].parts) < 2:
            raise UserError(
                f"{reference}: the {name} split holds less than two sentences; give more text"
            )
        if facts is None:
            notes = [*notes, *describe_unknown(content, splits[name].parts.values, name)]
    if known is None:
        known = MaskedTextFacts(
            tokenizer=content,
            vocabulary_size=len(token_names(content)),
            max_length=max_length,
            mask_rate=mask_rate,
            masking=masking,
            paired=all(source.paired for source in splits.values()),
        )
    fingerprint = fingerprint_arrays({name: as_objects(t) for name, t in documents.items()})
    task = "masked_language_modeling"
    return Dataset(reference, task, known, splits, fingerprint, list(notes))


class MaskedTexts:
    """Parts of documents, each with the one that follows it, and another at random.

    Args:
        content: str. The content of a `tokenizer.json`.
        documents: sequence of str. Empty ones have no part.
        max_length: int. The most tokens of a part.
    """

    def __init__(self, content: str, documents: Sequence[str], max_length: int):
        units = [list(filter(str.strip, SENTENCE_END.split(text))) for text in documents]
        tokens = encode(content, [unit for sentences in units for unit in sentences])
        ends = np.cumsum([0, *map(len, units)])
        self.max_length = max_length
        parts, first, follows, starts, stops = [], [], [], [], []
        for one, next_one in zip(ends[:-1], ends[1:], strict=True):
            found = _pack(tokens[np.arange(one, next_one)], max_length)
            start, count = len(parts), len(found)
            parts += found
            # Each part once; the last of an odd number with the one before it again.
            pairs = [*range(0, count - 1, 2), *([count - 2] if count % 2 and count > 1 else [])]
            pairs = pairs or [0] * count
            first += [start + pair for pair in pairs]
            follows += [count > 1] * len(pairs)
            starts += [start] * len(pairs)
            stops += [start + count] * len(pairs)
        self.parts = Ragged.join(parts, np.int32)
        self.first, self.follows = np.array(first, np.int64), np.array(follows, bool)
        self.starts, self.stops = np.array(starts, np.int64), np.array(stops, np.int64)
        after = np.where(self.follows, self.first + 1, self.first)
        lengths = self.parts.lengths
        self.lengths = lengths[self.first] + np.where(self.follows, lengths[after], 0)

    @property
    def paired(self) -> bool:
        """Whether there are parts that follow one another, and others that do not."""
        return bool(self.follows.any()) and len(self.parts) > 2

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """Return examples as they are evaluated: always with the same random numbers."""
        return self.sample(0, 0, indices)

    def sample(self, seed: int, epoch: int, indices: np.ndarray) -> dict[str, np.ndarray]:
        """Return examples for training.

        Args:
            seed: int. The run's seed.
            epoch: int. Which epoch.
            indices: int array of shape (batch,). Which examples.

        Returns:
            dict. `first`, `following` and `other`: tokens as objects, where `following` may be
            empty and `other` comes from another document where there is one; `uniforms` (batch,
            1 + 4 × width): random numbers of whether the pair follows, then two of each place of
            each part, filled up to `width`.
        """
        width = padded_length(self.max_length, self.max_length)
        uniforms = uniform(seed, epoch, indices, _NUMBERS + 4 * width)
        first, follows = self.first[indices], self.follows[indices]
        start, stop = self.starts[indices], self.stops[indices]
        whole = len(self.parts)
        # Of one document alone, any part but these two.
        alone = stop - start == whole
        start = np.where(alone, first, start)
        stop = np.where(alone, np.minimum(first + 2, whole), stop)
        other = (uniforms[:, 0] * (whole - (stop - start))).astype(np.int64)
        other += np.where(other >= start, stop - start, 0)
        other = np.minimum(other, whole - 1)
        following = self.parts[np.where(follows, first + 1, first)]
        for row in np.flatnonzero(~follows):
            following[row] = following[row][:0]
        found = {"first": self.parts[first], "following": following, "other": self.parts[other]}
        return found | {"uniforms": uniforms[:, 1:]}


def _pack(sentences: np.ndarray, max_length: int) -> list[np.ndarray]:
    """Put sentences together into parts of at most so many tokens; cut those that are longer."""
    pieces = [
        sentence[start : start + max_length]
        for sentence in sentences
        for start in range(0, len(sentence), max_length)
    ]
    total = sum(map(len, pieces))
    if len(pieces) > 1 and total <= max_length:  # two parts, not one
        max_length = max(-(-total // 2), max(map(len, pieces)))
    parts, held, size = [], [], 0
    for piece in pieces:
        if held and size + len(piece) > max_length:
            parts.append(np.concatenate(held))
            held, size = [], 0
        held.append(piece)
        size += len(piece)
    return [*parts, np.concatenate(held)] if held else parts
