"""Python's own documentation as prose to be continued (the language reference, docstrings).

The help topics of `pydoc` and the docstrings of the standard library are read from its sources.
A paragraph that is met again is left out, as the topics quote one another. Splits are by topic
and docstring.
"""

import ast
from functools import cache

from threefold.datasets.bundled.standard_library import AREAS, docstrings, parse_file, source_files
from threefold.datasets.dataset import Dataset
from threefold.datasets.facts import Facts
from threefold.datasets.splitting import SplitFractions
from threefold.datasets.texts.documents import continue_text
from threefold.datasets.texts.masked_texts import MaskRate, mask_documents
from threefold.datasets.texts.masking import Masking
from threefold.datasets.texts.prose import Documents
from threefold.datasets.texts.tokenizer_config import (
    MaskedTokenizerConfig,
    WindowTokenizerConfig,
)

TASK = "text_generation"
_SHORTEST = 300  # characters of a docstring: below, it is a remark more than prose


def load(
    *,
    facts: Facts | None = None,
    docstrings: bool = True,
    tokenizer_config: WindowTokenizerConfig = WindowTokenizerConfig(vocabulary_size=120),
    split_fractions: SplitFractions = SplitFractions(0.1, 0.1),
) -> Dataset:
    """Load the documentation.

    Args:
        facts: Facts. Those of a run: its tokenizer and window then rule.
        docstrings: bool. Whether docstrings are read, too, or the language reference alone.
        tokenizer_config: WindowTokenizerConfig. How documents become tokens.
        split_fractions: SplitFractions. How documents are divided where nothing says so.

    Returns:
        Dataset. Windows of `tokens`, without overlap.

    Raises:
        UserError: where Python came without its sources.
    """
    documents = _divide(docstrings, split_fractions)
    return continue_text("stdlib_prose", documents, tokenizer_config, facts=facts)


def load_masked(
    *,
    facts: Facts | None = None,
    docstrings: bool = True,
    mask_rate: MaskRate = 0.15,
    masking: Masking = "token",
    tokenizer_config: MaskedTokenizerConfig = MaskedTokenizerConfig(
        vocabulary_size=4000, max_tokens=64
    ),
    split_fractions: SplitFractions = SplitFractions(0.1, 0.1),
) -> Dataset:
    """Load the documentation as texts whose masked tokens are to be predicted.

    Args:
        facts: Facts. Those of a run: its tokenizer then rules.
        docstrings: bool. Whether docstrings are read, too, or the language reference alone.
        mask_rate: float. Share of the tokens that are to be predicted.
        masking: str. Whether single tokens are masked (`token`) or all of a word (`whole_word`).
        tokenizer_config: MaskedTokenizerConfig. How documents become tokens.
        split_fractions: SplitFractions. How documents are divided where nothing says so.

    Returns:
        Dataset. As from `masked_texts.mask_documents`.

    Raises:
        UserError: where Python came without its sources.
    """
    documents = _divide(docstrings, split_fractions)
    return mask_documents(
        "stdlib_prose", documents, tokenizer_config, mask_rate, masking, facts=facts
    )


FURTHER = {"masked_language_modeling": load_masked}


def _divide(docstrings: bool, split_fractions: SplitFractions) -> Documents:
    texts = _read(docstrings)
    rows = split_fractions.split(len(texts))
    return {name: [texts[row] for row in found] for name, found in rows.items()}


@cache
def _read(with_docstrings: bool) -> list[str]:
    found, seen = [], set()
    texts = _topics()
    if with_docstrings:
        for path in source_files(" ".join(AREAS.values())):
            texts += [text for text in docstrings(path) if len(text) >= _SHORTEST]
    for text in texts:
        paragraphs = [part for part in text.strip().split("\n\n") if part.strip()]
        new = [part for part in paragraphs if part not in seen]
        seen.update(new)
        if new:
            found.append("\n\n".join(new) + "\n")
    return found


def _topics() -> list[str]:
    """Return the help topics of `pydoc`: the language reference, in parts."""
    (path,) = source_files("pydoc_data/topics")
    for node in parse_file(path).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "topics":
            return list(ast.literal_eval(node.value).values())
    return []
