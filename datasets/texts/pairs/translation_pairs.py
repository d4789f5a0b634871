"""Pairs of texts of a user's own: one to be made of the other, as in translation."""

from typing import Literal

from pydantic import PositiveInt

from threefold.core.errors import UserError
from threefold.datasets.dataset import Dataset
from threefold.datasets.facts import Facts
from threefold.datasets.reader import Reader
from threefold.datasets.texts.documents import TokenizerConfig, pair
from threefold.datasets.texts.pairs.pair_files import (
    TRANSLATIONS,
    ExplicitSides,
    read_pairs,
    split_pairs,
)
from threefold.datasets.texts.tokenizing import Kind
from threefold.datasets.texts.truncation import LongPair

READER = Reader(
    ("translation",), only="a file of pairs, such as a .tsv", fields=(("source", "target"),)
)


def load(
    path: str,
    *,
    facts: Facts | None = None,
    source: str | None = None,
    target: str | None = None,
    target_file: str | None = None,
    encoding: str = "utf-8",
    skip_empty: bool = False,
    unit: Literal["word", "character", "phoneme"] = "word",
    tokenizer: Kind = "bpe",
    target_tokenizer: Kind | None = None,
    shared_vocabulary: bool = False,
    vocabulary_size: PositiveInt = 8000,
    max_tokens: PositiveInt = 128,
    max_target_tokens: PositiveInt | None = None,
    long: LongPair = "cut",
    lowercase: bool = False,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_seed: int = 0,
) -> Dataset:
    """Load pairs.

    Args:
        path: str. A `.tsv` or `.txt` file, on each line a source, a tab, a target, and perhaps
            more cells; quotes stand for themselves. Or a `.jsonl`, `.csv` or `.parquet` file with
            columns `source` and `target`. Or a file of sources alone, one on each line.
        facts: Facts. Those of a run: its tokenizers then rule.
        source: str. The column of the sources: a name in the first line, or a number from 1.
        target: str. The column of the targets, likewise.
        target_file: str. A file of the targets alone, one on each line, as those of the sources.
        encoding: str. Of the characters of the file.
        skip_empty: bool. Whether pairs with an empty side are left out or refused.
        unit: str. What an error rate counts in a target: word, character, or phoneme (symbols
            with spaces between them).
        tokenizer: str. What a token is: word, character, wordpiece or bpe.
        target_tokenizer: str. The same for targets; none for as the sources.
        shared_vocabulary: bool. Whether sources and targets have one vocabulary, learned from both.
        vocabulary_size: int. The most tokens each of the tokenizers learns.
        max_tokens: int. The most tokens of a source.
        max_target_tokens: int. The most tokens of a target; none for as many as of a source.
        long: str. What becomes of longer texts: `cut` there, or `refuse`.
        lowercase: bool. Whether capital letters of the sources are made small; of both, where
            they have one vocabulary.
        validation_fraction: float. Share of the sources kept for validation.
        test_fraction: float. Share of the sources kept for the test.
        split_seed: int. Which seeded division into splits. A source that is there twice is in
            one split with all its targets.

    Returns:
        Dataset. `source` and `target`, and both as texts.

    Raises:
        UserError: for a file or a line that cannot be used, with its place.
    """
    if shared_vocabulary and target_tokenizer not in (None, tokenizer):
        raise UserError(
            f"-d joint=true makes one tokenizer, of the kind {tokenizer}; leave "
            f"-d target_tokenizer={target_tokenizer} out"
        )
    explicit = ExplicitSides(source, target, target_file)
    found = read_pairs(path, TRANSLATIONS, explicit, encoding, skip_empty=skip_empty)
    rows = split_pairs(found.sources, (validation_fraction, test_fraction), split_seed)
    kind, max_length = target_tokenizer or tokenizer, max_target_tokens or max_tokens
    return pair(
        path,
        found.sources,
        found.targets,
        rows,
        (
            TokenizerConfig(tokenizer, vocabulary_size, max_tokens, lowercase, long),
            TokenizerConfig(kind, vocabulary_size, max_length, long=long),
        ),
        unit=unit,
        shared_vocabulary=shared_vocabulary,
        facts=facts,
        notes=found.notes,
        where=found.where,
    )
