"""Areas and overlaps of boxes: left, top, right, bottom in pixels."""

import numpy as np


def areas(boxes: np.ndarray) -> np.ndarray:
    """Return the areas of boxes (..., 4), without the last axis."""
    sides = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    return sides[..., 0] * sides[..., 1]


def pairwise_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return what each pair of boxes has in common, divided by what either holds.

    Args:
        first: array of shape (..., n, 4).
        second: array of shape (..., m, 4).

    Returns:
        array of shape (..., n, m). 0 where both are empty.

    Example:
        >>> pairwise_iou(np.array([[0, 0, 2, 2.0]]), np.array([[1, 0, 3, 2.0]])).round(3).tolist()
        [[0.333]]
    """
    one, other = first[..., :, None, :], second[..., None, :, :]
    low = np.maximum(one[..., :2], other[..., :2])
    high = np.minimum(one[..., 2:], other[..., 2:])
    common = areas(np.concatenate([low, high], axis=-1))
    either = areas(one) + areas(other) - common
    return common / np.maximum(either, np.finfo(common.dtype).tiny)
