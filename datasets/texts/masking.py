"""Masked tokens for BERT's pretraining: which are masked, and what stands in their place.

Source: Devlin et al. 2019, "BERT: pre-training of deep bidirectional transformers for language
understanding", section 3.1 and appendix A.1.
"""

from typing import Literal, NamedTuple

import numpy as np

from threefold.datasets.ragged import PAD

Masking = Literal["token", "whole_word"]
# Of the tokens that are to be predicted: replaced by the mask, by any other; the rest is kept.
MASKED, REPLACED = 0.8, 0.1
NO_PLACE = -1  # fills up the places of a text that has fewer than others


class Masked(NamedTuple):
    """Texts of which some tokens are to be predicted.

    Args:
        tokens: int array of shape (batch, time). The texts as a network reads them.
        places: int array of shape (batch, masks). Where the tokens to predict stand, from left to
            right, counted from 0 without padding; `NO_PLACE` fills up.
        wanted: int array of shape (batch, masks). The true tokens there; 0 fills up.
    """

    tokens: np.ndarray
    places: np.ndarray
    wanted: np.ndarray


def count_masks(time: int, rate: float) -> int:
    """Return how many tokens of a text of so many are to be predicted: at least one."""
    return max(1, round(rate * time))


def mask_tokens(
    tokens: np.ndarray,
    uniforms: np.ndarray,
    *,
    rate: float,
    mask_token: int,
    ordinary: np.ndarray,
    slots: int,
    continues: np.ndarray | None = None,
) -> Masked:
    """Mask tokens: of each text as many as `count_masks` says.

    Args:
        tokens: int array of shape (batch, time). 0 is padding, wherever it stands.
        uniforms: float array of shape (2, batch, time). Random numbers from 0 to 1: which tokens,
            and what stands in their place.
        rate: float. Share of the tokens.
        mask_token: int. What most of them are replaced by.
        ordinary: int array of shape (tokens,). Those that may replace another.
        slots: int. Places of each text; further tokens are left as they are.
        continues: bool array of shape (vocabulary_size,). Which tokens go on with a word: whole
            words are then masked. None masks single tokens.

    Returns:
        Masked. The same for the same arguments, whatever else is in the batch.
    """
    true = tokens != PAD
    order, ranks = uniforms[0].copy(), np.arange(tokens.shape[1])
    if continues is not None:  # all tokens of a word take the number of its first
        begins = ~continues[tokens] & true
        begins[:, 0] = True
        first = np.maximum.accumulate(np.where(begins, ranks, 0), axis=1)
        order = np.take_along_axis(order, first, axis=1)
    order = np.where(true, order, 2.0)
    chosen = np.argsort(order, axis=1, kind="stable")
    counts = np.maximum(1, np.rint(rate * true.sum(axis=1)))[:, None]
    counts = np.minimum(counts, np.minimum(true.sum(axis=1)[:, None], slots))
    kept = ranks < counts
    if continues is not None:
        kept = _whole_words(np.take_along_axis(order, chosen, axis=1), counts)
    width = tokens.shape[1]
    # In the order of the text, those that are not taken last.
    places = np.sort(np.where(kept, chosen, width), axis=1)[:, :slots]
    places = np.pad(places, [(0, 0), (0, max(0, slots - width))], constant_values=width)
    there = places < width
    places = np.where(there, places, 0)
    wanted = np.where(there, np.take_along_axis(tokens, places, axis=1), PAD)
    random_numbers = np.take_along_axis(uniforms[1], places, axis=1)
    other = np.clip((random_numbers - MASKED) / REPLACED * len(ordinary), 0, len(ordinary) - 1)
    found = np.where(random_numbers < MASKED, mask_token, wanted)
    found = np.where(
        (random_numbers >= MASKED) & (random_numbers < MASKED + REPLACED),
        ordinary[other.astype(int)],
        found,
    )
    masked = tokens.copy()
    rows = np.nonzero(there)[0]
    masked[rows, places[there]] = found[there]
    counted = np.take_along_axis(np.cumsum(true, axis=1) - 1, places, axis=1)
    return Masked(masked, np.where(there, counted, NO_PLACE), wanted)


def _whole_words(order: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return which of the sorted tokens are masked: words that fit as a whole, at least one."""
    width = order.shape[1]
    ends = np.ones_like(order, bool)
    ends[:, :-1] = order[:, 1:] != order[:, :-1]
    last = np.where(ends, np.arange(width), width)
    last = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
    # A first word that is longer than all that may be masked is masked as far as that goes.
    alone = (last == last[:, :1]) & (np.arange(width) < counts)
    return (last < counts) | alone
