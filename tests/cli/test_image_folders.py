"""Folders of images from a fit to its predictions: 16 bits, damage, files that go."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.once

TINY = ("-o", "filters=4", "-o", "dense_units=4")


def save_deep(folder, count=12):
    """Write images of 16 bits whose upper 8 bits are the same: what is learned lies below."""
    for number in range(count):
        for place, name in enumerate(("left", "right")):
            pixels = np.full((8, 8), 20_000, np.uint16)
            pixels[:, 4 * place : 4 * place + 4] += 60 + number
            path = Path(folder, name, f"{number:02}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)


def save_plain(folder, count=12):
    noise = np.random.default_rng(0)
    for number in range(count):
        for name in ("left", "right"):
            path = Path(folder, name, f"{number:02}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(noise.integers(0, 255, (8, 8), dtype=np.uint8)).save(path)


def test_a_run_on_16_bits_learns_from_them_and_predicts_by_the_same_range(run_cli, in_tmp):
    save_deep("deep")
    fit = ("fit", "cnn", "--dataset", "deep", *TINY, "--steps", "60", "--run", "run", "--json")
    code, out, err = run_cli(*fit)
    assert code == 0 and "24 of 24 images have more than 8 bits: 20000 to 200" in err
    assert json.loads(out)["metrics"]["test"]["accuracy"] == 1
    levels = json.loads(Path("run/run.json").read_text())["facts"]["levels"]
    assert levels[0] == 20_000 and 20_060 < levels[1] < 20_072
    save_deep("new", 3)
    code, out, _ = run_cli("predict", "run", "new", "--json")
    found = json.loads(out)["predictions"]
    assert code == 0 and len(found) == 6
    for row in found:
        assert row["label"] == Path(row["input"]).parent.name


@pytest.fixture
def damaged(in_tmp):
    save_plain("photos")
    path = Path("photos/left/03.png")
    content = bytearray(path.read_bytes())
    content[45:60] = bytes(15)
    path.write_bytes(content)
    return path


def test_damage_behind_a_good_header_is_one_line_with_what_to_do(run_cli, damaged):
    code, _, err = run_cli("fit", "cnn", "--dataset", "photos", *TINY, "--epochs", "1")
    last = err.splitlines()[-1]
    assert code == 2 and last.startswith(f"error: cannot read '{damaged}': ")
    assert "-d skip_bad=true" in last
    fit = ("fit", "cnn", "--dataset", "photos", *TINY, "--epochs", "1", "-d", "skip_bad=true")
    code, _, err = run_cli(*fit)
    assert code == 0 and f"left out as unreadable: 1 of 24 files, '{damaged}'" in err


def test_a_resume_names_the_files_that_changed(run_cli, in_tmp):
    save_plain("photos")
    fit = ("fit", "cnn", "--dataset", "photos", *TINY, "--epochs", "1", "--run", "run")
    assert run_cli(*fit)[0] == 0
    os.remove("photos/left/03.png")
    code, _, err = run_cli("fit", "--resume", "run", "--epochs", "2")
    assert (code, err.count("\n")) == (2, 1)
    assert "photos has changed since run was fitted on it ('left/03.png' is gone); " in err
    save_plain("photos")
    Image.new("L", (8, 8)).save("photos/right/new.png")
    Image.new("L", (8, 8)).save("photos/right/00.png")
    _, _, err = run_cli("fit", "--resume", "run", "--epochs", "2")
    assert "'right/00.png' has " in err and "'right/new.png' is new" in err
    os.remove("photos/right/new.png")
    save_plain("photos")
    assert run_cli("fit", "--resume", "run", "--epochs", "2")[0] == 0
