"""Handwritten digits, 8 × 8 grayscale pixels, 1,797 of them (scikit-learn; UCI, Alpaydin 1998)."""

import numpy as np

from threefold.datasets.dataset import ArraySource, Dataset, SubsetSource, fingerprint_arrays
from threefold.datasets.facts import ImageFacts
from threefold.datasets.splitting import SplitFractions

TASK = "image_classification"


def load(
    *,
    split_fractions: SplitFractions = SplitFractions(),
) -> Dataset:
    """Load the digits.

    Returns:
        Dataset. Images `image` uint8 (8, 8, 1), values 0 to 255, and `label`.
    """
    images, labels = read_digits()
    arrays = {"image": images, "label": labels}
    source = ArraySource(arrays)
    rows = split_fractions.split(labels)
    return Dataset(
        reference="digits",
        task=TASK,
        facts=ImageFacts(
            image_shape=(8, 8, 1),
            class_names=tuple("0123456789"),
            class_counts=tuple(np.bincount(labels[rows["train"]], minlength=10).tolist()),
        ),
        splits={name: SubsetSource(source, found) for name, found in rows.items()},
        fingerprint=fingerprint_arrays(arrays),
    )


def read_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return the images, uint8 of shape (1797, 8, 8, 1), and their labels.

    The scans count 0 to 16 of 16 ink pixels in each cell; they are scaled to 0 to 255.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
    return images, bunch.target.astype(np.int64)
