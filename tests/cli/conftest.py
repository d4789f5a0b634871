"""Data and runs that the tests of the command line share: each is made once, and only read."""

import contextlib
import io
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from cells import Cell
from PIL import Image

from threefold import cli
from threefold.datasets.bundled.digits import read_digits

SMALL_DATA = ("-d", "test_fraction=0.1", "-d", "validation_fraction=0.7")  # 359 images to fit
SMALL_CNN = ("-o", "filters=4", "-o", "dense_units=8", "--batch-size", "64")
CLASSES = ("naught", "one", "two")


def fit(*words: str) -> dict:
    """Fit in this process; return what `--json` printed."""
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as out:
        patch.setattr(sys, "argv", ["threefold", "fit", *words, "--json"])
        with pytest.raises(SystemExit) as stop:
            cli.main()
    assert not stop.value.code
    return json.loads(out.getvalue())


@pytest.fixture(scope="session")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="session")
def fit_words():
    """Fit as the words of a command line say; return what was printed."""
    return fit


@pytest.fixture(scope="session")
def small_cnn() -> tuple[str, ...]:
    return SMALL_CNN


@pytest.fixture(scope="session")
def small_digits() -> tuple[str, ...]:
    return (*SMALL_DATA, *SMALL_CNN)


@pytest.fixture(scope="session")
def digits_fit(place) -> dict:
    """What a fit of two epochs printed."""
    return fit("cnn", *SMALL_DATA, *SMALL_CNN, "--epochs", "2", "--run", str(place / "digits"))


@pytest.fixture(scope="session")
def digits_run(digits_fit) -> str:
    return digits_fit["run"]


@pytest.fixture(scope="session")
def photos(place) -> Path:
    """A folder of handwritten digits as PNG, twelve for each of three classes."""
    folder = place / "photos"
    images, labels = read_digits()
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for number, image in enumerate(images[labels == label][:12]):
            Image.fromarray(image[..., 0]).save(folder / name / f"{number:02d}.png")
    return folder


@pytest.fixture(scope="session")
def photo_run(place, photos) -> str:
    words = ("--dataset", str(photos), *SMALL_CNN, "--epochs", "1", "--run", str(place / "shots"))
    return fit("cnn", *words)["run"]


@pytest.fixture(scope="session")
def people(place) -> Path:
    """A table of 60 rows in Latin-1, with numbers, words and missing cells."""
    sample = np.random.default_rng(0)
    rows = ["age,city,income,answer"]
    for number in range(60):
        age, city = sample.integers(18, 80), ("Bonn", "Köln", "")[number % 3]
        income = "" if number % 7 == 0 else f"{age * 100 + sample.integers(0, 500)}"
        rows.append(f"{age},{city},{income},{'yes' if age > 45 else 'no'}")
    path = place / "people.csv"
    path.write_bytes(("\n".join(rows) + "\n").encode("latin-1"))
    return path


@pytest.fixture(scope="session")
def people_run(place, people) -> str:
    words = ("--dataset", str(people), "--target", "answer", "-d", "encoding=latin-1")
    return fit("dnn", *words, "-o", "widths=8", "--epochs", "2", "--run", str(place / "rows"))[
        "run"
    ]


@pytest.fixture
def copy_of(in_tmp):
    """Copy a run, to change it."""

    def copy(run: str, name: str = "copy") -> Path:
        return Path(shutil.copytree(run, in_tmp / name))

    return copy


BLUEPRINTS = {
    "translation": "seq2seq",
    "summarization": "seq2seq",
    "question_answering": "transformer",
}  # of a task; `rnn` serves the others


@pytest.fixture(scope="session")
def task_run(place, fit_words):
    """Return the run of a task, fitted once."""
    found = {}

    def task_run(task: str, blueprint: str | None = None) -> str:
        name = f"{blueprint}-{task}" if blueprint else task
        if name not in found:
            cell = Cell(blueprint or BLUEPRINTS.get(task, "rnn"), task)
            reference, data = cell.data(place)
            words = ["--task", task, "--dataset", reference, "--run", str(place / name)]
            words += [word for name, value in data.items() for word in ("-d", f"{name}={value}")]
            words += [w for name, value in cell.options.items() for w in ("-o", f"{name}={value}")]
            found[name] = fit_words(cell.blueprint, *words, "--epochs", "2")["run"]
        return found[name]

    return task_run
