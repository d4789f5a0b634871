import datetime
import io
import shutil
import subprocess
import sys

import datasets as hf
import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image
from refusals import refused
from small_tables import DIVISIONS

from threefold.core.errors import UserError
from threefold.datasets import loading
from threefold.datasets.facts import ImageFacts

hf.disable_progress_bars()

IMAGES = hf.Features(
    {
        "image": hf.Image(),
        "animal": hf.ClassLabel(names=["dog", "cat"]),
        "weight": hf.Value("float32"),
        "coat": hf.Value("string"),
        "box": hf.List(hf.Value("int32")),
    }
)


def png(level, size=(7, 6)):
    """An image all of one gray level, which tells the row that it belongs to."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (level, level, level)).save(buffer, "png")
    return buffer.getvalue()


def animals(rows=40, **columns):
    columns = {
        "image": [{"bytes": png(i), "path": None} for i in range(rows)],
        "animal": [i % 2 for i in range(rows)],
        "weight": [i / 4 for i in range(rows)],
        "coat": [("short", "long", "none")[i % 3] for i in range(rows)],
        "box": [[0, i] for i in range(rows)],
    } | columns
    return hf.Dataset.from_dict(columns, features=IMAGES)


def houses(rows=60):
    start = datetime.date(2024, 1, 1)
    return hf.Dataset.from_dict(
        {
            "area": [None if i == 7 else 50.5 + i for i in range(rows)],
            "garden": [i % 2 == 0 for i in range(rows)],
            "city": [("Oslo", "Rome", None)[i % 3] for i in range(rows)],
            "sold": [start + datetime.timedelta(days=i) for i in range(rows)],
            "grade": [i % 3 for i in range(rows)],
            "price": [1000.0 * i for i in range(rows)],
        },
        features=hf.Features(
            {
                "area": hf.Value("float64"),
                "garden": hf.Value("bool"),
                "city": hf.Value("string"),
                "sold": hf.Value("date32"),
                "grade": hf.ClassLabel(names=["2", "10", "1"]),
                "price": hf.Value("float32"),
            }
        ),
    )


@pytest.fixture
def saved(tmp_path):
    def save(table, name="saved"):
        table.save_to_disk(tmp_path / name)
        return str(tmp_path / name)

    return save


def whole(source):
    return source[np.arange(len(source))]


def levels(source):
    return np.rint(whole(source)["image"][:, 0, 0, 0]).astype(int)


@pytest.mark.parametrize("prefix", ["", "hf:"])
def test_every_image_comes_with_its_own_label(saved, prefix):
    dataset = loading.load(prefix + saved(animals()))
    assert dataset.reference.startswith(prefix)
    assert dataset.task == "image_classification"
    assert dataset.facts.image_shape == (6, 7, 3)
    assert dataset.facts.class_names == ("dog", "cat")
    assert dataset.facts.class_counts == (14, 14)
    for split in dataset.splits.values():
        np.testing.assert_array_equal(levels(split) % 2, whole(split)["label"])
    rows = np.concatenate([levels(split) for split in dataset.splits.values()])
    assert sorted(rows) == list(range(40))
    assert "no validation or test split: of " in " | ".join(dataset.notes)
    assert "columns ignored: box" in " | ".join(dataset.notes)


def test_its_own_splits_are_kept(saved):
    table = hf.DatasetDict({"train": animals(20), "dev": animals(6), "test": animals(4)})
    dataset = loading.load(saved(table))
    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "train": 20,
        "validation": 6,
        "test": 4,
    }
    assert "seed" not in " | ".join(dataset.notes)


def test_the_division_depends_on_the_seed_alone(saved):
    path = saved(animals())
    same = [levels(loading.load(path).splits["test"]).tolist() for _ in range(2)]
    other = levels(loading.load(path, {"split_seed": "1"}).splits["test"]).tolist()
    assert same[0] == same[1] != other


@settings(max_examples=10, deadline=None)
@given(**DIVISIONS)
def test_no_example_is_in_two_splits(tmp_path_factory, rows, validation, test, seed):
    path = tmp_path_factory.mktemp("hf") / "saved"
    animals(rows).save_to_disk(path)
    options = {
        "validation_fraction": validation,
        "test_fraction": test,
        "split_seed": seed,
    }
    dataset = loading.load(str(path), options)
    found = np.concatenate([levels(split) for split in dataset.splits.values()])
    assert sorted(found) == list(range(rows))


def test_rows_without_a_label_are_left_out_and_counted(saved):
    labels = [None if i < 3 else -1 if i < 5 else i % 2 for i in range(20)]
    table = hf.DatasetDict(
        {"train": animals(20, animal=labels), "test": animals(6, animal=[-1] * 6)}
    )
    dataset = loading.load(saved(table))
    notes = " | ".join(dataset.notes)
    assert "train: 15 of 20 rows say what is to be learned" in notes
    assert "test: no rows say what is to be learned" in notes
    assert "no validation or test split: of " in notes
    rows = np.concatenate([levels(split) for split in dataset.splits.values()])
    assert sorted(rows) == list(range(5, 20))


def test_classes_may_be_words_or_numbers(saved):
    path = saved(animals(30))
    dataset = loading.load(path, {"label": "coat"})
    assert dataset.facts.class_names == ("long", "none", "short")
    batch = whole(dataset.splits["train"])
    names = np.array(dataset.facts.class_names)[batch["label"]]
    expected = [("short", "long", "none")[row % 3] for row in levels(dataset.splits["train"])]
    assert names.tolist() == expected
    table = animals(30, weight=[(2, 10, 1)[i % 3] for i in range(30)])
    numbers = loading.load(saved(table, "numbers"), {"label": "weight"})
    assert numbers.task == "image_classification"
    assert numbers.facts.class_names == ("1", "2", "10")


def test_predicts_numbers_of_a_image(saved):
    weights = [i / 4 for i in range(19)] + [None]
    path = saved(animals(20, weight=weights))
    dataset = loading.load(path, {"target": "weight"})
    assert dataset.task == "image_regression"
    rows = []
    for split in dataset.splits.values():
        np.testing.assert_allclose(whole(split)["target"][:, 0], levels(split) / 4)
        rows += levels(split).tolist()
    assert sorted(rows) == list(range(19))
    # The only number of an image without classes is what to predict.
    alone = hf.load_from_disk(path).remove_columns(["animal", "coat"])
    assert loading.load(saved(alone, "alone")).task == "image_regression"


def test_a_table_of_every_kind_of_column(saved):
    dataset = loading.load(saved(houses()))
    assert dataset.task == "tabular_classification"
    assert [column.name for column in dataset.facts.numeric] == ["area", "garden", "price"]
    assert [column.name for column in dataset.facts.dates] == ["sold"]
    assert [column.name for column in dataset.facts.categorical] == ["city"]
    assert sorted(dataset.facts.class_names) == ["1", "10", "2"]
    grades = np.array(dataset.facts.class_names)
    vocabulary = ("", *dataset.facts.categorical[0].vocabulary)
    rows = []
    for split in dataset.splits.values():
        batch = whole(split)
        row = np.rint(batch["dates"][:, 0] - 19723).astype(int)  # 2024-01-01
        rows += row.tolist()
        area = np.where(row == 7, np.nan, 50.5 + row)
        expected = np.stack([area, row % 2 == 0, 1000.0 * row], axis=1)
        np.testing.assert_allclose(batch["numeric"], expected)
        assert grades[batch["label"]].tolist() == [("2", "10", "1")[i % 3] for i in row]
        cities = [vocabulary[i] for i in batch["categorical"][:, 0]]
        assert cities == [("Oslo", "Rome", "")[i % 3] for i in row]
    assert sorted(rows) == list(range(60))


def test_predicts_a_number_of_a_table_in_its_own_splits(saved):
    table = hf.DatasetDict({"train": houses(40), "validation": houses(5), "test": houses(8)})
    dataset = loading.load(saved(table), {"target": "price"})
    assert dataset.task == "tabular_regression"
    assert [len(dataset.splits[name]) for name in ("train", "validation", "test")] == [40, 5, 8]
    assert whole(dataset.splits["validation"])["target"][:, 0].tolist() == [0, 1e3, 2e3, 3e3, 4e3]
    assert dataset.facts.targets[0].mean == pytest.approx(1000 * 19.5)


def test_a_run_on_a_table_reads_it_as_it_did(saved):
    facts = loading.load(saved(houses())).facts
    shuffled = houses(30).select_columns(["price", "grade", "sold", "city", "garden", "area"])
    assert loading.load(saved(shuffled, "shuffled"), facts=facts).facts == facts
    with pytest.raises(UserError, match="no column 'price'"):
        loading.load(saved(houses(30).remove_columns("price"), "without"), facts=facts)


def test_a_runs_shape_and_class_order_rule(saved):
    facts = ImageFacts(image_shape=(5, 5, 1), class_names=("fish", "cat", "dog"))
    dataset = loading.load(saved(animals()), facts=facts)
    assert dataset.facts == facts
    batch = whole(dataset.splits["test"])
    assert batch["image"].shape[1:] == (5, 5, 1)
    np.testing.assert_array_equal(2 - levels(dataset.splits["test"]) % 2, batch["label"])


def test_a_test_split_alone_serves_a_run(saved):
    facts = ImageFacts(image_shape=(6, 7, 3), class_names=("dog", "cat"))
    path = saved(hf.DatasetDict({"test": animals(6)}))
    dataset = loading.load(path, facts=facts)
    assert {name: len(split) for name, split in dataset.splits.items()} == {"test": 6}
    with pytest.raises(UserError, match="has no train split; it has test"):
        loading.load(path)
    unlabelled = hf.DatasetDict({"test": animals(6, animal=[-1] * 6)})
    with pytest.raises(UserError, match="no row of test has a value of animal"):
        loading.load(saved(unlabelled, "unlabelled"), facts=facts)


def test_data_that_a_run_cannot_take_are_refused(saved):
    path = saved(animals())
    unknown = ImageFacts(image_shape=(5, 5, 1), class_names=("dog", "fish"))
    with pytest.raises(UserError, match="classes that the run does not know: cat; it knows dog, f"):
        loading.load(path, facts=unknown)
    with pytest.raises(UserError, match="has no column of images"):
        loading.load(saved(houses(), "houses"), facts=unknown)
    with pytest.raises(UserError, match="has no column 'grade'"):
        loading.load(path, facts=loading.load(saved(houses(), "more houses")).facts)


def test_rows_come_in_the_order_asked_for_whatever_format_was_saved(saved):
    path = saved(animals().with_format("pandas", columns=["weight"]))
    train = loading.load(path).splits["train"]
    rows = np.array([20, 3, 3, 11])
    np.testing.assert_array_equal(train[rows]["image"], whole(train)["image"][rows])


def test_fingerprints_are_those_of_the_examples(saved, tmp_path):
    path = saved(animals())
    moved = shutil.copytree(path, tmp_path / "moved")
    script = (
        "import sys; from threefold.datasets import loading; "
        "print(loading.load(sys.argv[1]).fingerprint)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(moved)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == loading.load(path).fingerprint
    other = animals(image=[{"bytes": png(i + 1), "path": None} for i in range(40)])
    assert loading.load(saved(other, "other")).fingerprint != loading.load(path).fingerprint


def test_a_damaged_image_is_named_by_its_row(saved):
    content = [{"bytes": png(i), "path": None} for i in range(20)]
    content[13] = {"bytes": png(13)[:40], "path": None}
    content[14] = None
    table = hf.DatasetDict({"train": animals(20), "test": animals(20, image=content)})
    test = loading.load(saved(table)).splits["test"]
    for row in (13, 14):
        with pytest.raises(UserError, match=f"saved' test, row {row}: cannot read an image of"):
            test[np.array([2, row])]


def test_images_in_files_beside_the_table(saved, tmp_path):
    paths = []
    for i in range(12):
        paths.append(str(tmp_path / f"{i}.png"))
        (tmp_path / f"{i}.png").write_bytes(png(i))
    table = animals(12).remove_columns("image").add_column("image", paths)
    loaded = hf.Dataset.from_dict(table.to_dict(), features=IMAGES)
    dataset = loading.load(saved(loaded))
    assert sorted(np.concatenate([levels(each) for each in dataset.splits.values()])) == [
        *range(12)
    ]


def test_a_clone_of_a_repository_is_read_from_its_files(tmp_path, monkeypatch):
    monkeypatch.setattr(hf.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "clone").mkdir()
    houses(30).to_parquet(tmp_path / "clone" / "train.parquet")
    monkeypatch.chdir(tmp_path)
    dataset = loading.load("hf:./clone", {"target": "price"})
    assert dataset.reference == "hf:./clone"
    assert sum(len(split) for split in dataset.splits.values()) == 30
    assert loading.load("hf:./clone", {"target": "price"}).fingerprint == dataset.fingerprint


def test_a_public_set_in_the_cache_needs_no_network(tmp_path, monkeypatch):
    monkeypatch.setattr(hf.config, "HF_DATASETS_CACHE", tmp_path)
    (tmp_path / "files").mkdir()
    houses(30).to_parquet(tmp_path / "files" / "train.parquet")
    hf.load_dataset(str(tmp_path / "files"), cache_dir=tmp_path / "made")
    (made,) = (tmp_path / "made" / "files").iterdir()
    shutil.copytree(made, tmp_path / "someone___houses" / "default")
    for arrow in (tmp_path / "someone___houses").rglob("files-*.arrow"):
        arrow.rename(arrow.with_name(arrow.name.replace("files-", "houses-")))
    dataset = loading.load("hf:someone/houses", {"target": "price"})
    assert dataset.reference == "hf:someone/houses"
    assert sum(len(split) for split in dataset.splits.values()) == 30
    assert not hf.config.HF_HUB_OFFLINE
    with refused("no config 'defalt'; did you mean 'default'"):
        loading.load("hf:someone/houses:defalt")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("someone/some_set", "not in .*; download it with -d download=true"),
        ("some.set", "not in .*; download it with -d download=true"),
        ("a b", "names no dataset; expected hf:NAME"),
        ("a/b/c", "names no dataset; expected hf:NAME"),
        ("./missing", "no folder 'missing'"),
        ("csv", "names a form of files"),
    ],
)
def test_a_set_that_is_not_there_is_one_line_at_once(name, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    with refused(message):
        loading.load(f"hf:{name}")


def test_a_download_without_a_network_says_so_at_once(monkeypatch):
    def refuse(*args, **kwargs):
        raise ConnectionError("no route to host")

    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", refuse)
    with pytest.raises(UserError, match="cannot download 'hf:someone/set': no route to host"):
        loading.load("hf:someone/set", {"download": "true"})


def test_a_missing_package_names_the_extra(saved, monkeypatch):
    path = saved(animals())
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError, match=r"pip install 'threefold\[hf\]'"):
        loading.load(path)


@pytest.mark.parametrize(
    ("table", "options", "task", "message"),
    [
        (animals, {"label": "animl"}, None, "no column 'animl'; did you mean 'animal'"),
        (animals, {"label": "animal", "target": "weight"}, None, "not both"),
        (animals, {"target": "coat"}, "image_regression", "column 'coat' of .* holds no numbers"),
        (animals, {"image": "coat"}, None, "column 'coat' of .* holds no images"),
        (animals, {}, "image_clasification", "did you mean 'image_classification'"),
        (animals, {}, "forecasting", "cannot serve forecasting"),
        (houses, {}, "image_classification", "has no column of images; name one with"),
        (houses, {"label": "sold"}, None, "column 'sold' of .* holds no classes"),
        (houses, {}, "tabular_regression", "several columns of numbers; .*: area, price"),
    ],
)
def test_columns_that_do_not_serve(saved, table, options, task, message):
    with refused(message):
        loading.load(saved(table()), options, task=task)


def test_splits_that_cannot_be_used(saved):
    one_class = animals(6, coat=["short"] * 6)
    with pytest.raises(UserError, match="'coat' of .* holds 1 class"):
        loading.load(saved(one_class, "one"), {"label": "coat"})
    no_train = hf.DatasetDict({"test": animals(4), "other": animals(4)})
    with pytest.raises(UserError, match="has no train split; it has test, other"):
        loading.load(saved(no_train, "no train"))
    unlabelled = animals(4, animal=[-1] * 4)
    with pytest.raises(UserError, match="no row of train has a value of animal"):
        loading.load(saved(unlabelled, "unlabelled"))
    only = hf.DatasetDict({"all": animals(30)})
    assert "its only split, all, is taken for train" in loading.load(saved(only, "only")).notes
