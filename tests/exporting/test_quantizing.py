"""8-bit integers: evaluated by what they cost of the task's score, not by single answers."""

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from threefold.core.errors import Failure
from threefold.exporting import export
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
    return Request("onnx", output, quantize="int8", max_metric_drop=drop, force_quantize=True)


def test_weights_and_activations_become_integers(run_of, artifact_of, export_from, in_tmp, run_cli):
    export_from(artifact_of("digits", "onnx"))
    words = ("--format", "onnx", "--quantize", "int8", "--max-metric-drop", "0.1", "--json")
    words += ("--force-quantize",)  # so small a network does not gain by it
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
    assert {p.key: p.value for p in onnx.load(artifact.model).metadata_props}["run"] == "digits"
    kinds = [node.op_type for node in graph.node]
    assert "QuantizeLinear" in kinds and "DequantizeLinear" in kinds
    stored = {numpy_helper.to_array(tensor).dtype.name for tensor in graph.initializer
              if numpy_helper.to_array(tensor).size > 50}  # fmt: skip
    assert stored == {"int8"}
    assert [dim.dim_param for dim in graph.input[0].type.tensor_type.shape.dim][0] == "batch"
    cost = artifact.record.parity.cost
    assert cost.bytes == artifact.model.stat().st_size and cost.float_bytes > 0
    assert cost.ms > 0 and cost.float_ms > 0 and cost.ratio > 0
    card = (artifact.folder / "README.md").read_text("utf-8")
    assert "weights and activations are 8-bit integers" in card
    assert "the score fell by less than allowed" in card
    assert f"8-bit integers: {cost.bytes:,} bytes, {cost.float_bytes:,} as floats" in card
    assert "judged by 180 rows only" in card


def test_a_loss_of_score_beyond_what_is_allowed_is_refused(
    run_of, artifact_of, export_from, in_tmp
):
    export_from(artifact_of("digits", "onnx"), spoilt(lambda array: -array))
    with pytest.raises(
        Failure, match=r"accuracy falls by 0\.\d+; --max-metric-drop is 0 .and 1 more.;"
    ):
        export_run(run_of("digits"), request("shelf/it", 0.0))
    assert [path.name for path in (in_tmp / "shelf").iterdir()] == ["it.parity.json"]
    report = json.loads((in_tmp / "shelf" / "it.parity.json").read_text("utf-8"))
    assert report["quantized"] and len(report["refusals"]) == 2
    assert re.match(
        r"loss rises from [\d.]+ to [\d.]+, and [\d.]+ is allowed", report["refusals"][1]
    )
    accuracy = {who: found["accuracy"] for who, found in report["metrics"].items()}
    assert accuracy["artifact"] < accuracy["run"]


def test_what_is_broken_is_refused_whatever_may_be_lost(run_of, artifact_of, export_from, in_tmp):
    export_from(artifact_of("digits", "onnx"), spoilt(lambda array: array * np.nan))
    with pytest.raises(Failure):
        export_run(run_of("digits"), request("it", 1.0))
    assert {path.name for path in in_tmp.iterdir()} <= {"it.parity.json"}


@pytest.fixture
def costing(run_of, artifact_of, export_from, in_tmp, monkeypatch):
    """Export integers that are said to cost something; the file itself stays as it is."""
    export_from(artifact_of("digits", "onnx"))
    before = export.run_child

    def costing(force: bool = False, **changes):
        cost = {"float_bytes": 100, "bytes": 50, "float_ms": 2.0, "ms": 1.0, "ratio": 0.5}

        def run_child(module, scratch):
            if module == "quantizing":
                (scratch / "cost.json").write_text(json.dumps(cost | changes))
            else:
                before(module, scratch)

        monkeypatch.setattr(export, "run_child", run_child)
        return export_run(run_of("digits"), Request("onnx", "it", quantize="int8",
                                                    force_quantize=force))  # fmt: skip

    return costing


def test_what_became_larger_is_refused_unless_it_is_forced(costing):
    with pytest.raises(
        Failure, match="do not pay: the file has 101 bytes, that of floats 100; --force"
    ):
        costing(bytes=101)
    assert costing(force=True, bytes=101, ratio=9).record.parity.cost.ratio == 9


def test_what_became_slower_by_more_than_noise_is_refused(costing):
    with pytest.raises(Failure, match="one row takes 1.11 times as long as with floats; --force"):
        costing(ratio=1.11)
    assert costing(ratio=1.09, bytes=100).record.parity.quantized


def test_a_largest_difference_says_nothing_of_integers(run_of, run_cli):
    words = ("--format", "onnx", "--quantize", "int8", "--atol", "0.1")
    code, out, err = run_cli("export", str(run_of("digits").folder), *words)
    assert (code, out) == (2, "")
    assert err == ("error: --atol is for floats: 8-bit integers are judged by --max-metric-drop\n")
