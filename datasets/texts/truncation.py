"""Texts that are longer than a network reads: cut, split into several, or refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.ragged import Ragged

Long = Literal["cut", "split"]  # of documents alone
LongPair = Literal["cut", "refuse"]


@dataclass(frozen=True)
class Parts:
    """Where sequences are parted.

    Args:
        owners: int array of shape (parts,). The sequence that each is of, in rising order.
        starts: int array of shape (parts,). Where each begins, of all sequences end to end.
        lengths: int array of shape (parts,).
    """

    owners: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray

    def of(self, sequences: Ragged) -> Ragged:
        """Return the parts of sequences that are as long as those that were parted."""
        offsets = np.cumsum([0, *self.lengths])
        places = np.arange(offsets[-1]) + np.repeat(self.starts - offsets[:-1], self.lengths)
        return Ragged(sequences.values[places], offsets)

    def rows(self, chosen: np.ndarray) -> np.ndarray:
        """Return the parts of some sequences, in the order of those."""
        first = np.searchsorted(self.owners, chosen)
        counts = np.searchsorted(self.owners, chosen, side="right") - first
        before = np.cumsum(counts) - counts
        return np.arange(counts.sum()) + np.repeat(first - before, counts)


def shorten(
    tokens: Ragged,
    max_length: int,
    long: Long | LongPair,
    what: str,
    *,
    option: str = "max_tokens",
    where: Sequence[str] = (),
) -> tuple[Parts, list[str]]:
    """Cut or split texts that are longer than the longest, and say so; or refuse them.

    Args:
        tokens: Ragged. The texts.
        max_length: int. The most tokens of one.
        long: str. What becomes of longer ones: `cut`, `split` or `refuse`.
        what: str. What messages call the texts.
        option: str. What messages name to allow more.
        where: sequence of str. What messages call each text, for those that are refused.

    Returns:
        (Parts, list of str). What is kept of the texts, and notes.

    Raises:
        UserError: for a text that is too long, where such are refused.
    """
    lengths = tokens.lengths
    counts = np.maximum(1, -(-lengths // max_length)) if long == "split" else np.ones_like(lengths)
    owners = np.repeat(np.arange(len(tokens)), counts)
    before = max_length * (np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts))
    starts = tokens.offsets[:-1][owners] + before
    parts = Parts(owners, starts, np.minimum(lengths[owners] - before, max_length))
    over = int(np.count_nonzero(lengths > max_length))
    if not over:
        return parts, []
    about = f"{over} of {len(tokens)} {what} are longer than {max_length} tokens"
    if long == "refuse":
        first = int(np.argmax(lengths > max_length))
        raise UserError(
            f"{where[first]}: {lengths[first]} tokens; {about}; allow more with -d {option}=N, or "
            "cut them with -d long=cut"
        )
    done = "cut there" if long == "cut" else f"split into {counts[lengths > max_length].sum()}"
    return parts, [f"{about} and {done} (more: -d {option}=N)"]
