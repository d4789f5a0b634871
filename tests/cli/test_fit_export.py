"""Exports that a fit is asked for, and what `show` says of them."""

import json

import pytest

from threefold.core.errors import Failure
from threefold.exporting import proven, trial
from threefold.exporting.artifact import open_artifact
from threefold.training.backend import BACKENDS
from threefold.training.inspection.description import catalogue

pytestmark = pytest.mark.once

SMALL = ("dnn", "-o", "widths=8", "--epochs", "1", "--run", "fitted")


def test_a_fit_exports_at_its_end(run_cli):
    code, out, err = run_cli("fit", *SMALL, "--export", "onnx", "--json")
    assert code == 0 and "warning" not in err
    found = json.loads(out)
    assert found["artifacts"] == {"onnx": "artifacts/fitted-onnx"}
    record = open_artifact("artifacts/fitted-onnx").record
    assert record.parity.metrics["run"]["accuracy"] == found["metrics"]["test"]["accuracy"]


@pytest.mark.filterwarnings("default:this model cannot")
def test_what_cannot_be_exported_is_said_before_the_training(run_cli, monkeypatch):
    def refuse(module, scratch):
        assert module == "building"
        raise Failure("ONNX has no counterpart of: Erfinv")

    monkeypatch.setattr(trial, "run_child", refuse)
    # What comes after the training is another matter.
    monkeypatch.setattr("threefold.exporting.export.export_run", lambda run, request: open_nothing)
    open_nothing = type("Made", (), {"folder": "nowhere"})
    code, out, err = run_cli("fit", *SMALL, "--export", "onnx", "--json")
    assert code == 0
    warning = "warning: this model cannot become onnx: ONNX has no counterpart of: Erfinv"
    assert err.index(warning) < err.index("1/1")


def test_show_tells_what_was_proven(run_cli):
    code, out, _ = run_cli("show", "cnn")
    assert code == 0
    text = " ".join(out.split())
    for format in ("savedmodel", "onnx"):
        assert f"{format} proven with the defaults, trained on tensorflow, jax, torch" in text
    assert "free: batch, height, width" in text
    described = json.loads(run_cli("show", "dnn", "--json")[1])
    assert described["exports"]["onnx"]["free"] == ["batch"]
    assert 0 < described["exports"]["onnx"]["max_abs_diff"] < 1e-4


def test_a_family_that_was_never_exported_says_so(run_cli, monkeypatch):
    monkeypatch.setattr(proven, "describe_exports", lambda name: {})
    assert "exports: not tried yet" in run_cli("show", "dnn")[1]


@pytest.mark.parametrize("format", ["savedmodel", "onnx"])
def test_a_cell_that_was_proven_was_so_on_every_backend(format):
    """What has not gone through `benchmarks/exports.py` is shown as not tried yet."""
    rows = proven.read_proven()
    found = {(row["blueprint"], row["task"], row["trained_on"])
             for row in rows if row["format"] == format}  # fmt: skip
    cells = {(name, task) for name, about in catalogue()["blueprints"].items()
             for task in about["tasks"]}  # fmt: skip
    tried = {(name, task) for name, task, _ in found}
    assert tried and tried <= cells
    assert found == {(*cell, backend) for cell in tried for backend in BACKENDS}
    for row in rows:
        assert float(row["max_abs_diff"]) <= float(row["limit"]), row
        assert float(row["agreement"]) == 1, row
