"""Python's standard library: to each function, class and module what it does (from its sources).

The document is the signature of what is documented, all that its docstring says after the first
paragraph, and the code of a function; the summary is that first paragraph. So nothing of a summary
is copied into its document. All are those of the Python that runs: another one has others. Each
counts once: a document that repeats another, by and large, is left out, and none is in two splits.
"""

import re
from functools import cache

from pydantic import PositiveInt

from threefold.datasets.bundled.standard_library import AREAS, documented, is_new, source_files
from threefold.datasets.dataset import Dataset
from threefold.datasets.facts import Facts
from threefold.datasets.splitting import split_rows
from threefold.datasets.texts.documents import TokenizerConfig, pair
from threefold.datasets.texts.tokenizing import Kind

TASK = "summarization"
_FEWEST, _MOST = 3, 30  # words of a summary
_CALL = re.compile(r"[\w.]*\(")  # how a first paragraph begins that is a signature


def load(
    *,
    facts: Facts | None = None,
    tokenizer: Kind = "bpe",
    vocabulary_size: PositiveInt = 2000,
    max_tokens: PositiveInt = 96,
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
    documents, summaries = read_summaries()
    return pair(
        "stdlib_summaries",
        documents,
        summaries,
        split_rows(len(documents), validation_fraction, test_fraction, split_seed),
        tuple(
            TokenizerConfig(tokenizer, vocabulary_size, max_length)
            for max_length in (max_tokens, max_target_tokens)
        ),
        task=TASK,
        shared_vocabulary=True,
        facts=facts,
    )


@cache
def read_summaries() -> tuple[list[str], list[str]]:
    """Return documents and their summaries, in the order of the library."""
    documents, summaries = [], []
    seen: set[str] = set()
    for path in source_files(" ".join(AREAS.values())):
        for signature, docstring, code in documented(path):
            first, _, rest = docstring.partition("\n\n")
            words = first.split()
            explicit = _FEWEST <= len(words) <= _MOST and not _CALL.match(first)
            if explicit and is_new(f"{rest}\n{code}", seen):
                parts = (signature, rest.strip(), code)
                documents.append("\n\n".join(part for part in parts if part))
                summaries.append(" ".join(words))
    return documents, summaries
