"""The discriminator of a model that makes images, exported alone: scores of images as they are."""

import json

import numpy as np
import pytest
from PIL import Image

from threefold.datasets.bundled.digits import read_digits

pytestmark = pytest.mark.once
# Attention of so few filters that each place asks with hardly a number, which a file has to bear.
SMALL = ("-o", "architecture=sagan", "-o", "filters=2", "-d", "validation_fraction=0.6", "--epochs",
         "1")  # fmt: skip


def test_an_artifact_of_a_discriminator_is_asked_about_files_and_makes_none(run_cli, in_tmp):
    assert run_cli("fit", "gan", *SMALL, "--run", "run")[0] == 0
    words = ("--part", "discriminator", "--output", "scores")
    code, out, err = run_cli("export", "run", "--format", "onnx", *words)
    assert code == 0 and "threefold predict scores" in out, err
    assert "how real they look" in (in_tmp / "scores" / "README.md").read_text("utf-8")
    for row in range(2):
        Image.fromarray(read_digits()[0][row, ..., 0]).save(f"{row}.png")
    code, out, err = run_cli("predict", "scores", "0.png", "1.png", "--json")
    assert code == 0, err
    scores = [record["score"] for record in json.loads(out)["predictions"]]
    assert len(scores) == 2 and scores[0] != scores[1]
    code, out, _ = run_cli("evaluate", "scores", "--json")
    assert code == 0 and np.isfinite(json.loads(out)["metrics"]["test"]["mean_score"])
    for command, reason in (
        (("generate", "scores", "--output", "a.png"), "image_scoring writes no texts"),
        (("predict", "run", "0.png"), "takes no inputs: ask it with threefold generate"),
        (("export", "run", "--format", "onnx", *words, "--force", "--quantize", "int8"),
         "--quantize is evaluated by metrics"),
    ):  # fmt: skip
        code, _, err = run_cli(*command)
        assert code == 2 and reason in err and err.count("\n") == 1


def test_a_model_of_one_network_has_no_parts(run_cli, in_tmp):
    words = ("-o", "widths=4", "--epochs", "1", "--run", "run")
    assert run_cli("fit", "dnn", "--dataset", "wine", *words)[0] == 0
    code, _, err = run_cli("export", "run", "--format", "onnx", "--part", "discriminator")
    assert code == 2 and err.count("\n") == 1
    assert "--part discriminator is for models of two networks" in err
