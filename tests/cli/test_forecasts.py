"""Forecasts from the command line."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.once


def test_forecasts_go_into_a_table_and_a_image_beside_it(task_run, run_cli, place):
    run = task_run("forecasting")
    ahead = [f"2024-03-09 0{hour}:00,,0," for hour in range(4)]  # the plan is known ahead
    Path("now.csv").write_text("\n".join([(place / "steps.csv").read_text().rstrip(), *ahead]))
    code, out, err = run_cli("predict", run, "now.csv", "--output", "told.csv", "--json")
    assert code == 0 and "the first of them in told.png" in err
    (record,) = json.loads(out)["predictions"]
    with open("told.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(record["forecast"]) and "time" in rows[0]
    image = np.asarray(Image.open("told.png").convert("RGB"))
    assert min(image.shape[:2]) > 200 and image.std() > 10


def test_other_answers_need_no_image(task_run, run_cli):
    words = ("predict", task_run("text_classification"), "-", "--output", "told.csv")
    code, _, err = run_cli(*words, stdin=b"bread\n")
    assert code == 0 and "image" not in err and "first of them" not in err
    assert Path("told.csv").exists() and not Path("told.png").exists()
