"""The rules by which a generator and a discriminator are trained."""

from dataclasses import dataclass

from threefold.blueprints.parts.adversarial.progressive import Level


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
        drift: float. Weight of the squared scores of real images in the discriminator's loss.
        feature_matching: float. Weight of the distance of mean features in the generator's loss.
        mode_seeking: float. Weight of how alike two images of other noise are, in the generator's
            loss.
        consistency: float. Weight of how much a shift of an image changes its score, in the
            discriminator's loss.
        virtual_adversarial: float. Weight of how much the smallest change that matters changes a
            score, in the discriminator's loss.
        levels: tuple of Level. The networks of each size of those that grow, the smallest first.
        growth: float. Share of the training in which the networks grow, where they do.
        critic_steps: int. Steps of the discriminator for one of the generator.
        augment: tuple of str. How images are changed before the discriminator sees them.
        discriminator_lr_ratio: float. The discriminator's learning rate, in units of the
            generator's.
        beta_1: float. Adam's share of the old mean gradient.
        beta_2: float. Adam's share of the old mean of squares.
    """

    loss: str
    gradient_penalty: str
    penalty_weight: float
    weight_limit: float | None
    drift: float
    feature_matching: float
    mode_seeking: float
    consistency: float
    virtual_adversarial: float
    levels: tuple[Level, ...]
    growth: float
    critic_steps: int
    augment: tuple[str, ...]
    discriminator_lr_ratio: float
    beta_1: float
    beta_2: float
