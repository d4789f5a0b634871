"""The adversarial trainer: two networks in one model, trained against each other by Keras's `fit`.

The whole step is drawn once, from pure functions over `stateless_call`: jax and TensorFlow compile
it as one. What differs between backends is how a gradient is taken (`gradients.py`) and how new
values come back: jax hands them on, the others write them into the variables.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
from keras import ops

from threefold.core.errors import UserError
from threefold.tasks.image_generation import SAMPLES
from threefold.tasks.task import Task
from threefold.training.adversarial import losses
from threefold.training.adversarial.diff_augment import augment
from threefold.training.adversarial.gradients import differentiate, without_gradients
from threefold.training.adversarial.optimizer_pair import OptimizerPair
from threefold.training.optimizers.optimizers import make_optimizer
from threefold.training.settings import TrainingSettings

RANGE = 127.5  # pixels, 0 to 255, are -1 to 1 for the networks
LABELLED = ("standard", "least_squares")  # losses in which a real image has a label to smooth


def check_adversarial(model: keras.Model, task: Task, settings: TrainingSettings) -> None:
    """Refuse settings that two networks against each other have no use for.

    Args:
        model: keras.Model. With `adversarial_config`.
        task: Task. Knows the label smoothing.
        settings: TrainingSettings. Resolved.

    Raises:
        UserError: naming the setting.
    """
    if settings.precision == "mixed_float16":
        raise UserError(
            "--precision mixed_float16 loses the small gradients of adversarial training; "
            "use mixed_bfloat16 or float32"
        )
    if settings.layer_decay is not None:
        raise UserError("--layer-decay is for one network; two against each other have their own")
    loss = model.adversarial_config.loss
    if task.label_smoothing and loss not in LABELLED:
        raise UserError(
            f"--label-smoothing is for -o loss={' and '.join(LABELLED)}; {loss} has no labels"
        )


def find_remedies(options: Mapping[str, Any]) -> list[str]:
    """Return what may keep a game from exploding that its options do not have yet.

    Args:
        options: mapping. The blueprint's, in full.
    """
    remedies = []
    if options.get("gradient_penalty") == "none":
        kind = "wgan_gp" if options["loss"] == "wasserstein" else "r1"
        remedies.append(f"-o gradient_penalty={kind}")
    if options.get("spectral_norm") is False and options["architecture"] != "sagan":
        remedies.append("-o spectral_norm=true")
    return remedies


def compile_adversarial(
    model: keras.Model,
    task: Task,
    settings: TrainingSettings,
    total_steps: int,
    trainer_class: type["Adversarial"] | None = None,
) -> "Adversarial":
    """Set two networks against each other.

    Args:
        model: keras.Model. With the layers `generator` and `discriminator`, and
            `adversarial_config`.
        task: Task. Knows the label smoothing.
        settings: TrainingSettings. Resolved.
        total_steps: int. Steps of the whole fit.
        trainer_class: type of Adversarial. Who trains; `Adversarial` itself by default.

    Returns:
        Adversarial. Compiled; it trains the weights of `model`.
    """
    adversarial_config = model.adversarial_config
    trainer = (trainer_class or Adversarial)(model, task.label_smoothing)
    betas = {"beta_1": adversarial_config.beta_1, "beta_2": adversarial_config.beta_2}
    own = betas if settings.optimizer in ("adam", "adamw") else {}
    faster = settings.model_copy(
        update={
            "learning_rate": settings.learning_rate * adversarial_config.discriminator_lr_ratio,
            "ema": None,
        }
    )
    pair = OptimizerPair(
        make_optimizer(settings, total_steps, name=f"generator_{settings.optimizer}", **own),
        make_optimizer(
            faster,
            total_steps * adversarial_config.critic_steps,
            name=f"discriminator_{settings.optimizer}",
            **own,
        ),
        len(trainer.generator.trainable_variables),
    )
    trainer.compile(
        optimizer=pair,
        jit_compile=False if keras.config.backend() == "torch" else "auto",
        auto_scale_loss=False,
    )
    return trainer


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


class Adversarial(keras.Model):
    """A generator and a discriminator in training.

    In a step the discriminator takes `critic_steps` steps at the same images, each against newly
    generated ones, and then the generator takes one.

    Args:
        model: keras.Model. With the layers `generator` and `discriminator`, and an
            `adversarial_config`: see `blueprints.parts.adversarial.config`.
        label_smoothing: float. How far below 1 the label of a real image is.
    """

    def __init__(self, model: keras.Model, label_smoothing: float = 0.0):
        super().__init__(name="adversarial")
        self.adversarial_config, self.label_smoothing = model.adversarial_config, label_smoothing
        self.generator = model.get_layer("generator")
        self.discriminator = model.get_layer("discriminator")
        names = ["loss", "generator_loss", "discriminator_loss"]
        names += ["accuracy"] * (self.adversarial_config.loss != "wasserstein")
        names += ["penalty"] * (self.adversarial_config.gradient_penalty != "none")
        names += ["generator_norm", "discriminator_norm"]
        self.trackers = {name: keras.metrics.Mean(name=name) for name in names}
        self.built = True

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The running means that a step reports."""
        return list(self.trackers.values())

    def train_step(self, *given):
        """Take one step, on jax from a state and a batch to a new state, else from a batch."""
        if keras.config.backend() != "jax":
            networks = self._read()
            networks, logs = self._run_step(networks, _unpack(given[0]))
            return self._note(logs, ops.shape(given[0][1])[0])
        (weights, non_trainable, optimizer_state, metrics), data = given
        split = len(self.generator.trainable_variables)
        place = len(self.generator.non_trainable_variables)
        seam = len(self.optimizer.optimizers[0].variables)
        networks = (
            AdversarialNetwork(weights[:split], non_trainable[:place], optimizer_state[:seam]),
            AdversarialNetwork(weights[split:], non_trainable[place:], optimizer_state[seam:]),
        )
        networks, logs = self._run_step(networks, _unpack(data))
        results, metrics = self._note_statelessly(logs, data[1].shape[0], metrics)
        return results, (*(one + other for one, other in zip(*networks, strict=True)), metrics)

    def test_step(self, *given):
        """Say how far generated images are from those of a batch; as `train_step` is called."""
        jax = keras.config.backend() == "jax"
        data = given[-1]
        batch = _unpack(data)
        split = len(self.generator.trainable_variables)
        place = len(self.generator.non_trainable_variables)
        if jax:
            (weights, non_trainable, metrics), _ = given
            generator = AdversarialNetwork(weights[:split], non_trainable[:place], [])
        else:
            generator = self._read()[0]
        fake, _ = self._generate(
            generator.weights, generator.non_trainable, batch, 0, training=False
        )
        logs = {"loss": self._measure_distance(fake, batch)}
        if not jax:
            return self._note(logs, ops.shape(data[1])[0])
        results, metrics = self._note_statelessly(logs, data[1].shape[0], metrics)
        return results, (weights, non_trainable, metrics)

    def _run_step(self, networks: tuple[AdversarialNetwork, AdversarialNetwork], batch: Batch):
        """Take all turns of a step; return both players and what there is to report."""
        generator, discriminator = networks
        for step in range(self.adversarial_config.critic_steps):
            fake, _ = self._generate(generator.weights, generator.non_trainable, batch, step)
            fake = ops.stop_gradient(fake)
            loss, (non_trainable, logs), gradients = differentiate(
                lambda weights, d=discriminator, f=fake, t=step: self._discriminate(
                    weights, d.non_trainable, batch, f, t
                ),
                discriminator.weights,
            )
            logs |= {"discriminator_loss": loss, "discriminator_norm": losses.norm(gradients)}
            discriminator = self._update(1, discriminator, gradients, non_trainable)
        loss, (non_trainable, fake), gradients = differentiate(
            lambda weights: self._generator_step(
                weights, generator.non_trainable, batch, discriminator
            ),
            generator.weights,
        )
        logs |= {
            "generator_loss": loss,
            "generator_norm": losses.norm(gradients),
            "loss": self._measure_distance(fake, batch),
        }
        return (self._update(0, generator, gradients, non_trainable), discriminator), logs

    def _measure_distance(self, fake, batch: Batch):
        """Return how far what was generated is from the batch: the loss that is reported."""
        return losses.energy_distance(fake, batch.images)

    def _generate(self, weights: list, non_trainable: list, batch: Batch, step: int, training=True):
        inputs = {"noise": batch.noise[:, step], **batch.labels}
        return self.generator.stateless_call(weights, non_trainable, inputs, training=training)

    def _discriminator_outputs(
        self, weights: list, non_trainable: list, images, batch: Batch, training=True
    ):
        inputs = {"image": images, **batch.labels}
        return self.discriminator.stateless_call(weights, non_trainable, inputs, training=training)

    def _discriminate(self, weights: list, non_trainable: list, batch: Batch, fake, step: int):
        """Return the discriminator's loss; its new values that are not trained, and a report."""
        adversarial_config, random_numbers = self.adversarial_config, batch.random_numbers[:, step]
        real = augment(batch.images, random_numbers[:, :SAMPLES], adversarial_config.augment)
        fake = augment(fake, random_numbers[:, SAMPLES : 2 * SAMPLES], adversarial_config.augment)
        found, after = self._discriminator_outputs(weights, non_trainable, real, batch)
        taken, after = self._discriminator_outputs(weights, after, fake, batch)
        real_scores, fake_scores = found["score"], taken["score"]
        loss = losses.discriminator_loss(
            adversarial_config.loss, real_scores, fake_scores, self.label_smoothing
        )
        logs = {}
        if adversarial_config.loss != "wasserstein":
            logs["accuracy"] = losses.accuracy(adversarial_config.loss, real_scores, fake_scores)
        if adversarial_config.gradient_penalty != "none":
            mix = random_numbers[:, 2 * SAMPLES, None, None, None]

            def score(images):
                # Nothing is kept of this call: power iterations stand still in it.
                return self._discriminator_outputs(
                    weights, non_trainable, images, batch, training=False
                )[0]["score"]

            penalty = losses.gradient_penalty(
                adversarial_config.gradient_penalty, score, real, fake, mix
            )
            loss = loss + adversarial_config.penalty_weight * penalty
            logs["penalty"] = penalty
        return loss, (after, logs)

    def _generator_step(
        self, weights: list, non_trainable: list, batch: Batch, discriminator: AdversarialNetwork
    ):
        """Return the generator's loss; its new values that are not trained, and its images."""
        step = self.adversarial_config.critic_steps
        fake, non_trainable = self._generate(weights, non_trainable, batch, step)
        random_numbers = batch.random_numbers[:, step]
        seen = augment(fake, random_numbers[:, :SAMPLES], self.adversarial_config.augment)
        found, _ = self._discriminator_outputs(
            discriminator.weights, discriminator.non_trainable, seen, batch
        )
        loss = losses.generator_loss(self.adversarial_config.loss, found["score"])
        if self.adversarial_config.feature_matching:
            real = augment(
                batch.images,
                random_numbers[:, SAMPLES : 2 * SAMPLES],
                self.adversarial_config.augment,
            )
            wanted, _ = self._discriminator_outputs(
                discriminator.weights, discriminator.non_trainable, real, batch
            )
            distance = losses.feature_distance(wanted["features"], found["features"])
            loss = loss + self.adversarial_config.feature_matching * distance
        return loss, (non_trainable, fake)

    def _update(
        self, place: int, before: AdversarialNetwork, gradients: list, non_trainable: list
    ) -> AdversarialNetwork:
        """Return a player after its turn."""
        optimizer, limit = self.optimizer.optimizers[place], self.adversarial_config.weight_limit
        if keras.config.backend() == "jax":
            weights, optimizer_state = optimizer.stateless_apply(
                before.optimizer_state, gradients, before.weights
            )
            if place and limit:
                weights = [ops.clip(weight, -limit, limit) for weight in weights]
            return AdversarialNetwork(weights, non_trainable, optimizer_state)
        network = (self.generator, self.discriminator)[place]
        with without_gradients():
            optimizer.apply(gradients, network.trainable_variables)
            if place and limit:
                for variable in network.trainable_variables:
                    variable.assign(ops.clip(variable.value, -limit, limit))
            for variable, value in zip(network.non_trainable_variables, non_trainable, strict=True):
                variable.assign(value)
        return self._read()[place]

    def _read(self) -> tuple[AdversarialNetwork, AdversarialNetwork]:
        """Return the values that the variables hold."""
        return tuple(
            AdversarialNetwork(
                [variable.value for variable in network.trainable_variables],
                [variable.value for variable in network.non_trainable_variables],
                [],
            )
            for network in (self.generator, self.discriminator)
        )

    def _note(self, logs: dict[str, Any], size) -> dict[str, Any]:
        with without_gradients():
            for name, value in logs.items():
                self.trackers[name].update_state(ops.stop_gradient(value), sample_weight=size)
            return {name: self.trackers[name].result() for name in self.trackers if name in logs}

    def _note_statelessly(self, logs: dict[str, Any], size: int, metrics: list):
        variables = self.metrics_variables
        with keras.StatelessScope(state_mapping=zip(variables, metrics, strict=True)) as scope:
            results = self._note(logs, size)
        return results, [scope.get_current_value(variable) for variable in variables]


def _unpack(data) -> Batch:
    inputs, images, *_ = data
    labels = {name: inputs[name] for name in ("label", "mask") if name in inputs}
    images = ops.cast(images, "float32") / RANGE - 1.0
    return Batch(images, inputs.get("noise"), inputs.get("random_numbers"), labels)
