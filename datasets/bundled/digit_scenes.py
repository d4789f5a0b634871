"""Scenes of handwritten digits on textured grounds, and which digit each pixel belongs to.

Real digits (scikit-learn; Alpaydin 1998) of many sizes and colours lie over one another on grounds
of stripes and noise, made in memory, always the same. No digit's image is in two splits.
"""

import numpy as np
from pydantic import PositiveInt

from threefold.datasets.bundled.digits import read_digits
from threefold.datasets.dataset import ArraySource, Dataset, SubsetSource, fingerprint_arrays
from threefold.datasets.facts import ImageFacts
from threefold.datasets.images.resizing import resize
from threefold.datasets.splitting import SplitFractions

TASK = "image_segmentation"
SIDE = 64  # pixels of a scene
SMALLEST, LARGEST = 14, 36  # pixels: the sides of a digit
FEWEST, MOST = 1, 4  # digits in a scene
INK = 0.4  # share of ink from which on a pixel belongs to its digit
CLASS_NAMES = ("background", *"0123456789")


def load(
    *,
    scenes: PositiveInt = 600,
    split_fractions: SplitFractions = SplitFractions(),
) -> Dataset:
    """Make the scenes.

    Args:
        scenes: int. How many, all splits together.
        split_fractions: SplitFractions. How scenes, and digits, are divided.

    Returns:
        Dataset. Images `image` uint8 (64, 64, 3), and `mask` uint8 (64, 64), a class each pixel.
    """
    digits, labels = read_digits()
    rows = split_fractions.split(scenes)
    pools = split_fractions.split(labels)
    images = np.empty((scenes, SIDE, SIDE, 3), np.uint8)
    masks = np.empty((scenes, SIDE, SIDE), np.uint8)
    for name, found in rows.items():
        for scene in found:
            random = np.random.default_rng([0, scene])
            images[scene], masks[scene] = compose(digits, labels, pools[name], random)
    arrays = {"image": images, "mask": masks}
    source = ArraySource(arrays)
    return Dataset(
        reference="digit_scenes",
        task=TASK,
        facts=ImageFacts(
            image_shape=(SIDE, SIDE, 3),
            class_names=CLASS_NAMES,
            mask_codes=tuple(range(len(CLASS_NAMES))),
        ),
        splits={name: SubsetSource(source, found) for name, found in rows.items()},
        fingerprint=fingerprint_arrays(arrays),
    )


def compose(
    digits: np.ndarray, labels: np.ndarray, pool: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Lay digits on a ground, one over the other.

    Args:
        digits: uint8 array of shape (digits, 8, 8, 1). Their ink.
        labels: int array of shape (digits,). Which each is.
        pool: int array. Those that may be taken.
        random: Generator. Of digits, places, sizes and colours.

    Returns:
        (uint8 array (64, 64, 3), uint8 array (64, 64) of classes).
    """
    image, mask = _make_ground(random), np.zeros((SIDE, SIDE), np.uint8)
    for digit in random.choice(pool, random.integers(FEWEST, MOST + 1)):
        side = int(random.integers(SMALLEST, LARGEST + 1))
        top, left = random.integers(0, SIDE - side + 1, 2)
        ink = np.clip(resize(digits[digit], side, side) / 255, 0, 1)  # (side, side, 1)
        window = slice(top, top + side), slice(left, left + side)
        bright = random.uniform(150, 255, 3)
        image[window] += ink * (bright - image[window])
        mask[window][ink[..., 0] >= INK] = labels[digit] + 1
    return np.clip(np.rint(image), 0, 255).astype(np.uint8), mask


def _make_ground(random: np.random.Generator) -> np.ndarray:
    """Return stripes of two dark colours under noise, float (64, 64, 3)."""
    angle, length = random.uniform(0, np.pi), random.uniform(6, 30)
    down, right = np.mgrid[:SIDE, :SIDE]
    wave = np.sin((down * np.sin(angle) + right * np.cos(angle)) * 2 * np.pi / length)
    share = (wave[..., None] + 1) / 2
    first, second = random.uniform(0, 110, (2, 3))
    ground = first + share * (second - first)
    return ground + random.normal(0, 12, (SIDE, SIDE, 1))
