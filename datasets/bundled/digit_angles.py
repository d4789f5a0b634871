"""Handwritten digits, each turned by a known angle of up to 45 degrees: predict the angle."""

import numpy as np

from threefold.datasets.bundled.digits import read_digits
from threefold.datasets.dataset import (
    ArraySource,
    Dataset,
    SubsetSource,
    fingerprint_arrays,
    numeric_targets,
)
from threefold.datasets.facts import ImageFacts
from threefold.datasets.splitting import SplitFractions

TASK = "image_regression"


def load(
    *,
    split_fractions: SplitFractions = SplitFractions(),
) -> Dataset:
    """Turn the bundled digits.

    Returns:
        Dataset. Images `image` uint8 (16, 16, 1) and `target` float32 (1,), the angle in
        degrees, counter-clockwise.
    """
    from PIL import Image

    images, _ = read_digits()
    generator = np.random.default_rng(0)
    angles = generator.uniform(-45, 45, len(images)).astype(np.float32)
    turned = np.zeros((len(images), 16, 16, 1), np.uint8)
    for position, (image, angle) in enumerate(zip(images, angles, strict=True)):
        canvas = Image.new("L", (16, 16))
        canvas.paste(Image.fromarray(image[..., 0]).resize((12, 12), Image.BILINEAR), (2, 2))
        turned[position, ..., 0] = np.asarray(canvas.rotate(float(angle), Image.BILINEAR))
    arrays = {"image": turned, "target": angles[:, None]}
    rows = split_fractions.split(len(turned))
    source = ArraySource(arrays)
    return Dataset(
        reference="digit_angles",
        task=TASK,
        facts=ImageFacts(
            image_shape=(16, 16, 1), targets=numeric_targets(["angle"], angles[rows["train"], None])
        ),
        splits={name: SubsetSource(source, found) for name, found in rows.items()},
        fingerprint=fingerprint_arrays(arrays),
    )
