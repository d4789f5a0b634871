"""Class activation maps: where an image holds what speaks for an answer.

What the last feature map holds, times how much the answer grows with it at that place, summed over
the channels: HiResCAM (Draelos and Carin 2020, "Use HiResCAM instead of Grad-CAM for faithful
explanations of convolutional neural networks"). Where only global average pooling follows, that is
Grad-CAM (Selvaraju et al. 2017), which takes one mean gradient for each channel: a network that
flattens its features knows places, and such a mean points at wrong ones.
"""

from collections.abc import Callable

import keras
import numpy as np
from keras import layers, ops

from threefold.training.adversarial.gradients import differentiate, without_gradients
from threefold.training.inspection.receptive_field import COLLAPSING, POOLS


def make_activation_maps(model: keras.Model) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Return a function that explains outputs of a functional model by class activation maps.

    Args:
        model: keras.Model. From images to (batch, outputs).

    Returns:
        function from images (batch, height, width, channels) and, of each, the index of an output,
        int (batch,), to float32 maps (batch, h, w) in the size of the last feature map: from 0 to
        1, the most of each image; 0 throughout where nothing speaks for the output.

    Raises:
        ValueError: for a model without a feature map.
    """
    last = _find_last_feature_map(model)
    (image,), (answer,) = model.inputs, model.outputs
    find_features, respond = keras.Model(image, last), keras.Model(last, answer)

    def activation_maps(images: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        chosen = ops.one_hot(ops.convert_to_tensor(outputs), answer.shape[-1])

        def score(tensors: list):
            return ops.sum(respond(tensors[0], training=False) * chosen), None

        with without_gradients():
            features = find_features(ops.convert_to_tensor(images), training=False)
        _, _, (gradients,) = differentiate(score, [features])
        parts = ops.cast(gradients, "float32") * ops.cast(features, "float32")
        maps = ops.relu(ops.sum(parts, axis=-1))
        found = ops.convert_to_numpy(maps)  # (batch, h, w)
        most = found.max(axis=(1, 2), keepdims=True)
        return found / np.where(most > 0, most, 1)

    return activation_maps


def _find_last_feature_map(model: keras.Model):
    """Return the last tensor (batch, h, w, channels) of a model that no pooling has made coarser.

    The channels of a map before a pooling stand for the same as after it, at finer places.
    """
    for depth in sorted(model._nodes_by_depth):  # from the outputs to the inputs
        for node in model._nodes_by_depth[depth]:
            skipped = isinstance(node.operation, (*POOLS, *COLLAPSING, layers.InputLayer))
            if len(node.outputs[0].shape) == 4 and not skipped:
                return node.outputs[0]
    raise ValueError(f"the network '{model.name}' has no feature map (batch, h, w, channels)")
