"""From images to completed ones, by the command line."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.once

FIT = ("fit", "gan", "--task", "image_inpainting", "--dataset", "photos", "-o", "filters=4",
       "--epochs", "2", "--run", "run", "--json")  # fmt: skip


@pytest.fixture
def photos(in_tmp) -> np.ndarray:
    """A flat folder of images, and a larger image with a mask to complete."""
    sample = np.random.default_rng(0)
    Path("photos").mkdir()
    for number in range(24):  # 17 to learn from: a batch of one is the last
        values = sample.integers(0, 256, (9, 12, 3)).astype(np.uint8)
        Image.fromarray(values).save(Path("photos", f"{number:02}.png"))
    image = sample.integers(0, 256, (20, 31, 3)).astype(np.uint8)
    mask = np.zeros((20, 31), np.uint8)
    mask[4:11, 5:20] = 255
    Image.fromarray(image).save("damaged.png")
    Image.fromarray(mask).save("mask.png")
    return image


def test_images_are_completed_in_their_own_size_and_stay_as_they_are_elsewhere(run_cli, photos):
    code, out, err = run_cli(*FIT)
    assert code == 0, err
    metrics = json.loads(out)["metrics"]["test"]
    assert {"psnr", "ssim", "l1", "baselines"} <= metrics.keys()
    assert Path("run/report/test_completed_images.png").is_file()
    code, out, _ = run_cli("evaluate", "run", "--json")
    assert json.loads(out)["metrics"]["test"] == metrics
    words = ("predict", "run", "damaged.png", "--output", "done.csv", "-d", "mask=mask.png")
    code, _, err = run_cli(*words)
    assert code == 0 and "done-completed" in err
    completed = np.asarray(Image.open("done-completed/damaged.png"))
    hole = np.asarray(Image.open("mask.png")) > 0
    np.testing.assert_array_equal(completed[~hole], photos[~hole])
    assert (completed[hole] != photos[hole]).any() and Path("done.png").is_file()
    (row,) = csv.DictReader(Path("done.csv").read_text(encoding="utf-8").splitlines())
    assert float(row["share_in_hole"]) == pytest.approx(hole.mean())
    for given, message in (((), "where are the holes?"), (("-d", "mask=no.png"), "is not there")):
        code, _, err = run_cli("predict", "run", "damaged.png", *given)
        assert code == 2 and message in err and len(err.strip().splitlines()) == 1
