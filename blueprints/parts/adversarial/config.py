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
        reconstruction: float. Weight of the distance of completed images from the real ones in the
            generator's loss; `None` where images are made of noise.
    """

    loss: str
    gradient_penalty: str
    discriminator_lr_ratio: float
    beta_1: float
    beta_2: float
    penalty_weight: float = 0.0
    weight_limit: float | None = None
    drift: float = 0.0
    feature_matching: float = 0.0
    mode_seeking: float = 0.0
    consistency: float = 0.0
    virtual_adversarial: float = 0.0
    levels: tuple[Level, ...] = ()
    growth: float = 1.0
    critic_steps: int = 1
    augment: tuple[str, ...] = ()
    reconstruction: float | None = None
