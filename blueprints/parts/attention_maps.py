"""What attention looks at: its weights, which no fused kernel returns."""

from collections.abc import Mapping

import keras
import numpy as np

from threefold.blueprints.parts.attention import Attend


def align(model: keras.Model, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return where a decoder looks in the source for each token of a target.

    Args:
        model: keras.Model. With the layers `encoder` and `decoder`.
        inputs: mapping of str to array. `source` (batch, time) and `target` (batch, steps).

    Returns:
        float32 array of shape (batch, steps, time). Of several layers the last, of several heads
        the mean.
    """
    state = model.get_layer("encoder").predict_on_batch({"source": inputs["source"]})
    decoder, given = model.get_layer("decoder"), {"target": inputs["target"], **state}
    if "attention" in decoder.output:
        return np.asarray(decoder.predict_on_batch(given)["attention"])
    maps = attention_maps(decoder, given)
    last = [name for name in maps if name.endswith("cross_attention")][-1]
    return maps[last].mean(axis=1)


def attention_maps(model: keras.Model, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return where every step of some examples looks.

    Args:
        model: keras.Model. Functional.
        inputs: mapping of str to array. The model's, the batch first.

    Returns:
        dict of str to float32 array of shape (batch, heads, steps, time). One for each layer of
        attention, by its name, from the first to the last; rows add up to 1.
    """
    attending = [layer for layer in model.layers if isinstance(layer, Attend)]
    if not attending:
        return {}
    probe = keras.Model(model.input, {layer.name: layer.input for layer in attending})
    found = probe.predict_on_batch(dict(inputs))
    return {layer.name: _weigh(layer, *map(np.asarray, found[layer.name])) for layer in attending}


def _weigh(layer: Attend, queries, keys_values, mask=None) -> np.ndarray:
    keys = np.split(keys_values, 2, axis=-1)[0]
    queries, keys = (_split_heads(x.astype(np.float32), layer.num_heads) for x in (queries, keys))
    scores = queries @ keys.swapaxes(-1, -2) / np.sqrt(queries.shape[-1])
    if mask is not None:
        scores = np.where(mask[:, None], scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def _split_heads(x: np.ndarray, count: int) -> np.ndarray:
    """Return (batch, steps, features) as (batch, heads, steps, features of a head)."""
    batch, steps, features = x.shape
    return x.reshape(batch, steps, count, features // count).swapaxes(1, 2)
