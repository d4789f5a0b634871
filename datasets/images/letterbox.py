"""Images brought to a network's size whole and undistorted, and boxes that go with them.

An image is resized until it fits, and what it does not fill is gray. Sides are rounded in whole
numbers, so that an exported graph finds the same.
"""

from typing import NamedTuple

import numpy as np

from threefold.datasets.images.resizing import resize

FILL = 114.0  # the gray around an image, from 0 to 255; as YOLO has it


class Frame(NamedTuple):
    """Where an image of `size` lies in the network's: its inner height and width, top and left."""

    height: int
    width: int
    top: int
    left: int


def find_frame(size: tuple[int, int], network: tuple[int, int]) -> Frame:
    """Return where an image lies in the network's.

    Args:
        size: tuple of two ints. Height and width of the image.
        network: tuple of two ints. Height and width that the network takes.

    Example:
        >>> find_frame((100, 200), (64, 64))
        Frame(height=32, width=64, top=16, left=0)
    """
    (height, width), (high, wide) = size, network
    if high * width <= wide * height:  # the height binds
        inner = high, min(wide, max(1, (2 * width * high + height) // (2 * height)))
    else:
        inner = min(high, max(1, (2 * height * wide + width) // (2 * width))), wide
    return Frame(*inner, (high - inner[0]) // 2, (wide - inner[1]) // 2)


def letterbox(image: np.ndarray, network: tuple[int, int]) -> np.ndarray:
    """Resize an image until it fits, on gray.

    Args:
        image: array of shape (height, width, channels). Values 0 to 255.
        network: tuple of two ints. Height and width to bring it to.

    Returns:
        float32 array of shape (network height, network width, channels).
    """
    frame = find_frame(image.shape[:2], network)
    result = np.full((*network, image.shape[2]), FILL, np.float32)
    window = (
        slice(frame.top, frame.top + frame.height),
        slice(frame.left, frame.left + frame.width),
    )
    result[window] = resize(image, frame.height, frame.width)
    return result


def scale_and_offset(
    size: tuple[int, int], network: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return how boxes (left, top, right, bottom) go along: `scale × box + offset`.

    Returns:
        two float32 arrays of shape (4,).
    """
    frame = find_frame(size, network)
    across, down = frame.width / size[1], frame.height / size[0]
    scale = np.array([across, down, across, down], np.float32)
    return scale, np.array([frame.left, frame.top, frame.left, frame.top], np.float32)
