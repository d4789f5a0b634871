"""Images of up to four handwritten digits in a grid: which digits are there, none to four of them.

Real digits (scikit-learn; Alpaydin 1998), laid side by side in memory, always the same. No digit's
image is in two splits.
"""

import numpy as np
from pydantic import PositiveInt

from threefold.datasets.bundled.digits import read_digits
from threefold.datasets.dataset import ArraySource, Dataset, SubsetSource, fingerprint_arrays
from threefold.datasets.facts import ImageFacts
from threefold.datasets.splitting import SplitFractions

TASK = "image_multilabel_classification"
CELLS = 2  # digits across, and down
EMPTY = 0.35  # share of the cells without a digit
MARGIN = 1  # pixels around each digit, so that none touch


def load(
    *,
    images: PositiveInt = 1500,
    split_fractions: SplitFractions = SplitFractions(),
) -> Dataset:
    """Lay the digits in grids.

    Args:
        images: int. How many, all splits together.
        split_fractions: SplitFractions. How images, and digits, are divided.

    Returns:
        Dataset. Images `image` uint8 (20, 20, 1), and `labels` bool (10,), whether each digit is
        there.
    """
    digits, classes = read_digits()
    around = (MARGIN, MARGIN)
    digits = np.pad(digits[..., 0], ((0, 0), around, around))
    rows, pools = split_fractions.split(images), split_fractions.split(classes)
    height, width = digits.shape[1:]
    # (images, down, across, height, width), whose axes a grid only orders otherwise.
    cells = np.zeros((images, CELLS, CELLS, height, width), np.uint8)
    labels = np.zeros((images, 10), bool)
    random = np.random.default_rng(0)
    for name, found in rows.items():
        for image in found:
            for place in np.ndindex(CELLS, CELLS):
                digit = random.choice(pools[name])
                if random.random() >= EMPTY:
                    cells[(image, *place)] = digits[digit]
                    labels[image, classes[digit]] = True
    grids = cells.transpose(0, 1, 3, 2, 4).reshape(images, CELLS * height, CELLS * width, 1)
    arrays = {"image": grids, "labels": labels}
    source = ArraySource(arrays)
    return Dataset(
        reference="digit_grids",
        task=TASK,
        facts=ImageFacts(
            image_shape=grids.shape[1:],
            class_names=tuple("0123456789"),
            class_counts=tuple(labels[rows["train"]].sum(axis=0).tolist()),
        ),
        splits={name: SubsetSource(source, found) for name, found in rows.items()},
        fingerprint=fingerprint_arrays(arrays),
    )
