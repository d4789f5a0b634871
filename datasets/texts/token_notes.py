"""What to say of tokens that a network can learn little from: too few, or unknown ones."""

from collections.abc import Mapping

import numpy as np

from threefold.datasets.ragged import Ragged
from threefold.datasets.texts.tokenizing import find_unknown, kind_of

FEW = 2  # tokens of a text, on average
MANY_UNKNOWN = 0.2  # of the tokens of a split
CHECKED = "validation"
FEW_REMEDY = {
    "character": "look whether these are the texts that are meant",
    "bpe": "try -d tokenizer=character, or a smaller -d vocabulary_size",
}
REMEDY = {
    "word": "-d tokenizer=wordpiece or bpe cuts words into parts",
    "wordpiece": "-d tokenizer=bpe knows every text",
}


def describe_tokens(
    content: str, tokens: Ragged, rows: Mapping[str, np.ndarray], what: str
) -> list[str]:
    """Return what to say where texts have few tokens, or many that the tokenizer does not know.

    Args:
        content: str. The content of a `tokenizer.json`.
        tokens: Ragged. The texts, whole.
        rows: mapping of str to int array. The texts of each split.
        what: str. What messages call the texts.

    Returns:
        list of str. A sentence each.
    """
    remarks = []
    mean = tokens.lengths.mean() if len(tokens) else FEW + 1
    if mean <= FEW:
        remedy = FEW_REMEDY.get(kind_of(content), "try -d tokenizer=character or bpe")
        remarks.append(f"the {what} have {mean:.2g} tokens on average: {remedy}")
    if CHECKED in rows and len(rows[CHECKED]):
        chosen = np.concatenate(list(tokens[rows[CHECKED]]))
        remarks += describe_unknown(content, chosen, CHECKED, what)
    return remarks


def describe_unknown(
    content: str, tokens: np.ndarray, split: str, what: str = "texts"
) -> list[str]:
    """Return what to say of the validation split where many of its tokens are unknown.

    Args:
        content: str. The content of a `tokenizer.json`.
        tokens: int array. Those of the split, one after another.
        split: str. Of which.
        what: str. What messages call the texts.
    """
    if split != CHECKED or not len(tokens):
        return []
    share = float(np.mean(tokens == find_unknown(content)))
    if share < MANY_UNKNOWN:
        return []
    remedy = REMEDY.get(kind_of(content), "give more texts to train on, or -d vocabulary_size=N")
    return [
        f"{share:.0%} of the tokens of the {split} {what} are unknown to the tokenizer: {remedy}"
    ]
