import os

import numpy as np
import pytest
from PIL import Image
from refusals import refused

from threefold.core.errors import UserError
from threefold.datasets import loading
from threefold.datasets.facts import ImageFacts, TableFacts
from threefold.datasets.facts_base import NumericTarget
from threefold.datasets.loading import load


def save(path, level=0, size=(10, 12), mode="L"):
    """Write a plain image; its gray level tells it from others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size[::-1], level).convert(mode).save(path)


@pytest.fixture
def photos(tmp_path):
    """Twenty images of cats, ten of dogs: levels 0 to 19 and 100 to 109."""
    for number in range(20):
        save(tmp_path / "photos" / "cat" / f"{number:02}.png", number)
    for number in range(10):
        save(tmp_path / "photos" / "dog" / f"{number:02}.png", 100 + number)
    return tmp_path / "photos"


@pytest.fixture
def angles(tmp_path):
    """Ten images of levels 0 to 9, targets of odd numbers and minus the level."""
    folder = tmp_path / "angles"
    rows = ["file,angle,depth"]
    for number in range(10):
        save(folder / f"{number}.png", number)
        rows.append(f"{number}.png,{2 * number + 1},{-number}")
    (folder / "targets.csv").write_text("\n".join(rows))
    return folder


def everything(dataset):
    """Return the examples of all splits, in the order of the images' levels."""
    parts = [split[np.arange(len(split))] for split in dataset.splits.values()]
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.argsort(whole["image"][:, 0, 0, 0])
    return {name: array[order] for name, array in whole.items()}


def levels(dataset, split):
    return dataset.splits[split][np.arange(len(dataset.splits[split]))]["image"][:, 0, 0, 0]


def test_sub_folders_are_classes(photos):
    dataset = load(str(photos))
    assert dataset.task == "image_classification"
    assert dataset.facts == ImageFacts(
        image_shape=(10, 12, 1), class_names=("cat", "dog"), class_counts=(14, 7)
    )
    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "train": 21,
        "validation": 5,
        "test": 4,
    }
    whole = everything(dataset)
    assert whole["image"].dtype == np.float32 and whole["image"].shape == (30, 10, 12, 1)
    assert whole["image"][:, 3, 4, 0].tolist() == [*range(20), *range(100, 110)]
    assert whole["label"].tolist() == [0] * 20 + [1] * 10 and whole["label"].dtype == np.int64
    assert dataset.notes == [
        f"{photos}: no validation or test split: of 30 training images 15 % for validation and "
        "15 % for test, seed 0, stratified"
    ]


def test_images_are_read_in_the_order_asked_for(photos):
    train = load(str(photos)).splits["train"]
    rows = np.array([7, 0, 20, 7])
    asked, whole = train[rows], train[np.arange(21)]
    assert np.array_equal(asked["image"], whole["image"][rows])
    assert np.array_equal(asked["label"], whole["label"][rows])


def test_suffixes_of_any_case_nested_folders_and_other_files(photos):
    save(photos / "dog" / "puppies" / "UPPER.PNG", 110)
    Image.new("L", (12, 10), 111).save(photos / "dog" / "x.JPeG")
    (photos / "dog" / "readme.txt").write_text("words")
    (photos / "dog" / ".DS_Store").write_text("x")
    save(photos / ".hidden" / "x.png")
    dataset = load(str(photos))
    assert everything(dataset)["label"].tolist() == [0] * 20 + [1] * 12
    assert dataset.notes[0] == "ignored as hidden or no images: 1 .txt, 1 hidden"


def test_splits_of_the_folder_are_used_and_the_missing_one_is_taken_from_train(photos):
    for number in range(4):
        save(photos.parent / "split" / "val" / "dog" / f"{number}.png", 200 + number)
    photos.rename(photos.parent / "split" / "train")
    dataset = load(str(photos.parent / "split"))
    assert sorted(levels(dataset, "validation")) == [200, 201, 202, 203]
    assert len(dataset.splits["test"]) == 4 and levels(dataset, "test").max() < 200
    assert len(dataset.splits["train"]) == 26
    assert dataset.facts.class_names == ("cat", "dog")
    assert dataset.notes == [
        f"{photos.parent / 'split'}: no test split: of 30 training images 15 % for test, seed 0, "
        "stratified"
    ]


def test_with_all_three_splits_nothing_is_carved(photos):
    root = photos.parent / "split"
    for split, level in (("valid", 200), ("TEST", 220)):
        save(root / split / "cat" / "a.png", level)
    photos.rename(root / "train")
    dataset = load(str(root))
    assert [len(split) for split in dataset.splits.values()] == [30, 1, 1]
    assert levels(dataset, "test") == [220] and dataset.notes == []
    (root / "more").mkdir()
    assert load(str(root)).notes == ["folders alongside the splits are ignored: more"]


def test_a_class_may_be_called_train(tmp_path):
    for name in ("train", "plane", "test"):
        for number in range(4):
            save(tmp_path / name / f"{number}.png")
    assert load(str(tmp_path)).facts.class_names == ("plane", "test", "train")


def test_the_division_and_the_fingerprint_repeat(photos, monkeypatch):
    first = load(str(photos))
    # File systems list their files in any order.
    walk = os.walk
    with monkeypatch.context() as patch:
        patch.setattr(
            "os.walk",
            lambda *args, **options: (
                (parent, folders, files[::-1]) for parent, folders, files in walk(*args, **options)
            ),
        )
        again = load(str(photos))
    assert np.array_equal(levels(first, "test"), levels(again, "test"))
    assert first.fingerprint == again.fingerprint
    other = load(str(photos), {"split_seed": "1"})
    assert not np.array_equal(levels(first, "train"), levels(other, "train"))
    (photos / "cat" / "00.png").rename(photos / "cat" / "000.png")
    assert load(str(photos)).fingerprint != first.fingerprint


def test_images_of_mixed_sizes_are_brought_to_one_and_this_is_said(photos):
    save(photos / "cat" / "large.png", 50, (300, 200), "RGB")
    dataset = load(str(photos))
    assert dataset.facts.image_shape == (16, 16, 3)
    assert everything(dataset)["image"].shape == (31, 16, 16, 3)
    assert "resized to 16 × 16" in dataset.notes[0] and "read as colour" in dataset.notes[1]


@pytest.mark.parametrize("text, size", [("24", (24, 24)), ("24,32", (24, 32)), ("7", (7, 7))])
def test_size_and_channels_can_be_told(photos, text, size):
    dataset = load(str(photos), {"image_size": text, "channels": "3"})
    assert dataset.facts.image_shape == (*size, 3)
    assert dataset.splits["test"][np.array([0])]["image"].shape == (1, *size, 3)


def test_a_class_of_one_image_goes_to_train_and_this_is_said(photos):
    save(photos / "bird" / "only.png", 250)
    dataset = load(str(photos))
    assert 250 in levels(dataset, "train")
    assert "a single image, which train keeps, of 1 classes: bird" in dataset.notes


def refuse(folder, options=None, **context):
    with refused() as caught:
        load(str(folder), options, **context)
    return str(caught.value)


def test_an_empty_folder_is_refused(tmp_path):
    assert f"folder '{tmp_path}' is empty; expected one sub-folder of images" in refuse(tmp_path)
    (tmp_path / "notes.md").write_text("words")
    assert f"folder '{tmp_path}' holds no images; expected" in refuse(tmp_path)


def test_images_without_class_folders_are_refused(photos):
    message = refuse(photos / "cat")
    assert "holds 20 images and no sub-folders; expected one sub-folder" in message
    assert "or a targets.csv with numbers for each image" in message


def test_a_single_class_is_refused(photos):
    photos.joinpath("dog").rename(photos.parent / "dog")
    assert f"'{photos}' holds a single class, 'cat'; expected one sub-folder" in refuse(photos)


def test_an_empty_class_folder_is_refused(photos):
    (photos / "bird").mkdir()
    (photos / "bird" / "readme.txt").write_text("words")
    assert f"class folder 'bird' of '{photos}' holds no images to train on" in refuse(photos)


def test_a_split_without_train_and_one_given_twice_are_refused(photos):
    root = photos.parent / "split"
    for split in ("val", "test"):
        save(root / split / "cat" / "a.png")
    assert f"folder '{root}' holds test and validation but no train; add it" in refuse(root)
    photos.rename(root / "train")
    save(root / "validation" / "cat" / "a.png")
    assert "are both for validation; keep one of them" in refuse(root)


def test_a_class_that_train_lacks_is_refused_with_the_closest(photos):
    root = photos.parent / "split"
    save(root / "test" / "dgo" / "a.png")
    photos.rename(root / "train")
    message = refuse(root)
    assert (
        f"class folder '{root / 'test' / 'dgo'}' is none of those in '{root / 'train'}'" in message
    )
    assert message.endswith("did you mean 'dog'?")


def break_images(photos):
    (photos / "cat" / "03.png").write_text("words")
    path = photos / "dog" / "05.png"
    Image.effect_noise((64, 64), 50).save(path)
    path.write_bytes(path.read_bytes()[:-600])
    (photos / "dog" / "06.jpg").write_bytes(b"")


def test_bad_images_are_found_at_once(photos):
    break_images(photos)
    message = refuse(photos)
    assert f"cannot read '{photos / 'cat' / '03.png'}': not a JPEG, PNG" in message
    assert "(and 2 more such); fix or remove it, or leave such files out with -d" in message


def test_bad_images_can_be_left_out(photos):
    break_images(photos)
    dataset = load(str(photos), {"skip_bad": "true"})
    expected = set(range(20)) - {3} | set(range(100, 110)) - {105}
    assert set(everything(dataset)["image"][:, 0, 0, 0]) == expected
    assert dataset.notes[0].startswith("left out as unreadable: 3 of 31 files, ")
    for name in ("cat/03.png", "dog/05.png", "dog/06.jpg"):
        assert f"'{photos / name}'" in dataset.notes[0]


def test_leaving_out_all_images_or_a_whole_class_is_refused(photos):
    for path in (photos / "dog").iterdir():
        path.write_text("words")
    assert "class folder 'dog'" in refuse(photos, {"skip_bad": True})
    for path in (photos / "cat").iterdir():
        path.write_text("words")
    assert f"nor any other image of '{photos}'" in refuse(photos, {"skip_bad": True})


def test_a_image_that_is_damaged_later_is_named_when_it_is_read(photos):
    dataset = load(str(photos))
    for path in photos.glob("*/*.png"):
        path.write_text("words")
    with pytest.raises(UserError, match=f"cannot read '{photos}/.*png': not a JPEG"):
        dataset.splits["train"][np.arange(5)]


RUN = ImageFacts(image_shape=(8, 9, 3), class_names=("dog", "bird", "cat"), class_counts=(3, 2, 1))


def test_a_run_rules_shape_and_order_of_classes(photos):
    dataset = load(str(photos), facts=RUN)
    assert dataset.facts == RUN
    whole = everything(dataset)
    assert whole["image"].shape == (30, 8, 9, 3)
    assert whole["label"].tolist() == [2] * 20 + [0] * 10


def test_of_a_runs_classes_one_is_enough_but_unknown_ones_are_refused(photos):
    (photos / "dog").rename(photos / "bidr")
    message = refuse(photos, facts=RUN)
    assert f"class folder '{photos / 'bidr'}' is none of the run's" in message
    assert "did you mean 'bird'?" in message
    (photos / "bidr").rename(photos.parent / "elsewhere")
    assert set(everything(load(str(photos), facts=RUN))["label"]) == {2}


def test_data_of_another_kind_than_the_runs_are_refused(photos):
    table = TableFacts(target_name="price", targets=(NumericTarget(name="p", mean=0, scale=1),))
    assert "the run was fitted on" in refuse(photos, facts=table, task="image_classification")
    message = refuse(photos, {"image_size": "5"}, facts=RUN)
    assert "5 × 5 pixels" in message and "the run was fitted on" in message


def test_a_table_gives_numbers_to_images(angles):
    dataset = load(str(angles))
    assert dataset.task == "image_regression"
    whole = everything(dataset)
    assert whole["target"].dtype == np.float32
    assert whole["target"].tolist() == [[2 * n + 1, -n] for n in range(10)]
    train = dataset.splits["train"][np.arange(len(dataset.splits["train"]))]["target"]
    angle, depth = dataset.facts.targets
    assert (angle.name, depth.name) == ("angle", "depth")
    assert angle.mean == pytest.approx(train[:, 0].mean())
    assert depth.scale == pytest.approx(train[:, 1].std())
    assert "targets are read from targets.csv: angle, depth" in dataset.notes


def test_numbers_are_chosen_when_told_or_when_there_are_no_classes(photos):
    (photos / "labels.csv").write_text("file,age\ncat/03.png,3\ndog/05.png,5.5\n")
    assert load(str(photos)).task == "image_classification"
    dataset = load(
        str(photos), {"validation_fraction": 0, "test_fraction": 0}, task="image_regression"
    )
    assert everything(dataset)["target"].tolist() == [[3], [5.5]]
    assert "28 images that labels.csv does not name are ignored" in dataset.notes
    message = refuse(photos / "cat", task="image_regression")
    assert "has no targets.csv or labels.csv" in message


def test_a_run_keeps_its_targets(angles):
    facts = ImageFacts(
        image_shape=(10, 12, 1), targets=(NumericTarget(name="depth", mean=3.0, scale=2.0),)
    )
    dataset = load(str(angles), facts=facts)
    assert dataset.facts == facts
    assert everything(dataset)["target"].tolist() == [[-n] for n in range(10)]
    other = facts.model_copy(update={"targets": (NumericTarget(name="dept", mean=0, scale=1),)})
    assert "has no column 'dept'; did you mean 'depth'?" in refuse(angles, facts=other)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("3.png,7", "3.png,six", 5, "expected a number in column 'angle', found 'six'"),
        ("3.png,7", "3.png,", 5, "expected a number in column 'angle', found ''"),
        ("3.png,", "33.png,", 5, "no image '33.png' in "),
        ("3.png,", ",", 5, "no image '' in "),
        ("3.png,", "1.png,", 5, "'1.png' was named in line 3 already"),
        ("3.png,7,", "3.png,7,8,", 5, "4 cells where the header names 3 columns"),
        ("file,angle,depth\n", "", 1, "expected column names, found the image"),
    ],
)
def test_bad_rows_of_a_table_are_named(angles, old, new, line, message):
    table = angles / "targets.csv"
    table.write_text(table.read_text().replace(old, new, 1))
    assert f"targets.csv line {line}: {message}" in refuse(angles)


def test_a_table_without_numbers_is_refused(angles):
    (angles / "targets.csv").write_text("file\n1.png\n")
    assert "targets.csv has one column; expected a file name, then" in refuse(angles)


def test_other_tasks_are_refused(photos):
    message = refuse(photos, task="forecasting")
    assert message == f"'{photos}' is a folder; forecasting takes a table of series, as .csv"
    message = refuse(photos, task="tabular_regression")
    assert message.endswith(
        "is a folder; tabular_regression takes a table, as .csv, .tsv or .parquet"
    )


def test_what_a_user_may_set_has_help(photos):
    loader, _ = loading.find_loader(str(photos))
    options = loading.loader_options(loader)
    assert "image_size" in options and all(option.help for option in options.values())


def test_memory_does_not_hold_the_images(photos):
    dataset = load(str(photos))
    held = vars(dataset.splits["train"].source)
    assert not any(isinstance(value, np.ndarray) and value.size > 100 for value in held.values())
