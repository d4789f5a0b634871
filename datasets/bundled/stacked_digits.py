"""Three handwritten digits as the colours of an image: a thousand modes to find (Srivastava 2017).

The test of collapsing generators after Metz et al. 2017, "Unrolled generative adversarial
networks", Srivastava et al. 2017, "VEEGAN", and Lin et al. 2018, "PacGAN"; of smaller digits than
theirs, real ones all the same (scikit-learn; Alpaydin 1998), laid over each other in memory. No
digit's image is in two splits.
"""

import numpy as np
from pydantic import NonNegativeInt, PositiveInt

from threefold.datasets.bundled.digits import read_digits
from threefold.datasets.dataset import ArraySource, Dataset, SubsetSource, fingerprint_arrays
from threefold.datasets.facts import ImageFacts
from threefold.datasets.splitting import SplitFractions

TASK = "image_generation"
CHANNELS = 3
CLASSES = 10**CHANNELS


def load(
    *,
    images: PositiveInt = 20_000,
    seed: NonNegativeInt = 0,
    split_fractions: SplitFractions = SplitFractions(),
) -> Dataset:
    """Lay digits over each other.

    Args:
        images: int. How many, all splits together.
        seed: int. Of the choice of digits.
        split_fractions: SplitFractions. How images, and digits, are divided.

    Returns:
        Dataset. Images `image` uint8 (8, 8, 3), and `label`, the number of three digits that red,
        green and blue show.
    """
    digits, classes = read_digits()
    rows, pools = split_fractions.split(images), split_fractions.split(classes)
    random = np.random.default_rng(seed)
    chosen = np.zeros((images, CHANNELS), np.int64)
    for name, found in rows.items():
        chosen[found] = random.choice(pools[name], (len(found), CHANNELS))
    labels = classes[chosen] @ 10 ** np.arange(CHANNELS)[::-1]
    arrays = {"image": digits[chosen, ..., 0].transpose(0, 2, 3, 1).copy(), "label": labels}
    source = ArraySource(arrays)
    return Dataset(
        reference="stacked_digits",
        task=TASK,
        facts=ImageFacts(
            image_shape=arrays["image"].shape[1:],
            class_names=tuple(f"{number:0{CHANNELS}}" for number in range(CLASSES)),
            class_counts=tuple(np.bincount(labels[rows["train"]], minlength=CLASSES).tolist()),
        ),
        splits={name: SubsetSource(source, found) for name, found in rows.items()},
        fingerprint=fingerprint_arrays(arrays),
    )
