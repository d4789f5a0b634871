"""What two networks play for: losses, gradient penalties, and how alike two sets of images are.

Pure functions of tensors, once for all backends.
"""

import math
from collections.abc import Callable

from keras import ops

from threefold.training.adversarial.gradients import differentiate

# Lengths of changes of an image, in units of one whose every number is 1; Miyato et al. tune the
# first by the data, and the second is small.
RADIUS, PROBE = 0.05, 1e-2


def discriminator_loss(kind: str, real, fake, smoothing: float = 0.0):
    """Return what the discriminator minimises.

    Args:
        kind: str. `standard` (Goodfellow et al. 2014), `least_squares` (Mao et al. 2017), `hinge`
            (Lim and Ye 2017) or `wasserstein` (Arjovsky et al. 2017).
        real: tensor of shape (batch, 1). Scores of real images.
        fake: tensor of shape (batch, 1). Scores of generated ones.
        smoothing: float. How far below 1 the label of a real image is; of losses with labels.

    Returns:
        scalar tensor.
    """
    if kind == "standard":  # cross-entropy of logits
        return ops.mean(ops.softplus(-real) + smoothing * real) + ops.mean(ops.softplus(fake))
    if kind == "least_squares":
        distance = ops.mean(ops.square(real - (1.0 - smoothing))) + ops.mean(ops.square(fake))
        return 0.5 * distance
    if kind == "hinge":
        return ops.mean(ops.relu(1.0 - real)) + ops.mean(ops.relu(1.0 + fake))
    return ops.mean(fake) - ops.mean(real)


def generator_loss(kind: str, fake):
    """Return what the generator minimises; the arguments are those of `discriminator_loss`.

    The standard one is the non-saturating: its gradient does not vanish where the discriminator
    is sure.
    """
    if kind == "standard":
        return ops.mean(ops.softplus(-fake))
    if kind == "least_squares":
        return 0.5 * ops.mean(ops.square(fake - 1.0))
    return -ops.mean(fake)


def accuracies(kind: str, real, fake) -> dict:
    """Return the shares of real and of generated images that are taken for what they are.

    A Wasserstein critic has no threshold: it says only which of two images is the more real, and
    there are none.
    """
    if kind == "wasserstein":
        return {}
    threshold = 0.5 if kind == "least_squares" else 0.0
    return {
        "accuracy_real": ops.mean(ops.cast(real > threshold, "float32")),
        "accuracy_generated": ops.mean(ops.cast(fake <= threshold, "float32")),
    }


def gradient_penalty(kind: str, score: Callable, real, fake, mix):
    """Return how far the slope of the discriminator is from what it should be.

    Args:
        kind: str. `wgan_gp`: of length 1 between real and generated images (Gulrajani et al.
            2017); `r1`: flat at real images (Mescheder et al. 2018), half of the squared length.
        score: function. From images to scores (batch, 1), each of its own image alone.
        real: tensor of shape (batch, height, width, channels).
        fake: tensor of the same shape.
        mix: tensor of shape (batch, 1, 1, 1), 0 to 1. Where between the two.

    Returns:
        scalar tensor.
    """
    points = real if kind == "r1" else fake + mix * (real - fake)
    _, _, (slope,) = differentiate(
        lambda tensors: (ops.sum(score(tensors[0])), None), [points], nested=True
    )
    squares = ops.sum(ops.square(slope), axis=(1, 2, 3))
    if kind == "r1":
        return 0.5 * ops.mean(squares)
    return ops.mean(ops.square(ops.sqrt(squares + 1e-12) - 1.0))  # no slope has no derivative


def feature_distance(real, fake):
    """Return how far apart mean features are (Salimans et al. 2016, "feature matching").

    Args:
        real: tensor of shape (batch, features). What the discriminator saw in real images.
        fake: tensor of shape (batch, features). The same of generated ones.

    Returns:
        scalar tensor.
    """
    return ops.mean(ops.square(ops.mean(real, axis=0) - ops.mean(fake, axis=0)))


def score_change(score: Callable, images, changed):
    """Return by how much a change of images changes their scores, squared and in the mean.

    "Consistency regularization" of Zhang et al. 2020, of generated images, too, as Zhao et al. 2021
    have it; with what `worst_change` returns, the "virtual adversarial training" of Miyato et al.
    2018, of scores in place of probabilities.

    Args:
        score: function. As for `gradient_penalty`.
        images: tensor of shape (batch, height, width, channels).
        changed: tensor of the same shape.
    """
    return ops.mean(ops.square(score(images) - score(changed)))


def worst_change(score: Callable, images):
    """Return each image with the small change that changes its score most (Miyato et al. 2018).

    By one power iteration, as in the paper, which starts in the direction of another image of the
    batch: no random numbers are needed for it. The change is of length `RADIUS` for an image whose
    every number is 1.

    Args:
        score: function. As for `gradient_penalty`.
        images: tensor of shape (batch, height, width, channels).
    """
    size = math.prod(images.shape[1:]) ** 0.5
    still = ops.stop_gradient(score(images))
    start = _unit(ops.roll(images, 1, axis=0) - images) * (PROBE * size)
    _, _, (direction,) = differentiate(
        lambda tensors: (ops.sum(ops.square(score(images + tensors[0]) - still)), None), [start]
    )
    return images + ops.stop_gradient(_unit(direction)) * (RADIUS * size)


def likeness(one, other, noise, other_noise):
    """Return how alike images are for how unlike the noise is (Mao et al. 2019, "mode seeking").

    Args:
        one: tensor of shape (batch, height, width, channels).
        other: tensor of the same shape.
        noise: tensor of shape (batch, dimensions). What the first were made of.
        other_noise: tensor of the same shape.
    """
    apart = ops.mean(ops.abs(one - other)) / ops.mean(ops.abs(noise - other_noise))
    return 1 / (apart + 1e-5)


def compare(made, real) -> tuple:
    """Return how far apart two sets of images are as distributions, and how different the first.

    The energy distance (Székely and Rizzo 2013) is at least 0, and falls to what chance leaves for
    so few images when both are drawn from the same distribution, whatever the game's losses do: a
    measure to stop by. The diversity is the mean distance of generated images from each other, in
    units of that of real ones: about 1 where they are as different, 0 where all are the same.

    Args:
        made: tensor of shape (batch, height, width, channels).
        real: tensor of the same shape.

    Returns:
        (scalar tensor, scalar tensor). Distance and diversity.
    """
    made, real = (ops.reshape(ops.cast(p, "float32"), (ops.shape(p)[0], -1)) for p in (made, real))
    own, others = _mean_distance(made, made), _mean_distance(real, real)
    return 2 * _mean_distance(made, real) - own - others, own / (others + 1e-6)


def norm(tensors: list):
    """Return the length of all tensors together."""
    return ops.sqrt(sum(ops.sum(ops.square(ops.cast(t, "float32"))) for t in tensors))


def _unit(images):
    """Return images scaled to a length of 1."""
    squares = ops.sum(ops.square(images), axis=(1, 2, 3), keepdims=True)
    return images / ops.sqrt(squares + 1e-12)


def _mean_distance(one, other):
    lengths = ops.sum(ops.square(one), axis=1)[:, None] + ops.sum(ops.square(other), axis=1)
    squares = lengths - 2 * ops.matmul(one, ops.transpose(other))
    return ops.mean(ops.sqrt(ops.maximum(squares, 0.0)))
