"""What tasks that write text share: the loss of a token, and how far a text is from another."""

from collections.abc import Sequence

import numpy as np

from threefold.datasets.ragged import PAD


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


def edit_distance(one: Sequence, other: Sequence) -> int:
    """Return how many insertions, deletions and replacements make one sequence of another.

    Levenshtein 1966; a row of the table at a time.
    """
    row = np.arange(len(other) + 1)
    places = np.arange(1, len(other) + 1)
    symbols = np.array(list(other), object)
    for count, symbol in enumerate(one, 1):
        replaced = row[:-1] + (symbols != symbol)
        best = np.minimum(replaced, row[1:] + 1)
        # Insertions run along the row: the least of what is before, plus the steps from there.
        shifted = np.concatenate([[count], best - places])
        row = np.minimum.accumulate(shifted) + np.concatenate([[0], places])
        row[0] = count
    return int(row[-1])


def error_rate(found: Sequence[Sequence], wanted: Sequence[Sequence]) -> float:
    """Return the edits from what was found to what was wanted, by the length of the latter."""
    edits = sum(edit_distance(a, b) for a, b in zip(found, wanted, strict=True))
    return edits / max(1, sum(map(len, wanted)))
