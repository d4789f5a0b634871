import numpy as np

from threefold.datasets import loading
from threefold.datasets.bundled.digits import read_digits


def test_labels_are_the_digits_that_an_image_shows_and_no_digit_is_in_two_splits():
    digits, classes = read_digits()
    known = {digit.tobytes(): place for place, digit in enumerate(digits[..., 0])}
    dataset = loading.load("digit_grids", {"images": "200"})
    seen, counts = {}, set()
    for name, split in dataset.splits.items():
        found = split[np.arange(len(split))]
        seen[name] = set()
        for image, labels in zip(found["image"][..., 0], found["labels"], strict=True):
            cells = [np.ascontiguousarray(image[down : down + 8, right : right + 8])
                     for down in (1, 11) for right in (1, 11)]  # fmt: skip
            shown = [known[cell.tobytes()] for cell in cells if cell.any()]
            assert set(np.flatnonzero(labels)) == set(classes[shown])
            seen[name] |= set(shown)
            counts.add(len(shown))
    assert counts == set(range(5))
    assert not seen["train"] & (seen["validation"] | seen["test"])
    train = dataset.splits["train"]
    labels = train[np.arange(len(train))]["labels"]
    assert dataset.facts.class_counts == tuple(labels.sum(axis=0))
