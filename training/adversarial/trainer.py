"""The adversarial trainer: two networks in one model, trained against each other by Keras's `fit`.

The whole step is drawn once, from pure functions over `stateless_call`: jax and TensorFlow compile
it as one. What differs between backends is how a gradient is taken (`gradients.py`) and how new
values come back: jax hands them on, the others write them into the variables.
"""

from typing import Any, NamedTuple

import keras
from keras import ops

from threefold.core.errors import UserError
from threefold.tasks.image_generation import DRAWS
from threefold.tasks.task import Task
from threefold.training.adversarial import losses as losses
from threefold.training.adversarial.diff_augment import augment
from threefold.training.adversarial.gradients import differentiate, without_gradients
from threefold.training.optimizers.optimizers import make_optimizer
from threefold.training.settings import TrainingSettings

RANGE = 127.5  # pixels, 0 to 255, are -1 to 1 for the networks
LABELLED = ("standard", "least_squares")  # losses in which a real picture has a label to smooth


def compile_adversarial(
    model: keras.Model, task: Task, settings: TrainingSettings, total_steps: int
) -> "Adversarial":
    """Set two networks against each other.

    Args:
        model: keras.Model. With the layers `generator` and `discriminator`, and `rules`.
        task: Task. Knows the label smoothing.
        settings: TrainingSettings. Resolved.
        total_steps: int. Steps of the whole fit.

    Returns:
        Adversarial. Compiled; it trains the weights of `model`.

    Raises:
        UserError: for settings that adversarial training has no use for.
    """
    rules = model.rules
    if settings.precision == "mixed_float16":
        raise UserError(
            "--precision mixed_float16 loses the small gradients of adversarial training; "
            "use mixed_bfloat16 or float32"
        )
    if settings.layer_decay is not None:
        raise UserError("--layer-decay is for one network; two against each other have their own")
    if task.label_smoothing and rules.loss not in LABELLED:
        raise UserError(
            f"--label-smoothing is for -o loss={' and '.join(LABELLED)}; {rules.loss} has no labels"
        )
    game = Adversarial(model, task.label_smoothing)
    betas = {"beta_1": rules.beta_1, "beta_2": rules.beta_2}
    own = betas if settings.optimizer in ("adam", "adamw") else {}
    faster = settings.model_copy(
        update={"learning_rate": settings.learning_rate * rules.rate_ratio, "ema": None}
    )
    pair = OptimizerPair(
        make_optimizer(settings, total_steps, name=f"generator_{settings.optimizer}", **own),
        make_optimizer(
            faster,
            total_steps * rules.critic_steps,
            name=f"discriminator_{settings.optimizer}",
            **own,
        ),
        len(game.generator.trainable_variables),
    )
    game.compile(
        optimizer=pair,
        jit_compile=False if keras.config.backend() == "torch" else "auto",
        auto_scale_loss=False,
    )
    return game


class OptimizerPair(keras.optimizers.Optimizer):
    """The optimizers of both networks, as one: all that a checkpoint or a callback asks for.

    Args:
        generator: keras.optimizers.Optimizer. Its rate is the pair's.
        discriminator: keras.optimizers.Optimizer. Its rate follows by the same factor.
        split: int. How many trainable variables the generator has; they come first.
    """

    def __init__(
        self,
        generator: keras.optimizers.Optimizer,
        discriminator: keras.optimizers.Optimizer,
        split: int,
    ):
        super().__init__(learning_rate=1.0, name="pair")
        self.optimizers = (generator, discriminator)  # under which name Keras looks for averages
        self.split = split

    def build(self, variables: list) -> None:
        """Make the variables of both."""
        for optimizer, part in zip(self.optimizers, self._parts(variables), strict=True):
            optimizer.build(part)
        super().build(variables)

    @property
    def variables(self) -> list:
        """What both optimizers remember."""
        return [variable for optimizer in self.optimizers for variable in optimizer.variables]

    @property
    def learning_rate(self):
        """The generator's rate."""
        return self.optimizers[0].learning_rate

    @learning_rate.setter
    def learning_rate(self, rate) -> None:
        factor = float(rate) / float(self.optimizers[0].learning_rate)
        for optimizer in self.optimizers:
            optimizer.learning_rate = factor * float(optimizer.learning_rate)

    def finalize_variable_values(self, variables: list) -> None:
        """Put averaged weights in place of the trained ones, where there are such."""
        for optimizer, part in zip(self.optimizers, self._parts(variables), strict=True):
            optimizer.finalize_variable_values(part)

    def _parts(self, variables: list) -> tuple[list, list]:
        return variables[: self.split], variables[self.split :]


class Player(NamedTuple):
    """The values of one network in the middle of a step."""

    weights: list
    others: list  # what is not trained: averages of batches, vectors of power iterations
    memory: list  # the optimizer's variables; read on jax alone


class Batch(NamedTuple):
    """A batch as both networks see it; `noise` and `chance` hold one row for each turn."""

    pictures: Any  # (batch, height, width, channels), -1 to 1
    noise: Any  # (batch, turns, dimensions)
    chance: Any  # (batch, turns, CHANCES), 0 to 1
    labels: dict[str, Any]  # `label` (batch,), or nothing


class Adversarial(keras.Model):
    """A generator and a discriminator in training.

    In a step the discriminator takes `critic_steps` turns at the same pictures, each against newly
    generated ones, and then the generator takes one.

    Args:
        model: keras.Model. With the layers `generator` and `discriminator`, and the `rules` of the
            game: see `blueprints.gan_parts.Rules`.
        label_smoothing: float. How far below 1 the label of a real picture is.
    """

    def __init__(self, model: keras.Model, label_smoothing: float = 0.0):
        super().__init__(name="adversarial")
        self.rules, self.label_smoothing = model.rules, label_smoothing
        self.generator = model.get_layer("generator")
        self.discriminator = model.get_layer("discriminator")
        names = ["loss", "generator_loss", "discriminator_loss"]
        names += ["accuracy"] * (self.rules.loss != "wasserstein")
        names += ["penalty"] * (self.rules.gradient_penalty != "none")
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
            players = self._read()
            players, logs = self._play(players, _unpack(given[0]))
            return self._note(logs, ops.shape(given[0][1])[0])
        (weights, others, memory, metrics), data = given
        split = len(self.generator.trainable_variables)
        place = len(self.generator.non_trainable_variables)
        seam = len(self.optimizer.optimizers[0].variables)
        players = (
            Player(weights[:split], others[:place], memory[:seam]),
            Player(weights[split:], others[place:], memory[seam:]),
        )
        players, logs = self._play(players, _unpack(data))
        results, metrics = self._note_statelessly(logs, data[1].shape[0], metrics)
        return results, (*(one + other for one, other in zip(*players, strict=True)), metrics)

    def test_step(self, *given):
        """Say how far generated pictures are from those of a batch; as `train_step` is called."""
        jax = keras.config.backend() == "jax"
        data = given[-1]
        batch = _unpack(data)
        split = len(self.generator.trainable_variables)
        place = len(self.generator.non_trainable_variables)
        if jax:
            (weights, others, metrics), _ = given
            generator = Player(weights[:split], others[:place], [])
        else:
            generator = self._read()[0]
        fake, _ = self._generate(generator.weights, generator.others, batch, 0, training=False)
        logs = {"loss": losses.energy_distance(fake, batch.pictures)}
        if not jax:
            return self._note(logs, ops.shape(data[1])[0])
        results, metrics = self._note_statelessly(logs, data[1].shape[0], metrics)
        return results, (weights, others, metrics)

    def _play(self, players: tuple[Player, Player], batch: Batch):
        """Take all turns of a step; return both players and what there is to report."""
        generator, discriminator = players
        for turn in range(self.rules.critic_steps):
            fake, _ = self._generate(generator.weights, generator.others, batch, turn)
            fake = ops.stop_gradient(fake)
            loss, (others, logs), slopes = differentiate(
                lambda weights, d=discriminator, f=fake, t=turn: self._discriminate(
                    weights, d.others, batch, f, t
                ),
                discriminator.weights,
            )
            logs |= {"discriminator_loss": loss, "discriminator_norm": losses.norm(slopes)}
            discriminator = self._update(1, discriminator, slopes, others)
        loss, (others, fake), slopes = differentiate(
            lambda weights: self._deceive(weights, generator.others, batch, discriminator),
            generator.weights,
        )
        logs |= {
            "generator_loss": loss,
            "generator_norm": losses.norm(slopes),
            "loss": losses.energy_distance(fake, batch.pictures),
        }
        return (self._update(0, generator, slopes, others), discriminator), logs

    def _generate(self, weights: list, others: list, batch: Batch, turn: int, training=True):
        inputs = {"noise": batch.noise[:, turn], **batch.labels}
        return self.generator.stateless_call(weights, others, inputs, training=training)

    def _judge(self, weights: list, others: list, pictures, batch: Batch, training=True):
        inputs = {"image": pictures, **batch.labels}
        return self.discriminator.stateless_call(weights, others, inputs, training=training)

    def _discriminate(self, weights: list, others: list, batch: Batch, fake, turn: int):
        """Return the discriminator's loss; its new values that are not trained, and a report."""
        rules, chance = self.rules, batch.chance[:, turn]
        real = augment(batch.pictures, chance[:, :DRAWS], rules.augment)
        fake = augment(fake, chance[:, DRAWS : 2 * DRAWS], rules.augment)
        found, after = self._judge(weights, others, real, batch)
        taken, after = self._judge(weights, after, fake, batch)
        real_scores, fake_scores = found["score"], taken["score"]
        loss = losses.discriminator_loss(rules.loss, real_scores, fake_scores, self.label_smoothing)
        logs = {}
        if rules.loss != "wasserstein":
            logs["accuracy"] = losses.accuracy(rules.loss, real_scores, fake_scores)
        if rules.gradient_penalty != "none":
            mix = chance[:, 2 * DRAWS, None, None, None]

            def score(pictures):
                # Nothing is kept of this call: power iterations stand still in it.
                return self._judge(weights, others, pictures, batch, training=False)[0]["score"]

            penalty = losses.gradient_penalty(rules.gradient_penalty, score, real, fake, mix)
            loss = loss + rules.penalty_weight * penalty
            logs["penalty"] = penalty
        return loss, (after, logs)

    def _deceive(self, weights: list, others: list, batch: Batch, discriminator: Player):
        """Return the generator's loss; its new values that are not trained, and its pictures."""
        turn = self.rules.critic_steps
        fake, others = self._generate(weights, others, batch, turn)
        draws = batch.chance[:, turn]
        seen = augment(fake, draws[:, :DRAWS], self.rules.augment)
        found, _ = self._judge(discriminator.weights, discriminator.others, seen, batch)
        loss = losses.generator_loss(self.rules.loss, found["score"])
        if self.rules.feature_matching:
            real = augment(batch.pictures, draws[:, DRAWS : 2 * DRAWS], self.rules.augment)
            wanted, _ = self._judge(discriminator.weights, discriminator.others, real, batch)
            distance = losses.feature_distance(wanted["features"], found["features"])
            loss = loss + self.rules.feature_matching * distance
        return loss, (others, fake)

    def _update(self, place: int, player: Player, slopes: list, others: list) -> Player:
        """Return a player after its turn."""
        optimizer, limit = self.optimizer.optimizers[place], self.rules.weight_limit
        if keras.config.backend() == "jax":
            weights, memory = optimizer.stateless_apply(player.memory, slopes, player.weights)
            if place and limit:
                weights = [ops.clip(weight, -limit, limit) for weight in weights]
            return Player(weights, others, memory)
        network = (self.generator, self.discriminator)[place]
        with without_gradients():
            optimizer.apply(slopes, network.trainable_variables)
            if place and limit:
                for variable in network.trainable_variables:
                    variable.assign(ops.clip(variable.value, -limit, limit))
            for variable, value in zip(network.non_trainable_variables, others, strict=True):
                variable.assign(value)
        return self._read()[place]

    def _read(self) -> tuple[Player, Player]:
        """Return the values that the variables hold."""
        return tuple(
            Player(
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
    inputs, pictures, *_ = data
    labels = {"label": inputs["label"]} if "label" in inputs else {}
    pictures = ops.cast(pictures, "float32") / RANGE - 1.0
    return Batch(pictures, inputs["noise"], inputs.get("chance"), labels)
