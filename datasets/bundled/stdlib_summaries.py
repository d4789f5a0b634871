"""Python's standard library: to each function, class and module what it does (from its sources).

The document is the signature of what is documented, all that its docstring says after the first
paragraph, and the code of a function; the summary is that first paragraph. So nothing of a summary
is copied into its document. All are those of the Python that runs: another one has others. Each
counts once: a document that repeats another, by and large, is left out, and none is in two splits.
"""

import re
from functools import cache

from threefold.datasets.bundled.standard_library import AREAS, documented, is_new, source_files
from threefold.datasets.dataset import Dataset
from threefold.datasets.facts import Facts
from threefold.datasets.splitting import SplitFractions
from threefold.datasets.texts.documents import pair
from threefold.datasets.texts.tokenizer_config import (
    SummaryTokenizerConfig,
)

TASK = "summarization"
_FEWEST, _MOST = 3, 30  # words of a summary
_CALL = re.compile(r"[\w.]*\(")  # how a first paragraph begins that is a signature


def load(
    *,
    facts: Facts | None = None,
    tokenizer_config: SummaryTokenizerConfig = SummaryTokenizerConfig(
        vocabulary_size=2000, max_tokens=96, max_target_tokens=32
    ),
    split_fractions: SplitFractions = SplitFractions(0.1, 0.1),
) -> Dataset:
    """Load the docstrings.

    Args:
        facts: Facts. Those of a run: its tokenizer then rules.
        tokenizer_config: SummaryTokenizerConfig. How documents and summaries become tokens.
        split_fractions: SplitFractions. How docstrings are divided where nothing says so.

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
        split_fractions.split(len(documents)),
        tokenizer_config,
        task=TASK,
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
