"""Tiles of images: parts of one size, in which large images keep their details.

Sources: Ronneberger et al. 2015, "U-Net: convolutional networks for biomedical image segmentation",
for tiles and for mirroring what lies beyond an image; Isensee et al. 2021, "nnU-Net: a
self-configuring method for deep learning-based biomedical image segmentation", for halves that
overlap and for a Gaussian window over each tile.
"""

import itertools
from collections.abc import Callable

import numpy as np

OVERLAP = 0.5  # of a tile's side, between one and the next, where answers are blended
SPREAD = 0.125  # of a tile's side: the standard deviation of the window


def place_tiles(length: int, side: int, overlap: float) -> np.ndarray:
    """Return where tiles begin along one axis of an image.

    Args:
        length: int. Of the image, in pixels.
        side: int. Of a tile, in pixels.
        overlap: float. The share of a tile that the next one holds too, at least; 0 to below 1.

    Returns:
        int array of shape (tiles,). As few as cover the image, evenly spread; 0 alone where the
        image is no longer than a tile.

    Example:
        >>> place_tiles(10, 4, 0.5).tolist()
        [0, 2, 4, 6]
    """
    step = max(1, int(side * (1 - overlap)))
    count = -(-max(length - side, 0) // step) + 1
    return np.rint(np.linspace(0, max(length - side, 0), count)).astype(np.int64)


def cut_tile(image: np.ndarray, top: int, left: int, tile_size: tuple[int, int]) -> np.ndarray:
    """Return one tile of an image, mirrored below and to the right where the image ends.

    Args:
        image: array of shape (height, width, channels).
        top: int. The tile's first row.
        left: int. The tile's first column.
        tile_size: tuple of two ints. Height and width of the tile.

    Returns:
        array of shape (*tile_size, channels).
    """
    tile = image[top : top + tile_size[0], left : left + tile_size[1]]
    missing = [(0, side - there) for side, there in zip(tile_size, tile.shape, strict=False)]
    return np.pad(tile, [*missing, (0, 0)], mode="symmetric")


def blend_tiles(
    answer: Callable[[np.ndarray], np.ndarray],
    image: np.ndarray,
    tile_size: tuple[int, int],
    batch_size: int,
) -> np.ndarray:
    """Answer for each pixel of an image by answers for tiles that overlap by half.

    Where tiles overlap, the mean counts, in which each weighs the less the nearer the pixel is to
    its edge.

    Args:
        answer: function. From tiles (batch, *tile_size, channels), at most `batch_size`, to numbers
            (batch, *tile_size, classes).
        image: array of shape (height, width, channels). Of any size.
        tile_size: tuple of two ints. Height and width of a tile.
        batch_size: int. Tiles that are answered for at once.

    Returns:
        float32 array of shape (height, width, classes). All that is held beside one batch.
    """
    size = image.shape[:2]
    starts = [place_tiles(*sides, OVERLAP) for sides in zip(size, tile_size, strict=True)]
    windows = [_make_window(side) for side in tile_size]
    window = np.outer(*windows)[..., None]
    total = None
    corners = list(itertools.product(*starts))
    for first in range(0, len(corners), batch_size):
        batch = corners[first : first + batch_size]
        answers = answer(np.stack([cut_tile(image, *corner, tile_size) for corner in batch]))
        if total is None:
            total = np.zeros((*size, answers.shape[-1]), np.float32)
        for (top, left), found in zip(batch, answers, strict=True):
            part = total[top : top + tile_size[0], left : left + tile_size[1]]
            part += (window * found)[: part.shape[0], : part.shape[1]]
    # The sum of products is the product of sums: weights of rows times weights of columns.
    rows, columns = map(_sum_windows, size, starts, windows)
    total /= rows[:, None, None]
    total /= columns[:, None]
    return total


def _make_window(side: int) -> np.ndarray:
    """Return the weights of a tile's pixels along one axis, float32 of shape (side,)."""
    distances = (np.arange(side) - (side - 1) / 2) / (SPREAD * side)
    return np.exp(-0.5 * distances**2).astype(np.float32)


def _sum_windows(length: int, starts: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Return the weights that the pixels of one axis have in all tiles together."""
    sums = np.zeros(max(length, len(window)), np.float32)
    for start in starts:
        sums[start : start + len(window)] += window
    return sums[:length]
