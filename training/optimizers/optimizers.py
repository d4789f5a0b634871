"""Optimizers and learning-rate schedules by name."""

import math
from collections.abc import Mapping

import keras

from threefold.training.optimizers.lars import LARS
from threefold.training.optimizers.layer_rates import with_factors
from threefold.training.settings import TrainingSettings

# The exponential schedule ends at this share of the first rate; the step schedule divides by
# STEP_FACTOR after each share of the training in STEP_SHARES (He et al. 2016 for both numbers).
FINAL_SHARE = 0.01
STEP_SHARES = (0.5, 0.75)
STEP_FACTOR = 0.1
# Common practice (Loshchilov and Hutter 2019 leave it open): to decay an offset or a scale of a
# normalisation takes away what it is there for.
NOT_DECAYED = ("bias", "gamma", "beta")


def make_optimizer(
    settings: TrainingSettings,
    total_steps: int,
    factors: Mapping[str, float] | None = None,
    **changes,
) -> keras.optimizers.Optimizer:
    """Build the optimizer of a fit.

    Args:
        settings: TrainingSettings. Resolved.
        total_steps: int. Steps of the whole fit, which the schedules divide.
        factors: mapping of str to float. By what the rate of each variable is multiplied, by its
            path; None for no difference.
        **changes: Arguments of the optimizer that are not those of the settings.

    Returns:
        keras.optimizers.Optimizer. Named after the setting on every backend, so that a checkpoint
        of one backend fits the others.
    """
    adversarial_config = {
        "sgd": keras.optimizers.SGD,
        "momentum": keras.optimizers.SGD,
        "nesterov": keras.optimizers.SGD,
        "adagrad": keras.optimizers.Adagrad,
        "rmsprop": keras.optimizers.RMSprop,
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "lamb": keras.optimizers.Lamb,
        "lars": LARS,
        "ftrl": keras.optimizers.Ftrl,
        "lion": keras.optimizers.Lion,
        "muon": keras.optimizers.Muon,
    }
    own = {
        "momentum": {"momentum": 0.9},
        "nesterov": {"momentum": 0.9, "nesterov": True},
        # Ten times the paper's: its rate of 1 and more is too high for what is not scaled, biases.
        "lars": {"trust_coefficient": 0.01},
        # Muon's update is for hidden matrices; the head goes with Adam, as its authors advise.
        "muon": {"exclude_layers": ["head"]},
    }
    arguments = own.get(settings.optimizer, {}) | {
        "learning_rate": make_schedule(settings, total_steps),
        "global_clipnorm": settings.clip_norm,
        "name": settings.optimizer,
    }
    if settings.weight_decay is not None:
        arguments["weight_decay"] = settings.weight_decay
    if settings.ema:
        arguments |= {"use_ema": True, "ema_momentum": settings.ema}
    rule = adversarial_config[settings.optimizer]
    if factors is not None:
        rule = with_factors(rule, factors)
    optimizer = rule(**arguments | changes)
    if settings.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=NOT_DECAYED)
    return optimizer


def make_schedule(settings: TrainingSettings, total_steps: int):
    """Return the learning rate as Keras takes it: a number, or a schedule over steps."""
    rate = settings.learning_rate
    warmup_steps = math.ceil(settings.warmup * total_steps)
    if settings.schedule == "plateau":
        return rate  # a callback lowers it; a schedule could not be assigned to
    return WarmupSchedule(settings.schedule, rate, warmup_steps, total_steps)


@keras.saving.register_keras_serializable("threefold")
class WarmupSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A linear warm-up from 0 (Goyal et al. 2017), then a course down (cosine: Loshchilov 2017).

    The course `noam` falls with the root of the step, wherever the training ends (Vaswani et al.
    2017, equation 3; its rate at the end of the warm-up is ``(model_dim * warmup_steps) ** -0.5``).

    Args:
        course: str. `constant`, `cosine`, `linear`, `exponential`, `step` or `noam`.
        peak: float. The rate at the end of the warm-up.
        warmup_steps: int. Steps of the warm-up.
        total_steps: int. Steps of the whole training.
    """

    def __init__(self, course: str, peak: float, warmup_steps: int, total_steps: int):
        self.course, self.peak = course, peak
        self.warmup_steps, self.total_steps = warmup_steps, total_steps

    def __call__(self, step):
        """Return the rate of a step, counted from 0."""
        ops = keras.ops
        step = ops.cast(step, "float32")
        remaining = max(self.total_steps - self.warmup_steps, 1)
        share = ops.clip((step - self.warmup_steps) / remaining, 0.0, 1.0)
        if self.course == "cosine":
            factor = 0.5 * (1 + ops.cos(math.pi * share))
        elif self.course == "linear":
            factor = 1 - share
        elif self.course == "exponential":
            factor = ops.exp(math.log(FINAL_SHARE) * share)
        elif self.course == "step":
            passed = sum(ops.cast(share >= start, "float32") for start in STEP_SHARES)
            factor = ops.power(STEP_FACTOR, passed)
        elif self.course == "noam":
            factor = ops.rsqrt(ops.maximum((step + 1) / max(self.warmup_steps, 1), 1.0))
        else:
            factor = ops.ones_like(share)
        rising = ops.minimum((step + 1) / max(self.warmup_steps, 1), 1.0)
        return self.peak * rising * factor

    def get_config(self):
        """Return the arguments."""
        return {
            "course": self.course,
            "peak": self.peak,
            "warmup_steps": self.warmup_steps,
            "total_steps": self.total_steps,
        }
