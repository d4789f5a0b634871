"""What tasks that write text share: the loss of a token, and how far a text is from another."""

from collections.abc import Sequence

import numpy as np

from threefold.datasets.ragged import PAD
from threefold.datasets.texts.tokenizing import END


def token_loss(label_smoothing: float):
    """Return the cross-entropy of token numbers, for `keras.Model.compile`.

    Keras's own of numbers smooths nothing, and that of one-hot targets would need them: many
    times the memory of the text.
    """
    from keras import ops

    def cross_entropy(targets, outputs):
        log = ops.log_softmax(outputs, axis=-1)
        tokens = ops.cast(targets, "int32")[..., None]
        chosen = ops.squeeze(ops.take_along_axis(log, tokens, axis=-1), axis=-1)
        return -(1 - label_smoothing) * chosen - label_smoothing * ops.mean(log, axis=-1)

    return cross_entropy


def token_weights(targets: np.ndarray) -> np.ndarray:
    """Return 0 for padding and for the others what makes their mean that of Keras, over all."""
    true = targets != PAD
    return (true * (true.size / max(true.sum(), 1))).astype(np.float32)


def error_rate(found: Sequence[Sequence], wanted: Sequence[Sequence]) -> float:
    """Return the edits from what was found to what was wanted, by the length of the latter."""
    from rapidfuzz.distance import Levenshtein

    edits = sum(Levenshtein.distance(a, b) for a, b in zip(found, wanted, strict=True))
    return edits / max(1, sum(map(len, wanted)))


def until_end(row: np.ndarray) -> np.ndarray:
    """Return the tokens of a text before its end."""
    ends = np.flatnonzero((row == END) | (row == PAD))
    return row[: ends[0]] if len(ends) else row
