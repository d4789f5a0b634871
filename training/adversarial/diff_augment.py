"""Changes to what the discriminator sees, that the generator's gradient goes through.

Zhao et al. 2020, "Differentiable augmentation for data-efficient GAN training": real and generated
pictures are moved, covered and recoloured at random before the discriminator judges them, so that
it cannot learn a few pictures by heart, and the generator does not learn the changes themselves.

The random numbers come with the batch. All is made of sums and products of matrices, which every
backend differentiates twice.
"""

from keras import ops

SHIFT = 1 / 8  # largest, of a side
COVER = 1 / 2  # side of the square that is covered, of the picture's


def augment(pictures, draws, kinds: tuple[str, ...]):
    """Change pictures at random.

    Args:
        pictures: tensor of shape (batch, height, width, channels), values from -1 to 1.
        draws: tensor of shape (batch, 7), from 0 to 1.
        kinds: tuple of str. Some of `translation`, `cutout`, `color`.

    Returns:
        tensor of the shape of `pictures`.
    """
    if "color" in kinds:
        pictures = _recolour(pictures, draws[:, :3, None, None, None])
    if "translation" in kinds:
        pictures = _translate(pictures, draws[:, 3:5])
    if "cutout" in kinds:
        pictures = _cover(pictures, draws[:, 5:7])
    return pictures


def _recolour(pictures, draws):
    """Change brightness by half of white at most, saturation and contrast by half or twice."""
    pictures = pictures + (draws[:, 0] - 0.5)
    grey = ops.mean(pictures, axis=3, keepdims=True)
    pictures = grey + (pictures - grey) * (2.0 * draws[:, 1])
    mean = ops.mean(pictures, axis=(1, 2, 3), keepdims=True)
    return mean + (pictures - mean) * (0.5 + draws[:, 2])


def _translate(pictures, draws):
    """Move pictures by whole pixels; what comes in is black."""
    for axis, equation in ((1, "bij,bjwc->biwc"), (2, "bij,bhjc->bhic")):
        size = pictures.shape[axis]
        reach = max(1, round(size * SHIFT))
        steps = ops.floor(draws[:, axis - 1] * (2 * reach + 1)) - reach  # (batch,)
        places = ops.arange(size, dtype="float32")
        moved = places[None, :, None] - places[None, None, :] - steps[:, None, None]
        matrix = ops.cast(ops.abs(moved) < 0.5, pictures.dtype)  # (batch, size, size)
        pictures = ops.einsum(equation, matrix, pictures + 1.0) - 1.0
    return pictures


def _cover(pictures, draws):
    """Make a square of every picture black.

    Not grey, which is 0: a convolution without a bias makes 0 of it, where leaky units have a kink
    and backends differ in the slope that they take.
    """
    inside = 1.0
    for axis in (1, 2):
        size = pictures.shape[axis]
        centre = draws[:, axis - 1, None] * size  # (batch, 1)
        distance = ops.abs(ops.arange(size, dtype="float32") + 0.5 - centre)
        shape = (-1, size, 1, 1) if axis == 1 else (-1, 1, size, 1)
        inside = inside * ops.reshape(ops.cast(distance < size * COVER / 2, "float32"), shape)
    return (pictures + 1.0) * (1.0 - inside) - 1.0
