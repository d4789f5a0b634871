"""Test-time augmentation: the mean of what a model answers for an image and for changed ones.

The images are changed as in the training, and all of them alike, so that an answer depends on the
image alone. Source: Krizhevsky et al. 2012, "ImageNet classification with deep convolutional neural
networks", with the mean of logits.
"""

from collections.abc import Callable

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.images.augmentation import augment
from threefold.tasks.task import Arrays, find_task, task_names
from threefold.training.run import RunRecord

VIEWS = 8  # changed images, beside the image itself
NO_VIEWS = {"mixup", "mosaic", "cutout"}  # change what is there, not how it is seen


def choose_changes(record: RunRecord) -> tuple[str, ...]:
    """Return how a run's images are changed to be seen again.

    Raises:
        UserError: for a task whose answers have no mean, and a training without such changes.
    """
    if not find_task(record.task).averages_views:
        able = [name for name in task_names() if find_task(name).averages_views]
        raise UserError(f"--tta is of no use to {record.task}; it is for {', '.join(able)}")
    found = tuple(name for name in record.settings.augment if name not in NO_VIEWS)
    if not found:
        raise UserError(
            "--tta changes images as the training did, and this one changed none; fit with "
            "--augment shift, say"
        )
    return found


def average_views(respond: Callable[[Arrays], np.ndarray], changes: tuple[str, ...]) -> Callable:
    """Return a function that answers with the mean over an image and changed ones.

    Args:
        respond: function. From inputs with `image`, (batch, height, width, channels) from 0 to 255,
            to raw outputs.
        changes: tuple of str. Names of augmentations.
    """

    def respond_to_all(inputs: Arrays) -> np.ndarray:
        images = inputs["image"]
        alike = np.zeros(len(images), np.int64)
        total = respond(inputs).astype(np.float64)
        for view in range(VIEWS):
            changed = augment(images, 0, view, alike, changes)
            total += respond(inputs | {"image": changed})
        return (total / (1 + VIEWS)).astype(np.float32)

    return respond_to_all
