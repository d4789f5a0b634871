"""Features of images by InceptionV3, a network that was trained on ImageNet.

Sources: Szegedy et al. 2016, "Rethinking the Inception architecture for computer vision"; Heusel et
al. 2017, "GANs trained by a two time-scale update rule", for distances in its features. The weights
are those that Keras offers, which are others than the ones of published distances.
"""

import warnings
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import keras
import numpy as np
from keras import ops

from threefold.core.errors import UserError
from threefold.tasks.evaluation import fill_batch
from threefold.tasks.metrics.images.image_quality import FEWEST_PIXELS
from threefold.tasks.task import find_task, task_names
from threefold.training.building import fix_configuration
from threefold.training.run import RunRecord

SIDE = 299  # pixels of an image that the network was trained on
BATCH = 32  # images at once
PUBLISHED = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"


def load_inception(record: RunRecord, path: str) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from images of a run to their features.

    Args:
        record: RunRecord. Of a run that makes images.
        path: str. Weights of `keras.applications.InceptionV3` without its top: Keras's own file, or
            one that a model of it saved as `.weights.h5` or `.keras`.

    Returns:
        function. From images of shape (images, height, width, channels), values 0 to 255, to an
        array of shape (images, 2048), float32. Values are rounded to whole ones, as a file of an
        image has them. What was asked before is not computed again.

    Raises:
        UserError: for a run that makes no images of one or three channels, and a file that does not
            hold such weights.
    """
    task, shape = find_task(record.task), getattr(record.facts, "image_shape", ())
    if task.generates != "images":
        able = [name for name in task_names() if find_task(name).generates == "images"]
        raise UserError(
            f"--inception is for runs that make images ({', '.join(able)}), not {record.task}"
        )
    if np.prod(shape) < FEWEST_PIXELS or shape[-1] not in (1, 3):
        size = " × ".join(map(str, shape))
        raise UserError(f"--inception looks at gray or RGB images; those of this run are {size}")
    network = _build_network(shape, _read_weights(path))
    known: dict[bytes, np.ndarray] = {}  # real images are compared with more than one set

    def compute_features(images: np.ndarray) -> np.ndarray:
        pixels = np.clip(np.rint(images), 0, 255).astype(np.float32, order="C")
        key = sha256(pixels).digest()
        if key not in known:
            size = min(BATCH, len(pixels))
            parts = [
                np.asarray(network.predict_on_batch(fill_batch({"image": part}, size)["image"]))
                for part in (pixels[start : start + size] for start in range(0, len(pixels), size))
            ]
            known[key] = np.concatenate(parts)[: len(pixels)]
        return known[key]

    return compute_features


def _read_weights(path: str) -> keras.Model:
    """Return InceptionV3 without its top, with the weights of a file."""
    file = Path(path).expanduser()
    if not file.is_file():
        raise UserError(f"--inception {path}: no such file; expected Keras's {PUBLISHED}")
    fix_configuration()
    keras.config.set_dtype_policy("float32")  # whatever the precision of the run
    network = keras.applications.InceptionV3(
        include_top=False, pooling="avg", weights=None, input_shape=(SIDE, SIDE, 3)
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # hundreds, before Keras raises
            network.load_weights(file)
    except Exception as error:  # of any kind: Keras reads what it has not checked
        raise UserError(
            f"--inception {path} holds no weights of keras.applications.InceptionV3 without its "
            f"top; those of Keras are {PUBLISHED}"
        ) from error
    return network


def _build_network(shape: tuple[int, int, int], inception: keras.Model) -> keras.Model:
    """Return a network from images as data have them to features."""
    image = keras.Input(shape)
    resized = ops.image.resize(image, (SIDE, SIDE), interpolation="bilinear", antialias=True)
    colored = ops.repeat(resized, 3 // shape[-1], axis=-1)
    return keras.Model(image, inception(colored / 127.5 - 1))
