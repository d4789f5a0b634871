"""Scenes of handwritten digits on textured grounds: which digit each pixel is of, and their boxes.

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
MOST_SHARED = 0.3  # of the smaller of two digits' boxes: one must still be able to read both
TRIES = 20  # places for a digit, before it is left out
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
    facts = ImageFacts(
        image_shape=(SIDE, SIDE, 3),
        class_names=CLASS_NAMES,
        mask_codes=tuple(range(len(CLASS_NAMES))),
    )
    return _make(scenes, split_fractions, TASK, facts, ("image", "mask"))


def load_boxes(
    *,
    scenes: PositiveInt = 600,
    split_fractions: SplitFractions = SplitFractions(),
) -> Dataset:
    """Make the scenes, with boxes.

    Args:
        scenes: int. How many, all splits together.
        split_fractions: SplitFractions. How scenes, and digits, are divided.

    Returns:
        Dataset. Images `image` uint8 (64, 64, 3), `boxes` float32 (4, 4), left, top, right and
        bottom in pixels, and `box_class` int64 (4,), -1 where there is no further digit.
    """
    facts = ImageFacts(image_shape=(SIDE, SIDE, 3), class_names=CLASS_NAMES[1:], boxes=True)
    columns = ("image", "boxes", "box_class")
    return _make(scenes, split_fractions, "object_detection", facts, columns)


FURTHER = {"object_detection": load_boxes}


def _make(
    scenes: int,
    split_fractions: SplitFractions,
    task: str,
    facts: ImageFacts,
    columns: tuple[str, ...],
) -> Dataset:
    digits, labels = read_digits()
    rows = split_fractions.split(scenes)
    pools = split_fractions.split(labels)
    arrays = {
        "image": np.empty((scenes, SIDE, SIDE, 3), np.uint8),
        "mask": np.empty((scenes, SIDE, SIDE), np.uint8),
        "boxes": np.zeros((scenes, MOST, 4), np.float32),
        "box_class": np.full((scenes, MOST), -1, np.int64),
    }
    for name, found in rows.items():
        for scene in found:
            random = np.random.default_rng([0, scene])
            image, mask, boxes, classes = compose(digits, labels, pools[name], random)
            arrays["image"][scene], arrays["mask"][scene] = image, mask
            arrays["boxes"][scene, : len(boxes)] = boxes
            arrays["box_class"][scene, : len(boxes)] = classes
    arrays = {name: arrays[name] for name in columns}
    source = ArraySource(arrays)
    return Dataset(
        reference="digit_scenes",
        task=task,
        facts=facts,
        splits={name: SubsetSource(source, found) for name, found in rows.items()},
        fingerprint=fingerprint_arrays(arrays),
    )


def compose(
    digits: np.ndarray, labels: np.ndarray, pool: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Lay digits on a ground, one over the other.

    Args:
        digits: uint8 array of shape (digits, 8, 8, 1). Their ink.
        labels: int array of shape (digits,). Which each is.
        pool: int array. Those that may be taken.
        random: Generator. Of digits, places, sizes and colours.

    Returns:
        (uint8 array (64, 64, 3), uint8 array (64, 64) of classes, float32 array (objects, 4) of
        boxes around the ink, int array (objects,) of digits).
    """
    image, mask = _make_ground(random), np.zeros((SIDE, SIDE), np.uint8)
    boxes: list[np.ndarray] = []
    classes: list[int] = []
    for digit in random.choice(pool, random.integers(FEWEST, MOST + 1)):
        for _ in range(TRIES):
            side = int(random.integers(SMALLEST, LARGEST + 1))
            top, left = random.integers(0, SIDE - side + 1, 2)
            ink = np.clip(resize(digits[digit], side, side) / 255, 0, 1)  # (side, side, 1)
            marked = ink[..., 0] >= INK
            down, right = np.nonzero(marked)
            box = [right.min(), down.min(), right.max() + 1, down.max() + 1]
            box = np.array(box) + [left, top, left, top]
            if all(_shared(box, other) <= MOST_SHARED for other in boxes):
                break
        else:
            continue
        boxes.append(box)
        classes.append(int(labels[digit]))
        window = slice(top, top + side), slice(left, left + side)
        bright = random.uniform(150, 255, 3)
        image[window] += ink * (bright - image[window])
        mask[window][marked] = labels[digit] + 1
    image = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return image, mask, np.array(boxes, np.float32), np.array(classes)


def _shared(box: np.ndarray, other: np.ndarray) -> float:
    """Return what two boxes have in common, as a share of the smaller one."""
    sides = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])
    areas = [np.prod(some[2:] - some[:2]) for some in (box, other)]
    return np.prod(np.maximum(sides, 0)) / min(areas)


def _make_ground(random: np.random.Generator) -> np.ndarray:
    """Return stripes of two dark colours under noise, float (64, 64, 3)."""
    angle, length = random.uniform(0, np.pi), random.uniform(6, 30)
    down, right = np.mgrid[:SIDE, :SIDE]
    wave = np.sin((down * np.sin(angle) + right * np.cos(angle)) * 2 * np.pi / length)
    share = (wave[..., None] + 1) / 2
    first, second = random.uniform(0, 110, (2, 3))
    ground = first + share * (second - first)
    return ground + random.normal(0, 12, (SIDE, SIDE, 1))
