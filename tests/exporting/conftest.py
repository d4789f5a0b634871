"""Runs and artifacts that the tests of exports share: each is made once, and only read."""

import contextlib
import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
from lasting import CALL
from PIL import Image

from threefold.core.locks import hold_lock
from threefold.training.run import Run, open_run
from threefold.training.settings import TrainingSettings

FORMATS = ("onnx", "savedmodel")
# Names and cells that a graph, an argument of Python or a table in Markdown would stumble over.
COLUMNS = ("größe (cm)", "1st|visit", "self", "probabilities", "Size", "class", "city", "City",
           "right?", "answer")  # fmt: skip
# Blueprint, dataset, its options, the blueprint's, settings.
SMALL = {
    "digits": (
        "cnn",
        None,
        {"test_fraction": "0.1", "validation_fraction": "0.7"},
        {"filters": "4", "dense_units": "8", "dropout": "0"},
        {"epochs": "8", "batch_size": "32", "learning_rate": "0.02", "ema": "0", "augment": ""},
    ),
    "photos": (
        "cnn",
        "photos",
        {},
        {"filters": "3", "convolutions": "1", "dense_units": "4"},
        {},
    ),
    "table": ("dnn", "table.csv", {"target": "answer"}, {"widths": "8"}, {}),
    "complete": ("dnn", "complete.csv", {"target": "large"}, {"widths": "8"}, {}),
    "prose": (
        "rnn",
        "prose.txt",
        {"tokenizer": "character", "context": "12"},
        {"units": "8", "embedding_dim": "4"},
        {},
    ),
}

# Prints what each command said, and what was imported.
PREDICT = f"""{CALL}
told = [call(*words) for words in json.loads(sys.argv[1])]
print(json.dumps({{"told": told, "loaded": loaded()}}))
"""


@pytest.fixture(scope="session")
def place(tmp_path_factory) -> Path:
    """A folder that all processes of one session of tests share."""
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "exports"
    place.mkdir(exist_ok=True)
    return place


@contextlib.contextmanager
def one_at_a_time(place: Path, name: str) -> Iterator[None]:
    """Let the first process make what the others then find."""
    with hold_lock(place / f"{name}.lock"):
        yield


def make_once(place: Path, name: str, make: Callable[[Path], None]) -> Path:
    """Return what the first process of the session made under that name."""
    with one_at_a_time(place, name):
        if not (place / name).exists():
            make(place / name)
    return place / name


@pytest.fixture(scope="session")
def photos(place) -> Path:
    """A folder of coloured noise, twelve images of many sizes for each of three classes."""
    return make_once(place, "photos", make_photos)


def make_photos(folder: Path) -> None:
    sample = np.random.default_rng(0)
    sizes = [(20, 20), (20, 20), (9, 31), (41, 17), (64, 70), (20, 1), (33, 20), (20, 20)]
    for level, name in enumerate(("dark", "dim", "light")):
        (folder / name).mkdir(parents=True)
        for number in range(12):
            pixels = sample.integers(60 * level, 60 * level + 120, (*sizes[number % 8], 3))
            image = Image.fromarray(pixels.astype(np.uint8))
            image.save(folder / name / f"{number:02d}.png")


@pytest.fixture(scope="session")
def table(place) -> Path:
    """A table of numbers, dates, truths and words, all with missing cells, under odd names."""
    return make_once(place, "table.csv", write_table)


def write_table(path: Path) -> None:
    sample = np.random.default_rng(0)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in range(90):
            size = sample.normal(170, 10)
            writer.writerow([
                "" if row % 11 == 0 else f"{size:.2f}",
                "" if row % 13 == 0 else f"20{10 + row % 12}-0{1 + row % 9}-1{row % 9}",
                row % 5,
                f"{sample.normal():.3f}",
                int(sample.integers(0, 99)),
                ("a", "b", "c,d")[row % 3],
                ("Bonn", "Köln", "")[row % 3],
                ("North", "南", "🙂", "")[row % 4],
                ("true", "false", "")[row % 3],
                "yes" if size > 170 else "no\u2028way",
            ])  # fmt: skip


@pytest.fixture(scope="session")
def complete(place) -> Path:
    """A table where no cell is missing, so that none of its rows shows what is made of those."""
    return make_once(place, "complete.csv", write_complete_table)


def write_complete_table(path: Path) -> None:
    sample = np.random.default_rng(0)
    rows = [(f"{sample.normal():.3f}", ("Bonn", "Köln")[row % 2]) for row in range(90)]
    lines = [f"{size},{city},{'no' if float(size) < 0 else 'yes'}" for size, city in rows]
    path.write_text("\n".join(["size,city,large", *lines, ""]), encoding="utf-8")


@pytest.fixture(scope="session")
def prose(place) -> Path:
    """A text of one sentence, again and again."""
    text = "the quick brown fox jumps over the lazy dog. " * 60
    return make_once(place, "prose.txt", lambda path: path.write_text(text, encoding="utf-8"))


@pytest.fixture(scope="session")
def fit(place) -> Callable[..., Run]:
    """Fit in this process, one epoch by default; return the run."""

    def fit(name, blueprint, task=None, dataset=None, data=None, options=None, **settings) -> Run:
        from threefold.training import fit as fitting

        command = fitting.Command(
            blueprint=blueprint,
            task=task,
            dataset=dataset,
            data_options=data or {},
            options=options or {},
            settings=TrainingSettings.parse({"epochs": "1"} | settings),
            run=str(place / "runs" / name),
        )
        return fitting.start(command, lambda run, dataset, model: MagicMock()).run

    return fit


@pytest.fixture(scope="session")
def run_of(place, fit, photos, table, complete, prose) -> Callable[[str], Run]:
    """The run on one of `SMALL`."""

    @cache
    def run_of(kind: str) -> Run:
        blueprint, dataset, data, options, settings = SMALL[kind]
        dataset = dataset and str(place / dataset)
        folder = place / "runs" / kind
        with one_at_a_time(place, f"run-{kind}"):
            if folder.exists():
                return open_run(str(folder))
            task = "text_generation" if kind == "prose" else None
            return fit(
                kind, blueprint, task, dataset=dataset, data=data, options=options, **settings
            )

    return run_of


@pytest.fixture(scope="session")
def artifact_of(place, run_of) -> Callable[[str, str], Path]:
    """The artifact of a run in a format."""
    from threefold.exporting.export import Request, export_run

    @cache
    def artifact_of(kind: str, format: str) -> Path:
        folder, run = place / "artifacts" / f"{kind}-{format}", run_of(kind)
        with one_at_a_time(place, folder.name):
            if not folder.exists():
                export_run(run, Request(format, str(folder)))
        return folder

    return artifact_of


@pytest.fixture
def copy_of(in_tmp, artifact_of):
    """Copy an artifact, to change it."""

    def copy(kind: str, format: str, name: str = "copy") -> Path:
        return Path(shutil.copytree(artifact_of(kind, format), in_tmp / name))

    return copy


@pytest.fixture
def export_from(monkeypatch):
    """Let exports take a model file that is there, perhaps spoilt, instead of making one.

    What is onnx is proven in this process, after Keras's back: a process costs seconds.
    """
    from threefold.exporting import export, parity

    real = export.run_child

    def take(
        artifact: Path, spoil: Callable[[Path], None] = lambda model: None, hide: bool = True
    ) -> None:
        def run_child(module: str, scratch: Path) -> None:
            job = json.loads((scratch / "job.json").read_text(encoding="utf-8"))
            if module == "building":
                staged = Path(job["staged"])
                for part in artifact.iterdir():
                    if part.is_dir():
                        shutil.copytree(part, staged / part.name)
                    elif part.suffix in (".onnx", ".tflite"):
                        shutil.copy(part, staged)
                spoil(staged / job["model"])
            elif module == "parity" and job["format"] == "onnx":
                with pytest.MonkeyPatch.context() as patch:
                    if hide:
                        patch.setitem(sys.modules, "keras", None)
                    patch.setattr(sys, "argv", ["parity", str(scratch / "job.json")])
                    parity.main()
            else:
                real(module, scratch)

        monkeypatch.setattr(export, "run_child", run_child)

    return take


@pytest.fixture(scope="session")
def predict_in_process():
    """Run commands in one process without Keras; return what each told, and the modules."""

    def predict_with(*commands: tuple[str, ...]) -> tuple[list, list[str], str]:
        ended = subprocess.run(
            [sys.executable, "-c", PREDICT, json.dumps(commands)],
            capture_output=True,
            text=True,
            # jax sets the other in any process that imports it, and TensorFlow heeds it.
            env={
                name: value
                for name, value in os.environ.items()
                if name not in ("KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL")
            },
        )
        assert ended.returncode == 0, ended.stderr
        found = json.loads(ended.stdout)
        return found["told"], found["loaded"], ended.stderr

    return predict_with


@pytest.fixture(params=FORMATS)
def format(request) -> str:
    return request.param
