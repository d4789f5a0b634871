"""Sequences of different lengths: kept end to end, given as objects, padded for a network."""

from collections.abc import Sequence

import numpy as np

PAD = 0  # what fills a sequence of tokens up


class Ragged:
    """Sequences that lie end to end in memory.

    Args:
        values: array of shape (items of all sequences, ...).
        offsets: int array of shape (sequences + 1,). Where each begins, and where the last ends.
    """

    def __init__(self, values: np.ndarray, offsets: np.ndarray):
        self.values, self.offsets = values, np.asarray(offsets, np.int64)

    @classmethod
    def join(cls, sequences: Sequence[np.ndarray], dtype) -> "Ragged":
        """Put sequences end to end."""
        lengths = [len(sequence) for sequence in sequences]
        values = np.concatenate(sequences) if sequences else np.empty(0)
        return cls(values.astype(dtype, copy=False), np.cumsum([0, *lengths]))

    @property
    def lengths(self) -> np.ndarray:
        """The length of each sequence."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """Return sequences as an array of objects."""
        found = np.empty(len(indices), object)
        for place, index in enumerate(indices):
            found[place] = self.values[self.offsets[index] : self.offsets[index + 1]]
        return found


def padded_length(length: int, max_length: int) -> int:
    """Return the length that a batch is padded to: one of at most four.

    Compiled backends make a program for each length that they meet: a few lengths cost less than
    the padding that they add.

    Args:
        length: int. Of the longest sequence of the batch.
        max_length: int. Of all sequences.

    Returns:
        int. At least `length`, and at least 1.
    """
    step = max(8, 2 ** int(np.ceil(np.log2(max(max_length, 1)))) // 4)
    return max(1, -(-length // step)) * step


def halve(sequences: Sequence[np.ndarray]) -> np.ndarray:
    """Return the first half of each sequence, as an array of arrays."""
    return _object_array([sequence[: (len(sequence) + 1) // 2] for sequence in sequences])


def first_of(sequences: Sequence[np.ndarray]) -> np.ndarray:
    """Return the first item of each sequence as a sequence of one, as an array of arrays."""
    return _object_array([sequence[:1] for sequence in sequences])


def fill_up(sequences: Sequence[np.ndarray], length: int) -> np.ndarray:
    """Return each sequence repeated up to a length, as an array of arrays."""
    return _object_array([np.resize(s, (length, *s.shape[1:])) if len(s) else s for s in sequences])


def _object_array(items: list[np.ndarray]) -> np.ndarray:
    found = np.empty(len(items), object)
    found[:] = items
    return found


def pad(sequences: Sequence[np.ndarray], length: int, dtype, fill: float = PAD) -> np.ndarray:
    """Stack sequences, each filled up at its end, or cut.

    Args:
        sequences: sequence of arrays of shape (time, ...).
        length: int. Of each row of the result.
        dtype: dtype of the result.
        fill: number. What comes after a sequence's end.

    Returns:
        array of shape (sequences, length, ...).
    """
    rest = np.asarray(sequences[0]).shape[1:]
    found = np.full((len(sequences), length, *rest), fill, dtype)
    for row, sequence in zip(found, sequences, strict=True):
        row[: len(sequence)] = sequence[:length]
    return found
