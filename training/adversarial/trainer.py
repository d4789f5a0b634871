"""The adversarial trainer: two networks in one model, trained against each other by Keras's `fit`.

The whole step is drawn once, from pure functions over `stateless_call`: jax and TensorFlow compile
it as one. What differs between backends is how a gradient is taken (`gradients.py`) and how new
values come back: jax hands them on, the others write them into the variables.
"""

from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from threefold.blueprints.parts.adversarial.progressive import FADE
from threefold.core.errors import UserError
from threefold.tasks.task import Task
from threefold.training.adversarial.game import RANGE, AdversarialNetwork, Batch, Game
from threefold.training.adversarial.gradients import without_gradients
from threefold.training.adversarial.inpainting import InpaintingGame
from threefold.training.adversarial.levels import Growth, Part, Scale, bring_to, gather
from threefold.training.adversarial.optimizer_pair import OptimizerPair
from threefold.training.optimizers.optimizers import make_optimizer
from threefold.training.settings import TrainingSettings
from threefold.training.state import averaged

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


def compile_adversarial(
    model: keras.Model, task: Task, settings: TrainingSettings, total_steps: int
) -> "Adversarial":
    """Set two networks against each other.

    Args:
        model: keras.Model. With the layers `generator` and `discriminator`, and
            `adversarial_config`.
        task: Task. Knows the label smoothing.
        settings: TrainingSettings. Resolved.
        total_steps: int. Steps of the whole fit.

    Returns:
        Adversarial. Compiled; it trains the weights of `model`.
    """
    adversarial_config = model.adversarial_config
    game_class = Game if adversarial_config.reconstruction is None else InpaintingGame
    game = game_class(adversarial_config, task.label_smoothing)
    trainer = Adversarial(model, game, total_steps)
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


class Adversarial(keras.Model):
    """A generator and a discriminator in training.

    In a step the discriminator takes `critic_steps` steps at the same images, each against newly
    generated ones, and then the generator takes one.

    Args:
        model: keras.Model. With the layers `generator` and `discriminator`, and an
            `adversarial_config`: see `blueprints.parts.adversarial.config`.
        game: Game. The rules.
        total_steps: int. Steps of the whole training, by which networks grow that do.
    """

    def __init__(self, model: keras.Model, game: Game, total_steps: int):
        super().__init__(name="adversarial")
        self.adversarial_config = model.adversarial_config
        self.game = game
        names, growing = ("generator", "discriminator"), self.adversarial_config.levels
        if growing:
            networks = list(zip(*growing, strict=True))
            wholes = [gather(list(n), name) for n, name in zip(networks, names, strict=True)]
        else:
            wholes = [model.get_layer(name) for name in names]
            growing = [wholes]
        self.generator, self.discriminator = wholes
        self.levels = [tuple(map(Part, networks, wholes)) for networks in growing]
        self.growth = Growth(total_steps, self.adversarial_config.growth, len(self.levels) - 1)
        self.trackers = {name: keras.metrics.Mean(name=name) for name in self.game.reported}
        self.built = True

    def __setattr__(self, name, value):
        # Keras on jax sets all values anew in each step, and would look for layers among them.
        if name == "_jax_state":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The running means that a step reports."""
        return list(self.trackers.values())

    def make_train_function(self, force=False):
        """Make what takes a step: one function for each level, of which the next step's is taken.

        One function with a branch for each level would do, but XLA makes slow code of what stands
        in branches: it took 4.5 times as long.
        """
        if self.train_function is not None and not force:
            return
        steps = [partial(self._take_step, level) for level in range(len(self.levels))]
        functions = []
        for step in steps:
            self.train_step = step
            super().make_train_function(force=True)
            functions.append(self.train_function)
        if len(functions) == 1:
            return

        def take_due(*given):
            level = self.growth.find_level(int(self._count_steps(*given)))
            self.train_step = steps[level]  # which torch, that compiles nothing, looks up now
            return functions[level](*given)

        self.train_function = take_due

    def _count_steps(self, *given):
        """Return how many steps the generator took; of what a function that takes one is given."""
        rule = self.optimizer.optimizers[0]
        if keras.config.backend() != "jax":
            return rule.iterations.value
        place = [id(variable) for variable in rule.variables].index(id(rule.iterations))
        return given[0][2][place]

    def _take_step(self, level: int, *given):
        """Take one step, on jax from a state and a batch to a new state, else from a batch."""
        fade = self.growth.find_fade(self._count_steps(*given), level)
        if keras.config.backend() != "jax":
            batch = _unpack(given[0])
            networks, logs = self._take_turns(self._read(), self._scale(level, fade, batch), batch)
            return self._note(logs, ops.shape(given[0][1])[0])
        (weights, non_trainable, optimizer_state, metrics), data = given
        split = len(self.generator.trainable_variables)
        place = len(self.generator.non_trainable_variables)
        seam = len(self.optimizer.optimizers[0].variables)
        networks = (
            AdversarialNetwork(weights[:split], non_trainable[:place], optimizer_state[:seam]),
            AdversarialNetwork(weights[split:], non_trainable[place:], optimizer_state[seam:]),
        )
        batch = _unpack(data)
        networks, logs = self._take_turns(networks, self._scale(level, fade, batch), batch)
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
        # Networks that grow are judged by the images that they will make in the end.
        scale = self._scale(-1, 1.0, batch)
        weights_now, others = generator.weights, generator.non_trainable
        fake, _ = self.game.make_images(scale, weights_now, others, batch, 0, training=False)
        logs = {"loss": self.game.measure_distance(fake, batch.images, batch)}
        if not jax:
            return self._note(logs, ops.shape(data[1])[0])
        results, metrics = self._note_statelessly(logs, data[1].shape[0], metrics)
        return results, (weights, non_trainable, metrics)

    def show(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """Return the images that the averaged weights make at the level of now, at full size.

        Args:
            inputs: dict of str to array. `noise` (batch, dimensions), and `label` if conditional.

        Returns:
            array of shape (batch, height, width, channels), -1 to 1.
        """
        averages = {id(variable): average for variable, average in averaged(self)}
        weights = [averages.get(id(v), v).value for v in self.generator.trainable_variables]
        step = int(self.optimizer.optimizers[0].iterations.value)
        level = self.growth.find_level(step)
        if len(self.levels) > 1:
            fade = float(self.growth.find_fade(step, level))
            inputs = inputs | {FADE: np.full((len(inputs["noise"]), 1), fade, np.float32)}
        others = self._read()[0].non_trainable
        with without_gradients():
            made, _ = self.levels[level][0](weights, others, inputs, training=False)
        for axis in (1, 2):
            made = ops.repeat(made, 2 ** (len(self.levels) - 1 - level), axis=axis)
        return ops.convert_to_numpy(made)

    def _take_turns(
        self, networks: tuple[AdversarialNetwork, AdversarialNetwork], scale: Scale, batch: Batch
    ):
        """Take all turns of a step; return both players and what there is to report."""
        generator, discriminator = networks
        for turn in range(self.adversarial_config.critic_steps):
            gradients, after, logs = self.game.discriminator_turn(
                scale, (generator, discriminator), batch, turn
            )
            discriminator = self._update(1, discriminator, gradients, after)
        gradients, after, found = self.game.generator_turn(scale, (generator, discriminator), batch)
        return (self._update(0, generator, gradients, after), discriminator), logs | found

    def _scale(self, level: int, fade, batch: Batch) -> Scale:
        if len(self.levels) == 1:
            return Scale(*self.levels[0], batch.images, {})
        halvings = (len(self.levels) - 1 - level) % len(self.levels)
        images = bring_to(batch.images, halvings, fade if level else None)
        rows = ops.ones((ops.shape(batch.images)[0], 1)) * fade
        return Scale(*self.levels[level], images, {FADE: rows})

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
