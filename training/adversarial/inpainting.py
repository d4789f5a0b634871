"""The adversarial trainer of networks that complete images."""

from typing import Any

from keras import ops

from threefold.training.adversarial import losses
from threefold.training.adversarial.trainer import RANGE, Adversarial, AdversarialNetwork, Batch


class InpaintingTrainer(Adversarial):
    """A generator that completes images, and a discriminator of patches, in training.

    The generator is also held to the real image; how far it is from it inside the holes is the
    loss that is reported, and by which the best epoch is chosen. Arguments are those of
    `Adversarial`; the batch's conditions hold `mask` (batch, height, width, 1).
    """

    def _generate(self, weights: list, non_trainable: list, batch: Batch, step: int, training=True):
        inputs = {"image": (batch.images + 1.0) * RANGE, **batch.labels}
        completed, after = self.generator.stateless_call(
            weights, non_trainable, inputs, training=training
        )
        return completed / RANGE - 1.0, after

    def _discriminate(self, weights: list, non_trainable: list, batch: Batch, fake, step: int):
        found, after = self._discriminator_outputs(weights, non_trainable, batch.images, batch)
        taken, after = self._discriminator_outputs(weights, after, fake, batch)
        kind, real_scores, fake_scores = (
            self.adversarial_config.loss, found["score"], taken["score"],
        )  # fmt: skip
        loss = losses.discriminator_loss(kind, real_scores, fake_scores)
        return loss, (after, {"accuracy": losses.accuracy(kind, real_scores, fake_scores)})

    def _generator_step(
        self, weights: list, non_trainable: list, batch: Batch, discriminator: AdversarialNetwork
    ):
        fake, non_trainable = self._generate(weights, non_trainable, batch, 0)
        found, _ = self._discriminator_outputs(
            discriminator.weights, discriminator.non_trainable, fake, batch
        )
        loss = losses.generator_loss(self.adversarial_config.loss, found["score"])
        distance = self._measure_distance(fake, batch)
        return loss + self.adversarial_config.reconstruction * distance, (non_trainable, fake)

    def _measure_distance(self, fake, batch: Batch) -> Any:
        """Return the mean difference inside the holes, in units of which 2 are the whole range."""
        mask = batch.labels["mask"]
        off = ops.abs(ops.cast(fake, "float32") - batch.images) * mask
        return ops.sum(off) / (ops.sum(mask) * batch.images.shape[-1])
