import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from refusals import refused

from threefold.core.errors import UserError
from threefold.datasets import loading
from threefold.datasets.facts import ImageFacts


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "houses.csv"
    lines = [f"{i},{i % 3},{'high' if i % 2 else 'low'}" for i in range(40)]
    path.write_text("\n".join(["area,rooms,price", *lines]))
    return str(path)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    for name, level in (("cat", 10), ("dog", 200)):
        (folder / name).mkdir(parents=True)
        for i in range(10):
            Image.new("L", (8, 8), level + i).save(folder / name / f"{i}.png")
    return str(folder)


def test_every_bundled_set_loads_and_serves_the_task_it_names():
    sets = loading.bundled()
    assert {"digits", "digit_angles", "wine", "breast_cancer", "diabetes"} <= set(sets)
    for name, (tasks, description) in sets.items():
        dataset = loading.load(name)
        assert (dataset.reference, dataset.task) == (name, tasks[0])
        assert set(dataset.splits) == {"train", "validation", "test"}
        assert description.endswith(".") and "\n" not in description


def test_listing_imports_no_data():
    script = """if True:
        import json, sys
        from threefold.datasets import loading
        names = list(loading.bundled())
        heavy = ("sklearn", "pandas", "PIL", "scipy", "tensorflow", "datasets", "keras")
        print(json.dumps([names, [name for name in heavy if name in sys.modules]]))
    """
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    names, heavy = json.loads(done.stdout)
    assert "digits" in names
    assert heavy == []


def test_a_file_and_a_folder_are_told_apart(table, photos):
    assert loading.load(table).task == "tabular_classification"
    assert loading.load(photos).task == "image_classification"
    assert loading.load(photos).reference == photos


def test_a_reference_from_home_stays_as_it_was_typed(table, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert loading.load("~/houses.csv").reference == "~/houses.csv"


def tree(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return str(root)


@pytest.mark.parametrize(
    ("names", "reader"),
    [
        (["a.txt", "b.txt", "readme.md"], "prose"),
        (["train/a.txt", "test/b.txt"], "prose"),
        (["cat/a.txt", "dog/b.txt"], "labeled_texts"),
        (["train/cat/a.txt", "train/dog/b.txt"], "labeled_texts"),
        (["train.conll", "test.conll"], "conll"),
        (["cat/a.png", "dog/b.png", "cat/a.txt", "dog/b.txt", "notes.md"], "image_folder"),
        (["cat/a.png", "targets.csv", "more.csv"], "image_folder"),
        (["a.xyz"], "image_folder"),
        ([".a.txt", "cat/b.png"], "image_folder"),
    ],
)
def test_a_folder_is_read_by_what_it_holds_most(names, reader, tmp_path):
    loader, _ = loading.find_loader(tree(tmp_path, *names))
    assert loader.func.__module__.endswith(f".{reader}")


# Of each reader the files and the tasks that it serves.
READERS = {
    "labeled_tables": [("a.csv", None), ("a.csv", "tabular_regression"), ("a.tsv", None)],
    "labeled_texts": [
        ("a.csv", "text_classification"), ("a.jsonl", None), ("", "text_classification"),
    ],
    "translation_pairs": [("a.tsv", "translation"), ("a.TXT", "translation")],
    "summaries": [("a.en", "summarization")],
    "prose": [("a.txt", None), ("a.jsonl", "text_generation"), ("", "text_generation")],
    "conll": [("a.txt", "token_classification"), ("a.conll", None)],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "task", "reader"),
    [(*case, reader) for reader, cases in READERS.items() for case in cases],
)
def test_a_file_is_read_by_the_task_or_its_name(name, task, reader, tmp_path):
    reference = tree(tmp_path, name or "a.png") + f"/{name}"
    loader, context = loading.find_loader(reference, task)
    assert loader.func.__module__.endswith(f".{reader}")
    assert "facts" in context


def test_options_are_checked_and_handed_on(table):
    dataset = loading.load(table, {"target": "area", "test_fraction": "0.5"})
    assert dataset.task == "tabular_regression"
    assert len(dataset.splits["test"]) == 20


@pytest.mark.parametrize(
    ("reference", "options", "message"),
    [
        ("digts", {}, "no dataset 'digts': .*; did you mean 'digits'"),
        ("qqqqqqq", {}, "no such file or folder, and not bundled; there are: breast_cancer, "),
        ("tfsd:mnist", {}, "no dataset 'tfsd:mnist'; 'tfsd:' is not known; did you mean 'tfds'"),
        ("https://x.org/y.zip", {}, "'https:' is not known; there are: hf, tfds"),
        ("hf:", {}, "no dataset 'hf:'"),
        ("", {}, "no dataset ''; there are: breast_cancer, "),
        ("house.csv", {}, "did you mean 'houses.csv'"),
        ("./notes.xyz", {}, "cannot read 'notes.xyz' .* folder or a file of .* .csv, .json, "),
        ("digits", {"test_fractoin": "0.1"}, "'digits' has no option .*mean 'test_fraction'"),
        ("digits", {"test_fraction": "much"}, "-d test_fraction=much does not fit: .*number"),
        ("digits", {"test_fraction": "1"}, "below 1 together"),
        ("digits", {"task": "image_regression"}, "'digits' has no option 'task'"),
    ],
)
def test_a_wrong_reference_or_option_is_one_line(
    reference, options, message, table, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.xyz").write_text("words")
    with refused(message):
        loading.load(reference, options)


def test_a_task_that_the_data_do_not_serve_is_refused(photos):
    with pytest.raises(UserError, match="'digits' serves the task image_classification, not image"):
        loading.load("digits", task="image_regression")
    with pytest.raises(UserError, match="numbers to predict"):
        loading.load(photos, task="image_regression")


def test_data_of_another_shape_than_a_runs_are_refused(table):
    run = loading.load("digits").facts
    assert loading.load("digits", facts=run).facts == run
    larger = run.model_copy(update={"image_shape": (28, 28, 1)})
    with pytest.raises(UserError, match="8 × 8 pixels, .* the run was fitted on .* 28 × 28 pixels"):
        loading.load("digits", facts=larger)
    renamed = run.model_copy(update={"class_names": tuple("abcdefghij")})
    with pytest.raises(UserError, match="the classes 0, 1, .* fitted on the classes a, b, c"):
        loading.load("digits", facts=renamed)
    with pytest.raises(
        UserError, match="holds a table of 13 numeric .* fitted on grayscale images"
    ):
        loading.load("wine", facts=run)
    wine = loading.load("wine").facts
    other = wine.numeric[0].model_copy(update={"name": "sweetness"})
    sweet = wine.model_copy(update={"numeric": (other, *wine.numeric[1:])})
    with pytest.raises(UserError, match="the numeric columns alcohol, .* on .* sweetness, malic"):
        loading.load("wine", facts=sweet)
    with pytest.raises(UserError, match="target angle; the run was fitted on .* 10 classes"):
        loading.load("digit_angles", facts=run)
    with pytest.raises(UserError):
        loading.load(table, facts=run)


def test_data_of_ones_own_are_read_in_a_runs_shape_and_class_order(photos):
    run = ImageFacts(image_shape=(4, 6, 3), class_names=("dog", "cat"))
    dataset = loading.load(photos, facts=run)
    assert dataset.facts.image_shape == (4, 6, 3)
    assert dataset.facts.class_names == ("dog", "cat")
    train = dataset.splits["train"]
    batch = train[np.arange(len(train))]
    np.testing.assert_array_equal(batch["image"][:, 0, 0, 0] < 100, batch["label"] == 1)


def test_readers_know_their_files_by_the_endings_that_those_who_open_them_know():
    from threefold.datasets.audio import audio_files
    from threefold.datasets.reader import readers
    from threefold.datasets.tables import table_files

    assert readers()["audio.speech"].folders == audio_files.SUFFIXES
    assert readers()["tables.labeled_tables"].files == table_files.SUFFIXES
