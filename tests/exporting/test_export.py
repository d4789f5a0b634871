"""An export as a user types it, and what it exports: the best weights, in float32."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from threefold.exporting.artifact import open_artifact
from threefold.exporting.export import Request, export_run
from threefold.training.checkpoints import load_checkpoint

pytestmark = pytest.mark.once


def test_a_person_reads_what_was_proven_and_what_to_type_next(
    run_cli, run_of, artifact_of, export_from
):
    export_from(artifact_of("digits", "onnx"))
    words = ("export", str(run_of("digits").folder), "--format", "onnx", "--output", "it")
    code, out, err = run_cli(*words)
    said = " ".join(out.split())
    assert (code, err) == (0, "")
    assert "180 rows of the test split, in batches of 1, 2, 7, 32: largest difference" in said
    assert "(limit 1e-05), same answer for 100 %" in said
    assert "accuracy" in said and "threefold predict it INPUT..." in said
    assert "python it/example.py" in said


def test_json_is_one_object_that_holds_the_report(run_cli, run_of, artifact_of, export_from):
    export_from(artifact_of("digits", "onnx"))
    words = ("export", str(run_of("digits").folder), "--format", "onnx", "--output", "it")
    code, out, err = run_cli(*words, "--json")
    explicit = json.loads(out)
    assert (code, err, out.count("\n")) == (0, "", 1)
    assert set(explicit) == {"artifact", "format", "parity"}
    assert explicit["parity"] == open_artifact("it").record.parity.model_dump(mode="json")


def test_the_folders_of_the_one_who_trained_are_not_on_the_card(artifact_of, format, place):
    for kind in ("photos", "table"):
        folder = artifact_of(kind, format)
        text = (folder / "README.md").read_text("utf-8")
        assert str(place) not in text and "/tmp" not in text
        [image] = [path for path in folder.glob("*.png") if path.name != "example.png"]
        assert f"]({image.name})" in text


def test_mixed_precision_and_averaged_weights_become_float32(fit, in_tmp):
    """In a folder whose files have the names of libraries, which must not be taken for them."""
    for name in ("onnx", "tf2onnx", "numpy", "threefold"):
        Path(f"{name}.py").write_text("raise SystemExit('the wrong file')")
    run = fit(
        "mixed", "cnn", data={"test_fraction": "0.1", "validation_fraction": "0.7"},
        options={"filters": "4", "dense_units": "8"}, epochs="2", ema="0.9",
        precision="mixed_bfloat16",
    )  # fmt: skip
    artifact = export_run(run, Request("onnx", "it"))
    assert artifact.record.run.settings.precision == "mixed_bfloat16"
    graph = onnx.load(artifact.model).graph
    arrays = [numpy_helper.to_array(tensor) for tensor in graph.initializer]
    halves = {"float16", "bfloat16"} & {array.dtype.name for array in arrays}
    casts = {node.attribute[0].i for node in graph.node if node.op_type == "Cast"}
    assert not halves and not casts & {onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16}
    best, _ = load_checkpoint(run.checkpoints, "best")
    [head] = [array for array in arrays if array.shape == (8, 10)]
    np.testing.assert_array_equal(head, best["weights/head/kernel"])
    assert {path.name for path in in_tmp.iterdir()} == {
        "it", "onnx.py", "tf2onnx.py", "numpy.py", "threefold.py",
    }  # fmt: skip
