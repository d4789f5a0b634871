"""Which epoch's weights are kept: a pure function of what the epochs reported."""

import math
from collections.abc import Mapping, Sequence


def find_best(history: Sequence[Mapping[str, float]], tolerance: float = 0.0) -> int:
    """Return the position of the epoch whose weights are kept.

    Args:
        history: sequence of mapping. At least one epoch's row: `loss`, and `val_loss` where there
            was a validation, which then decides.
        tolerance: float. How far above the lowest loss before it, in units of that, an epoch may
            be to be taken for no worse: of epochs that are as good the last is kept. With 0, the
            first of the lowest.

    Returns:
        int. From 0; an epoch whose loss is not a number is never better than another.
    """
    scores = [score_of(row) for row in history]
    best, lowest = 0, scores[0]
    for position, score in enumerate(scores):
        if math.isnan(lowest) or score < lowest * (1 + tolerance):
            best, lowest = position, score if math.isnan(lowest) else min(lowest, score)
    return best


def score_of(row: Mapping[str, float]) -> float:
    """Return the loss of an epoch by which it is compared with others."""
    return row.get("val_loss", row["loss"])
