"""The discriminator of a model that makes images, exported alone from every backend."""

import numpy as np
import pytest

from threefold.datasets.bundled.digits import read_digits
from threefold.exporting import export
from threefold.exporting.artifact import open_artifact
from threefold.exporting.runtime import load_runtime
from threefold.training.building import rebuild_model
from threefold.training.run import open_run

pytestmark = [pytest.mark.each_backend, pytest.mark.exports]
SMALL = ("-o", "filters=2", "-d", "validation_fraction=0.6", "--epochs", "1")


def test_a_discriminator_scores_raw_images_as_the_trained_one_does(
    run_cli, lasting_children, monkeypatch
):
    monkeypatch.setattr(export, "run_child", lasting_children.run_child)
    assert run_cli("fit", "gan", *SMALL, "-o", "conditional=true", "--run", "run")[0] == 0
    images, labels = (array[:5] for array in read_digits())
    model, _ = rebuild_model(open_run("run"))
    given = {"image": images.astype(np.float32) / 127.5 - 1, "label": labels.astype(np.int32)}
    wanted = np.asarray(model.get_layer("discriminator").predict_on_batch(given)["score"])
    for format in ("onnx", "savedmodel"):
        words = ("--format", format, "--part", "discriminator", "--output", format)
        code, _, err = run_cli("export", "run", *words)
        assert code == 0, err
        record = open_artifact(format).record
        assert record.part == "discriminator" and record.parity.max_abs_diff <= 1e-4
        assert "of the loss standard" in record.signature.outputs[0].meaning
        run = load_runtime(open_artifact(format).model, format, record.signature)
        found = run({"image": images, "label": labels})["score"]
        np.testing.assert_allclose(found, wanted, atol=1e-4)
        assert not np.allclose(run({"image": 255 - images, "label": labels})["score"], wanted)
