"""What the loops by hand have in common: sizes of the networks, and what the recipes chose."""

from typing import NamedTuple

FILTERS, SLOPE, MOMENTUM, EPSILON = 32, 0.2, 0.9, 1e-3
AVERAGE = 0.99  # what stays of the averaged weights in a step
PENALTY = 10.0


class Choices(NamedTuple):
    """What a recipe chooses; with a penalty, the loss is Wasserstein's."""

    latent_dim: int
    learning_rate: float
    betas: tuple[float, float]
    critic_steps: int
    penalized: bool


CHOICES = {
    "dcgan": Choices(100, 2e-4, (0.5, 0.999), 1, False),
    "wgan_gp": Choices(64, 2e-4, (0.0, 0.9), 5, True),
}


def find_widths(side: int) -> tuple[int, list[int]]:
    """Return the side of the smallest image, and the filters of each stage."""
    stages = 2
    while side >> stages > 4:
        stages += 1
    return side >> stages, [FILTERS << stage for stage in range(stages)]
