"""What a generator and a discriminator lose in a turn: pure functions of their weights."""

from typing import Any, NamedTuple

from keras import ops

from threefold.blueprints.parts.adversarial.config import AdversarialConfig
from threefold.tasks.image_generation import SAMPLES
from threefold.training.adversarial import losses
from threefold.training.adversarial.diff_augment import augment
from threefold.training.adversarial.gradients import differentiate
from threefold.training.adversarial.levels import Scale

RANGE = 127.5  # pixels, 0 to 255, are -1 to 1 for the networks
SHIFTED = ("translation",)  # what may change no score, for `consistency`


class AdversarialNetwork(NamedTuple):
    """The values of one network in the middle of a step."""

    weights: list
    non_trainable: list  # what is not trained: averages of batches, vectors of power iterations
    optimizer_state: list  # the optimizer's variables; read on jax alone


class Batch(NamedTuple):
    """A batch as both networks see it; `noise` and `random_numbers` have a row a step."""

    images: Any  # (batch, height, width, channels), -1 to 1
    noise: Any  # (batch, steps, dimensions), if images are made of it
    random_numbers: Any  # (batch, steps, RANDOM_NUMBERS), 0 to 1, if it takes them
    labels: dict[str, Any]  # what both are given: `label` (batch,), `mask`, or nothing


class Game:
    """The rules.

    Args:
        config: AdversarialConfig.
        label_smoothing: float. How far below 1 the label of a real image is.
    """

    def __init__(self, config: AdversarialConfig, label_smoothing: float = 0.0):
        self.config, self.label_smoothing = config, label_smoothing

    @property
    def reported(self) -> list[str]:
        """What is reported of a step."""
        names = ["loss", "generator_loss", "discriminator_loss"]
        names += ["accuracy_real", "accuracy_generated"] * (self.config.loss != "wasserstein")
        names += ["penalty"] * (self.config.gradient_penalty != "none")
        return [*names, "generator_norm", "discriminator_norm", "diversity"]

    def discriminator_turn(
        self, scale: Scale, pair: tuple[AdversarialNetwork, AdversarialNetwork], batch: Batch,
        turn: int,
    ):  # fmt: skip
        """Return the discriminator's gradients, its values that are not trained, and a report."""
        generator, discriminator = pair
        fake, _ = self.make_images(scale, generator.weights, generator.non_trainable, batch, turn)
        fake = ops.stop_gradient(fake)
        loss, (after, report), gradients = differentiate(
            lambda weights: self._discriminate(
                scale, weights, discriminator.non_trainable, batch, fake, turn
            ),
            discriminator.weights,
        )
        report |= {"discriminator_loss": loss, "discriminator_norm": losses.norm(gradients)}
        return gradients, after, report

    def generator_turn(
        self, scale: Scale, pair: tuple[AdversarialNetwork, AdversarialNetwork], batch: Batch
    ):
        """Return the generator's gradients, its values that are not trained, and a report."""
        generator, discriminator = pair
        loss, (after, fake), gradients = differentiate(
            lambda weights: self._generate(
                scale, weights, generator.non_trainable, batch, discriminator
            ),
            generator.weights,
        )
        report = {
            "generator_loss": loss,
            "generator_norm": losses.norm(gradients),
            **self.describe(fake, scale.images, batch),
        }
        return gradients, after, report

    def describe(self, fake, images, batch: Batch):
        """Return what is reported of generated images beside real ones."""
        distance, diversity = losses.compare(fake, images)
        return {"loss": distance, "diversity": diversity}

    def measure_distance(self, fake, images, batch: Batch):
        """Return how far generated images are from real ones: the loss that is reported."""
        return losses.compare(fake, images)[0]

    def make_images(
        self, scale: Scale, weights: list, non_trainable: list, batch: Batch, turn: int,
        training: bool = True,
    ):  # fmt: skip
        """Return generated images, and the generator's values that are not trained."""
        return self._make(scale, weights, non_trainable, batch, batch.noise[:, turn], training)

    def _make(self, scale, weights, non_trainable, batch: Batch, noise, training: bool = True):
        inputs = {"noise": noise, **batch.labels, **scale.fade}
        return scale.generator(weights, non_trainable, inputs, training)

    def _see(self, scale, weights, non_trainable, images, batch: Batch, training: bool = True):
        inputs = {"image": images, **batch.labels, **scale.fade}
        return scale.discriminator(weights, non_trainable, inputs, training)

    def _discriminate(self, scale, weights, non_trainable, batch: Batch, fake, turn: int):
        """Return the discriminator's loss; its values that are not trained, and a report."""
        config = self.config
        *samples, mix = split_numbers(batch, turn)
        real = augment(scale.images, samples[0], config.augment)
        fake = augment(fake, samples[1], config.augment)
        found, after = self._see(scale, weights, non_trainable, real, batch)
        taken, after = self._see(scale, weights, after, fake, batch)
        loss = losses.discriminator_loss(
            config.loss, found["score"], taken["score"], self.label_smoothing
        )
        report = losses.accuracies(config.loss, found["score"], taken["score"])

        def score(images):
            # Nothing is kept of this call: power iterations stand still in it.
            return self._see(scale, weights, non_trainable, images, batch, training=False)[0][
                "score"
            ]

        if config.gradient_penalty != "none":
            penalty = losses.gradient_penalty(config.gradient_penalty, score, real, fake, mix)
            loss = loss + config.penalty_weight * penalty
            report["penalty"] = penalty
        if config.drift:
            loss = loss + config.drift * ops.mean(ops.square(found["score"]))
        for images, numbers in zip((real, fake), samples, strict=True):
            if config.consistency:
                # Other numbers than those by which the image itself may have been shifted.
                shifted = augment(images, ops.flip(numbers, axis=0), SHIFTED)
                change = losses.score_change(score, images, shifted)
                loss = loss + config.consistency * change
            if config.virtual_adversarial:
                changed = losses.worst_change(score, images)
                change = losses.score_change(score, images, changed)
                loss = loss + config.virtual_adversarial * change
        return loss, (after, report)

    def _generate(
        self, scale, weights, non_trainable, batch: Batch, discriminator: AdversarialNetwork
    ):
        """Return the generator's loss; its values that are not trained, and its images."""
        config, turn = self.config, self.config.critic_steps
        fake, after = self.make_images(scale, weights, non_trainable, batch, turn)
        for_fake, for_real, _ = split_numbers(batch, turn)
        still = discriminator.weights, discriminator.non_trainable
        seen = augment(fake, for_fake, config.augment)
        found, _ = self._see(scale, *still, seen, batch)
        loss = losses.generator_loss(config.loss, found["score"])
        if config.feature_matching:
            real = augment(scale.images, for_real, config.augment)
            wanted, _ = self._see(scale, *still, real, batch)
            distance = losses.feature_distance(wanted["features"], found["features"])
            loss = loss + config.feature_matching * distance
        if config.mode_seeking:
            noise = batch.noise[:, turn]
            other_noise = ops.roll(noise, 1, axis=0)  # under the image's own class
            other, _ = self._make(scale, weights, non_trainable, batch, other_noise)
            loss = loss + config.mode_seeking * losses.likeness(fake, other, noise, other_noise)
        return loss, (after, fake)


def split_numbers(batch: Batch, turn: int) -> tuple:
    """Return a turn's random numbers: of changes to some images, (batch, SAMPLES), of those to
    others, and of where a penalty lies, (batch, 1, 1, 1). `None` thrice where none are taken.
    """
    if batch.random_numbers is None:
        return None, None, None
    numbers = batch.random_numbers[:, turn]
    one, other, mix = numbers[:, :SAMPLES], numbers[:, SAMPLES : 2 * SAMPLES], numbers[:, -1]
    return one, other, mix[:, None, None, None]
