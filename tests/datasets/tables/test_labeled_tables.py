import numpy as np
import pandas as pd
import pytest
from refusals import refused
from small_tables import everything, houses

from threefold.datasets import loading
from threefold.datasets.facts import TableFacts


def refuse(words, path, options=None, **context):
    with refused() as error:
        loading.load(path, options, **context)
    for word in words:
        assert word in str(error.value)


def test_a_table_of_every_kind_of_column(csv):
    frame = houses()
    path = csv(frame)
    dataset = loading.load(path)
    assert dataset.task == "tabular_classification"
    assert dataset.reference == path
    facts = dataset.facts
    assert [column.name for column in facts.numeric] == ["rooms", "area", "garden", "price"]
    assert [column.name for column in facts.dates] == ["sold"]
    assert [(c.name, c.vocabulary) for c in facts.categorical] == [
        ("city", ("Oslo, north", "Paris", "Rome"))
    ]
    assert (facts.target_name, facts.class_names) == ("style", ("new", "odd", "old"))
    numeric = everything(dataset, "numeric")
    assert numeric.dtype == np.float32
    expected = frame.assign(garden=frame.garden == "yes")[["rooms", "area", "garden", "price"]]
    np.testing.assert_array_equal(numeric, expected.to_numpy(np.float32))
    dates = everything(dataset, "dates")
    assert (dates.dtype, dates[0, 0]) == (np.float32, 19723)  # 2024-01-01
    words = everything(dataset, "categorical")
    assert words.dtype == np.int32
    assert words[:4, 0].tolist() == [2, 3, 1, 0]
    labels = everything(dataset, "label")
    assert (labels.dtype, labels[:3].tolist()) == (np.int64, [2, 0, 1])


def test_what_was_guessed_is_said_in_one_note(csv):
    (note,) = loading.load(csv(houses())).notes
    for words in (
        "60 rows; predicts 'style' (3 classes), the last column (another: -d target=NAME)",
        "numeric: rooms, area, garden, price",
        "dates: sold",
        "words: city",
        "left out: id (another word in every row), country (constant)",
        "split by seed 0, stratified: 42 train, 9 validation, 9 test",
    ):
        assert words in note


def test_kinds_without_columns_are_left_out(csv):
    dataset = loading.load(csv("a,y\n" + "1.5,p\n2.5,q\n" * 10))
    assert sorted(dataset.splits["train"][np.arange(2)]) == ["label", "numeric"]


def test_facts_are_drawn_from_the_training_split_alone(csv):
    frame = houses(100)
    plain = loading.load(csv(frame))
    for split in ("validation", "test"):
        rows = plain.splits[split].rows
        changed = frame.copy()
        changed.loc[rows, "area"] = 1e6
        changed.loc[rows, "city"] = "Atlantis"
        changed.loc[rows, "sold"] = "1999-01-01"
        dataset = loading.load(csv(changed, "changed.csv"))
        assert dataset.splits[split].rows.tolist() == rows.tolist()
        assert dataset.facts == plain.facts
        assert (dataset.splits[split][np.arange(3)]["categorical"] == 0).all()
        assert f"{len(rows)} cells hold words outside the vocabularies" in dataset.notes[0]
    train = plain.splits["train"]
    batch = train[np.arange(len(train))]
    assert plain.facts.numeric[1].mean == pytest.approx(np.nanmean(batch["numeric"][:, 1]))
    assert plain.facts.numeric[1].scale == pytest.approx(np.nanstd(batch["numeric"][:, 1]))
    assert plain.facts.class_counts == tuple(np.bincount(batch["label"]))


def test_facts_of_a_regression_are_drawn_from_the_training_split_alone(csv):
    frame = houses(100)
    plain = loading.load(csv(frame), {"target": "price"})
    changed = frame.copy()
    changed.loc[plain.splits["test"].rows, "price"] = 1e9
    assert loading.load(csv(changed), {"target": "price"}).facts == plain.facts


@pytest.mark.parametrize("name", ["Target", "LABEL", "class", "Y", "Outcome"])
def test_targets_are_known_by_name(csv, name):
    frame = houses().rename(columns={"style": name})[[name, "rooms", "area"]]
    dataset = loading.load(csv(frame))
    assert dataset.facts.target_name == name
    assert "by its name" in dataset.notes[0]


@pytest.mark.parametrize(
    ("targets", "task"),
    [
        ([f"{i}" for i in range(40)], "tabular_regression"),
        ([f"{i % 20}" for i in range(40)], "tabular_classification"),
        ([f"{i % 2}.0" for i in range(40)], "tabular_classification"),
        ([f"{i % 4}.5" for i in range(40)], "tabular_regression"),
        ([["no", "yes"][i % 2] for i in range(40)], "tabular_classification"),
        ([["+", "-"][i % 2] for i in range(40)], "tabular_classification"),
        ([f"grade {i % 3}" for i in range(40)], "tabular_classification"),
    ],
)
def test_the_task_is_guessed_from_the_target(csv, targets, task):
    frame = pd.DataFrame({"x": np.arange(40) / 3, "found_target": targets})
    assert loading.load(csv(frame)).task == task


def test_the_task_can_be_told(csv):
    path = csv(pd.DataFrame({"x": np.arange(40) / 3, "stars": np.arange(40) % 12}))
    guessed = loading.load(path)
    assert guessed.facts.class_names == tuple(map(str, range(12)))  # 10 after 9
    assert "(else: --task tabular_regression)" in guessed.notes[0]
    explicit = loading.load(path, task="tabular_regression")
    assert explicit.task == "tabular_regression"
    assert everything(explicit, "target")[:, 0].tolist() == (np.arange(40) % 12).tolist()
    refuse(
        ["is a file; image_classification takes a folder"],
        path,
        task="image_classification",
    )


def test_several_targets_make_a_regression(csv):
    path = csv(houses())
    dataset = loading.load(path, {"target": "price,rooms"})
    assert dataset.task == "tabular_regression"
    assert [target.name for target in dataset.facts.targets] == ["price", "rooms"]
    assert everything(dataset, "target").shape == (60, 2)
    assert everything(dataset, "target").dtype == np.float32
    refuse(["takes one target"], path, {"target": "price,rooms"}, task="tabular_classification")


def test_kinds_can_be_told(csv):
    path = csv(houses())
    explicit = {"categorical": "rooms,id", "numeric": "country", "ignore": "price, sold"}
    explicit["dates"] = "sold"
    refuse(["'sold' is given both as ignore and as numeric, dates or categorical"], path, explicit)
    explicit["ignore"] = "price"
    refuse([f"{path} line 2: column 'country' holds 'X', expected a number"], path, explicit)
    del explicit["numeric"]
    facts = loading.load(path, explicit).facts
    assert [column.name for column in facts.numeric] == ["area", "garden"]
    assert [column.name for column in facts.categorical] == ["id", "rooms", "city"]
    assert facts.categorical[1].vocabulary == ("1", "2", "3", "4", "5")
    refuse(["'id' is said to be both numeric and categorical"], path,
           {"numeric": "id", "categorical": "id"})  # fmt: skip


def test_the_commonest_categories_are_kept(csv):
    path = csv(houses())
    facts = loading.load(path, {"categorical": "rooms", "max_categories": "2"}).facts
    assert [len(column.vocabulary) for column in facts.categorical] == [2, 2]
    refuse(["-d max_categories=0 does not fit"], path, {"max_categories": "0"})


def test_a_column_can_say_the_split(csv):
    frame = houses()
    words = np.array(["train", "Train", "valid", "TEST"])[np.arange(60) % 4]
    path = csv(frame.assign(part=words))
    dataset = loading.load(path, {"split_column": "part", "target": "style"})
    for name, count in (("train", 30), ("validation", 15), ("test", 15)):
        assert len(dataset.splits[name]) == count
    assert dataset.splits["test"].rows.tolist() == list(range(3, 60, 4))
    found = loading.load(csv(frame.assign(split=words)), {"target": "style"})
    assert found.splits["test"].rows.tolist() == list(range(3, 60, 4))
    assert "split by column 'split'" in found.notes[0]
    refuse(["line 2: column 'city' holds 'Paris', expected train"], path, {"split_column": "city"})


def test_validation_rows_are_taken_from_train_where_the_column_has_none(csv):
    path = csv(houses().assign(split=["test" if i >= 50 else "train" for i in range(60)]))
    dataset = loading.load(path, {"target": "style", "validation_fraction": "0.2"})
    assert {name: len(rows) for name, rows in dataset.splits.items()} == {
        "train": 40, "validation": 10, "test": 10
    }  # fmt: skip
    assert dataset.splits["test"].rows.tolist() == list(range(50, 60))
    none = loading.load(path, {"target": "style", "validation_fraction": "0"})
    assert sorted(none.splits) == ["test", "train"]


def test_tsv_and_parquet_hold_the_same(csv, tmp_path):
    frame = houses()
    datasets = [
        loading.load(csv(frame)),
        loading.load(csv(frame.to_csv(sep="\t", index=False), "t.tsv")),
    ]
    frame.assign(sold=pd.to_datetime(frame.sold)).to_parquet(tmp_path / "t.parquet")
    datasets.append(loading.load(str(tmp_path / "t.parquet")))
    for dataset in datasets[1:]:
        assert dataset.facts == datasets[0].facts
        assert dataset.fingerprint == datasets[0].fingerprint


def test_the_fingerprint_follows_the_examples_alone(csv):
    frame = houses()
    first = loading.load(csv(frame)).fingerprint
    assert loading.load(csv(frame), {"split_seed": "3"}).fingerprint == first
    for name, value in (("rooms", 9), ("city", "Bonn"), ("style", "old"), ("sold", "2024-02-02")):
        changed = frame.copy()
        changed.loc[7, name] = value
        assert loading.load(csv(changed)).fingerprint != first


def test_the_table_of_a_run_is_read_the_same_again(csv):
    path = csv(houses())
    for options in ({}, {"target": "price"}, {"target": "price,rooms"}):
        fitted = loading.load(path, options)
        facts = TableFacts.model_validate_json(fitted.facts.model_dump_json())
        again = loading.load(path, facts=facts)
        assert (again.facts, again.task) == (fitted.facts, fitted.task)
        assert again.fingerprint == fitted.fingerprint
        for name, source in fitted.splits.items():
            assert again.splits[name].rows.tolist() == source.rows.tolist()
            rows = np.arange(len(source))
            for key, array in source[rows].items():
                np.testing.assert_array_equal(again.splits[name][rows][key], array)


def test_another_table_is_read_as_the_run_reads(csv):
    facts = loading.load(csv(houses())).facts
    other = houses(20)[::-1].assign(extra=1, country="Y", city="Lima")
    other["rooms"] = "4"  # constant here, and still a column of the run
    dataset = loading.load(csv(other[sorted(other.columns)]), facts=facts)
    assert dataset.facts == facts
    assert everything(dataset, "numeric")[0].tolist() == [4.0, 69.5, 1.0, np.float32(19 * 1000.25)]
    assert (everything(dataset, "categorical") == 0).all()
    assert "ignored: country, extra, id" in dataset.notes[0]
    assert "20 cells hold words outside the vocabularies" in dataset.notes[0]


def test_another_table_that_does_not_fit_the_run_is_refused(csv):
    facts = loading.load(csv(houses())).facts
    refuse(["has no column 'rooms'", "did you mean 'room'?"],
           csv(houses().rename(columns={"rooms": "room"})), facts=facts)  # fmt: skip
    refuse(["has no column 'style'"], csv(houses().drop(columns="style")), facts=facts)
    unseen = houses()
    unseen.loc[4, "style"] = "newer"
    refuse(["line 6: target 'style' holds 'newer', which is no class", "mean 'new'?"],
           csv(unseen), facts=facts)  # fmt: skip
    refuse(["line 2: column 'area' holds 'big', expected a number"],
           csv(houses().assign(area="big")), facts=facts)  # fmt: skip


def test_whole_numbers_are_one_class_however_they_are_written(csv):
    facts = loading.load(csv("x,y\n" + "1.5,0\n2.5,1\n" * 10)).facts
    dataset = loading.load(csv("x,y\n" + "1.5,0.0\n2.5,1.0\n" * 10), facts=facts)
    assert everything(dataset, "label").tolist() == [0, 1] * 10


def test_rows_without_a_target_are_refused_or_dropped(csv):
    frame = houses()
    frame.loc[[4, 9], "style"] = None
    path = csv(frame)
    refuse([f"{path} line 6: target 'style' is missing, as in 2 of 60 rows",
            "drop_missing_targets=true"], path)  # fmt: skip
    dataset = loading.load(path, {"drop_missing_targets": "true"})
    assert "2 rows without a target left out" in dataset.notes[0]
    assert len(everything(dataset, "label")) == 58
    np.testing.assert_array_equal(
        everything(dataset, "numeric")[:, 0], frame.rooms.drop([4, 9]).to_numpy()
    )
    frame["style"] = None
    refuse(["missing in every row"], csv(frame), {"drop_missing_targets": "true"})


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({}, {"target": "stile"}, ["has no column 'stile'; did you mean 'style'?"]),
        ({}, {"ignore": "citty"}, ["has no column 'citty'; did you mean 'city'?"]),
        ({}, {"tagret": "style"}, ["has no option 'tagret'; did you mean 'target'?"]),
        ({}, {"target": "style", "ignore": "style"}, ["given both as target and as ignore"]),
        ({"style": "old"}, {}, ["target 'style' is 'old' in every row", "two classes"]),
        ({}, {"target": "id"}, ["'id' has another class in every row"]),
        ({"rooms": [*range(59), "x"]}, {"target": "rooms"}, ["line 61: target 'rooms' holds 'x'"]),
        ({}, {"numeric": "city"}, ["line 2: column 'city' holds", "expected a number"]),
        ({"price": [0.5, 1e39] * 30}, {"target": "price"}, ["line 3: target 'price' holds '1e+39"]),
        ({"price": 5.5}, {"target": "price"}, ["'price' is 5.5 in every row"]),
        ({}, {"validation_fraction": "0.6", "test_fraction": "0.5"}, ["below 1 together"]),
        ({}, {"ignore": "rooms,area,garden,city,sold,price"},
         ["no column to learn from", "country (constant)"]),
    ],
)  # fmt: skip
def test_bad_tables_are_refused_in_one_line(csv, change, options, words):
    refuse(words, csv(houses().assign(**change)), options)


def test_a_target_of_words_is_no_regression(csv):
    refuse(["line 2: target 'style' holds 'old', expected a finite number"], csv(houses()),
           task="tabular_regression")  # fmt: skip


def test_files_are_checked_on_the_way_in(csv, tmp_path):
    refuse(["line 3: 1 cell where"], csv("a,b\n1,2\n3\n"))
    (tmp_path / "latin.csv").write_bytes("stadt,y\nKöln,1\nBonn,0\n".encode("latin-1"))
    refuse(["line 2: byte 0xf6 is not utf-8"], str(tmp_path / "latin.csv"))
    refuse(["no column to learn from"], csv("y\n1\n2\n1\n2\n"))
    words = "stadt,y\n" + "Köln,1\nBonn,0\n" * 10
    (tmp_path / "latin.csv").write_bytes(words.encode("latin-1"))
    dataset = loading.load(str(tmp_path / "latin.csv"), {"encoding": "latin-1"})
    assert dataset.facts.categorical[0].vocabulary == ("Bonn", "Köln")
