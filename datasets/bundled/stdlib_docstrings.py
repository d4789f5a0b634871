"""Docstrings of Python's standard library: which area does each document (read from its sources).

The areas follow the chapters of the library reference. Each docstring counts once: one that
repeats another, by and large, is left out. Splits are by docstring, so those of one module are
in all of them: what is asked is the area of a docstring, not of a library never seen.
"""

from functools import cache

import numpy as np
from pydantic import PositiveInt

from threefold.datasets.bundled.standard_library import AREAS, docstrings, is_new, source_files
from threefold.datasets.dataset import Dataset
from threefold.datasets.facts import Facts
from threefold.datasets.splitting import split_rows
from threefold.datasets.texts.documents import TokenizerConfig, classify
from threefold.datasets.texts.tokenizer_files import TokenizerOption

TASK = "text_classification"


def load(
    *,
    facts: Facts | None = None,
    tokenizer: TokenizerOption = "wordpiece",
    vocabulary_size: PositiveInt = 4000,
    max_tokens: PositiveInt = 128,
    lowercase: bool = True,
    validation_fraction: float = 0.15,
    test_fraction: float = 0.15,
    split_seed: int = 0,
) -> Dataset:
    """Load the docstrings.

    Args:
        facts: Facts. Those of a run: its tokenizer then rules.
        tokenizer: str. What a token is: word, character, wordpiece or bpe; or the path of a
            `tokenizer.json` or `vocab.txt`, or of a folder that holds one.
        vocabulary_size: int. The most tokens the tokenizer learns.
        max_tokens: int. Where longer docstrings are cut.
        lowercase: bool. Whether capital letters are made small.
        validation_fraction: float. Share of the docstrings kept for validation.
        test_fraction: float. Share of the docstrings kept for the test.
        split_seed: int. Which seeded, stratified division into splits.

    Returns:
        Dataset. `tokens`, `label` and `text`.

    Raises:
        UserError: where Python came without its sources.
    """
    texts, labels = _read()
    rows = split_rows(labels, validation_fraction, test_fraction, split_seed)
    tokenizer_config = TokenizerConfig(tokenizer, vocabulary_size, max_tokens, lowercase)
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
