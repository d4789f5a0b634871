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


def test_so_many_of_each_class_and_the_way_between_two(fitted, in_tmp):
    words = ("generate", "it", "--per-class", "7", "--output")
    assert fitted(*words, "made")[0] == fitted(*words, "made.png")[0] == 0
    counts = {path.name: len(list(path.iterdir())) for path in (in_tmp / "made").iterdir()}
    assert counts == {str(digit): 7 for digit in range(10)}
    assert read("made.png").shape == (10 * 9 - 1, 7 * 9 - 1)  # a class in a row
    for count in ("2", "5"):
        words = ("generate", "it", "--class", "3", "--interpolate", count)
        code, _, err = fitted(*words, "--output", f"way{count}.png")
        assert code == 0, err
    ends, way = read("way2.png"), read("way5.png")
    assert way.shape == (8, 5 * 9 - 1)
    np.testing.assert_allclose(way[:, :8], ends[:, :8], atol=1)  # batches of another size
    np.testing.assert_allclose(way[:, -8:], ends[:, -8:], atol=1)
    for wrong, message in (
        (["--interpolate", "1"], "1 is not in the range x>=2"),
        (["--interpolate", "3"], "--interpolate is for images of one class: give --class too"),
        (["--per-class", "0"], "0 is not in the range x>=1"),
        (["--per-class", "3", "--class", "1"], "give --count for one class"),
        (["--per-class", "3", "--interpolate", "3"], "--per-class and --interpolate each say"),
        (["--per-class", "3", "--count", "4"], "--per-class and --count each say how many"),
    ):
        code, _, err = fitted("generate", "it", "--output", "wrong.png", *wrong)
        assert (code, message in " ".join(err.split())) == (2, True), err
    assert not (in_tmp / "wrong.png").exists()


def test_wrong_wishes_are_refused_in_a_line(fitted, in_tmp):
    (in_tmp / "full").mkdir()
    (in_tmp / "full" / "x").write_text("")
    for words, explicit in (
        (["generate", "it"], "images take --output"),
        (["generate", "it", "--output", "x.gif"], "expected .png, or a folder"),
        (["generate", "it", "--output", "full"], "name a new or empty folder"),
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


@pytest.mark.parametrize(("first", "second"), [("made", "made"), ("made/1", "made/7")])
def test_classes_that_were_made_are_what_a_classifier_learns_from(fitted, in_tmp, first, second):
    for name, folder in (("1", first), ("7", second)):
        words = ("generate", "it", "--class", name, "--count", "10", "--output", folder)
        code, _, err = fitted(*words)
        assert code == 0, err
        code, _, err = fitted(*words)
        assert code == 2 and "is there already" in err
    fit = ("fit", "cnn", "--dataset", "made", "-o", "filters=4", "--epochs", "1", "--run", "cnn")
    code, _, err = fitted(*fit)
    assert code == 0, err
    facts = json.loads((in_tmp / "cnn" / "run.json").read_text())["facts"]
    assert facts["class_names"] == ["1", "7"] and facts["class_counts"] == [7, 7]


def write(folder, count):
    from threefold.datasets.bundled.digits import read_digits

    folder.mkdir()
    for row, image in enumerate(read_digits()[0][:count]):
        Image.fromarray(image[..., 0]).save(folder / f"{row:02}.png")


TINY = ("-o", "filters=2", "-o", "latent_dim=4", "--epochs", "1", "--run", "flat")


@pytest.mark.filterwarnings("always:.* nothing can be judged")
def test_a_flat_folder_is_fitted_evaluated_and_made_alike(run_cli, in_tmp):
    write(in_tmp / "photos", 60)
    code, out, err = run_cli("fit", "gan", "--dataset", "photos", *TINY, "--json")
    assert code == 0, err
    assert "test has 9 images, by which nothing can be judged" in err
    found = json.loads(out)["metrics"]["test"]
    assert found["images"] == 60 and found["autoencoder_frechet_distance"] > 1
    code, _, err = run_cli("generate", "flat", "--count", "3", "--output", "made")
    assert code == 0, err
    assert [path.name for path in sorted((in_tmp / "made").iterdir())] == [
        "00000.png", "00001.png", "00002.png"
    ]  # fmt: skip
    code, _, err = run_cli("fit", "gan", "--dataset", "photos", "-o", "conditional=true")
    assert code == 2 and "conditional=true is for images in classes" in err


@pytest.mark.filterwarnings("always:nothing can be judged")
def test_a_single_image_is_made_and_not_judged(run_cli, in_tmp):
    write(in_tmp / "photos", 1)
    code, out, err = run_cli("fit", "gan", "--dataset", "photos", *TINY)
    assert code == 0, err
    assert "nothing is measured on it" in err and "evaluate flat --split train" in out
    code, _, err = run_cli("evaluate", "flat")
    assert code == 2 and "--split train evaluates what was learned" in err
    code, out, err = run_cli("evaluate", "flat", "--split", "train", "--json")
    assert code == 0 and "nothing can be judged by 1 images" in err
    assert json.loads(out)["metrics"]["train"] == {"images": 1, "seed": 0}


@pytest.mark.filterwarnings("always:.* nothing can be judged")
def test_one_image_of_a_class_spoils_no_evaluation(run_cli, in_tmp):
    write(in_tmp / "photos", 59)
    (in_tmp / "all").mkdir()
    (in_tmp / "photos").rename(in_tmp / "all" / "photos")
    write(in_tmp / "all" / "lone", 1)
    code, out, err = run_cli("fit", "gan", "--dataset", "all", *TINY, "--json")
    assert code == 0, err
    assert json.loads(out)["metrics"]["test"]["classifier_frechet_distance"] > 1
