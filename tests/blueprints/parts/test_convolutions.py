"""Convolutions whose gradient a backend gets wrong are not used."""

import keras
import numpy as np
import pytest
from cells import CELLS
from fitted import FittedCell

from threefold.blueprints.parts.layers import subsample

pytestmark = pytest.mark.each_backend
CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D)
# Whatever has these options can be asked for windows of 1 with a stride.
ASKED = {"kernel_size": "1", "stride": "2"}


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.leads], ids=str)
def test_a_window_of_one_never_has_a_stride(cell, tmp_path):
    """On torch it writes past its workspace where there are few channels; see `subsample`."""
    fitted = FittedCell(cell, tmp_path, None)
    options = ASKED if ASKED.keys() <= fitted.options.keys() else {}
    layers = [layer for layer in fitted.build(**options)._flatten_layers()]
    windows = [
        layer
        for layer in layers
        if isinstance(layer, CONVOLUTIONS) and set(layer.kernel_size) == {1}
    ]
    assert windows or not options
    assert not [layer.name for layer in windows if set(layer.strides) != {1}]


@pytest.mark.parametrize("sides", [(7,), (8,), (7, 8), (1, 5)])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_what_a_window_of_one_with_a_stride_reads_is_kept(sides, stride):
    inputs = np.random.default_rng(0).normal(size=(2, *sides, 3)).astype(np.float32)
    found = subsample(keras.ops.convert_to_tensor(inputs), stride, "kept")
    steps = (slice(None), *[slice(None, None, stride)] * len(sides))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(found), inputs[steps])
