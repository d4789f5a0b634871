"""Figures of class activation maps: alongside images, and laid over them."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from threefold.datasets.images.resizing import resize
from threefold.reporting.figures.style import STYLE, head, new_figure, plain

SHOWN = 6  # images
COLOURS = "inferno"  # steps of equal size look equal
STRENGTH = 0.5  # of the colours over the image
SIDE = 1.8  # inches: of one image


@matplotlib.rc_context(STYLE)
def activation_maps(
    images: Sequence[np.ndarray], maps: Sequence[np.ndarray], captions: Sequence[str]
) -> Figure:
    """Plot images, their class activation maps, and these laid over them.

    Args:
        images: sequence of array (height, width, 3). Values 0 to 255; each in its own size.
        maps: sequence of array (h, w). Of each image, from 0 to 1.
        captions: sequence of str. What was predicted for each.
    """
    tall = SIDE * max(min(image.shape[0] / image.shape[1], 2.0) for image in images)
    figure = new_figure(3 * SIDE + 1.2, (tall + 0.25) * len(images) + 0.5)
    grid = figure.subplots(len(images), 3, squeeze=False)
    for axes_row, image, map_, caption in zip(grid, images, maps, captions, strict=True):
        for axes in axes_row:
            axes.set_axis_off()
        left, middle, right = axes_row
        left.imshow(np.clip(image, 0, 255).astype(np.uint8), interpolation="nearest")
        left.set_title(plain(caption, 34), fontsize=8, loc="left")
        shown = middle.imshow(enlarge_map(map_, *image.shape[:2]), cmap=COLOURS, vmin=0, vmax=1)
        right.imshow(lay_map(image, map_), interpolation="nearest")
    figure.colorbar(
        shown, ax=list(grid[:, 2]), shrink=0.6, label="activation, share of the highest"
    )
    head(figure, "Class activation maps")
    return figure


def lay_map(image: np.ndarray, map_: np.ndarray) -> np.ndarray:
    """Return an image with a class activation map over it in colours, half transparent.

    Args:
        image: array of shape (height, width, 3). Values 0 to 255.
        map_: float array of shape (h, w). From 0 to 1, of any size.

    Returns:
        uint8 array of shape (height, width, 3).
    """
    colours = 255 * matplotlib.colormaps[COLOURS](enlarge_map(map_, *image.shape[:2]))[..., :3]
    mixed = (1 - STRENGTH) * image + STRENGTH * colours
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def enlarge_map(map_: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a map (h, w) in another size, bilinearly."""
    return resize(map_[..., None], height, width)[..., 0]
