"""A network's end where an image may have several labels, or none."""

from collections.abc import Callable
from functools import wraps

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("threefold")
class LabelThresholds(layers.Layer):
    """Put the distance of each logit from its label's threshold alongside the logits.

    Its weight is not trained: it holds a threshold for each label, as a logit. They are 0, a
    probability of a half, until the training has ended; its task then finds them
    (`ImageMultilabelClassification.calibrate`).
    """

    def build(self, input_shape):
        """Make the thresholds, (labels,)."""
        self.thresholds = self.add_weight(
            shape=input_shape[-1:], initializer="zeros", trainable=False, name="thresholds"
        )

    def call(self, inputs):
        """Return (batch, labels + labels) for logits (batch, labels)."""
        return ops.concatenate([inputs, inputs - self.thresholds], axis=-1)

    def compute_output_shape(self, input_shape):
        """Return the shape of the input with twice as much on its last axis."""
        return (*input_shape[:-1], 2 * input_shape[-1])


def with_thresholds(build: Callable[..., keras.Model]) -> Callable[..., keras.Model]:
    """Return a function that builds a network of logits with a threshold for each of them."""

    @wraps(build)
    def build_multilabel(*args, **options) -> keras.Model:
        model = build(*args, **options)
        decide = LabelThresholds(dtype="float32", name="calibration")
        return keras.Model(model.input, decide(model.output), name=model.name)

    return build_multilabel
