"""Simple methods for masks: what a pixel is by its place, or by its colour."""

from collections.abc import Callable, Mapping

import numpy as np

from threefold.datasets.dataset import Source
from threefold.datasets.images.augmentation import IGNORED

MOST_IMAGES = 1000  # of the training split, taken evenly
CHUNK = 50  # images in memory at a time
SHADES = 8  # of each channel, that are told apart

Answer = Callable[[np.ndarray], np.ndarray]


def fit_pixel_methods(
    train: Source, read: Callable[[Mapping], tuple[np.ndarray, np.ndarray]], classes: int
) -> dict[str, Answer]:
    """Count which classes pixels have.

    Args:
        train: Source. The training split.
        read: function. From examples to images (batch, height, width, channels) and masks
            (batch, height, width) of the network's size.
        classes: int. How many there are.

    Returns:
        dict of str to function. From images (batch, height, width, channels) to probabilities
        (batch, height, width, classes): those of each place, and those of each colour.
    """
    rows = np.unique(np.linspace(0, len(train) - 1, MOST_IMAGES).round().astype(int))
    places = shades = None
    for start in range(0, len(rows), CHUNK):
        examples = train[rows[start : start + CHUNK]]
        images, masks = read(examples)
        if places is None:
            places = np.zeros((*masks.shape[1:], classes))
            shades = np.zeros((SHADES ** images.shape[-1], classes))
        known = masks != IGNORED
        for number in range(classes):
            places[..., number] += (masks == number).sum(axis=0)
        pairs = _shade(images)[known] * classes + masks[known]
        shades += np.bincount(pairs, minlength=shades.size).reshape(shades.shape)
    everywhere = shades.sum(axis=0)
    places = _normalise(places, everywhere)
    shades = _normalise(shades, everywhere)
    return {
        "commonest class of a place": lambda images: np.broadcast_to(
            places, (len(images), *places.shape)
        ),
        "commonest class of a colour": lambda images: shades[_shade(images)],
    }


def _shade(images: np.ndarray) -> np.ndarray:
    """Return a number for the colour of each pixel, (batch, height, width)."""
    steps = np.minimum(images / 256 * SHADES, SHADES - 1).astype(np.int64)
    return steps @ SHADES ** np.arange(images.shape[-1])


def _normalise(counts: np.ndarray, everywhere: np.ndarray) -> np.ndarray:
    """Return counts as probabilities; those of all pixels where nothing was counted."""
    counts = np.where(counts.sum(axis=-1, keepdims=True) > 0, counts, everywhere)
    return (counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)).astype(np.float32)
