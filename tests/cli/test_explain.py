"""Class activation maps from the command line: files in the sizes of the images, and refusals."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.once


def read(path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.mode == "RGB"
        return np.asarray(image).astype(int)


def save(path: Path, size: tuple[int, int]) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.linear_gradient("L").resize(size).save(path)


def test_images_are_written_in_their_own_sizes_under_colours(run_cli, in_tmp, digits_run):
    sizes = {"wide": (64, 40), "small": (8, 8)}
    for name, size in sizes.items():
        save(in_tmp / "new" / f"{name}.png", size)
    save(in_tmp / "more" / "small.png", (30, 50))
    words = ("predict", digits_run, "new", "more", "--output", "told.csv")
    code, _, err = run_cli(*words, "--explain")
    assert code == 0 and "class activation maps in told-explained" in err
    files = {path.stem: path for path in (in_tmp / "told-explained").iterdir()}
    assert files.keys() == {"wide", "small", "small-2"}
    for name, (width, height) in (sizes | {"small-2": (30, 50)}).items():
        found = read(files[name])
        assert found.shape == (height, width, 3)
        assert (found.max(axis=2) != found.min(axis=2)).any()  # a gray image is coloured
    with Image.open("told.png") as figure:
        assert min(figure.size) > 200
    with open("told.csv", newline="") as file:
        explained = list(csv.DictReader(file))
    assert run_cli(*words)[0] == 0
    with open("told.csv", newline="") as file:
        assert list(csv.DictReader(file)) == explained


def test_images_of_16_bits_are_shown_as_they_were_read(run_cli, in_tmp):
    for number in range(12):
        for place, name in enumerate(("left", "right")):
            pixels = np.full((8, 8), 20_000, np.uint16)
            pixels[:, 4 * place : 4 * place + 4] += 60 + number
            path = Path("deep", name, f"{number:02}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    fit = ("fit", "cnn", "--dataset", "deep", "-o", "filters=4", "--epochs", "1", "--run", "run")
    assert run_cli(*fit)[0] == 0
    words = ("predict", "run", "deep/left/00.png", "--output", "told.csv", "--explain")
    assert run_cli(*words)[0] == 0
    found = read("told-explained/00.png")
    assert found[:, :4].min() > 100 > found[:, 4:, 1].min()  # as bright as half of white


def test_a_regression_is_explained(run_cli, in_tmp):
    fit = ("fit", "cnn", "--task", "image_regression", "-o", "filters=4", "-o", "dense_units=4")
    less = ("-d", "test_fraction=0.1", "-d", "validation_fraction=0.7")
    assert run_cli(*fit, *less, "--epochs", "1", "--run", "run")[0] == 0
    save(in_tmp / "new" / "one.png", (20, 30))
    words = ("predict", "run", "new", "--output", "told.jsonl", "--explain", "--json")
    code, out, err = run_cli(*words)
    assert code == 0, err
    assert len(json.loads(out)["predictions"]) == 1
    assert read("told-explained/one.png").shape == (30, 20, 3)


def test_the_most_probable_label_of_several_is_explained(run_cli, in_tmp):
    fit = ("fit", "cnn", "--task", "image_multilabel_classification", "-o", "filters=4")
    less = ("-d", "images=40", "-o", "dense_units=4", "--epochs", "1", "--run", "run")
    assert run_cli(*fit, *less)[0] == 0
    save(in_tmp / "new" / "one.png", (20, 30))
    code, out, err = run_cli("predict", "run", "new", "--output", "told.csv", "--explain", "--json")
    assert code == 0, err
    (found,) = json.loads(out)["predictions"]
    assert isinstance(found["labels"], list)
    header, row = (in_tmp / "told.csv").read_text().splitlines()
    assert header.split(",")[1] == "labels" and row.split(",")[1] == ";".join(found["labels"])
    assert read("told-explained/one.png").shape == (30, 20, 3)


def test_what_cannot_be_explained_is_refused_in_a_line(run_cli, in_tmp, digits_run, people_run):
    artifact = in_tmp / "artifact"
    artifact.mkdir()
    (artifact / "artifact.json").write_text("{}")
    output = ("--output", "told.csv")
    for run, words, message in (
        (digits_run, (), "--explain writes images beside the answers: add --output FILE.csv"),
        (str(artifact), output, "--explain is for runs; the artifact "),
        (people_run, output, "--explain is for runs of image_classification, image_multilabel_"),
    ):
        code, _, err = run_cli("predict", run, "missing.png", *words, "--explain")
        assert (code, err.count("\n")) == (2, 1), err
        assert message in err  # and nothing of the input, which is not there
    assert not list(in_tmp.glob("told*"))
