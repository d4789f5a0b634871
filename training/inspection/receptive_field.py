"""The receptive field: which pixels of the image a value inside the network depends on.

It is computed exactly, along each axis on its own, by walking the graph. Position i of a layer sees
the pixels from ``first + step * i`` to ``last + step * i``: an affine function of i that
convolutions and pools turn into another one. See Araujo et al. 2019, "Computing receptive fields of
convolutional neural networks".
"""

from dataclasses import dataclass, replace

import keras
from keras import layers

from threefold.blueprints.parts.layers import LocalResponseNormalization

WINDOWS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
POOLS = (layers.MaxPooling2D, layers.AveragePooling2D)
COLLAPSING = (layers.Flatten, layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D)
MERGING = (
    layers.Add, layers.Average, layers.Concatenate, layers.Maximum, layers.Minimum,
    layers.Multiply, layers.Subtract,
)  # fmt: skip
# Each value depends on the values at the same place alone; batch normalisation, once trained, too.
POINTWISE = (
    layers.Activation, layers.BatchNormalization, layers.Dense, layers.Dropout, layers.ELU,
    layers.Identity, layers.InputLayer, layers.LeakyReLU, layers.Normalization, layers.PReLU,
    layers.ReLU, layers.Rescaling, layers.SpatialDropout2D, LocalResponseNormalization,
)  # fmt: skip


@dataclass(frozen=True)
class Axis:
    """What a layer sees along one axis of the image.

    Args:
        positions: int. Length of the layer's output.
        first: int. First pixel that position 0 sees; negative where it sees padding.
        last: int. Last pixel that position 0 sees.
        step: int. How many pixels the view moves from one position to the next; 0 where there are
            no positions any more.
        low: int. First pixel that any position sees.
        high: int. Last pixel that any position sees.
    """

    positions: int
    first: int
    last: int
    step: int
    low: int
    high: int

    @property
    def size(self) -> int:
        """Pixels from the first to the last that one position sees, padding included."""
        return self.last - self.first + 1

    def slide(self, window: int, stride: int, before: int, after: int) -> "Axis":
        """Return the axis after a window has slid over it.

        Args:
            window: int. Positions that the window spans.
            stride: int. Positions from one place of the window to the next.
            before: int. Padding in front, in positions.
            after: int. Padding after, in positions.
        """
        positions = (before + self.positions + after - window) // stride + 1
        first = self.first - self.step * before
        last = self.last + self.step * (window - 1 - before)
        step = self.step * stride
        # A stride may leave the last pixels unseen.
        low, high = max(self.low, first), min(self.high, last + step * (positions - 1))
        return Axis(positions, first, last, step, low, high)

    def slide_padded(self, window: int, stride: int, padding: str) -> "Axis":
        """Return the axis after a window has slid over it with Keras's `same` or `valid`."""
        if padding == "valid":
            return self.slide(window, stride, 0, 0)
        reached = (-(-self.positions // stride) - 1) * stride + window
        missing = max(reached - self.positions, 0)
        return self.slide(window, stride, missing // 2, missing - missing // 2)

    def collapse(self) -> "Axis":
        """Return the axis where all positions have flown together."""
        return Axis(1, self.low, self.high, 0, self.low, self.high)


@dataclass(frozen=True)
class ReceptiveField:
    """What a layer sees of the image, in pixels."""

    height: Axis
    width: Axis

    @property
    def collapsed(self) -> bool:
        """Whether every value sees all that the layer sees."""
        return self.height.step == 0 and self.width.step == 0


def receptive_fields(model: keras.Model) -> dict[str, ReceptiveField | None]:
    """Return the receptive field after every layer of a functional model.

    Args:
        model: keras.Model. Its only input is an image of known size (height, width, channels).

    Returns:
        dict of str to ReceptiveField. By the name of the layer; `None` where it is not known: after
        a layer that is none of the kinds above, or branches that move at different steps. A layer
        that is used several times has the field of its last use. Empty where the input is not one
        image of known size.
    """
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4:
        return {}
    height, width = model.inputs[0].shape[1:3]
    if height is None or width is None:
        return {}
    image = ReceptiveField(
        *(Axis(size, first=0, last=0, step=1, low=0, high=size - 1) for size in (height, width))
    )
    return _walk(model, image)[0]


def _walk(
    model, field: ReceptiveField
) -> tuple[dict[str, ReceptiveField | None], ReceptiveField | None]:
    """Return the field after every layer of a model, and that of its output."""
    by_tensor = {id(model.inputs[0]): field}
    by_layer = {}
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            # An input has no tensors before it: it passes on what it is given.
            tensors = node.arguments.keras_tensors or node.outputs
            fields = [by_tensor.get(id(tensor)) for tensor in tensors]
            found = None if None in fields else _after(node.operation, fields)
            by_layer[node.operation.name] = found
            by_tensor |= {id(tensor): found for tensor in node.outputs}
    output = by_tensor[id(model.outputs[0])] if len(model.outputs) == 1 else None
    return by_layer, output


def _after(layer, fields: list[ReceptiveField]) -> ReceptiveField | None:
    """Return the field after a layer, from those of its inputs."""
    if isinstance(layer, MERGING):
        return _unite(layer, fields)
    if len(fields) != 1:
        return None
    field = fields[0]
    if field.collapsed or isinstance(layer, POINTWISE):
        return field
    if getattr(layer, "data_format", None) == "channels_first":
        return None
    if isinstance(layer, layers.LayerNormalization):
        axes = [layer.axis] if isinstance(layer.axis, int) else list(layer.axis)
        return field if axes in ([-1], [3]) else None
    if isinstance(layer, COLLAPSING):
        return ReceptiveField(field.height.collapse(), field.width.collapse())
    if isinstance(layer, layers.ZeroPadding2D):
        (top, bottom), (left, right) = layer.padding
        return ReceptiveField(
            field.height.slide(1, 1, top, bottom), field.width.slide(1, 1, left, right)
        )
    if isinstance(layer, WINDOWS + POOLS):
        return _slide(layer, field)
    if isinstance(layer, keras.Model):
        inside = getattr(layer, "_functional", layer)  # a Sequential keeps its graph there
        functional = hasattr(inside, "_nodes_by_depth") and len(inside.inputs) == 1
        return _walk(inside, field)[1] if functional else None
    return None


def _slide(layer, field: ReceptiveField) -> ReceptiveField:
    if isinstance(layer, POOLS):
        windows = layer.pool_size
    else:
        sizes = zip(layer.kernel_size, layer.dilation_rate, strict=True)
        windows = tuple((size - 1) * dilation + 1 for size, dilation in sizes)
    axes = (field.height, field.width)
    return ReceptiveField(
        *(
            axis.slide_padded(window, stride, layer.padding)
            for axis, window, stride in zip(axes, windows, layer.strides, strict=True)
        )
    )


def _unite(layer, fields: list[ReceptiveField]) -> ReceptiveField | None:
    """Return what branches see together, where their views move alike."""
    along = getattr(layer, "axis", -1)  # of a concatenation
    if along not in (-1, 3) and not all(field.collapsed for field in fields):
        return None
    axes = []
    for parts in ([f.height for f in fields], [f.width for f in fields]):
        if len({(axis.positions, axis.step) for axis in parts}) > 1:
            return None
        axes.append(
            replace(
                parts[0],
                first=min(axis.first for axis in parts),
                last=max(axis.last for axis in parts),
                low=min(axis.low for axis in parts),
                high=max(axis.high for axis in parts),
            )
        )
    return ReceptiveField(*axes)
