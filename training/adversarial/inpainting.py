"""What two networks lose that complete images, and tell completed ones from real."""

from keras import ops

from threefold.training.adversarial import losses
from threefold.training.adversarial.game import RANGE, AdversarialNetwork, Batch, Game


class InpaintingGame(Game):
    """The rules of a generator that is also held to the real image.

    How far it is from it inside the holes is the loss that is reported, and by which the best epoch
    is chosen. The batch's labels hold `mask` (batch, height, width, 1).
    """

    @property
    def reported(self) -> list[str]:
        """What is reported of a step."""
        return [name for name in super().reported if name != "diversity"]

    def describe(self, fake, images, batch: Batch):
        """Return how far completed images are from real ones; they are as different as these."""
        return {"loss": self.measure_distance(fake, images, batch)}

    def make_images(
        self, scale, weights: list, non_trainable: list, batch: Batch, turn: int,
        training: bool = True,
    ):  # fmt: skip
        """Return completed images, -1 to 1, and the generator's values that are not trained."""
        inputs = {"image": (batch.images + 1.0) * RANGE, **batch.labels}
        completed, after = scale.generator(weights, non_trainable, inputs, training)
        return completed / RANGE - 1.0, after

    def measure_distance(self, fake, images, batch: Batch):
        """Return the mean difference inside the holes, in units of which 2 are the whole range."""
        mask = batch.labels["mask"]
        off = ops.abs(ops.cast(fake, "float32") - images) * mask
        return ops.sum(off) / (ops.sum(mask) * images.shape[-1])

    def _discriminate(self, scale, weights, non_trainable, batch: Batch, fake, turn: int):
        found, after = self._see(scale, weights, non_trainable, batch.images, batch)
        taken, after = self._see(scale, weights, after, fake, batch)
        scores = found["score"], taken["score"]
        loss = losses.discriminator_loss(self.config.loss, *scores)
        return loss, (after, losses.accuracies(self.config.loss, *scores))

    def _generate(
        self, scale, weights, non_trainable, batch: Batch, discriminator: AdversarialNetwork
    ):
        fake, after = self.make_images(scale, weights, non_trainable, batch, 0)
        still = discriminator.weights, discriminator.non_trainable
        found, _ = self._see(scale, *still, fake, batch)
        loss = losses.generator_loss(self.config.loss, found["score"])
        distance = self.measure_distance(fake, batch.images, batch)
        return loss + self.config.reconstruction * distance, (after, fake)
