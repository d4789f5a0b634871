"""Batches as Keras takes them; under jax and torch without TensorFlow."""

import itertools
import math

import keras
import numpy as np

from threefold.datasets.batching import epoch_order, group_lengths
from threefold.datasets.dataset import Source, find_lengths
from threefold.datasets.images.augmentation import augment_examples
from threefold.datasets.images.combining import join_mosaics, mix_boxes, mixup
from threefold.tasks.task import Arrays, Task

BLOCK_BYTES = 1 << 20  # more would keep a slow source waiting, and its images in memory


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
        return self.take(position, 1)

    def take(self, position: int, count: int):
        """Return the examples of some batches, as if they were one."""
        start = (position + self.first_step) * self.batch_size
        indices = self._epoch_order()[start : start + count * self.batch_size]
        examples = self._augmented(indices) if self.augment else self._read(indices)
        examples = examples | self.task.random_arrays(self.seed or 0, self.epoch, indices)
        inputs, targets = self.task.model_inputs(examples), self.task.targets(examples)
        if "mixup" in self.augment and "boxes" not in examples:  # they are blended already
            mixed = mixup(inputs | {"targets": targets}, self.seed, self.epoch, indices)
            targets = mixed.pop("targets")
            inputs = mixed
        weights = self.task.sample_weights(targets)
        return (inputs, targets) if weights is None else (inputs, targets, weights)

    def _augmented(self, indices: np.ndarray) -> Arrays:
        """Return examples that are changed, each alone, and then combined with others."""

        def read(some: np.ndarray) -> Arrays:
            return augment_examples(self._read(some), self.seed, self.epoch, some, self.augment)

        chosen = read, len(self.source), self.seed, self.epoch, indices
        examples = read(indices)
        if "mosaic" in self.augment:
            examples = join_mosaics(examples, *chosen)
        if "mixup" in self.augment and "boxes" in examples:
            examples = mix_boxes(examples, *chosen)
        return examples

    def _read(self, indices: np.ndarray) -> Arrays:
        """Return examples; of a source that samples them, those of this seed and epoch."""
        sample = getattr(self.source, "sample", None)
        if self.seed is None or sample is None:
            return self.source[indices]
        return sample(self.seed, self.epoch, indices)

    def for_keras(self):
        """Return what Keras takes: itself, and for TensorFlow the same batches at less cost."""
        return _in_blocks(self) if keras.config.backend() == "tensorflow" else self

    def _epoch_order(self) -> np.ndarray:
        # Keras reads batches ahead in a thread: the order is kept with the epoch it belongs to.
        kept, epoch = self._order, self.epoch
        if kept is None or kept[0] != epoch:
            size = len(self.source)
            order = np.arange(size)
            if self.seed is not None:
                order = epoch_order(size, self.seed, epoch)
                lengths = find_lengths(self.source)
                if lengths is not None:
                    order = group_lengths(order, lengths, self.batch_size, self.seed, epoch)
            kept = self._order = (epoch, order)
        return kept[1]


def _in_blocks(batches: Batches):
    """Return a `tf.data.Dataset` of the same batches that asks Python for several at once.

    TensorFlow takes a third of a millisecond to ask, which small models would notice.
    """
    import tensorflow as tf

    first, free = batches[0], batches.task.dynamic_axes
    size = sum(array.nbytes for array in keras.tree.flatten(first))
    length = max(1, BLOCK_BYTES // size)

    def blocks():
        whole = 0
        if not (free or batches.augment):  # what is made of an example does not hang on its batch
            whole = len(batches) - 1  # the last may be smaller
        for start in range(0, whole, length):
            count = min(length, whole - start)
            yield keras.tree.map_structure(
                lambda array, n=count: array.reshape(n, -1, *array.shape[1:]),
                batches.take(start, count),
            )
        for start in range(whole, len(batches), length):
            block = (batches[i] for i in range(start, min(start + length, len(batches))))
            for _, alike in itertools.groupby(block, _shapes):
                yield keras.tree.map_structure(lambda *arrays: np.stack(arrays), *alike)

    def specify(array: np.ndarray, name: str) -> tf.TensorSpec:
        shape = (None, *array.shape[2:]) if name in free else array.shape[1:]
        return tf.TensorSpec((None, None, *shape), array.dtype)

    inputs = {name: specify(array, name) for name, array in first[0].items()}
    others = (
        keras.tree.map_structure(lambda array, name=name: specify(array, name), found)
        for found, name in zip(first[1:], ("targets", "weights"), strict=False)
    )
    signature = (inputs, *others)
    found = tf.data.Dataset.from_generator(blocks, output_signature=signature).unbatch()
    found = found.apply(tf.data.experimental.assert_cardinality(len(batches)))
    return found.prefetch(tf.data.AUTOTUNE)


def _shapes(batch) -> list[tuple[int, ...]]:
    return [array.shape for array in keras.tree.flatten(batch)]
