import json
import os
import shutil
import subprocess
import sys
import urllib.error

import numpy as np
import pytest
import tensorflow_datasets as tfds
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused

from threefold.core.errors import UserError
from threefold.datasets import loading
from threefold.datasets.facts import ImageFacts
from threefold.datasets.hubs.tfds import _TFRecords

pytestmark = pytest.mark.once

FORMATS = ("array_record", "tfrecord", "parquet")
ROWS = {"train": 40, "test": 8, "unlabelled": 3}


def images(rows):
    """The image of row i is all of gray level i, so that it tells which row it is."""
    for i in range(rows):
        image = np.full((6, 7, 3), i, np.uint8)
        yield i, {"image": image, "animal": i % 2, "weight": i / 4, "note": f"no {i}"}


def flowers(rows):
    for i in range(rows):
        sizes = np.array([i, 2 * i], np.float32)
        soil = {"wet": i % 3 == 0, "kind": "clay" if i % 2 else "sand"}
        yield i, {"sizes": sizes, "soil": soil, "species": i % 3, "price": 1.5 * i}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Prepare two small sets, the images in every form of file."""
    root = tmp_path_factory.mktemp("tfds")
    kinds = tfds.features
    sets = {
        "animals": {
            "image": kinds.Image(shape=(None, None, 3), encoding_format="png"),
            "animal": kinds.ClassLabel(names=["dog", "cat"]),
            "weight": np.float32,
            "note": kinds.Text(),
        },
        "flowers": {
            "sizes": kinds.Tensor(shape=(2,), dtype=np.float32),
            "soil": kinds.FeaturesDict({"wet": np.bool_, "kind": kinds.Text()}),
            "species": kinds.ClassLabel(names=["iris", "lily", "rose"]),
            "price": np.float32,
        },
    }
    for name, features in sets.items():
        make = images if name == "animals" else flowers
        for form in FORMATS if name == "animals" else FORMATS[:1]:
            tfds.dataset_builders.store_as_tfds_dataset(
                name,
                "1.0.0",
                features=kinds.FeaturesDict(features),
                split_datasets={split: list(make(rows)) for split, rows in ROWS.items()},
                data_dir=root / form,
                file_format=form,
            )
    return root


def load(data_dir, name="animals", form="array_record", *, task=None, facts=None, **options):
    options = {"data_dir": str(data_dir / form), **options}
    return loading.load(f"tfds:{name}", options, task=task, facts=facts)


def whole(source):
    return source[np.arange(len(source))]


@pytest.mark.parametrize("form", FORMATS)
def test_every_image_comes_with_its_own_label(data_dir, form):
    dataset = load(data_dir, form=form)
    assert dataset.reference == "tfds:animals"
    assert dataset.task == "image_classification"
    assert dataset.facts.image_shape == (6, 7, 3)
    assert dataset.facts.class_names == ("dog", "cat")
    assert dataset.facts.class_counts == (17, 17)
    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "train": 34,
        "validation": 6,
        "test": 8,
    }
    for split in dataset.splits.values():
        batch = whole(split)
        assert batch["image"].dtype == np.float32
        np.testing.assert_array_equal(batch["image"][:, 0, 0, 0] % 2, batch["label"])
    levels = [whole(dataset.splits[name])["image"][:, 0, 0, 0] for name in ("train", "validation")]
    assert sorted(np.concatenate(levels)) == list(range(40))


def test_rows_come_in_the_order_asked_for(data_dir):
    for form in FORMATS:
        train = load(data_dir, form=form).splits["train"]
        rows = np.array([30, 2, 2, 11])
        np.testing.assert_array_equal(train[rows]["image"], whole(train)["image"][rows])


def test_all_forms_of_file_hold_the_same_dataset(data_dir):
    loaded = [load(data_dir, form=form) for form in FORMATS]
    assert len({dataset.fingerprint for dataset in loaded}) == 1
    levels = [whole(dataset.splits["train"])["image"].tolist() for dataset in loaded]
    assert levels[0] == levels[1] == levels[2]


def test_says_what_it_decided(data_dir):
    notes = " | ".join(load(data_dir, split_seed=3).notes)
    assert "animals/1.0.0" in notes
    assert "splits ignored: unlabelled" in notes
    assert "no validation split: of 40 rows 15 % for validation, seed 3, stratified" in notes
    assert "predicts animal (2 classes) of image: 34 train, 6 validation, 8 test" in notes


def test_predicts_a_number_of_a_image(data_dir):
    dataset = load(data_dir, target="weight", image_size="4", channels="1")
    assert dataset.task == "image_regression"
    assert dataset.facts.image_shape == (4, 4, 1)
    batch = whole(dataset.splits["train"])
    np.testing.assert_allclose(batch["target"][:, 0], batch["image"][:, 0, 0, 0] / 4, rtol=1e-6)
    (target,) = dataset.facts.targets
    assert target.name == "weight"
    assert target.mean == pytest.approx(batch["target"].mean(), rel=1e-6)


def test_a_table_without_images_with_nested_features_and_vectors(data_dir):
    dataset = load(data_dir, "flowers")
    assert dataset.task == "tabular_classification"
    assert sorted(dataset.facts.class_names) == ["iris", "lily", "rose"]
    numeric = [column.name for column in dataset.facts.numeric]
    assert numeric == ["price", "sizes/0", "sizes/1", "soil/wet"]
    assert [column.name for column in dataset.facts.categorical] == ["soil/kind"]
    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "train": 34,
        "validation": 6,
        "test": 8,
    }
    batch = whole(dataset.splits["test"])
    sizes = batch["numeric"][:, 1]
    assert sorted(sizes) == list(range(8))
    names = np.array(dataset.facts.class_names)[batch["label"]]
    assert names.tolist() == [("iris", "lily", "rose")[int(size) % 3] for size in sizes]
    np.testing.assert_allclose(batch["numeric"][:, 3], sizes % 3 == 0)


def test_predicts_a_number_of_a_table(data_dir):
    dataset = load(data_dir, "flowers", target="price")
    assert dataset.task == "tabular_regression"
    batch = whole(dataset.splits["train"])
    np.testing.assert_allclose(batch["target"][:, 0], 1.5 * batch["numeric"][:, 0])
    assert [column.name for column in dataset.facts.categorical] == ["soil/kind", "species"]


def test_images_can_be_passed_over_for_a_table(data_dir):
    dataset = load(data_dir, task="tabular_regression", target="weight")
    assert [column.name for column in dataset.facts.categorical][:1] == ["animal"]


def test_reading_imports_no_tensorflow(data_dir):
    script = """if True:
        import json, sys
        from threefold.datasets import loading
        import numpy as np
        found = {}
        for form in sys.argv[2:]:
            dataset = loading.load("tfds:animals", {"data_dir": f"{sys.argv[1]}/{form}"})
            dataset.splits["train"][np.arange(4)]
            found[form] = dataset.fingerprint
        imported = [name for name in ("tensorflow", "keras", "datasets") if name in sys.modules]
        print(json.dumps({"imported": imported, "fingerprints": found}))
    """
    done = subprocess.run(
        [sys.executable, "-c", script, str(data_dir), *FORMATS],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "KERAS_BACKEND": "jax"},
    )
    found = json.loads(done.stdout)
    assert found["imported"] == []
    # Another process, the same digest.
    assert set(found["fingerprints"].values()) == {load(data_dir).fingerprint}


def test_other_examples_have_another_fingerprint(data_dir, tmp_path):
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(6, 7, 3)),
            "animal": tfds.features.ClassLabel(names=["dog", "cat"]),
        }
    )
    digests = set()
    for shift in (0, 1):
        rows = [
            (i, {"image": np.full((6, 7, 3), i + shift, np.uint8), "animal": i % 2})
            for i in range(10)
        ]
        tfds.dataset_builders.store_as_tfds_dataset(
            "animals",
            "1.0.0",
            features=features,
            split_datasets={"train": rows},
            data_dir=tmp_path / f"{shift}" / "tfrecord",
            file_format="tfrecord",
        )
        digests.add(load(tmp_path / f"{shift}", form="tfrecord").fingerprint)
    assert len(digests) == 2


def test_a_runs_shape_and_class_order_rule(data_dir):
    facts = ImageFacts(image_shape=(5, 5, 1), class_names=("cat", "dog"))
    dataset = load(data_dir, facts=facts)
    assert dataset.facts == facts
    batch = whole(dataset.splits["test"])
    assert batch["image"].shape == (8, 5, 5, 1)
    np.testing.assert_array_equal(1 - np.rint(batch["image"][:, 0, 0, 0]) % 2, batch["label"])


def test_classes_that_a_run_does_not_know_are_refused(data_dir):
    facts = ImageFacts(image_shape=(5, 5, 1), class_names=("dog", "fish"))
    with pytest.raises(UserError, match="classes that the run does not know: cat; it knows dog, f"):
        load(data_dir, facts=facts)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnist", "not prepared in .*mnist.*; prepare it online with -d download=true"),
        ("mnits", "no dataset 'mnits'; did you mean 'mnist'"),
        ("animal", "no dataset 'animal'; did you mean 'animals'"),
        ("qqqqqq", "no dataset 'qqqqqq'$"),
        ("glue/colla", "'tfds:glue' has no config 'colla'; did you mean 'cola'"),
        ("mnist/grayscale", "'tfds:mnist' has no config 'grayscale'; it has none"),
        ("mnist:9.9.9", "cannot open 'tfds:mnist:9.9.9': .*only: 3"),
        ("huggingface:mnist", "names no dataset; expected tfds:NAME"),
        ("my set", "names no dataset; expected tfds:NAME"),
    ],
)
def test_a_set_that_is_not_there_is_one_line_at_once(data_dir, name, message):
    with refused(message):
        load(data_dir, name)


def test_a_version_may_be_named(data_dir):
    assert load(data_dir, "animals:1.0.0").reference == "tfds:animals:1.0.0"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": "animl"}, "no column 'animl'; did you mean 'animal'"),
        ({"image": "note"}, "column 'note' of 'tfds:animals' holds no images"),
        ({"target": "note"}, "column 'note' of 'tfds:animals' holds no numbers"),
        ({"label": "animal", "target": "weight"}, "not both"),
        ({"channels": "2"}, "channels"),
        ({"validation_fraction": "0.7", "test_fraction": "0.4"}, None),
        ({"validation_fraction": "1"}, "below 1 together"),
    ],
)
def test_options_that_do_not_fit(data_dir, options, message):
    task = "image_regression" if "target" in options else None
    if message is None:  # the set has its own test split, so that fraction is not used
        assert len(load(data_dir, **options).splits["validation"]) == 28
        return
    with pytest.raises(UserError, match=message):
        load(data_dir, task=task, **options)


def test_a_download_without_a_network_says_so_at_once(data_dir, monkeypatch):
    def refuse(*args, **kwargs):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr("threefold.datasets.hubs.tfds.urlopen", refuse)
    with pytest.raises(
        UserError, match="cannot download 'tfds:mnist': .* is out of reach .no route"
    ):
        load(data_dir, "mnist", download="true")


def test_a_file_that_was_cut_short_is_named(data_dir, tmp_path):
    copy = shutil.copytree(data_dir / "tfrecord", tmp_path / "tfrecord")
    (path,) = (copy / "animals" / "1.0.0").glob("*-train*")
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(UserError, match="train.* is damaged or cut short"):
        load(tmp_path, form="tfrecord")
    path.unlink()
    with pytest.raises(UserError, match="cannot read .*train.*: No such file"):
        load(tmp_path, form="tfrecord")


def test_array_record_without_its_package_names_it(data_dir, monkeypatch):
    monkeypatch.setattr("threefold.datasets.hubs.tfds.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install array-record"):
        load(data_dir)


@settings(max_examples=15, deadline=None)
@given(
    files=st.lists(st.lists(st.binary(max_size=50), max_size=6), min_size=1, max_size=3),
    data=st.data(),
)
def test_tfrecords_are_read_at_random_as_they_were_written(tmp_path_factory, files, data):
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("records")
    for number, records in enumerate(files):
        with tf.io.TFRecordWriter(str(folder / f"{number}")) as writer:
            for record in records:
                writer.write(record)
    expected = [record for records in files for record in records]
    found = _TFRecords(sorted(folder.iterdir()))
    assert len(found) == len(expected)
    if expected:
        rows = data.draw(st.lists(st.integers(0, len(expected) - 1), max_size=10))
        assert found.__getitems__(rows) == [expected[row] for row in rows]
