"""Python's own documentation as prose to be continued (the language reference, docstrings).

The help topics of `pydoc` and the docstrings of the standard library are read from its sources.
A paragraph that is met again is left out, as the topics quote one another. Splits are by topic
and docstring.
"""

import ast
from functools import cache

from pydantic import PositiveInt

from threefold.datasets.dataset import Dataset
from threefold.datasets.documents import Wording, continue_text
from threefold.datasets.facts import Facts
from threefold.datasets.splitting import split_rows
from threefold.datasets.standard_library import AREAS, docstrings, parse_file, source_files
from threefold.datasets.tokenizing import Kind

TASK = "text_generation"
_SHORTEST = 300  # characters of a docstring: below, it is a remark more than prose


def load(
    *,
    facts: Facts | None = None,
    docstrings: bool = True,
    tokenizer: Kind = "character",
    vocabulary_size: PositiveInt = 120,
    context: PositiveInt = 128,
    lowercase: bool = False,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_seed: int = 0,
) -> Dataset:
    """Load the documentation.

    Args:
        facts: Facts. Those of a run: its tokenizer and window then rule.
        docstrings: bool. Whether docstrings are read, too, or the language reference alone.
        tokenizer: str. What a token is: word, character, wordpiece or bpe.
        vocabulary_size: int. The most tokens the tokenizer learns.
        context: int. Tokens that a window tells from.
        lowercase: bool. Whether capital letters are made small.
        validation_fraction: float. Share of the documents kept for validation.
        test_fraction: float. Share of the documents kept for the test.
        split_seed: int. Which seeded division into splits.

    Returns:
        Dataset. Windows of `tokens`, without overlap.

    Raises:
        UserError: where Python came without its sources.
    """
    texts = _read(docstrings)
    rows = split_rows(len(texts), validation_fraction, test_fraction, split_seed)
    documents = {name: [texts[row] for row in found] for name, found in rows.items()}
    wording = Wording(tokenizer, vocabulary_size, context, lowercase)
    return continue_text("stdlib_prose", documents, wording, facts=facts)


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
