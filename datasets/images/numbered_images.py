"""Images as something to make rather than to name: any set of images, seen so.

Every example gets a number of its own, `row`. What chance adds to an example hangs on it and not on
the place in a batch, so that a model is asked the same in batches of any size.
"""

from dataclasses import replace

import numpy as np

from threefold.datasets.dataset import Dataset, Source, SubsetSource


class Numbered(SubsetSource):
    """All of another source, with a column `row`.

    Args:
        source: Source. The whole.
        start: int. The first example's number.
    """

    def __init__(self, source: Source, start: int):
        super().__init__(source, np.arange(len(source)))
        self.start = start

    def __getitem__(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        return super().__getitem__(indices) | {"row": np.asarray(indices, np.int64) + self.start}


def number_examples(dataset: Dataset) -> Dataset:
    """Return a dataset whose examples have a column `row`, one number for each in all splits."""
    splits, start = {}, 0
    for name, source in dataset.splits.items():
        splits[name] = Numbered(source, start)
        start += len(source)
    return replace(dataset, splits=splits)
