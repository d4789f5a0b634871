"""The optimizers of two networks, as the one that Keras expects."""

import keras


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
