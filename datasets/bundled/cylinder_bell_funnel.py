"""Series of one channel: a plateau, a slow rise or a slow fall in noise, of unequal lengths.

The synthetic classes of Saito 1994, "Local feature extraction and its applications using a library
of bases", on which classifiers of series have been compared ever since. Here each series has a
length of its own, which the original's 128 steps do not test.
"""

from typing import Annotated

import numpy as np
from pydantic import Field

from threefold.datasets.dataset import ArraySource, Dataset, SubsetSource, fingerprint_arrays
from threefold.datasets.facts import SequenceFacts
from threefold.datasets.ragged import Ragged
from threefold.datasets.series.labeled_series import describe_channels
from threefold.datasets.splitting import SplitFractions

TASK = "sequence_classification"
CLASSES = ("bell", "cylinder", "funnel")
COUNT = 930  # as many as the archive of the University of California, Riverside has
SHORTEST, MAX_LENGTH = 96, 160  # steps


def load(
    *,
    noise: Annotated[float, Field(ge=0)] = 1.0,
    split_fractions: SplitFractions = SplitFractions(),
) -> Dataset:
    """Draw the series.

    Args:
        noise: float. Standard deviation of what is added to each step; the shapes are 6 high.
        split_fractions: SplitFractions. How series are divided where nothing says so.

    Returns:
        Dataset. Series `values` float32 (steps, 1) and `label`.
    """
    generator = np.random.default_rng(0)
    labels = np.arange(COUNT) % len(CLASSES)
    series = [_sample(generator, CLASSES[label], noise) for label in labels]
    arrays = {"values": Ragged.join(series, np.float32), "label": labels}
    rows = split_fractions.split(labels)
    source = ArraySource(arrays)
    train = rows["train"]
    return Dataset(
        reference="cylinder_bell_funnel",
        task=TASK,
        facts=SequenceFacts(
            channels=describe_channels(["value"], arrays["values"], train),
            max_length=int(arrays["values"].lengths.max()),
            class_names=CLASSES,
            class_counts=tuple(np.bincount(labels[train], minlength=len(CLASSES)).tolist()),
        ),
        splits={name: SubsetSource(source, found) for name, found in rows.items()},
        fingerprint=fingerprint_arrays(arrays),
    )


def _sample(generator: np.random.Generator, shape: str, noise: float) -> np.ndarray:
    length = int(generator.integers(SHORTEST, MAX_LENGTH + 1))
    start = generator.integers(length // 8, length // 4)
    stop = start + generator.integers(length // 4, 3 * length // 4)
    steps = np.arange(length)
    inside = (steps >= start) & (steps <= stop)
    rise = (steps - start) / (stop - start)
    schema = {"cylinder": np.ones(length), "bell": rise, "funnel": 1 - rise}[shape]
    height = 6 + generator.normal()
    values = height * schema * inside + noise * generator.normal(size=length)
    return values[:, None]
