"""Folders of images for who learns to make such: of one class, or of none."""

import numpy as np
import pytest
from PIL import Image

from threefold.core.errors import UserError
from threefold.datasets.loading import load
from threefold.training.data import load_dataset


def save(path, count=20, start=0):
    path.mkdir(parents=True, exist_ok=True)
    for number in range(start, start + count):
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(path / f"{number:03}.png")
    return path


def read(folder, **kwargs):
    return load_dataset(str(folder), {}, task="image_generation", **kwargs)


def shades(dataset, split):
    source = dataset.splits[split]
    return set(source[np.arange(len(source))]["image"][:, 0, 0, 0])


@pytest.mark.parametrize("inside", ["", "cats", "cats/young"])
def test_a_flat_folder_or_one_class_is_enough(tmp_path, inside):
    save(tmp_path / "photos" / inside)
    dataset = read(tmp_path / "photos")
    assert dataset.task == "image_generation"
    assert dataset.facts.class_names == ("cats" if inside else "photos",)
    assert {n: len(source) for n, source in dataset.splits.items()} == {
        "train": 14, "validation": 3, "test": 3
    }  # fmt: skip
    everything = set.union(*(shades(dataset, split) for split in dataset.splits))
    assert everything == set(range(20))
    row = dataset.splits["test"][np.array([0])]
    assert row["label"] == 0 and row["row"] >= 17
    again = read(tmp_path / "photos", facts=dataset.facts)
    assert again.fingerprint == dataset.fingerprint and again.facts == dataset.facts


def test_two_folders_are_classes_still(tmp_path):
    save(tmp_path / "cats")
    save(tmp_path / "dogs", start=30)
    dataset = read(tmp_path)
    assert dataset.facts.class_names == ("cats", "dogs")
    assert dataset.facts.class_counts == (14, 14)
    with pytest.raises(UserError, match="class folder .*cats.* is none of the run's"):
        read(tmp_path, facts=dataset.facts.model_copy(update={"class_names": ("dogs", "owls")}))


def test_flat_splits_are_splits(tmp_path):
    save(tmp_path / "train")
    save(tmp_path / "test", 5, start=100)
    dataset = read(tmp_path)
    assert dataset.facts.class_names == (tmp_path.name,)
    assert shades(dataset, "test") == set(range(100, 105))
    assert shades(dataset, "train") | shades(dataset, "validation") == set(range(20))


def test_no_images_and_no_classes_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"folder '.*empty' holds no images"):
        read(tmp_path / "empty")
    save(tmp_path / "photos")
    with pytest.raises(UserError, match="holds 20 images and no sub-folders; expected one sub-fol"):
        load(str(tmp_path / "photos"))
    with pytest.raises(UserError, match="is a file; image_generation takes a folder of images"):
        read(tmp_path / "photos" / "000.png")
