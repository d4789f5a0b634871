"""What an ONNX file says of itself, and the version of the operators in it."""

import json
from importlib.metadata import version

import onnx
import onnxruntime
import pytest

from threefold.exporting.artifact import open_artifact
from threefold.exporting.export import Request, export_run

pytestmark = pytest.mark.once


@pytest.mark.parametrize("kind", ["digits", "table"])
def test_a_file_says_what_the_card_says_and_no_folder(kind, artifact_of, place):
    artifact = open_artifact(str(artifact_of(kind, "onnx")))
    record = artifact.record
    session = onnxruntime.InferenceSession(artifact.model)
    found = session.get_modelmeta().custom_metadata_map
    meanings = {
        side: {field.name: field.meaning for field in getattr(record.signature, side)}
        for side in ("inputs", "outputs")
    }
    assert found == {
        "run": kind,
        "blueprint": record.run.blueprint,
        "task": record.task,
        "classes": json.dumps(record.labels, ensure_ascii=False),
        "trained_on": record.run.backend,
        "program": f"threefold {version('threefold')}",
        **{side: json.dumps(texts, ensure_ascii=False) for side, texts in meanings.items()},
    }
    labels = (artifact.folder / "labels.txt").read_text("utf-8").split("\n")[:-1]
    assert kind != "digits" or json.loads(found["classes"]) == labels
    model = onnx.load(artifact.model)
    assert {p.key: p.value for p in model.metadata_props} == found
    assert (model.producer_name, model.producer_version) == ("threefold", version("threefold"))
    assert str(place).encode() not in artifact.model.read_bytes()


@pytest.mark.parametrize("opset", [17, 18])
def test_each_opset_that_can_be_asked_for_is_proven(opset, run_of, in_tmp):
    artifact = export_run(run_of("digits"), Request("onnx", "it", opset=opset))
    imported = {i.domain: i.version for i in onnx.load(artifact.model).opset_import}
    assert imported == {"": opset}
    assert artifact.record.parity.max_abs_diff <= 1e-5 and artifact.record.parity.rows == 180


def test_the_default_is_opset_18(artifact_of):
    imported = onnx.load(artifact_of("digits", "onnx") / "model.onnx").opset_import
    assert [(i.domain, i.version) for i in imported] == [("", 18)]
