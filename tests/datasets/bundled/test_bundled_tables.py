"""The tables that are there without a network."""

import numpy as np
import pytest

from threefold.datasets import loading


@pytest.mark.parametrize(
    ("name", "shapes", "classes"),
    [
        ("wine", ((116, 13), (27, 13), (35, 13)), ("barbera", "barolo", "grignolino")),
        ("breast_cancer", ((370, 30), (85, 30), (114, 30)), ("benign", "malignant")),
        ("diabetes", ((287, 10), (66, 10), (89, 10)), ()),
    ],
)
def test_bundled_tables(name, shapes, classes):
    dataset = loading.load(name)
    assert dataset.task == loading.bundled()[name][0][0]
    assert dataset.facts.class_names == classes
    found = [dataset.splits[split] for split in ("train", "validation", "test")]
    assert tuple(source[np.arange(len(source))]["numeric"].shape for source in found) == shapes
    assert loading.load(name, {"split_seed": "1"}).fingerprint == dataset.fingerprint
    other = loading.load(name, {"split_seed": "1"})
    assert other.splits["test"].rows.tolist() != dataset.splits["test"].rows.tolist()


def test_bundled_columns_are_in_their_own_units():
    diabetes = {column.name: column for column in loading.load("diabetes").facts.numeric}
    assert 40 < diabetes["age"].mean < 60  # years, not scikit-learn's scaled age
    wine = {column.name: column for column in loading.load("wine").facts.numeric}
    assert 12 < wine["alcohol"].mean < 14  # per cent
