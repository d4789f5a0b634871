"""Points of a feature pyramid, each of which says what object it lies in.

Source: Tian et al. 2019, "FCOS: fully convolutional one-stage object detection".
"""

import keras
import numpy as np
from keras import ops


def locate_points(size: tuple[int, int], strides: tuple[int, ...]) -> np.ndarray:
    """Return the points of all levels, from the finest on, row by row.

    Args:
        size: tuple of two ints. Height and width of the image in pixels; the network pads it to
            whole steps of the last stride.
        strides: tuple of int. Pixels between the points of each level, each a multiple of the one
            before.

    Returns:
        float32 array of shape (points, 3). From the left and from the top in pixels, and the
        stride.

    Example:
        >>> locate_points((4, 8), (4,)).tolist()
        [[2.0, 2.0, 4.0], [6.0, 2.0, 4.0]]
    """
    levels = []
    height, width = (-(-side // strides[-1]) * strides[-1] for side in size)
    for stride in strides:
        down, right = np.arange(height // stride), np.arange(width // stride)
        y, x = np.meshgrid(down, right, indexing="ij")
        place = (np.stack([x.ravel(), y.ravel()], axis=-1) + 0.5) * stride
        levels.append(np.hstack([place, np.full((len(place), 1), stride)]))
    return np.concatenate(levels).astype(np.float32)


@keras.saving.register_keras_serializable("threefold")
class BoxesAroundPoints(keras.layers.Layer):
    """Turn distances, in strides, from a level's points into boxes in pixels.

    Args:
        stride: int. Pixels between the points.

    Inputs:
        Shape (batch, height, width, 4): how far it is to the left, top, right and bottom, before
        a softplus makes it positive.

    Outputs:
        Shape (batch, height × width, 4): left, top, right, bottom.
    """

    def __init__(self, stride: int, **kwargs):
        super().__init__(**kwargs)
        self.stride = stride

    def build(self, input_shape):
        """Place the points."""
        _, height, width, _ = input_shape
        size = height * self.stride, width * self.stride
        self.points = locate_points(size, (self.stride,))[:, :2]  # (height × width, 2)

    def call(self, inputs):
        """Return boxes around the points."""
        distances = ops.reshape(ops.softplus(inputs), (-1, len(self.points), 4)) * self.stride
        points = ops.convert_to_tensor(self.points, distances.dtype)
        return ops.concatenate([points - distances[..., :2], points + distances[..., 2:]], axis=-1)

    def compute_output_shape(self, input_shape):
        """Return (batch, height × width, 4)."""
        return (input_shape[0], input_shape[1] * input_shape[2], 4)

    def get_config(self):
        """Return what the layer is made of."""
        return super().get_config() | {"stride": self.stride}
