"""Batches as Keras takes them, on every backend, without TensorFlow."""

import math

import keras
import numpy as np

from threefold.datasets.augmentation import augment, mixup
from threefold.datasets.batching import epoch_order
from threefold.datasets.dataset import Source
from threefold.tasks.task import Task


class Batches(keras.utils.PyDataset):
    """The batches of one split: a pure function of the epoch and the position.

    Keras must not shuffle, and must not use `workers`: with more than one it loses batches on jax
    and torch. A source that is slow to read uses threads of its own.

    Args:
        source: Source. The examples.
        task: Task. Turns examples into inputs, targets and weights.
        batch_size: int. Examples in a batch; the last may hold fewer.
        seed: int. Seed of order and augmentation; `None` for the source's own order.
        augment: tuple of str. Names of augmentations.
        first_step: int. Batches of the epoch to leave out, when a cut epoch goes on.
    """

    def __init__(
        self,
        source: Source,
        task: Task,
        batch_size: int,
        *,
        seed: int | None = None,
        augment: tuple[str, ...] = (),
        first_step: int = 0,
    ):
        super().__init__(workers=1)
        self.source, self.task, self.batch_size = source, task, batch_size
        self.seed, self.augment, self.first_step = seed, augment, first_step
        self.epoch = 0
        self._order: tuple[int, np.ndarray] | None = None

    @property
    def steps(self) -> int:
        """Batches of a whole epoch."""
        return math.ceil(len(self.source) / self.batch_size)

    def __len__(self) -> int:
        return self.steps - self.first_step

    def __getitem__(self, position: int):
        start = (position + self.first_step) * self.batch_size
        indices = self._epoch_order()[start : start + self.batch_size]
        examples = self.source[indices]
        if self.augment:
            images = augment(examples["image"], self.seed, self.epoch, indices, self.augment)
            examples = examples | {"image": images}
        inputs, targets = self.task.inputs(examples), self.task.targets(examples)
        if "mixup" in self.augment:
            mixed = mixup(inputs | {"targets": targets}, self.seed, self.epoch, indices)
            targets = mixed.pop("targets")
            inputs = mixed
        weights = self.task.sample_weights(targets)
        return (inputs, targets) if weights is None else (inputs, targets, weights)

    def _epoch_order(self) -> np.ndarray:
        # Keras reads batches ahead in a thread: the order is kept with the epoch it belongs to.
        kept, epoch = self._order, self.epoch
        if kept is None or kept[0] != epoch:
            size = len(self.source)
            order = np.arange(size) if self.seed is None else epoch_order(size, self.seed, epoch)
            kept = self._order = (epoch, order)
        return kept[1]
