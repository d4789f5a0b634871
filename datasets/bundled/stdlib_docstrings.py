"""Docstrings of Python's standard library: which area does each document (read from its sources).

The areas follow the chapters of the library reference. Each docstring counts once: one that
repeats another, by and large, is left out. Splits are by docstring, so those of one module are
in all of them: what is asked is the area of a docstring, not of a library never seen.
"""

from functools import cache

import numpy as np

from threefold.datasets.bundled.standard_library import AREAS, docstrings, is_new, source_files
from threefold.datasets.dataset import Dataset
from threefold.datasets.facts import Facts
from threefold.datasets.splitting import SplitFractions
from threefold.datasets.texts.documents import classify
from threefold.datasets.texts.tokenizer_config import TokenizerConfig

TASK = "text_classification"


def load(
    *,
    facts: Facts | None = None,
    tokenizer_config: TokenizerConfig = TokenizerConfig(vocabulary_size=4000, max_tokens=64),
    split_fractions: SplitFractions = SplitFractions(),
) -> Dataset:
    """Load the docstrings.

    Args:
        facts: Facts. Those of a run: its tokenizer then rules.
        tokenizer_config: TokenizerConfig. How docstrings become tokens.
        split_fractions: SplitFractions. How docstrings are divided where nothing says so.

    Returns:
        Dataset. `tokens`, `label` and `text`.

    Raises:
        UserError: where Python came without its sources.
    """
    texts, labels = _read()
    rows = split_fractions.split(labels)
    names = tuple(AREAS)
    return classify("stdlib_docstrings", texts, labels, names, rows, tokenizer_config, facts=facts)


@cache
def _read() -> tuple[list[str], np.ndarray]:
    texts, labels = [], []
    seen: set[str] = set()
    for label, modules in enumerate(AREAS.values()):
        for path in source_files(modules):
            for text in docstrings(path):
                if is_new(text, seen):
                    texts.append(text)
                    labels.append(label)
    return texts, np.array(labels, np.int64)
