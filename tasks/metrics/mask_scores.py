"""How well found masks agree with true ones: pixels, overlap, outlines."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from threefold.datasets.images.augmentation import IGNORED

NEAR = 0.0075  # of an image's diagonal: how far an outline may lie beside the true one


def score_masks(
    probabilities: np.ndarray, found: np.ndarray, masks: np.ndarray, names: Sequence[str]
) -> dict[str, Any]:
    """Score masks.

    Args:
        probabilities: float array of shape (batch, height, width, classes).
        found: int array of shape (batch, height, width). The class of each pixel.
        masks: uint8 array of shape (batch, height, width). The true ones, or `IGNORED`.
        names: sequence of str. The classes.

    Returns:
        dict. `mean_iou`, `dice` and `boundary_f1`, means over the classes that the masks hold, and
        `by_class`; `pixel_accuracy`, and `loss`, the log-loss of a pixel.
    """
    known = masks != IGNORED
    counts = count_pairs(found, masks, len(names))
    common, true, taken = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    with np.errstate(invalid="ignore"):  # of a class that is nowhere
        iou = common / (true + taken - common)
        dice = 2 * common / (true + taken)
    outlines = [boundary_f1(found == i, masks == i, known) for i in range(len(names))]
    # A class that the masks do not hold says nothing of the model: it is left out of the means.
    seen = np.flatnonzero(true)
    chosen = np.take_along_axis(probabilities, np.where(known, masks, 0)[..., None], axis=-1)
    chosen = np.maximum(chosen[..., 0][known], 1e-7)
    return {
        "mean_iou": _mean(iou[seen]),
        "dice": _mean(dice[seen]),
        "pixel_accuracy": float(common.sum() / max(counts.sum(), 1)),
        "boundary_f1": _mean([outlines[i] for i in seen]),
        "loss": float(-np.log(chosen).mean(dtype=np.float64)) if len(chosen) else 0.0,
        "by_class": {
            names[i]: {
                "iou": float(iou[i]),
                "dice": float(dice[i]),
                "boundary_f1": outlines[i],
                "pixels": int(true[i]),
            }
            for i in seen
        },
    }


def count_pairs(found: np.ndarray, masks: np.ndarray, classes: int) -> np.ndarray:
    """Count the pixels of each true class (row) that were taken for each class (column).

    Args:
        found: int array. The class of each pixel.
        masks: uint8 array of the same shape. The true ones; those that are `IGNORED` do not count.
        classes: int. How many there are.

    Returns:
        int array of shape (classes, classes).

    Example:
        >>> count_pairs(np.array([0, 1, 1]), np.array([0, 0, 255]), 2).tolist()
        [[1, 1], [0, 0]]
    """
    known = masks != IGNORED
    pairs = masks[known].astype(np.int64) * classes + found[known]
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def boundary_f1(found: np.ndarray, true: np.ndarray, known: np.ndarray) -> float:
    """Return how well outlines of one class agree, the mean over images that have it.

    Source: Csurka et al. 2013, "What is a good evaluation measure for semantic segmentation?".

    Args:
        found: bool array of shape (batch, height, width). Where the class was found.
        true: bool array of the same shape. Where it is.
        known: bool array of the same shape. Which pixels count.

    Returns:
        float. From 0 to 1; 0 where no image has the class.
    """
    some = true.any(axis=(1, 2))
    if not some.any():
        return 0.0
    lines = [_outline(mask[some] & known[some]) for mask in (found, true)]
    reach = max(1, round(NEAR * float(np.hypot(*found.shape[1:]))))
    near = [ndimage.binary_dilation(line, _DISC, iterations=reach) for line in lines]
    sums = [
        (np.sum(line & other, axis=(1, 2)), np.sum(line, axis=(1, 2)))
        for line, other in zip(lines, near[::-1], strict=True)
    ]
    precision, recall = (hits / np.maximum(count, 1) for hits, count in sums)
    both = precision + recall
    return float(np.mean(2 * precision * recall / np.where(both > 0, both, 1)))


_DISC = np.ones((1, 3, 3), bool)
_CROSS = ndimage.generate_binary_structure(2, 1)[None]


def _outline(masks: np.ndarray) -> np.ndarray:
    """Return the pixels of masks that touch what is none; the frame of an image is no outline."""
    return masks & ~ndimage.binary_erosion(masks, _CROSS, border_value=True)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else 0.0
