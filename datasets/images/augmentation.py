"""Random changes to images, drawn for each example alone.

What happens to an example depends on `(seed, epoch, index)` and on nothing else: not on its batch,
its place there, the backend, or where a run was resumed.
"""

from collections.abc import Mapping

import numpy as np

from threefold.core.errors import UserError, suggest
from threefold.core.threads import worker_threads
from threefold.datasets.batching import uniform

# How many random numbers each takes. All are drawn always, so that adding one to a run leaves what
# the others do as it was.
_NUMBERS = {"flip": 1, "shift": 2, "crop": 4, "rotate": 1, "cutout": 3, "mixup": 2,
            "scale": 1, "colour": 4, "mosaic": 18}  # fmt: skip
AUGMENTATIONS = tuple(_NUMBERS)
_MOVING = {"flip", "shift", "crop", "rotate", "scale"}
IGNORED = 255  # in a mask: a pixel without a class, which counts for nothing

MAX_SHIFT = 0.125  # of the side
MIN_CROP_AREA = 0.6
MAX_CROP_ASPECT = 4 / 3
MAX_ANGLE = np.deg2rad(15)
CUTOUT_SIDE = (0.25, 0.4)  # of the shorter side
MAX_SCALE = 1.5  # times larger or smaller
MAX_CONTRAST, MAX_BRIGHTNESS = 1.3, 32  # times, and levels, of each channel alone
LEAST_LEFT = 0.25  # of a box's area: with less of it in the image there is no object to find
# Images are sampled a few at a time, so that what is worked on stays in the processor's cache:
# three times quicker than a batch of 64 × 64 pixels as a whole.
_CHUNK_PIXELS = 2**15


def augment(
    images: np.ndarray, seed: int, epoch: int, indices: np.ndarray, names: tuple[str, ...]
) -> np.ndarray:
    """Change images at random.

    `flip` mirrors left and right, half of the time; `shift` moves by up to 12.5 % of a side;
    `crop` enlarges a part of 60 to 100 % of the area and an aspect of 3:4 to 4:3 relative to the
    image's; `rotate` turns by up to 15 degrees; `scale` enlarges or shrinks up to 1.5 times;
    `colour` changes the contrast of all channels up to 1.3 times and the brightness of each by up
    to 32 levels; `cutout` paints a square of 25 to 40 % of the
    shorter side in the image's mean colour (DeVries and Taylor 2017,
    https://arxiv.org/abs/1708.04552). `mixup` and `mosaic` are left to `combining`.

    Args:
        images: array of shape (batch, height, width, channels). Values 0 to 255.
        seed: int. The run's seed.
        epoch: int. Which epoch.
        indices: int array of shape (batch,). Which examples.
        names: tuple of str. Some of `AUGMENTATIONS`, in any order.

    Returns:
        float32 array of the shape of `images`. Values 0 to 255.

    Raises:
        UserError: for an unknown name.
    """
    for name in names:
        if name not in AUGMENTATIONS:
            raise UserError(f"no augmentation '{name}'{suggest(name, AUGMENTATIONS)}")
    numbers = sample_numbers(seed, epoch, indices)
    images = images.astype(np.float32)  # a copy: what comes in may be the dataset itself
    if _MOVING & set(names):
        matrices, offsets = _inverse_maps(numbers, names, *images.shape[1:3])
        images = _sample(images, matrices, offsets)
    if "colour" in names:
        images = _change_colours(images, numbers["colour"])
    if "cutout" in names:
        _cut_out(images, numbers["cutout"])
    return images


def augment_masks(
    masks: np.ndarray, seed: int, epoch: int, indices: np.ndarray, names: tuple[str, ...]
) -> np.ndarray:
    """Move the class of each pixel to where `augment` moves the pixel.

    Args:
        masks: uint8 array of shape (batch, height, width). A class each, or `IGNORED`.
        seed: int. As of `augment`, and so are the others.
        epoch: int. Which epoch.
        indices: int array of shape (batch,). Which examples.
        names: tuple of str. Some of `AUGMENTATIONS`; what moves nothing changes no mask.

    Returns:
        uint8 array of the shape of `masks`. `IGNORED` where nothing was before.
    """
    if not _MOVING & set(names):
        return masks
    height, width = masks.shape[1:]
    matrices, offsets = _inverse_maps(sample_numbers(seed, epoch, indices), names, height, width)
    middle = np.array([height - 1, width - 1]) / 2
    places = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"))
    places = places - middle[:, None, None]  # (2, height, width)
    moved = np.einsum("bij,jhw->bihw", matrices, places)
    moved = np.rint(moved + (offsets + middle)[..., None, None]).astype(np.intp)
    rows, columns = moved[:, 0], moved[:, 1]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    batch = np.arange(len(masks))[:, None, None]
    found = masks[batch, rows.clip(0, height - 1), columns.clip(0, width - 1)]
    return np.where(inside, found, IGNORED).astype(np.uint8)


def augment_boxes(
    boxes: np.ndarray,
    classes: np.ndarray,
    size: tuple[int, int],
    seed: int,
    epoch: int,
    indices: np.ndarray,
    names: tuple[str, ...],
) -> tuple[np.ndarray, np.ndarray]:
    """Move boxes to where `augment` moves what they hold.

    Args:
        boxes: float32 array of shape (batch, most, 4). Left, top, right, bottom in pixels.
        classes: int64 array of shape (batch, most). -1 where there is no object.
        size: tuple of two ints. Height and width of the images.
        seed: int. As of `augment`, and so are the others.
        epoch: int. Which epoch.
        indices: int array of shape (batch,). Which examples.
        names: tuple of str. Some of `AUGMENTATIONS`; what moves nothing changes no box.

    Returns:
        two arrays of the shapes of `boxes` and `classes`. A turned box is the one around what is
        in the image of its outline; an object of which less than a quarter is left has the class
        -1.
    """
    if not _MOVING & set(names):
        return boxes, classes
    matrices, offsets = _inverse_maps(sample_numbers(seed, epoch, indices), names, *size)
    # From the middle, in rows and columns, as the maps have it; edges lie between pixels.
    middle = np.array(size) / 2
    corners = boxes[..., [[1, 0], [1, 2], [3, 2], [3, 0]]] - middle  # (batch, most, 4, 2)
    moved = np.einsum("bij,bmcj->bmci", np.linalg.inv(matrices), corners - offsets[:, None, None])
    moved += middle
    whole = np.stack([moved.min(axis=2), moved.max(axis=2)], axis=2)
    seen = np.stack([_reach(moved, axis, size[1 - axis]) for axis in (0, 1)], axis=-1)
    return keep_seen(whole[..., ::-1], seen[..., ::-1], (0, 0), size[::-1], classes)


def keep_seen(
    whole: np.ndarray, seen: np.ndarray, first: np.ndarray, last: np.ndarray, classes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Clip boxes to an area, and drop those of which less than `LEAST_LEFT` is left.

    Args:
        whole: float array of shape (..., most, 2, 2). Left and top, right and bottom, in pixels.
        seen: float array of that shape. The same of what may be seen of the objects.
        first: int array of shape (..., 2). The left and the top edge of the area, in pixels.
        last: int array of shape (..., 2). Its right and its bottom edge.
        classes: int64 array of shape (..., most). -1 where there is no object.

    Returns:
        float32 array of shape (..., most, 4) and an array of the shape of `classes`.
    """
    seen = seen.clip(first, last)
    sides = np.maximum(seen[..., 1, :] - seen[..., 0, :], 0)
    areas = np.prod(whole[..., 1, :] - whole[..., 0, :], axis=-1)
    there = (np.prod(sides, axis=-1) > LEAST_LEFT * areas) & (classes >= 0)
    found = seen.reshape(*classes.shape, 4) * there[..., None]
    return found.astype(np.float32), np.where(there, classes, -1)


def _reach(corners: np.ndarray, axis: int, limit: int) -> np.ndarray:
    """Return from where to where an outline reaches along an axis, within the image's other axis.

    A turned object may have its outermost corner beyond the image; what is seen reaches less far.

    Args:
        corners: float array of shape (batch, most, 4, 2). In their order around the outline.
        axis: int. Along which axis.
        limit: int. How long the image is along the other.

    Returns:
        float array of shape (batch, most, 2). Infinities, the greater first, of what is outside.
    """
    along, across = corners[..., axis], corners[..., 1 - axis]
    ends, outside = [], []
    for neighbour in (1, -1):  # each corner, and as far towards its neighbour as the image begins
        step = np.roll(across, neighbour, axis=-1) - across
        share = (across.clip(0, limit) - across) / np.where(step == 0, 1, step)
        ends.append(along + share * (np.roll(along, neighbour, axis=-1) - along))
        outside.append((across + step.clip(min=0) < 0) | (across + step.clip(max=0) > limit))
    found, beyond = np.concatenate(ends, axis=-1), np.concatenate(outside, axis=-1)
    low = np.where(beyond, np.inf, found).min(axis=-1)
    return np.stack([low, np.where(beyond, -np.inf, found).max(axis=-1)], axis=-1)


def augment_examples(
    examples: Mapping[str, np.ndarray],
    seed: int,
    epoch: int,
    indices: np.ndarray,
    names: tuple[str, ...],
) -> dict[str, np.ndarray]:
    """Return examples with `image` augmented, and with it what is tied to places in it: `mask`,
    `boxes` and `box_class`.
    """
    chosen = seed, epoch, indices, names
    changed = {"image": augment(examples["image"], *chosen)}
    if "mask" in examples:
        changed["mask"] = augment_masks(examples["mask"], *chosen)
    if "boxes" in examples:
        size = examples["image"].shape[1:3]
        changed["boxes"], changed["box_class"] = augment_boxes(
            examples["boxes"], examples["box_class"], size, *chosen
        )
    return dict(examples) | changed


def sample_numbers(seed: int, epoch: int, indices: np.ndarray) -> dict[str, np.ndarray]:
    """Return the random numbers of each augmentation, float of shape (batch, draws)."""
    numbers = uniform(seed, epoch, indices, sum(_NUMBERS.values()))
    ends = np.cumsum(list(_NUMBERS.values()))
    return dict(zip(_NUMBERS, np.split(numbers, ends[:-1], axis=1), strict=True))


def _inverse_maps(
    numbers: dict[str, np.ndarray], names: tuple[str, ...], height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return where each pixel of the result comes from, for all geometric changes as one map.

    Coordinates are (row, column) in pixels from the middle: `from = matrix @ to + offset`.

    Returns:
        tuple of float64 arrays of shapes (batch, 2, 2) and (batch, 2).
    """
    batch = len(numbers["flip"])
    sides = np.array([height, width])
    matrices = np.tile(np.eye(2), (batch, 1, 1))
    offsets = np.zeros((batch, 2))
    if "flip" in names:
        matrices[numbers["flip"][:, 0] < 0.5, 1, 1] = -1
    if "rotate" in names:
        angles = (2 * numbers["rotate"][:, 0] - 1) * MAX_ANGLE
        cosines, sines = np.cos(angles), np.sin(angles)
        turns = np.array([[cosines, -sines], [sines, cosines]]).transpose(2, 0, 1)
        matrices = turns @ matrices
    if "crop" in names:
        area = MIN_CROP_AREA + (1 - MIN_CROP_AREA) * numbers["crop"][:, :1]
        stretch = MAX_CROP_ASPECT ** (numbers["crop"][:, 1:2] - 0.5)
        scales = np.minimum(np.sqrt(area) * np.hstack([stretch, 1 / stretch]), 1)
        matrices = scales[:, :, None] * matrices
        offsets += (numbers["crop"][:, 2:] - 0.5) * (1 - scales) * sides
    if "scale" in names:
        scales = MAX_SCALE ** (2 * numbers["scale"] - 1)  # (batch, 1)
        matrices, offsets = scales[:, :, None] * matrices, offsets * scales
    if "shift" in names:
        offsets += (2 * numbers["shift"] - 1) * MAX_SHIFT * sides
    return matrices, offsets


def _sample(images: np.ndarray, matrices: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Sample images bilinearly where the maps of `_inverse_maps` point."""
    batch, height, width, _ = images.shape
    result = np.empty_like(images)
    step = max(1, _CHUNK_PIXELS // (height * width))

    def fill(start: int) -> None:
        chunk = slice(start, start + step)
        result[chunk] = _sample_chunk(images[chunk], matrices[chunk], offsets[chunk])

    starts = range(0, batch, step)
    if len(starts) == 1:  # small images: handing them over takes as long as the work
        fill(0)
    else:
        list(worker_threads().map(fill, starts))  # NumPy lets go of the interpreter's lock
    return result


def _sample_chunk(images: np.ndarray, matrices: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    batch, height, width, channels = images.shape
    padded = _pad(images)  # (channels, batch, height + 2, width + 2)
    middle = np.array([height - 1, width - 1]) / 2
    down = (np.arange(height) - middle[0]).astype(np.float32)[:, None]
    right = (np.arange(width) - middle[1]).astype(np.float32)
    matrices = matrices.astype(np.float32)[..., None, None]
    # Positions in the padded image: beyond its frame they stay on the frame.
    offsets = (offsets + middle + 1).astype(np.float32)[..., None, None]
    rows = matrices[:, 0, 0] * down + matrices[:, 0, 1] * right + offsets[:, 0]
    columns = matrices[:, 1, 0] * down + matrices[:, 1, 1] * right + offsets[:, 1]
    np.clip(rows, 0, height + 1, out=rows)
    np.clip(columns, 0, width + 1, out=columns)
    top = np.minimum(rows.astype(np.intp), height)
    left = np.minimum(columns.astype(np.intp), width)
    rows -= top
    columns -= left
    corner = (np.arange(batch) * ((height + 2) * (width + 2)))[:, None, None]
    corner = corner + top * (width + 2) + left
    below_right = rows * columns
    neighbours = [
        (corner, 1 - rows - columns + below_right),
        (corner + 1, columns - below_right),
        (corner + width + 2, rows - below_right),
        (corner + width + 3, below_right),
    ]
    result = np.empty_like(images)
    for channel in range(channels):
        plane = padded[channel].ravel()
        # "clip" spares the check of every position; all are inside.
        total = np.zeros((batch, height, width), np.float32)
        for position, weight in neighbours:
            value = plane.take(position, mode="clip")
            value *= weight
            total += value
        result[..., channel] = total
    return result


def _pad(images: np.ndarray) -> np.ndarray:
    """Return images with channels first and one pixel around, in the median of their border.

    That is the background of a drawing, be it black or white, and a quiet colour for a photograph.
    Black would cut bars into white paper, repeated edges would draw out strokes that touch them.
    """
    batch, height, width, channels = images.shape
    border = np.concatenate(
        [images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], axis=1
    )
    padded = np.empty((channels, batch, height + 2, width + 2), np.float32)
    background = np.partition(border.transpose(2, 0, 1), border.shape[1] // 2)
    padded[:] = background[:, :, border.shape[1] // 2, None, None]
    padded[:, :, 1:-1, 1:-1] = np.moveaxis(images, -1, 0)
    return padded


def _change_colours(images: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return images with other contrast and brightness."""
    channels = images.shape[-1]
    contrast = MAX_CONTRAST ** (2 * numbers[:, :1] - 1)
    # A grayscale image takes the first number of the three.
    brightness = (2 * numbers[:, 1 : 1 + channels] - 1) * MAX_BRIGHTNESS
    factor = contrast[:, None, None].astype(np.float32)  # (batch, 1, 1, 1)
    added = 127.5 * (1 - factor) + brightness[:, None, None].astype(np.float32)
    return np.clip(images * factor + added, 0, 255)


def _cut_out(images: np.ndarray, numbers: np.ndarray) -> None:
    """Paint a square of each image, in place."""
    batch, height, width, channels = images.shape
    low, high = CUTOUT_SIDE
    side = np.rint(min(height, width) * (low + (high - low) * numbers[:, 0])).astype(int)
    side = np.maximum(side, 1)
    top = (numbers[:, 1] * (height - side + 1)).astype(int)
    left = (numbers[:, 2] * (width - side + 1)).astype(int)
    # As a matrix product: a mean over the inner axes takes longer than all the rest.
    share = np.full(height * width, 1 / (height * width), np.float32)
    colours = share @ images.reshape(batch, height * width, channels)
    for image, colour, y, x, size in zip(images, colours, top, left, side, strict=True):
        image[y : y + size, x : x + size] = colour
