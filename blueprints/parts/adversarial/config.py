"""The rules by which a generator and a discriminator are trained."""

from dataclasses import dataclass


@dataclass(frozen=True)
class AdversarialConfig:
    """How two networks are trained against each other; a model of such has them as
    `adversarial_config`.

    Args:
        loss: str. `standard`, `least_squares`, `hinge` or `wasserstein`.
        gradient_penalty: str. `none`, `wgan_gp` or `r1`.
        penalty_weight: float. What the penalty is multiplied with in the discriminator's loss.
        weight_limit: float. Weights of the discriminator are clipped to it after each of its
            steps; `None` for never.
        feature_matching: float. Weight of the distance of mean features in the generator's loss.
        critic_steps: int. Steps of the discriminator for one of the generator.
        augment: tuple of str. How images are changed before the discriminator sees them.
        discriminator_lr_ratio: float. The discriminator's learning rate, in units of the
            generator's.
        beta_1: float. Adam's share of the old mean gradient.
        beta_2: float. Adam's share of the old mean of squares.
        reconstruction: float. Weight of the distance of completed images from the real ones in the
            generator's loss; `None` where images are made of noise.
    """

    loss: str
    gradient_penalty: str
    penalty_weight: float
    weight_limit: float | None
    feature_matching: float
    critic_steps: int
    augment: tuple[str, ...]
    discriminator_lr_ratio: float
    beta_1: float
    beta_2: float
    reconstruction: float | None = None
