"""The answers of a network to questions, in NumPy and in TensorFlow, and its loss."""

import numpy as np
import pytest

from threefold.tasks.question_answering import MASKED, position_loss

pytestmark = pytest.mark.each_backend


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_labels_are_smoothed_over_what_can_be_chosen(smoothing):
    from keras import ops

    logits = np.random.default_rng(0).normal(size=(2, 2, 5)).astype(np.float32)
    logits[1, :, 3:] = MASKED
    targets = np.array([[0, 4], [1, 2]])
    loss = ops.convert_to_numpy(position_loss(smoothing)(targets, ops.convert_to_tensor(logits)))
    for row, count in enumerate((5, 3)):
        for side in range(2):
            free = logits[row, side, :count].astype(np.float64)
            log = free - np.log(np.exp(free).sum())
            wanted = np.full(count, smoothing / count)
            wanted[targets[row, side]] += 1 - smoothing
            assert loss[row, side] == pytest.approx(-(wanted * log).sum(), rel=1e-5)
