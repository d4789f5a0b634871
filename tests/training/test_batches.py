"""What Keras is given is what the batches are, on every backend."""

import keras
import numpy as np
import pytest
from cells import CELLS

from threefold.tasks.task import find_task
from threefold.training.batches import Batches
from threefold.training.data import load_dataset

pytestmark = pytest.mark.each_backend

# Of equal and of unequal lengths; with weights; drawn anew for each epoch.
CASES = {
    "tabular_classification": {},
    "image_classification": {"augment": ("shift", "mixup")},
    "object_detection": {"augment": ("scale", "mosaic", "mixup")},
    "token_classification": {},
    "forecasting": {},
}


@pytest.mark.parametrize("task", CASES)
def test_keras_is_given_every_batch_in_its_order(task, tmp_path):
    cell = next(cell for cell in CELLS if cell.task == task)
    reference, data = cell.data(tmp_path)
    dataset = load_dataset(reference, data, task=task)
    known = find_task(task)(dataset.facts, options={"filters": (4, 6), "levels": 2})
    batches = Batches(dataset.splits["train"], known, 16, seed=1, first_step=1, **CASES[task])
    asked = batches.for_keras()
    given = [batch for batch, _ in zip(asked, range(len(batches)), strict=False)]
    assert len(given) == len(batches) > 1
    for place, found in enumerate(given):
        wanted = batches[place]
        keras.tree.assert_same_structure(found, wanted)
        for one, other in zip(keras.tree.flatten(found), keras.tree.flatten(wanted), strict=True):
            np.testing.assert_array_equal(np.asarray(one), other)
