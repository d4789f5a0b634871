"""Images side by side, and as a file."""

import io
import math

import numpy as np
from PIL import Image

MARGIN = 1  # pixels between two images of a grid


def tile(images: np.ndarray, columns: int | None = None) -> np.ndarray:
    """Return images side by side, as one.

    Args:
        images: uint8 array of shape (images, height, width, channels).
        columns: int. Images in a row; as many as there are rows if None.

    Returns:
        uint8 array of shape (height, width, channels), with a gray line between two images.
    """
    count, height, width, channels = images.shape
    columns = min(columns or math.ceil(math.sqrt(count)), count)
    rows = math.ceil(count / columns)
    grid = np.full(
        (rows * (height + MARGIN) - MARGIN, columns * (width + MARGIN) - MARGIN, channels),
        128,
        np.uint8,
    )
    for place, image in enumerate(images):
        row, column = divmod(place, columns)
        top, left = row * (height + MARGIN), column * (width + MARGIN)
        grid[top : top + height, left : left + width] = image
    return grid


def encode(image: np.ndarray) -> bytes:
    """Return an image, uint8 of shape (height, width, channels), as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, "PNG")
    return file.getvalue()
