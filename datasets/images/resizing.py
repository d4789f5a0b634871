"""Resizing of images, as an exported graph can repeat it."""

import functools

import numpy as np
import scipy.sparse

BLOCK_PIXELS = 2**20


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize with an antialiased triangle filter; nothing is rounded.

    Two float32 matrix products, which an exported graph can repeat to the last digits.

    Args:
        image: array of shape (height, width, channels).
        height: int. The new height.
        width: int. The new width.

    Returns:
        float32 array of shape (height, width, channels). Equal to `image` where it has that size.
    """
    rows, columns, channels = image.shape
    image = image.reshape(rows, columns * channels)
    if rows != height:
        weights = _sparse_weights(rows, height)
        # In blocks of columns that fit a cache; as a whole, a photograph takes 1 GB in float32.
        step = max(1, BLOCK_PIXELS // rows)
        blocks = [image[:, at : at + step] for at in range(0, columns * channels, step)]
        image = np.hstack([weights @ block.astype(np.float32) for block in blocks])
    image = image.reshape(height, columns, channels).astype(np.float32, copy=False)
    if columns != width:
        image = image.swapaxes(0, 1).reshape(columns, height * channels)
        image = _sparse_weights(columns, width) @ image
        image = image.reshape(width, height, channels).swapaxes(0, 1)
    return np.ascontiguousarray(image)


def resize_weights(size_in: int, size_out: int) -> np.ndarray:
    """Return the matrix that resizes along one axis: `resized = weights @ original`.

    Pixel centres lie at halves; when shrinking, the triangle widens to cover every original pixel.
    This is what Pillow calls BILINEAR.

    Args:
        size_in: int. The original number of pixels.
        size_out: int. The number wanted.

    Returns:
        float32 array of shape (size_out, size_in). Rows sum to 1.
    """
    scale = size_in / size_out
    centres = (np.arange(size_out) + 0.5) * scale
    distances = np.abs(np.arange(size_in) + 0.5 - centres[:, None])
    weights = np.maximum(1 - distances / max(scale, 1), 0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


# SciPy's product skips the zeros, which are most of a matrix that shrinks, and lets threads run
# side by side where NumPy's would wait for one another's BLAS.
@functools.lru_cache(maxsize=256)
def _sparse_weights(size_in: int, size_out: int) -> scipy.sparse.csr_array:
    return scipy.sparse.csr_array(resize_weights(size_in, size_out))
