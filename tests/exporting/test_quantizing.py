"""8-bit integers: evaluated by what they cost of the task's score, not by single answers."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from threefold.core.errors import Failure
from threefold.exporting.artifact import open_artifact
from threefold.exporting.export import Request, export_run

pytestmark = pytest.mark.once


def spoilt(how):
    """Return a function that changes the head of a network in its file."""

    def spoil(path: Path) -> None:
        model = onnx.load(path)
        [head] = [t for t in model.graph.initializer if numpy_helper.to_array(t).shape == (8, 10)]
        array = how(numpy_helper.to_array(head).copy()).astype(np.float32)
        head.CopyFrom(numpy_helper.from_array(array, head.name))
        onnx.save(model, path)

    return spoil


def request(output: str, drop: float) -> Request:
    return Request("onnx", output, quantize="int8", max_metric_drop=drop)


def test_weights_and_activations_become_integers(run_of, artifact_of, export_from, in_tmp, run_cli):
    export_from(artifact_of("digits", "onnx"))
    words = ("--format", "onnx", "--quantize", "int8", "--max-metric-drop", "0.1", "--json")
    code, out, _ = run_cli("export", str(run_of("digits").folder), *words)
    explicit = json.loads(out)
    assert (code, explicit["artifact"]) == (0, "artifacts/digits-onnx-int8")
    assert explicit["parity"]["quantized"] is True
    assert list(explicit["parity"]["metrics"]) == ["run", "artifact"]
    before, after = (explicit["parity"]["metrics"][who]["accuracy"] for who in ("run", "artifact"))
    assert before > 0.6 and before - after <= 0.1

    artifact = open_artifact("artifacts/digits-onnx-int8")
    assert artifact.record.parity.max_abs_diff > 1e-5  # it is another model
    graph = onnx.load(artifact.model).graph
    kinds = [node.op_type for node in graph.node]
    assert "QuantizeLinear" in kinds and "DequantizeLinear" in kinds
    stored = {numpy_helper.to_array(tensor).dtype.name for tensor in graph.initializer
              if numpy_helper.to_array(tensor).size > 50}  # fmt: skip
    assert stored == {"int8"}
    assert [dim.dim_param for dim in graph.input[0].type.tensor_type.shape.dim][0] == "batch"
    card = (artifact.folder / "README.md").read_text("utf-8")
    assert "weights and activations are 8-bit integers" in card
    assert "the score fell by less than allowed" in card


def test_a_loss_of_score_beyond_what_is_allowed_is_refused(
    run_of, artifact_of, export_from, in_tmp
):
    export_from(artifact_of("digits", "onnx"), spoilt(lambda array: -array))
    with pytest.raises(Failure, match=r"accuracy falls by 0\.\d+; --max-metric-drop is 0;"):
        export_run(run_of("digits"), request("shelf/it", 0.0))
    assert [path.name for path in (in_tmp / "shelf").iterdir()] == ["it.parity.json"]
    report = json.loads((in_tmp / "shelf" / "it.parity.json").read_text("utf-8"))
    assert report["quantized"] and len(report["refusals"]) == 1
    accuracy = {who: found["accuracy"] for who, found in report["metrics"].items()}
    assert accuracy["artifact"] < accuracy["run"]


def test_what_is_broken_is_refused_whatever_may_be_lost(run_of, artifact_of, export_from, in_tmp):
    export_from(artifact_of("digits", "onnx"), spoilt(lambda array: array * np.nan))
    with pytest.raises(Failure):
        export_run(run_of("digits"), request("it", 1.0))
    assert {path.name for path in in_tmp.iterdir()} <= {"it.parity.json"}
