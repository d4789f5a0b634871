"""Images as something to make rather than to name: any set of images, seen so.

Every example gets a number of its own, `row`. What chance adds to an example hangs on it and not on
the place in a batch, so that a model is asked the same in batches of any size.
"""

from dataclasses import replace

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.dataset import Dataset, Source, find_lengths

TASK_NAME = "image_generation"


class Numbered:
    """Another source with a column `row`.

    Args:
        source: Source. The whole.
        start: int. The first example's number.
    """

    def __init__(self, source: Source, start: int):
        self.source, self.start = source, start
        self.lengths = find_lengths(source)

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        return self.source[indices] | {"row": np.asarray(indices, np.int64) + self.start}


def to_make(dataset: Dataset) -> Dataset:
    """Return a set of images as one to make.

    Raises:
        UserError: where it does not hold images in classes.
    """
    if dataset.facts.kind != "image" or not dataset.facts.class_names:
        raise UserError(
            f"dataset '{dataset.reference}' holds {dataset.facts.describe()}; {TASK_NAME} takes "
            "images in classes, by which those that are made are evaluated"
        )
    splits, start = {}, 0
    for name, source in dataset.splits.items():
        splits[name] = Numbered(source, start)
        start += len(source)
    return replace(dataset, task=TASK_NAME, splits=splits)
