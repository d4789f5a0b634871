"""What a training shows of itself: images of the same noise again and again, and warnings."""

import math
import warnings

import keras
import numpy as np

from threefold.core.files import replace_file
from threefold.core.image_grids import encode, tile
from threefold.tasks.metrics.images.image_quality import FEWEST_PIXELS
from threefold.tasks.task import Task
from threefold.training.callbacks import Progress
from threefold.training.run import Run

FRAMES = 24  # of a whole training
COUNT, COLUMNS = 64, 8  # images in a frame
POINTS, PLANE = 1000, 96  # points in a frame, and its pixels along a side
SEED = 0


class WatchCallback(keras.callbacks.Callback):
    """Writes frames into the run's `samples` folder, and warns once when a game goes wrong.

    Args:
        run: Run. Where to write.
        task: Task. Knows what the networks get, and what is wrong.
        progress: Progress. The epochs before the one that ends.
    """

    def __init__(self, run: Run, task: Task, progress: Progress):
        super().__init__()
        self.run, self.task, self.progress = run, task, progress
        self.epochs = run.record.settings.epochs
        self.every = math.ceil(self.epochs / FRAMES)
        self.plotted = math.prod(task.facts.image_shape) < FEWEST_PIXELS
        examples = task.examples_for(POINTS if self.plotted else COUNT, None, SEED)
        self.inputs = task.model_inputs(examples)
        self.warned: set[str] = set()

    def on_epoch_end(self, epoch, logs=None):
        """Look at what the epoch made."""
        for kind, text in self.task.find_trouble([*self.progress.history, logs]).items():
            if kind not in self.warned:
                self.warned.add(kind)
                warnings.warn(text, stacklevel=2)
        if epoch % self.every and epoch + 1 < self.epochs:
            return
        images = self.task.postprocess(self.model.show(self.inputs))["image"]
        images = np.clip(np.rint(images), 0, 255).astype(np.uint8)
        grid = plot_points(images) if self.plotted else tile(images, COLUMNS)
        self.run.samples.mkdir(exist_ok=True)
        replace_file(self.run.samples / f"epoch-{epoch + 1:05d}.png", encode(grid))


def plot_points(images: np.ndarray) -> np.ndarray:
    """Return points of a plane as one image, uint8 of shape (PLANE, PLANE, 1), white on black.

    Args:
        images: uint8 array of shape (points, 1, 2, 1). Their coordinates.
    """
    across, up = (images.reshape(len(images), -1).T.astype(int) * PLANE) // 256
    plane = np.zeros((PLANE, PLANE, 1), np.uint8)
    plane[PLANE - 1 - up, across] = 255
    return plane
