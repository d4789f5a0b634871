"""What counts of short runs of tokens predict: a language model without a network."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class _Order:
    """The runs of one length: their keys, each a shorter run and a token, in rising order."""

    keys: np.ndarray  # (runs,): the place of all but the last token among those of that length …
    counts: np.ndarray  # (runs,)
    totals: np.ndarray  # (shorter runs,): the counts of all that begin with each
    followers: np.ndarray  # (shorter runs,): how many do
    discount: float


# NLTK takes 2.7 s to be imported and 100 times as long to count 50,000 tokens, 300 times to score;
# it has one discount for all orders, and divides by 0 after a run that only ever begins a window.
class KneserNey:
    """Kneser and Ney 1995, "Improved backing-off for m-gram language modeling", interpolated.

    The discounts are those of Chen and Goodman 1999: `n1 / (n1 + 2 n2)`, of how many runs were met
    once and twice. Below the longest, runs count by how many tokens were met before them.

    Args:
        windows: int array of shape (windows, time). Tokens to count.
        vocabulary_size: int. Tokens that there are.
        order: int. The longest run, the predicted token included; at most `time`.
    """

    def __init__(self, windows: np.ndarray, vocabulary_size: int, order: int = 5):
        self.vocabulary_size = vocabulary_size
        keys, endings, counts = [], [], []
        places = np.zeros_like(windows)  # of the runs of length 0
        for length in range(1, order + 1):
            grown = self._grow(places, windows, length)
            found, first, places_, count = np.unique(
                grown, return_index=True, return_inverse=True, return_counts=True
            )
            # Without its first token, each ends in a run that is shorter by one.
            shorter = places[:, length > 1 :]
            endings.append(shorter.ravel()[first])
            keys.append(found)
            counts.append(count)
            places = places_.reshape(grown.shape)
        for length in range(1, order):
            counts[length - 1] = np.bincount(endings[length], minlength=len(keys[length - 1]))
        shorter = [1, *map(len, keys)]
        self._orders = [self._close(*of) for of in zip(keys, counts, shorter[:-1], strict=True)]

    def token_probabilities(self, windows: np.ndarray) -> np.ndarray:
        """Return the probability of every token but the first, from those before it.

        Args:
            windows: int array of shape (windows, time).

        Returns:
            float64 array of shape (windows, time - 1).
        """
        stated = np.full(windows.shape, 1 / self.vocabulary_size)
        places = np.zeros_like(windows)
        for length, order in enumerate(self._orders, 1):
            before = places[:, : windows.shape[1] - length + 1]
            grown = self._grow(places, windows, length)
            slots = np.minimum(np.searchsorted(order.keys, grown), len(order.keys) - 1)
            known = (order.keys[slots] == grown) & (before >= 0)
            total = np.where(before >= 0, order.totals[before], 0)
            counts = np.where(known, order.counts[slots], 0)
            taken = np.maximum(counts - order.discount, 0)
            left = order.discount * np.where(before >= 0, order.followers[before], 0)
            rest = stated[:, length - 1 :]
            with np.errstate(invalid="ignore", divide="ignore"):
                rest[:] = np.where(total > 0, (taken + left * rest) / total, rest)
            places = np.where(known, slots, -1)
        return stated[:, 1:]

    def _grow(self, places: np.ndarray, windows: np.ndarray, length: int) -> np.ndarray:
        """Return the keys of runs: the place of all but the last token, and that token."""
        before = places[:, : windows.shape[1] - length + 1].astype(np.int64)
        return before * self.vocabulary_size + windows[:, length - 1 :]

    def _close(self, keys: np.ndarray, counts: np.ndarray, size: int) -> _Order:
        before = keys // self.vocabulary_size
        return _Order(
            keys,
            counts,
            np.bincount(before, counts, minlength=size),
            np.bincount(before, counts > 0, minlength=size),
            _discount(counts),
        )


def _discount(counts: np.ndarray) -> float:
    once, twice = (np.sum(counts == times) for times in (1, 2))
    # Where few runs were met, the estimate is 0, 1 or none, and would leave nothing for the others.
    return float(np.clip(once / max(1, once + 2 * twice), 0.1, 0.9))
