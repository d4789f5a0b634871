"""Images from the command line: fitted, made and asked wrongly."""

import json

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.once

FIT = [
    "fit", "gan", "-o", "filters=2", "-o", "latent_dim=4", "-o", "conditional=true",
    "-d", "validation_fraction=0.1", "-d", "test_fraction=0.8", "--epochs", "1", "--run", "it",
]  # fmt: skip


def read(path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture
def fitted(run_cli):
    code, _, err = run_cli(*FIT, "--recipe", "lsgan")
    assert code == 0, err
    return run_cli


def test_a_fitted_model_makes_images_without_the_data(fitted, in_tmp, monkeypatch):
    record = json.loads((in_tmp / "it" / "run.json").read_text())
    assert record["settings"]["recipe"] == "lsgan" and record["task"] == "image_generation"
    assert record["options"]["loss"] == "least_squares" and record["options"]["filters"] == 2
    from threefold.datasets import loading

    monkeypatch.setattr(loading, "load", None)
    code, out, err = fitted("generate", "it", "--count", "9", "--output", "grid.png", "--json")
    assert code == 0, err
    explicit = json.loads(out)
    assert explicit["images"] == 9 and explicit["classes"] == list("012345678")
    assert read("grid.png").shape == (26, 26)  # three of 8 pixels, a line between two
    for folder, seed in (("one", "5"), ("same", "5"), ("other", "6")):
        words = ("generate", "it", "--count", "12", "--seed", seed, "--output", folder)
        assert fitted(*words)[0] == 0
    files = sorted(path.relative_to(in_tmp / "one") for path in in_tmp.glob("one/*/*.png"))
    assert len(files) == 12 and files[0].parts[0] == "0"
    for file in files:
        one, same, other = (read(in_tmp / n / file) for n in
                            ("one", "same", "other"))  # fmt: skip
        assert np.array_equal(one, same) and one.shape == (8, 8)
    assert not np.array_equal(one, other)


def test_wrong_wishes_are_refused_in_a_line(fitted, in_tmp):
    (in_tmp / "full").mkdir()
    (in_tmp / "full" / "x").write_text("")
    for words, explicit in (
        (["generate", "it"], "images take --output"),
        (["generate", "it", "--output", "x.gif"], "expected .png, or a folder"),
        (["generate", "it", "--output", "full"], "name a new or an empty folder"),
        (["generate", "it", "--output", "x.png", "--class", "ten"], "no class 'ten'"),
        (["generate", "it", "--output", "x.png", "--prompt", "a"], "--prompt is not for a run of"),
        (["predict", "it", "x.png"], "takes no inputs: ask it with threefold generate"),
        (["fit", "--again", "it", "--recipe", "wgan"], "start a new fit for another"),
        (["fit", "gan", "--recipe", "wgam"], "did you mean 'wgan'"),
        (["fit", "gan", "--augment", "mixup"], "--augment mixup is of no use to image_generation"),
        (["fit", "gan", "--dataset", "wine"], "takes images in classes"),
    ):
        code, _, err = fitted(*words)
        assert (code, explicit in err) == (2, True), err
        assert "Traceback" not in err
    assert fitted("generate", "it", "--count", "0", "--output", "x.png")[0] == 2
