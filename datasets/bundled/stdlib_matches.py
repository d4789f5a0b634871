"""First sentences of docstrings, each alongside some code: whether it is what they describe.

Read from the sources of Python's standard library. Half of the sentences stand alongside their own
function or class; the other half alongside one that comes soon before or after theirs, most often
of the same module, and so about the same matter.
"""

import numpy as np

from threefold.datasets.bundled.stdlib_summaries import read_summaries
from threefold.datasets.dataset import Dataset
from threefold.datasets.facts import Facts
from threefold.datasets.splitting import SplitFractions
from threefold.datasets.texts.pairs.pair_files import Pairs
from threefold.datasets.texts.pairs.text_pairs import compare
from threefold.datasets.texts.tokenizer_config import TokenizerConfig

TASK = "text_pair_classification"
CLASS_NAMES = ("match", "other")
FARTHEST = 5  # places that a wrong sentence comes from


def load(
    *,
    facts: Facts | None = None,
    tokenizer_config: TokenizerConfig = TokenizerConfig(vocabulary_size=4000, max_tokens=64),
    split_fractions: SplitFractions = SplitFractions(),
) -> Dataset:
    """Load the pairs.

    Args:
        facts: Facts. Those of a run: its tokenizer then rules.
        tokenizer_config: TokenizerConfig. How sentences and code become tokens.
        split_fractions: SplitFractions. How pairs are divided where nothing says so.

    Returns:
        Dataset. `first` and `second`, both as texts, and `label`.

    Raises:
        UserError: where Python came without its sources.
    """
    pairs, labels = _read()
    rows = split_fractions.split(labels)
    return compare(
        "stdlib_matches", pairs, labels, CLASS_NAMES, rows, tokenizer_config, facts=facts
    )


def _read() -> tuple[Pairs, np.ndarray]:
    """Return the pairs in the order of the library, and whether each is wrong; always the same."""
    documents, sentences = read_summaries()
    random = np.random.default_rng(0)
    count = len(documents)
    labels = random.permutation(np.arange(count) % 2)
    steps = random.integers(1, FARTHEST + 1, count) * random.choice([-1, 1], count)
    others = (np.arange(count) + np.where(labels == 1, steps, 0)) % count
    first = [sentences[other] for other in others]
    where = [f"pair {number}" for number in range(1, count + 1)]
    return Pairs(first, documents, where, []), labels
