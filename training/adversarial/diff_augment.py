"""Changes to what the discriminator sees, that the generator's gradient goes through.

Zhao et al. 2020, "Differentiable augmentation for data-efficient GAN training": real and generated
images are moved, covered and recoloured at random before the discriminator evaluates them, so that
it cannot learn a few images by heart, and the generator does not learn the changes themselves.

The random numbers come with the batch. All is made of sums and products of matrices, which every
backend differentiates twice.
"""

from keras import ops

SHIFT = 1 / 8  # largest, of a side
COVER = 1 / 2  # side of the square that is covered, of the image's


def augment(images, random_numbers, kinds: tuple[str, ...]):
    """Change images at random.

    Args:
        images: tensor of shape (batch, height, width, channels), values from -1 to 1.
        random_numbers: tensor of shape (batch, 7), from 0 to 1.
        kinds: tuple of str. Some of `translation`, `cutout`, `color`.

    Returns:
        tensor of the shape of `images`.
    """
    if "color" in kinds:
        images = _recolour(images, random_numbers[:, :3, None, None, None])
    if "translation" in kinds:
        images = _translate(images, random_numbers[:, 3:5])
    if "cutout" in kinds:
        images = _cover(images, random_numbers[:, 5:7])
    return images


def _recolour(images, random_numbers):
    """Change brightness by half of white at most, saturation and contrast by half or twice."""
    images = images + (random_numbers[:, 0] - 0.5)
    gray = ops.mean(images, axis=3, keepdims=True)
    images = gray + (images - gray) * (2.0 * random_numbers[:, 1])
    mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
    return mean + (images - mean) * (0.5 + random_numbers[:, 2])


def _translate(images, random_numbers):
    """Move images by whole pixels; what comes in is black."""
    for axis, equation in ((1, "bij,bjwc->biwc"), (2, "bij,bhjc->bhic")):
        size = images.shape[axis]
        reach = max(1, round(size * SHIFT))
        steps = ops.floor(random_numbers[:, axis - 1] * (2 * reach + 1)) - reach  # (batch,)
        places = ops.arange(size, dtype="float32")
        moved = places[None, :, None] - places[None, None, :] - steps[:, None, None]
        matrix = ops.cast(ops.abs(moved) < 0.5, images.dtype)  # (batch, size, size)
        images = ops.einsum(equation, matrix, images + 1.0) - 1.0
    return images


def _cover(images, random_numbers):
    """Make a square of every image black.

    Not grayscale, which is 0: a convolution without a bias makes 0 of it, where leaky units have a
    kink and backends differ in the slope that they take.
    """
    inside = 1.0
    for axis in (1, 2):
        size = images.shape[axis]
        centre = random_numbers[:, axis - 1, None] * size  # (batch, 1)
        distance = ops.abs(ops.arange(size, dtype="float32") + 0.5 - centre)
        shape = (-1, size, 1, 1) if axis == 1 else (-1, 1, size, 1)
        inside = inside * ops.reshape(ops.cast(distance < size * COVER / 2, "float32"), shape)
    return (images + 1.0) * (1.0 - inside) - 1.0
