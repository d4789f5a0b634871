"""A dense network for the rows of a table: numbers, dates and words, any of them missing.

The choice for tables where a smooth answer, several targets or a file for a neural runtime is
wanted. Preprocessing is part of the network: it takes raw columns.

Sources: He et al. 2015 for the initialisation; Ioffe and Szegedy 2015 for batch normalisation; Ba
et al. 2016 for layer normalisation; Gorishniy et al. 2021, "Revisiting deep learning models for
tabular data", for plain dense networks as a strong choice, and 2022, "On embeddings for numerical
features in tabular deep learning", for columns cut at their quantiles; Cheng et al. 2016, "Wide and
deep learning", for the linear model alongside.
"""

import math
from typing import Literal

import keras
import numpy as np
from keras import layers, ops

from threefold.blueprints.parts.layers import BATCH_NORM_MOMENTUM, make_dropout
from threefold.blueprints.parts.options import Activation, Count, Rate

DATASETS = {"tabular_classification": "wine", "tabular_regression": "diabetes"}
TRAINING = {"epochs": 60, "min_steps": 2000, "batch_size": 32, "optimizer": "adamw",
            "learning_rate": 2e-3, "weight_decay": 0.05, "ema": 0.95}  # fmt: skip

# In days: a year, a week and a day are the cycles that dates follow in most tables.
DATE_CYCLES = {"year": 365.2425, "week": 7.0, "day": 1.0}
Column = tuple[float, float, tuple[float, ...]]  # mean, scale, quantiles
MOST_PIECES = 4096  # of all columns; tables of very many columns are cut less finely, or not at all


def build(
    numeric: tuple[Column, ...],
    dates: tuple[Column, ...],
    category_counts: tuple[int, ...],
    num_outputs: int,
    widths: tuple[Count, ...] = (128, 64),
    activation: Activation = "relu",
    normalization: Literal["batch", "layer", "none"] = "none",
    dropout: Rate = 0.3,
    skip_connection: bool = True,
    numeric_embedding: Literal["piecewise", "none"] = "piecewise",
) -> keras.Model:
    """Build the network.

    Args:
        numeric: tuple of (mean, scale, quantiles). One triple for each numeric column.
        dates: tuple of (mean, scale, quantiles). The same of each date column, in days since
            1970-01-01.
        category_counts: tuple of int. Known words of each categorical column, plus one for the
            id 0: unknown or missing.
        num_outputs: int. Classes, or numbers to predict.
        widths: tuple of int. Units of each hidden layer.
        activation: str. After every hidden layer.
        normalization: str. `batch` or `layer` before the activations, or `none`.
        dropout: float. Share of the units dropped after each hidden layer.
        skip_connection: bool. Whether a linear model stands alongside: all that is learned well of
            few rows, and where the columns have no more to say.
        numeric_embedding: str. `piecewise`: the network is also told how far a value is through
            each part of its column, cut at its quantiles; or `none`.

    Returns:
        keras.Model. From `numeric` and `dates` (batch, columns) float32 with NaN where missing and
        `categorical` (batch, columns) int32, those that the table has, to (batch, num_outputs): one
        logit a class, or one standardised number a target.
    """
    inputs, features = {}, []
    for name, described in {"numeric": numeric, "dates": dates}.items():
        if described:
            inputs[name] = keras.Input((len(described),), name=name)
            columns, missing = _standardise(inputs[name], described, name)
            features += [columns, missing]
            if numeric_embedding == "piecewise":
                features += _cut(columns, described, MOST_PIECES // len(numeric + dates))
    if dates:
        features.append(_cycles(inputs["dates"]))
    if category_counts:
        inputs["categorical"] = keras.Input(
            (len(category_counts),), dtype="int32", name="categorical"
        )
        features.append(_one_hot(inputs["categorical"], category_counts))
    x = found = layers.Concatenate(name="features")(features)  # (batch, features)
    for step, units in enumerate(widths, 1):
        x = layers.Dense(units, kernel_initializer="he_normal", name=f"dense_{step}")(x)
        if normalization == "batch":
            x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"dense_{step}_norm")(
                x
            )
        elif normalization == "layer":
            x = layers.LayerNormalization(name=f"dense_{step}_norm")(x)
        x = layers.Activation(activation, name=f"dense_{step}_activation")(x)
        x = make_dropout(dropout, f"dense_{step}_dropout")(x)
    # The head stays in float32 under mixed precision: losses of half-precision logits are coarse.
    outputs = layers.Dense(num_outputs, dtype="float32", name="head")(x)  # (batch, num_outputs)
    if skip_connection:
        linear = layers.Dense(
            num_outputs,
            use_bias=False,
            kernel_initializer="zeros",
            dtype="float32",
            name="skip_connection",
        )
        outputs = outputs + linear(found)
    return keras.Model(inputs, outputs, name="dnn")


TASKS = {"tabular_classification": build, "tabular_regression": build}


def _standardise(columns, described: tuple[Column, ...], name: str) -> list:
    """Return the standardised columns, 0 where missing, and which of them are missing."""
    means, scales, _ = zip(*described, strict=True)
    missing = ops.isnan(columns)  # (batch, columns)
    known = ops.where(missing, ops.zeros_like(columns) + ops.array(means, "float32"), columns)
    standardise = layers.Normalization(
        mean=list(means),
        variance=[scale**2 for scale in scales],
        dtype="float32",  # half precision ends at 65,504, and rounds dates to 16 days
        name=f"{name}_standardise",
    )
    return [standardise(known), ops.cast(missing, "float32")]


def _cut(columns, described: tuple[Column, ...], most: int) -> list:
    """Return how far each column's value is through each of the parts between its quantiles.

    A network of few layers hardly learns a step in a column of its standardised values; of these it
    does (Gorishniy et al. 2022, "On embeddings for numerical features in tabular deep learning").

    Args:
        columns: tensor of shape (batch, columns). Standardised.
        described: tuple of (mean, scale, quantiles). Of each column, in its own units.
        most: int. Parts of a column.

    Returns:
        list of one tensor of shape (batch, parts), each from 0 to 1; or of none.
    """
    places, lefts, widths = [], [], []
    for place, (mean, scale, quantiles) in enumerate(described):
        found = (np.array(quantiles, np.float64) - mean) / scale
        if len(found) > most + 1:
            found = found[np.linspace(0, len(found) - 1, most + 1).round().astype(int)]
        if len(found) > 2 and most > 1:  # one part alone says what the column does
            places += [place] * (len(found) - 1)
            lefts += found[:-1].tolist()
            widths += np.diff(found).tolist()
    if not places:
        return []
    taken = ops.take(columns, ops.array(places, "int32"), axis=1)  # (batch, parts)
    through = (taken - ops.array(lefts, "float32")) / ops.array(widths, "float32")
    return [ops.clip(through, 0.0, 1.0)]


def _cycles(days):
    """Return where a date stands in each cycle, as a point of the unit circle."""
    days = ops.where(ops.isnan(days), ops.zeros_like(days), days)
    angles = [days * (2 * math.pi / length) for length in DATE_CYCLES.values()]
    waves = [wave(angle) for angle in angles for wave in (ops.sin, ops.cos)]
    return ops.concatenate(waves, axis=-1)  # (batch, columns × cycles × 2)


def _one_hot(ids, counts: tuple[int, ...]):
    """Return one 0 or 1 for every word of every column."""
    # One table for all columns: each column's ids are moved after those of the columns before it.
    offsets = [sum(counts[:column]) for column in range(len(counts))]
    # In this order: the other way round Keras writes a bias, and LiteRT has none of integers.
    shifted = ops.add(ops.array(offsets, "int32"), ids)
    # Not Keras's own layer: it counts words, an operation that LiteRT lacks.
    return ops.sum(ops.one_hot(shifted, sum(counts)), axis=1)  # (batch, sum of counts)
