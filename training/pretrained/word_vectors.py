"""Word vectors that were trained elsewhere: GloVe, word2vec or fastText, as text."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.texts.tokenizing import SPECIAL, token_names

LAYER = "embedding"


def measure_vectors(file: str) -> int:
    """Return how long the vectors of a file are.

    Raises:
        UserError: where there is no such file, or it holds no vectors.
    """
    try:
        with open(Path(file).expanduser(), encoding="utf-8", errors="replace") as lines:
            first, second = (line.split() for line in itertools.islice(lines, 2))
    except (OSError, ValueError) as error:
        raise UserError(f"-o embeddings={file}: expected a file of word vectors: {error}") from None
    # word2vec and fastText begin with a line of two numbers: how many vectors, and how long.
    dimension = int(first[1]) if len(first) == 2 and first[1].isdigit() else len(first) - 1
    if dimension < 1 or len(second) <= dimension:
        raise UserError(
            f"-o embeddings={file} line 2: expected a word and {dimension} numbers, "
            f"got {len(second)} words"
        )
    return dimension


def load_vectors(model, file: str, tokenizer: str) -> str:
    """Start a model's token vectors from a file; tokens that it lacks keep theirs.

    Args:
        model: keras.Model. With a layer `embedding`; changed in place.
        file: str. One word a line, then its numbers; as GloVe, word2vec and fastText write it.
        tokenizer: str. The content of the `tokenizer.json` that the tokens are of.

    Returns:
        str. How many tokens have a vector now, in a person's words.

    Raises:
        UserError: for a line that is no vector, with its number.
    """
    layer = model.get_layer(LAYER)
    table = np.array(layer.embeddings.numpy())
    names = token_names(tokenizer)
    places = {name: place for place, name in enumerate(names) if name not in SPECIAL}
    found = set()
    for word, vector in _read(file, table.shape[1], places):
        table[places[word]] = vector
        found.add(word)
    layer.embeddings.assign(table)
    share = 100 * len(found) / max(1, len(places))
    return f"{file}: vectors for {len(found):,} of {len(places):,} tokens ({share:.0f} %)"


def _read(file: str, dimension: int, wanted) -> Iterator[tuple[str, np.ndarray]]:
    with open(Path(file).expanduser(), encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            # A word may hold spaces; the numbers after it do not.
            word, *cells = line.rstrip().rsplit(" ", dimension)
            if number == 1 and len(line.split()) == 2 and dimension > 1:
                continue
            if len(cells) != dimension:
                raise UserError(
                    f"-o embeddings={file} line {number}: expected a word and {dimension} numbers"
                )
            if word in wanted:
                try:
                    vector = np.array(cells, np.float32)
                except ValueError:
                    raise UserError(
                        f"-o embeddings={file} line {number}: '{' '.join(cells)[:40]}' are not "
                        f"{dimension} numbers"
                    ) from None
                yield word, vector
