"""A simple method for masked tokens: which one stood most often between the same neighbours."""

from collections import Counter

import numpy as np

from threefold.datasets.ragged import Ragged
from threefold.datasets.texts.masking import NO_PLACE

MOST_COUNTED = 5_000_000  # tokens, which take a gigabyte while they are counted
EDGE = 0  # what stands before the first token and after the last


class Neighbours:
    """Counts tokens by the one before and the one after, by the one before, and alone.

    Args:
        texts: Ragged of int. To learn from.
        vocabulary_size: int. Tokens.
    """

    def __init__(self, texts: Ragged, vocabulary_size: int):
        self.size = vocabulary_size
        last = int(np.searchsorted(texts.offsets, MOST_COUNTED, side="right")) - 1
        ends = texts.offsets[: max(last, 1) + 1]
        stream = np.insert(texts.values[: ends[-1]], ends, EDGE).astype(np.int64)
        before, token, after = stream[:-2], stream[1:-1], stream[2:]
        true = token != EDGE
        before, token, after = before[true], token[true], after[true]
        self.commonest = int(np.bincount(token).argmax())
        self.between = self._best(before * self.size + after, token)
        self.after = self._best(before, token)

    def guess(self, tokens: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Return a token for each place.

        Args:
            tokens: int array of shape (batch, time). Without padding before the end.
            places: int array of shape (batch, masks). `NO_PLACE` gets any token.
        """
        edged = np.pad(tokens, [(0, 0), (1, 1)])
        places = np.where(places == NO_PLACE, 0, places)
        before = np.take_along_axis(edged, places, axis=1)
        after = np.take_along_axis(edged, places + 2, axis=1)
        found = np.full(places.shape, self.commonest)
        for key, best in ((before, self.after), (before * self.size + after, self.between)):
            known = np.vectorize(best.get, otypes=[object])(key)
            found = np.where(known == None, found, known)  # noqa: E711
        return found.astype(np.int64)

    def _best(self, keys: np.ndarray, tokens: np.ndarray) -> dict[int, int]:
        """Return the commonest token of each key; of equals the least."""
        counts = Counter(zip(keys.tolist(), tokens.tolist(), strict=True))
        found: dict[int, tuple[int, int]] = {}
        for (key, token), count in counts.items():
            found[key] = max(found.get(key, (0, 0)), (count, -token))
        return {key: -token for key, (_, token) in found.items()}
