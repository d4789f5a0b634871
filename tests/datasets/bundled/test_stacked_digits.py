"""Three digits as colours: each as it was scanned, and in one split alone."""

import numpy as np
import pytest

from threefold.datasets.bundled.digits import read_digits
from threefold.datasets.bundled.stacked_digits import load
from threefold.datasets.dataset import Dataset


def read(dataset: Dataset, name: str) -> dict[str, np.ndarray]:
    return dataset.splits[name][np.arange(len(dataset.splits[name]))]


@pytest.fixture(scope="module")
def stacked() -> Dataset:
    return load(images=3000)


def test_no_digit_is_in_two_splits(stacked):
    seen = [
        {channel.tobytes() for channel in np.moveaxis(read(stacked, name)["image"], -1, 1)
         .reshape(-1, 8, 8)}
        for name in stacked.splits
    ]  # fmt: skip
    digits, _ = read_digits()
    assert {digit.tobytes() for digit in digits[..., 0]} >= set.union(*seen)
    assert sum(map(len, seen)) == len(set.union(*seen)) > 1500


def test_the_label_is_the_number_that_the_channels_show(stacked):
    digits, classes = read_digits()
    known = {digit.tobytes(): shown for digit, shown in zip(digits[..., 0], classes, strict=True)}
    found = read(stacked, "test")
    for image, label in zip(found["image"][:50], found["label"], strict=False):
        shown = [known[image[..., channel].tobytes()] for channel in range(3)]
        assert "".join(map(str, shown)) == stacked.facts.class_names[label]


def test_the_seed_and_the_count_decide(stacked):
    assert [len(source) for source in stacked.splits.values()] == [2100, 450, 450]
    assert load(images=3000).fingerprint == stacked.fingerprint
    assert load(images=3000, seed=1).fingerprint != stacked.fingerprint
