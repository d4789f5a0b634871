"""LARS, the layer-wise adaptive rate scaling that Keras lacks."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("threefold")
class LARS(keras.optimizers.Optimizer):
    """Momentum with a rate for each layer, in proportion to ``|weights| / |gradient|``.

    After You, Gitman and Ginsburg 2017, "Large batch training of convolutional networks"
    (algorithm 1). As there and in common practice, variables of one dimension (biases,
    normalisation) are neither scaled nor decayed.

    Args:
        learning_rate: float or keras.optimizers.schedules.LearningRateSchedule. The global rate.
        momentum: float. Share of the last update that is kept.
        trust_coefficient: float. The paper's η: how far a layer may move, relative to its norm.
        decay: float. The paper's β, weight decay inside the scaled gradient.
        epsilon: float. Keeps the ratio finite.
        **kwargs: Arguments of `keras.optimizers.Optimizer`.
    """

    def __init__(
        self,
        learning_rate=1.0,
        momentum: float = 0.9,
        trust_coefficient: float = 0.001,
        decay: float = 1e-4,
        epsilon: float = 1e-9,
        name: str = "lars",
        **kwargs,
    ):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.momentum = momentum
        self.trust_coefficient = trust_coefficient
        self.decay = decay
        self.epsilon = epsilon

    def build(self, variables):
        """Create one velocity for each variable."""
        if self.built:
            return
        super().build(variables)
        self.velocities = self.add_optimizer_variables(variables, "velocity")

    def update_step(self, gradient, variable, learning_rate):
        """Move one variable."""
        learning_rate = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        velocity = self.velocities[self._get_variable_index(variable)]
        if len(variable.shape) > 1:
            weight_norm = ops.sqrt(ops.sum(ops.square(variable)))
            gradient_norm = ops.sqrt(ops.sum(ops.square(gradient)))
            size = gradient_norm + self.decay * weight_norm + self.epsilon
            trust = self.trust_coefficient * weight_norm / size
            moved = ops.logical_and(weight_norm > 0, gradient_norm > 0)
            gradient = gradient + self.decay * variable
            gradient = gradient * ops.where(moved, trust, ops.ones_like(trust))
        self.assign(velocity, self.momentum * velocity + learning_rate * gradient)
        self.assign_sub(variable, velocity)

    def get_config(self):
        """Return the arguments."""
        own = {
            "momentum": self.momentum,
            "trust_coefficient": self.trust_coefficient,
            "decay": self.decay,
            "epsilon": self.epsilon,
        }
        return super().get_config() | own
