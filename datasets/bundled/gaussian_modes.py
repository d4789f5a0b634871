"""Points of a plane around the 8 places of a ring, or 25 of a grid, to find all of (Metz 2017).

The test that most papers on collapsing generators begin with: Metz et al. 2017, "Unrolled
generative adversarial networks"; Srivastava et al. 2017, "VEEGAN". A point is an image of 1 × 2
gray levels, so that whatever makes images can be asked.
"""

from typing import Literal

import numpy as np

from threefold.datasets.dataset import ArraySource, Dataset, SubsetSource, fingerprint_arrays
from threefold.datasets.facts import ImageFacts
from threefold.datasets.splitting import SplitFractions

TASK = "image_generation"
COUNT = 8000
REACH = 0.8  # of the outermost places, where the edge of the plane is 1
# Deviations: a hundredth of the ring's radius, a fortieth of the way between places of the grid.
SPREADS = {"ring": REACH / 100, "grid": REACH / 2 / 40}


def load(
    *,
    layout: Literal["ring", "grid"] = "grid",
    split_fractions: SplitFractions = SplitFractions(),
) -> Dataset:
    """Draw the points.

    Args:
        layout: str. `ring`: 8 places; `grid`: 25.
        split_fractions: SplitFractions. How points are divided where nothing says so.

    Returns:
        Dataset. Points `image` float32 (1, 2, 1), 0 to 255, and `label`, the place.
    """
    places = _places(layout)
    generator = np.random.default_rng(0)
    labels = np.arange(COUNT) % len(places)
    points = places[labels] + SPREADS[layout] * generator.normal(size=(COUNT, 2))
    images = ((points + 1) * 127.5).astype(np.float32)[:, None, :, None]
    arrays = {"image": images, "label": labels}
    rows = split_fractions.split(labels)
    source = ArraySource(arrays)
    return Dataset(
        reference="gaussian_modes",
        task=TASK,
        facts=ImageFacts(
            image_shape=(1, 2, 1),
            class_names=tuple(f"{x:+.2f},{y:+.2f}" for x, y in places),
            class_counts=tuple(np.bincount(labels[rows["train"]], minlength=len(places)).tolist()),
        ),
        splits={name: SubsetSource(source, found) for name, found in rows.items()},
        fingerprint=fingerprint_arrays(arrays),
    )


def _places(layout: str) -> np.ndarray:
    """Return the places, from -1 to 1, shape (places, 2)."""
    if layout == "ring":
        angles = np.arange(8) * np.pi / 4
        return REACH * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    ticks = np.linspace(-REACH, REACH, 5)
    return np.stack([axis.ravel() for axis in np.meshgrid(ticks, ticks)], axis=1)
