"""Detector: the class and the box of every object, from points of a feature pyramid.

One stage and no anchors: every point of every level says which class of object it lies in, how far
the object reaches from it, and how near to the middle of the object it is. The first choice for
objects of which some hundreds have boxes. What it lacks are weights from other images.

Sources: Tian et al. 2019, "FCOS: fully convolutional one-stage object detection"; Lin et al. 2017,
"Feature pyramid networks for object detection" and "Focal loss for dense object detection"; He et
al. 2016 for the residual stages; Wu and He 2018 for the group normalisation of the heads.
"""

import math

import keras
from keras import layers, ops

from threefold.blueprints.parts.layers import BATCH_NORM_MOMENTUM
from threefold.blueprints.parts.options import Activation, Count
from threefold.blueprints.parts.points import locate_points, strides_of

DATASETS = {"object_detection": "digit_scenes"}
TRAINING = {"epochs": 45, "min_steps": 1200, "batch_size": 16, "optimizer": "adamw",
            "learning_rate": 2e-3, "weight_decay": 0.01, "ema": 0.98}  # fmt: skip
PRIOR = 0.01  # what a point says of every class before it has learned (Lin et al. 2017)
GROUP = 8  # channels that are normalised together


def build(
    image_shape: tuple[int, int, int],
    num_outputs: int,
    filters: tuple[Count, ...] = (16, 32, 64, 96, 128),
    blocks: Count = 1,
    levels: Count = 3,
    pyramid_filters: Count = 64,
    head_convolutions: Count = 2,
    activation: Activation = "relu",
) -> keras.Model:
    """Build the network.

    Args:
        image_shape: tuple of int. Height, width, channels; values from 0 to 255. Any height and
            width: inside, images are padded to a multiple of the coarsest stride.
        num_outputs: int. Classes of objects.
        filters: tuple of int. Filters of each stage; every stage after the first halves the image.
        blocks: int. Residual blocks in a stage.
        levels: int. Levels of the pyramid: the last so many stages.
        pyramid_filters: int. Filters of the pyramid and its heads.
        head_convolutions: int. Convolutions of each head before its last.
        activation: str. After every convolution.

    Returns:
        keras.Model. From `image` (batch, height, width, channels) to (batch, points, 4 + 1 +
        num_outputs): the box in pixels (left, top, right, bottom), the logit of being in its
        middle, and the logits of the classes.

    Raises:
        ValueError: for more levels than stages.
    """
    if levels > len(filters):
        raise ValueError(f"levels={levels} is more than the {len(filters)} stages of filters")
    height, width, _ = image_shape
    image = keras.Input(image_shape, name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(image)
    multiple = 2 ** (len(filters) - 1)
    below, beside = -height % multiple, -width % multiple
    if below or beside:
        x = layers.ZeroPadding2D(((0, below), (0, beside)), name="pad")(x)
    x = _convolve(x, filters[0], activation, "stem")
    stages = []
    for stage, count in enumerate(filters, 1):
        if stage > 1:
            x = layers.MaxPooling2D(2, name=f"stage_{stage}_pool")(x)
        for block in range(1, blocks + 1):
            x = _add_block(x, count, activation, f"stage_{stage}_block_{block}")
        stages.append(x)
    pyramid = _build_pyramid(stages[-levels:], pyramid_filters)  # the finest first
    found = _apply_heads(pyramid, num_outputs, head_convolutions, activation)
    boxes = []
    for level, stride in enumerate(strides_of(filters, levels)):
        around = BoxesAroundPoints(stride, dtype="float32", name=f"boxes_{level + 1}")
        centre = layers.Reshape((-1, 1), dtype="float32", name=f"centre_{level + 1}")
        classes = layers.Reshape((-1, num_outputs), dtype="float32", name=f"classes_{level + 1}")
        distance, middle, scores = found[level]
        joined = [around(distance), centre(middle), classes(scores)]
        boxes.append(layers.Concatenate(dtype="float32", name=f"level_{level + 1}")(joined))
    if len(boxes) > 1:
        boxes = [layers.Concatenate(axis=1, dtype="float32", name="points")(boxes)]
    return keras.Model({"image": image}, boxes[0], name="detector")


TASKS = {"object_detection": build}


def _convolve(x, filters: int, activation: str | None, name: str):
    x = layers.Conv2D(
        filters,
        3,
        padding="same",
        use_bias=False,  # the normalisation has a bias of its own
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"{name}_norm")(x)
    return layers.Activation(activation, name=f"{name}_activation")(x) if activation else x


def _add_block(x, filters: int, activation: str, name: str):
    kept = x
    if x.shape[-1] != filters:
        kept = layers.Conv2D(filters, 1, name=f"{name}_widen")(x)
    x = _convolve(x, filters, activation, f"{name}_first")
    x = _convolve(x, filters, None, f"{name}_second")
    x = layers.Add(name=f"{name}_add")([kept, x])
    return layers.Activation(activation, name=f"{name}_activation")(x)


def _build_pyramid(stages: list, filters: int) -> list:
    """Return features of each stage that know of the coarser ones."""
    above, found = None, []
    for level, x in reversed(list(enumerate(stages, 1))):
        x = layers.Conv2D(filters, 1, name=f"pyramid_{level}_lateral")(x)
        if above is not None:
            above = layers.UpSampling2D(2, name=f"pyramid_{level}_enlarge")(above)
            x = layers.Add(name=f"pyramid_{level}_add")([x, above])
        above = x
        x = layers.Conv2D(filters, 3, padding="same", name=f"pyramid_{level}_smooth")(x)
        found.append(x)
    return found[::-1]


def _apply_heads(pyramid: list, num_outputs: int, convolutions: int, activation: str) -> list:
    """Return distances, centre logits and class logits of each level, by the same layers."""
    filters = pyramid[0].shape[-1]

    def make_tower(kind: str) -> list:
        tower = []
        for step in range(1, convolutions + 1):
            name = f"{kind}_{step}"
            # Of the examples alone: a batch norm would mix levels of unlike statistics.
            groups = math.gcd(filters, max(1, filters // GROUP))
            tower += [
                layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv"),
                layers.GroupNormalization(groups, name=f"{name}_norm"),
                layers.Activation(activation, name=f"{name}_activation"),
            ]
        return tower

    def make_last(count: int, name: str, bias: float = 0.0):
        start = keras.initializers.Constant(bias)
        kernel = keras.initializers.RandomNormal(stddev=0.01)
        # In float32 under mixed precision: losses of half-precision logits are coarse.
        return layers.Conv2D(count, 3, padding="same", kernel_initializer=kernel,
                             bias_initializer=start, dtype="float32", name=name)  # fmt: skip

    class_tower, box_tower = make_tower("class_head"), make_tower("box_head")
    classes = make_last(num_outputs, "class_logits", -math.log((1 - PRIOR) / PRIOR))
    distance = make_last(4, "distances", 1.0)
    middle = make_last(1, "centre_logit")
    found = []
    for features in pyramid:
        in_class = in_box = features
        for layer in class_tower:
            in_class = layer(in_class)
        for layer in box_tower:
            in_box = layer(in_box)
        found.append((distance(in_box), middle(in_box), classes(in_class)))
    return found


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
