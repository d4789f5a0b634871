"""Large images from the command line: fitted in tiles, predicted whole."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.once

FIT = ("fit", "unet", "--dataset", "large", "-d", "tile_size=16", "-o", "filters=4,6",
       "--epochs", "20", "--batch-size", "8", "--run", "run", "--json")  # fmt: skip


def save(place: Path, values: np.ndarray) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(place)


@pytest.fixture
def sizes(in_tmp):
    """Images of which each pixel is bright or dark by its class; return new ones' sizes."""
    random = np.random.default_rng(0)

    def make(height, width):
        mask = (random.random((height // 4 + 1, width // 4 + 1)) < 0.5).repeat(4, 0).repeat(4, 1)
        mask = mask[:height, :width].astype(np.uint8)
        return np.where(mask, 210, 40).astype(np.uint8), mask

    for number in range(8):
        image, mask = make(40, 30)
        save(Path("large/images", f"{number}.png"), image)
        save(Path("large/masks", f"{number}.png"), mask)
    sizes = {"as_tile": (16, 16), "large": (70, 45), "pixel": (1, 1), "strip": (3, 50)}
    for name, size in sizes.items():
        image, mask = make(*size)
        save(Path("new", f"{name}.png"), image)
        save(Path("true", f"{name}.png"), mask)
    return sizes


def test_masks_are_found_in_the_images_own_sizes(run_cli, sizes):
    code, _, _ = run_cli(*FIT)
    assert code == 0
    code, out, _ = run_cli("evaluate", "run", "--json", "--split", "all")
    evaluated = json.loads(out)["metrics"]
    pixels = [one["pixels"] for split in evaluated.values() for one in split["by_class"].values()]
    assert sum(pixels) == 8 * 40 * 30  # none twice, none left out
    code, _, err = run_cli("predict", "run", "new", "--output", "told.csv")
    assert code == 0, err
    with open("told.csv", newline="") as file:
        rows = {Path(row["input"]).stem: row for row in csv.DictReader(file)}
    assert rows.keys() == sizes.keys()
    for name, size in sizes.items():
        with Image.open(Path("told-masks", f"{name}.png")) as image:
            found = np.asarray(image)
        assert found.shape == size
        assert float(rows[name]["shares.1"]) == pytest.approx((found == 1).mean())
        with Image.open(Path("told-masks", f"{name}-overlay.png")) as image:
            assert image.size == size[::-1]
    with Image.open("told-masks/large.png") as found, Image.open("true/large.png") as true:
        assert (np.asarray(found) == np.asarray(true)).mean() > 0.9
    code, _, err = run_cli("predict", "run", "new", "-d", "tile_size=8")
    assert code == 2 and "predict has no option 'tile_size'" in err
