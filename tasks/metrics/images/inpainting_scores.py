"""How good is what was put into holes? And what simple methods put there."""

from collections.abc import Callable

import numpy as np

RANGE = 255.0  # levels of a pixel
SIGMA = 1.5  # pixels: of SSIM's windows, as the paper has them
WINDOW_RADIUS = 5  # pixels
STABILITY = (0.01 * RANGE) ** 2, (0.03 * RANGE) ** 2  # the paper's K1 and K2
LEAST_ERROR = 1 / 12  # squared levels: what is rounded to whole ones has it

Fill = Callable[[np.ndarray, np.ndarray], np.ndarray]


def score_holes(found: np.ndarray, real: np.ndarray, holes: np.ndarray) -> dict[str, float]:
    """Compare completed images with real ones, inside the holes alone.

    Args:
        found: array of shape (images, height, width, channels). Values 0 to 255.
        real: array of the same shape.
        holes: array of shape (images, height, width). 1 in a hole, else 0.

    Returns:
        dict of str to float. Over all pixels of all holes: `psnr`, of the mean squared error, in
        decibels; `ssim` (Wang et al. 2004), the mean of its map, that is of the windows whose
        centre is in a hole; `l1`, the mean difference in levels.
    """
    inside = holes.astype(bool)
    found, real = (array.astype(np.float64) for array in (found, real))
    off = (found - real)[inside]
    error = max(float(np.mean(off**2)), LEAST_ERROR)
    return {
        "psnr": float(10 * np.log10(RANGE**2 / error)),
        "ssim": float(map_ssim(found, real)[inside].mean()),
        "l1": float(np.abs(off).mean()),
        "share_in_holes": float(inside.mean()),
    }


def map_ssim(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return how alike two sets of images are around each pixel (Wang et al. 2004, "Image quality
    assessment: from error visibility to structural similarity").

    Windows are Gaussian, of 11 × 11 pixels; beyond its edges an image is mirrored.

    Args:
        one: float array of shape (images, height, width, channels). Values 0 to 255.
        other: float array of the same shape.

    Returns:
        float array of the same shape, at most 1.
    """
    from scipy.ndimage import gaussian_filter

    def blur(images: np.ndarray) -> np.ndarray:
        return gaussian_filter(images, (0, SIGMA, SIGMA, 0), radius=(0, *(2 * [WINDOW_RADIUS]), 0))

    mean_one, mean_other = blur(one), blur(other)
    spread = blur(one**2) - mean_one**2 + blur(other**2) - mean_other**2
    shared = blur(one * other) - mean_one * mean_other
    light, contrast = STABILITY
    return ((2 * mean_one * mean_other + light) * (2 * shared + contrast)) / (
        (mean_one**2 + mean_other**2 + light) * (spread + contrast)
    )


def fill_with_border_mean(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Put into each part of a hole the mean of the known pixels around it.

    Args:
        image: array of shape (height, width, channels).
        hole: array of shape (height, width). 1 in the hole, else 0.

    Returns:
        float array of the shape of the image.
    """
    from scipy.ndimage import binary_dilation, label

    known, filled = hole == 0, image.astype(np.float64)
    parts, count = label(hole)
    for number in range(1, count + 1):
        part = parts == number
        border = binary_dilation(part) & known
        filled[part] = image[border].mean(axis=0)
    return filled


def fill_by_diffusion(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Let the known pixels flow into a hole until nothing changes: Laplace's equation, each pixel
    the mean of its neighbours. Arguments are those of `fill_with_border_mean`.
    """
    from scipy.sparse import coo_matrix, diags
    from scipy.sparse.linalg import spsolve

    height, width = hole.shape
    places = np.arange(height * width).reshape(height, width)
    pairs = np.concatenate(
        [
            np.stack([places[:-1].ravel(), places[1:].ravel()]),
            np.stack([places[:, :-1].ravel(), places[:, 1:].ravel()]),
        ],
        axis=1,
    )
    rows, columns = np.concatenate([pairs, pairs[::-1]], axis=1)
    size = height * width
    neighbours = coo_matrix((np.ones(len(rows)), (rows, columns)), (size, size)).tocsr()
    unknown, known = np.flatnonzero(hole), np.flatnonzero(hole == 0)
    laplace = (diags(np.asarray(neighbours.sum(axis=1)).ravel()) - neighbours).tocsr()[unknown]
    filled = image.reshape(size, -1).astype(np.float64)
    flow = laplace[:, known] @ filled[known]
    solved = spsolve(laplace[:, unknown].tocsc(), -flow)
    filled[unknown] = solved.reshape(len(unknown), -1)
    return filled.reshape(image.shape)


SIMPLE_FILLS: dict[str, Fill] = {
    "mean of the hole's border": fill_with_border_mean,
    "diffusion from the hole's border": fill_by_diffusion,
}
