"""Networks of keras-hub that were trained before, to take features of images from."""

import inspect
import json
from pathlib import Path
from typing import Any

import keras
from keras import layers

Backbone = str | dict[str, Any]  # a preset or its folder; or the architecture that a run keeps

# Of ImageNet's colours, for pixels from 0 to 255.
MEAN = [123.675, 116.28, 103.53]
VARIANCE = [58.395**2, 57.12**2, 57.375**2]

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
# Large files are cut; keras-hub reads the form of Hugging Face, too.
OTHER_WEIGHTS = ("model.weights.json", "model.safetensors", "model.safetensors.index.json")
NOT_KEPT = {"self", "kwargs", "data_format", "dtype"}  # of what a network is made with


def open_backbone(backbone: Backbone, kind: str) -> keras.Model:
    """Return a network of keras-hub.

    Args:
        backbone: str or dict. A preset, or its folder, whose weights are read; or an architecture
            as `read_architecture` returns it, with random weights.
        kind: str. The class of keras-hub that it must be of.

    Returns:
        keras.Model. From images of three channels to features; of any height and width.

    Raises:
        ValueError: for what is not there, is no preset or is another kind of network.
    """
    import keras_hub

    wanted = getattr(keras_hub.models, kind)
    if isinstance(backbone, dict):
        network = getattr(keras_hub.models, backbone["class_name"]).from_config(backbone["config"])
        network.architecture = json.dumps(backbone)
        return network
    network = _load(backbone, wanted)
    name = type(network).__name__
    if not isinstance(network, wanted):
        raise ValueError(f"the backbone '{backbone}' is a {name}; expected a {kind}")
    height, width, channels = network.input_shape[1:]
    if (height, width) != (None, None) or channels != 3:
        raise ValueError(
            f"the backbone '{backbone}' takes images of {height} x {width} pixels and {channels} "
            "channels; expected one of any size, and 3 channels"
        )
    # As text: Keras would track the parts of a dictionary.
    network.architecture = json.dumps(
        {"class_name": name, "config": _find_config(network, backbone)}
    )
    return network


def _load(preset: str, wanted: type) -> keras.Model:
    import keras_hub

    folder = Path(preset).expanduser()
    if folder.is_dir():
        for names in ((CONFIG,), (WEIGHTS, *OTHER_WEIGHTS)):
            if not any((folder / name).is_file() for name in names):
                raise ValueError(f"the backbone '{preset}' is no preset: it has no {names[0]}")
    try:
        return keras_hub.models.Backbone.from_preset(_place(preset))
    except Exception as error:  # the hub's clients raise errors of many kinds
        if folder.is_dir():
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ValueError(f"cannot load the backbone '{preset}': {reason}") from error
        known = ", ".join(sorted(wanted.presets))
        raise ValueError(
            f"cannot load the backbone '{preset}': it must be a folder, or one of the presets "
            f"below and a network to download it from: {known}"
        ) from error


def _find_config(network: keras.Model, preset: str) -> dict[str, Any]:
    """Return what a network was made with; the type of its numbers is a run's own."""
    from keras_hub.src.utils.preset_utils import load_json

    written = load_json(_place(preset))
    config = network.get_config()
    if "registered_name" in written:
        # What a network says of itself can lack something, as EfficientNet's does (0.32).
        config = written["config"]
    elif missing := {*inspect.signature(type(network).__init__).parameters} - {*config} - NOT_KEPT:
        raise ValueError(
            f"the backbone '{preset}' is not in keras-hub's own form, and of it would be lost: "
            f"{', '.join(sorted(missing))}; write it with save_to_preset"
        )
    return {name: value for name, value in config.items() if name != "dtype"}


def _place(preset: str) -> str:
    """Return a preset's name, or its folder in full."""
    folder = Path(preset).expanduser()
    return str(folder.resolve()) if folder.is_dir() else preset


def make_encoder(network: keras.Model, outputs: Any) -> keras.Model:
    """Return the part of a backbone that leads to some of its features.

    Args:
        network: keras.Model. From `open_backbone`.
        outputs: tensor or list of tensor. Of the network.

    Returns:
        keras.Model. The same layers; `read_architecture` finds what they are.
    """
    encoder = keras.Model(network.input, outputs, name="encoder")
    encoder.architecture = network.architecture
    return encoder


def read_architecture(model: keras.Model) -> dict[str, Any] | None:
    """Return what the backbone of a model is, without weights; None where it has no backbone.

    Returns:
        dict. Plain data: `class_name` of keras-hub, and its `config`.
    """
    for layer in model.layers:
        if hasattr(layer, "architecture"):
            return json.loads(layer.architecture)
    return None


def scale_pixels(image):
    """Return an image as networks were trained on ImageNet.

    Args:
        image: tensor. Shape (batch, height, width, 1 or 3), values from 0 to 255.

    Returns:
        tensor. Shape (batch, height, width, 3), of mean 0 and variance 1 over ImageNet.
    """
    if image.shape[-1] == 1:
        image = layers.Concatenate(name="grey_to_colour")([image] * 3)
    return layers.Normalization(mean=MEAN, variance=VARIANCE, name="imagenet_scale")(image)
