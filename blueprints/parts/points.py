"""Points of a feature pyramid, each of which says what object it lies in; without Keras.

Source: Tian et al. 2019, "FCOS: fully convolutional one-stage object detection".
"""

import numpy as np


def strides_of(filters: tuple[int, ...], levels: int) -> tuple[int, ...]:
    """Return how many pixels lie between the points of each level, the finest first.

    Args:
        filters: tuple of int. Those of the stages; every stage after the first halves the image.
        levels: int. The last so many stages.
    """
    return tuple(2 ** (len(filters) - levels + level) for level in range(levels))


def locate_points(size: tuple[int, int], strides: tuple[int, ...]) -> np.ndarray:
    """Return the points of all levels, from the finest on, row by row.

    Args:
        size: tuple of two ints. Height and width of the image in pixels; the network pads it to
            whole steps of the last stride.
        strides: tuple of int. Pixels between the points of each level, each a multiple of the one
            before.

    Returns:
        float32 array of shape (points, 3). From the left and from the top in pixels, and the
        stride.

    Example:
        >>> locate_points((4, 8), (4,)).tolist()
        [[2.0, 2.0, 4.0], [6.0, 2.0, 4.0]]
    """
    levels = []
    height, width = (-(-side // strides[-1]) * strides[-1] for side in size)
    for stride in strides:
        down, right = np.arange(height // stride), np.arange(width // stride)
        y, x = np.meshgrid(down, right, indexing="ij")
        place = (np.stack([x.ravel(), y.ravel()], axis=-1) + 0.5) * stride
        levels.append(np.hstack([place, np.full((len(place), 1), stride)]))
    return np.concatenate(levels).astype(np.float32)
