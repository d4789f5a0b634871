"""Random combinations of several examples into one: mixup, and mosaics.

Others of a mosaic and of blended boxes are drawn from the whole split, so that they depend on
`(seed, epoch, index)` alone. Those of `mixup` are of the batch.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from scipy.special import betaincinv

from threefold.datasets.images.augmentation import keep_seen, sample_numbers

# How often: a network that is to answer for whole images is to see some until the end.
SHARE_COMBINED = 0.5
OTHERS = 3  # in a mosaic, beside the image itself
MOST_OFF_CENTRE = 0.25  # of a side: how far the four meet from the middle
LEAST_SCALE = 0.5  # how much smaller an image becomes at most, where its quarter is small

# Reads the examples at some positions of a split.
Read = Callable[[np.ndarray], dict[str, np.ndarray]]


def mixup(
    arrays: Mapping[str, np.ndarray],
    seed: int,
    epoch: int,
    indices: np.ndarray,
    alpha: float = 0.2,
) -> dict[str, np.ndarray]:
    """Blend every example with another of its batch (Zhang et al. 2018).

    See https://arxiv.org/abs/1710.09412. The share of the other is drawn from Beta(alpha, alpha)
    and is at most one half. Partners follow from the examples in the batch, not from their order.

    Args:
        arrays: mapping of str to float array, the batch first. All that is blended: images and
            targets, classes one-hot.
        seed: int. The run's seed.
        epoch: int. Which epoch.
        indices: int array of shape (batch,). Which examples.
        alpha: float. How much is blended; above 0.

    Returns:
        dict of str to float32 array.
    """
    keys, quantiles = sample_numbers(seed, epoch, indices)["mixup"].T
    share = betaincinv(alpha, alpha, quantiles)
    share = np.minimum(share, 1 - share).astype(np.float32)
    # Each example's partner is the next in the order of their random keys.
    order = np.argsort(keys, kind="stable")
    partner = np.empty_like(order)
    partner[order] = np.roll(order, -1)
    mixed = {}
    for name, array in arrays.items():
        if not np.issubdtype(array.dtype, np.floating):
            raise ValueError(f"expected '{name}' as floats (classes one-hot), got {array.dtype}")
        weight = share.reshape(-1, *[1] * (array.ndim - 1))
        mixed[name] = (array + weight * (array[partner] - array)).astype(np.float32)
    return mixed


def mix_boxes(
    examples: Mapping[str, np.ndarray],
    read: Read,
    size: int,
    seed: int,
    epoch: int,
    indices: np.ndarray,
) -> dict[str, np.ndarray]:
    """Blend half of the images, each with another in equal parts; it has the objects of both.

    As in YOLOX (Ge et al. 2021, https://arxiv.org/abs/2107.08430): each object counts in full.
    Zhang et al. 2019 (https://arxiv.org/abs/1902.04103) weigh objects by random shares of the
    images; of equal parts all weights are equal.

    Args:
        examples: mapping of str to array. `image` float32 (batch, height, width, channels),
            `boxes` float32 (batch, most, 4), `box_class` int64 (batch, most), and others.
        read: function. Reads the examples at some positions of the split.
        size: int. How many examples the split has.
        seed: int. The run's seed.
        epoch: int. Which epoch.
        indices: int array of shape (batch,). Which examples.

    Returns:
        dict of str to array. The same, with places for the boxes of the other too.
    """
    numbers = sample_numbers(seed, epoch, indices)["mixup"]
    chosen = np.flatnonzero(numbers[:, 0] < SHARE_COMBINED)
    others = _read_others(read, numbers[chosen, 1:], indices[chosen], size)
    image = examples["image"].copy()
    image[chosen] = (image[chosen] + others["image"]) / 2
    own = examples["boxes"].shape[1]
    blended = dict(examples) | {"image": image} | _add_places(examples, others["boxes"].shape[1])
    for name in ("boxes", "box_class"):
        blended[name][chosen, own:] = others[name]
    return blended


def join_mosaics(
    examples: Mapping[str, np.ndarray],
    read: Read,
    size: int,
    seed: int,
    epoch: int,
    indices: np.ndarray,
) -> dict[str, np.ndarray]:
    """Join half of the images, each with three others about a centre, in the size of one.

    Source: Bochkovskiy et al. 2020, "YOLOv4: optimal speed and accuracy of object detection",
    https://arxiv.org/abs/2004.10934. Each of the four fills its quarter with a random part of it,
    at its own scale or up to twice smaller.

    Args:
        examples: mapping of str to array. `image` float32 (batch, height, width, channels); with
            it `boxes` float32 (batch, most, 4) and `box_class` int64 (batch, most), or `mask`
            uint8 (batch, height, width); and others, which stay.
        read: function. As of `mix_boxes`, and so are the others.
        size: int. How many examples the split has.
        seed: int. The run's seed.
        epoch: int. Which epoch.
        indices: int array of shape (batch,). Which examples.

    Returns:
        dict of str to array. The same; with four times the places for boxes. An object of which
        less than a quarter is left has the class -1.
    """
    numbers = sample_numbers(seed, epoch, indices)["mosaic"]
    chosen = np.flatnonzero(numbers[:, 0] < SHARE_COMBINED)
    numbers = numbers[chosen, 1:]
    others = _read_others(read, numbers[:, :OTHERS], indices[chosen], size)
    tiles = {}  # (mosaics, 4, ...)
    for name in {"image", "mask", "boxes", "box_class"} & set(examples):
        read_with = others[name].reshape(len(chosen), OTHERS, *others[name].shape[1:])
        tiles[name] = np.concatenate([examples[name][chosen, None], read_with], axis=1)
    places = _place_tiles(numbers[:, OTHERS:], examples["image"].shape[1:3])
    joined = dict(examples)
    for name, take in (("image", _take_pixels), ("mask", _take_classes)):
        if name in tiles:
            joined[name] = examples[name].copy()
            for row, images, *place in zip(chosen, tiles[name], *places, strict=True):
                _join(joined[name][row], images, place, take)
    if "boxes" in tiles:
        joined |= _add_places(examples, OTHERS * examples["boxes"].shape[1])
        boxes, classes = _move_boxes(tiles["boxes"], tiles["box_class"], places)
        joined["boxes"][chosen] = boxes.reshape(len(chosen), *joined["boxes"].shape[1:])
        joined["box_class"][chosen] = classes.reshape(len(chosen), *joined["box_class"].shape[1:])
    return joined


class _Places(NamedTuple):
    """Where the four images of each mosaic lie, (mosaics, 4, 2) in rows and columns."""

    low: np.ndarray  # of the mosaic: where an image begins
    high: np.ndarray
    start: np.ndarray  # of the image: where the part of it begins that is taken
    scale: np.ndarray  # (mosaics, 4, 1)


def _read_others(
    read: Read, numbers: np.ndarray, indices: np.ndarray, size: int
) -> dict[str, np.ndarray]:
    """Read others for each example, (examples * others, ...), by random numbers (examples, others).

    None is the example itself where the split has more than one.
    """
    steps = 1 + (numbers * (size - 1)).astype(np.int64)
    positions = (indices[:, None] + steps).ravel() % size
    if len(positions):
        return read(positions)
    return {name: array[:0] for name, array in read(np.zeros(1, np.int64)).items()}


def _add_places(examples: Mapping[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
    """Return copies of `boxes` and `box_class` with places for so many more objects."""
    return {
        "boxes": np.pad(examples["boxes"], ((0, 0), (0, count), (0, 0))),
        "box_class": np.pad(examples["box_class"], ((0, 0), (0, count)), constant_values=-1),
    }


def _place_tiles(numbers: np.ndarray, size: tuple[int, int]) -> _Places:
    """Return where the images of mosaics lie, from 14 random numbers of each."""
    sides = np.array(size)
    centre = np.rint((0.5 + (2 * numbers[:, None, :2] - 1) * MOST_OFF_CENTRE) * sides).astype(int)
    after = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], bool)  # below, and to the right of it
    low, high = np.where(after, centre, 0), np.where(after, sides, centre)
    # An image that is made smaller still fills its quarter.
    least = np.maximum(((high - low) / sides).max(axis=-1, keepdims=True), LEAST_SCALE)
    scale = least + (1 - least) * numbers[:, 2:6, None]
    free = sides - (high - low) / scale
    return _Places(low, high, free * numbers[:, 6:14].reshape(-1, 4, 2), scale)


def _join(mosaic: np.ndarray, images: np.ndarray, place: list[np.ndarray], take: Callable) -> None:
    """Fill a mosaic with parts of four images, in place."""
    for image, low, high, start, scale in zip(images, *place, strict=True):
        # Of pixels, the middle: half a pixel from its edges.
        rows, columns = (
            start[axis] + (np.arange(high[axis] - low[axis]) + 0.5) / scale - 0.5 for axis in (0, 1)
        )
        mosaic[low[0] : high[0], low[1] : high[1]] = take(image, rows, columns)


def _take_pixels(image: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the pixels at fractions of rows and columns, bilinearly."""
    image = image.astype(np.float32, copy=False)
    for axis, positions in enumerate((rows, columns)):
        positions = positions.clip(0, image.shape[axis] - 1)
        before = positions.astype(np.intp)
        after = np.minimum(before + 1, image.shape[axis] - 1)
        weight = (positions - before).astype(np.float32).reshape(-1, *[1] * (2 - axis))
        first = image.take(before, axis=axis)
        image = first + weight * (image.take(after, axis=axis) - first)
    return image


def _take_classes(mask: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the classes of the nearest pixels."""
    rows, columns = (
        np.rint(positions).clip(0, side - 1).astype(np.intp)
        for positions, side in zip((rows, columns), mask.shape, strict=True)
    )
    return mask[np.ix_(rows, columns)]


def _move_boxes(
    boxes: np.ndarray, classes: np.ndarray, places: _Places
) -> tuple[np.ndarray, np.ndarray]:
    """Move boxes (mosaics, 4, most, 4) of images to where these lie in their mosaics."""
    low, high, start, scale = (array[..., None, None, ::-1] for array in places)
    moved = (boxes.reshape(*classes.shape, 2, 2) - start) * scale + low
    return keep_seen(moved, moved, low, high, classes)
