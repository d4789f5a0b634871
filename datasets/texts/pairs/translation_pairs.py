"""Pairs of texts of a user's own: one to be made of the other, as in translation."""

from typing import Literal

from threefold.core.errors import UserError
from threefold.datasets.dataset import Dataset
from threefold.datasets.facts import Facts
from threefold.datasets.reader import Reader
from threefold.datasets.splitting import SplitFractions
from threefold.datasets.texts.documents import pair
from threefold.datasets.texts.pairs.pair_files import (
    TRANSLATIONS,
    PairFiles,
    read_pairs,
)
from threefold.datasets.texts.tokenizer_config import (
    TranslationTokenizerConfig,
)

READER = Reader(
    ("translation",), only="a file of pairs, such as a .tsv", fields=(("source", "target"),)
)


def load(
    path: str,
    *,
    facts: Facts | None = None,
    pair_files: PairFiles = PairFiles(),
    unit: Literal["word", "character", "phoneme"] = "word",
    tokenizer_config: TranslationTokenizerConfig = TranslationTokenizerConfig(),
    split_fractions: SplitFractions = SplitFractions(0.1, 0.1),
) -> Dataset:
    """Load pairs.

    Args:
        path: str. A `.tsv` or `.txt` file, on each line a source, a tab, a target, and perhaps
            more cells; quotes stand for themselves. Or a `.jsonl`, `.csv` or `.parquet` file with
            columns `source` and `target`. Or a file of sources alone, one on each line.
        facts: Facts. Those of a run: its tokenizers then rule.
        unit: str. What an error rate counts in a target: word, character, or phoneme (symbols
            with spaces between them).
        pair_files: PairFiles. Where both sides are.
        tokenizer_config: TranslationTokenizerConfig. How sources and targets become tokens.
        split_fractions: SplitFractions. How sources are divided where nothing says so.

    Returns:
        Dataset. `source` and `target`, and both as texts.

    Raises:
        UserError: for a file or a line that cannot be used, with its place.
    """
    kind = tokenizer_config.target_tokenizer
    if tokenizer_config.shared_vocabulary and kind not in (None, tokenizer_config.tokenizer):
        raise UserError(
            f"-d shared_vocabulary=true makes one tokenizer, of the kind "
            f"{tokenizer_config.tokenizer}; leave -d target_tokenizer={kind} out"
        )
    found = read_pairs(path, TRANSLATIONS, pair_files)
    sources = found.sources
    rows, _ = split_fractions.fill_in(len(sources), noun="pairs", groups=sources)
    return pair(
        path,
        found.sources,
        found.targets,
        rows,
        tokenizer_config,
        unit=unit,
        facts=facts,
        notes=found.notes,
        where=found.where,
    )
