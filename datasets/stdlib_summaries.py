"""Docstrings of Python's standard library: to all that follows, the first paragraph (from sources).

The document is what is documented, with its parameters, and all that the docstring says behind its
first paragraph; the summary is that paragraph. So nothing of a summary is copied into its document,
and what a function does is to be told from its name, its parameters and the small print. They are
those of the Python that runs, so that another one has others. Each counts once: one that repeats
another, by and large, is left out, and none is in two splits.
"""

import re
from functools import cache

from pydantic import PositiveInt

from threefold.datasets.dataset import Dataset
from threefold.datasets.documents import Wording, pair
from threefold.datasets.facts import Facts
from threefold.datasets.splitting import split_rows
from threefold.datasets.standard_library import AREAS, is_new, signed_docstrings, source_files
from threefold.datasets.tokenizing import Kind

TASK = "summarization"
_FEWEST, _MOST = 3, 30  # words of a summary
_CALL = re.compile(r"[\w.]*\(")  # how a first paragraph begins that is a signature


def load(
    *,
    facts: Facts | None = None,
    tokenizer: Kind = "bpe",
    vocabulary_size: PositiveInt = 3000,
    max_tokens: PositiveInt = 128,
    max_target_tokens: PositiveInt = 32,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_seed: int = 0,
) -> Dataset:
    """Load the docstrings.

    Args:
        facts: Facts. Those of a run: its tokenizer then rules.
        tokenizer: str. What a token is: word, character, wordpiece or bpe.
        vocabulary_size: int. The most tokens the tokenizer learns, one for both sides.
        max_tokens: int. Where longer documents are cut.
        max_target_tokens: int. Where longer summaries are cut.
        validation_fraction: float. Share of the docstrings kept for validation.
        test_fraction: float. Share of the docstrings kept for the test.
        split_seed: int. Which seeded division into splits.

    Returns:
        Dataset. `source` and `target`, and both as texts.

    Raises:
        UserError: where Python came without its sources.
    """
    documents, summaries = _read()
    return pair(
        "stdlib_summaries",
        documents,
        summaries,
        split_rows(len(documents), validation_fraction, test_fraction, split_seed),
        tuple(
            Wording(tokenizer, vocabulary_size, longest)
            for longest in (max_tokens, max_target_tokens)
        ),
        task=TASK,
        joint=True,
        facts=facts,
    )


@cache
def _read() -> tuple[list[str], list[str]]:
    """Return documents and summaries, in the order of the library."""
    documents, summaries = [], []
    seen: set[str] = set()
    for path in source_files(" ".join(AREAS.values())):
        for signature, text in signed_docstrings(path):
            first, _, rest = text.partition("\n\n")
            words = first.split()
            told = _FEWEST <= len(words) <= _MOST and not _CALL.match(first)
            if told and is_new(rest, seen):
                documents.append(f"{signature}\n\n{rest.strip()}")
                summaries.append(" ".join(words))
    return documents, summaries
