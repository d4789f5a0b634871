"""Every blueprint, for each of its tasks, becomes a proven artifact in both formats.

The cells are found, not listed: a new family is exported as soon as its file is there.
"""

import json
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from cells import CELLS, Cell
from lasting import LastingChildren

from threefold.exporting.answering import evaluate_artifact
from threefold.exporting.artifact import Artifact, open_artifact
from threefold.exporting.runtime import load_runtime
from threefold.tasks.task import Task
from threefold.training.building import bind_task
from threefold.training.data import load_run_dataset

FILES = {
    "onnx": {"model.onnx"},
    "savedmodel": {
        f"1/{name}"
        for name in ("saved_model.pb", "fingerprint.pb", "variables/variables.index",
                     "variables/variables.data-00000-of-00001")
    },
}  # fmt: skip
TENSORS = {
    "uint8": onnx.TensorProto.UINT8,
    "int64": onnx.TensorProto.INT64,
    "float32": onnx.TensorProto.FLOAT,
    "string": onnx.TensorProto.STRING,
}


@pytest.fixture(scope="module")
def run_of_cell(fit, place):
    @cache
    def run_of_cell(cell: Cell):
        reference, data = cell.data(place)
        return fit(str(cell), cell.blueprint, cell.task, reference, data=data, options=cell.options)

    return run_of_cell


@pytest.fixture(scope="module")
def exported(place, run_of_cell):
    from threefold.exporting import export

    children = LastingChildren()

    @cache
    def exported(cell: Cell, format: str) -> Artifact:
        output = str(place / "cells" / f"{cell}-{format}")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(export, "run_child", children.run_child)
            return export.export_run(run_of_cell(cell), export.Request(format, output))

    yield exported
    children.close()


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_every_blueprint_is_exported_and_proven(cell, format, exported, run_of_cell):
    run, artifact = run_of_cell(cell), exported(cell, format)
    record, task = artifact.record, bind_task(run.record)
    assert (record.format, record.task) == (format, cell.task)
    assert record.run.model_dump(mode="json") == run.record.model_dump(mode="json")
    assert_proven(record.parity, run, task)
    assert_whole(artifact, task)
    if format == "onnx":
        assert_onnx(artifact, task)
        for found in evaluate_artifact(artifact, None, {}, None):
            wanted = run.read_metrics()[found.split]
            for name in task.headline:
                assert found.metrics[name] == pytest.approx(wanted[name], abs=1e-5, rel=1e-5)


def assert_proven(parity, run, task: Task) -> None:
    sizes = run.record.dataset.sizes
    assert (parity.split, parity.rows) == ("test", sizes["test"])
    assert parity.batch_sizes == (1, 2, 7, 32)
    free = [side for field in task.input_fields() for side in field.shape if isinstance(side, str)]
    assert parity.other_sizes == (set(free) != {"batch"})
    assert parity.limit == min(field.limit for field in task.output_fields() if field.limit)
    assert 0 <= parity.mean_abs_diff <= parity.max_abs_diff <= parity.limit <= 1e-4
    assert parity.agreement > 0.99 and not parity.quantized
    metrics = run.read_metrics()["test"]
    for who in ("run", "artifact"):
        assert list(parity.metrics[who]) == list(task.headline)
        for name, value in parity.metrics[who].items():
            assert value == pytest.approx(metrics[name], abs=1e-5, rel=1e-5), (who, name)


def assert_whole(artifact: Artifact, task: Task) -> None:
    """Check the files, and that the examples hold what goes in and what comes out."""
    folder, record = artifact.folder, artifact.record
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    pictures = {name for name in names if name.endswith(".png")}
    facts = task.facts.sidecars()
    sidecars = {"artifact.json", "examples.npz", "example.py", "README.md", *facts}
    assert names - pictures == FILES[record.format] | sidecars
    assert len(pictures) == 1 and set(record.files) == names - {"artifact.json"}
    for name, text in facts.items():
        assert (folder / name).read_text(encoding="utf-8") == text
    if task.facts.class_names:
        assert facts["labels.txt"].splitlines() == list(task.facts.class_names)
    assert record.signature.inputs == task.input_fields()
    assert record.signature.outputs == task.output_fields()
    with np.load(folder / "examples.npz", allow_pickle=False) as examples:
        outputs = {f"expected_{field.name}" for field in record.signature.outputs}
        assert set(examples.files) == {field.name for field in record.signature.inputs} | outputs
        assert {len(array) for array in examples.values()} == {4}


def assert_onnx(artifact: Artifact, task: Task) -> None:
    """Check the graph, and that its runtime takes the rows of the data."""
    model = onnx.load(artifact.model)
    onnx.checker.check_model(model, full_check=True)
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    assert opsets[""] == 18 and set(opsets) <= {"", "ai.onnx.ml"}
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx.ml"}
    for values, fields in (
        (model.graph.input, task.input_fields()),
        (model.graph.output, task.output_fields()),
    ):
        found = {value.name: value.type.tensor_type for value in values}
        assert set(found) == {field.name for field in fields}
        for field in fields:
            assert found[field.name].elem_type == TENSORS[field.dtype]
            dims = [dim.dim_param or dim.dim_value for dim in found[field.name].shape.dim]
            assert tuple(dims) == field.shape
    record = artifact.record.run
    source = load_run_dataset(record, record.facts.raw()).splits["validation"]
    run = load_runtime(artifact.model, "onnx", artifact.record.signature)
    whole = run(task.raw(source[np.arange(11)]))
    for rows in ([10], [0, 4, 2], [7, 7]):
        for name, array in run(task.raw(source[np.array(rows)])).items():
            wanted = whole[name][rows]
            if array.shape != wanted.shape:  # longer only for what the other rows held
                wanted = wanted[:, : array.shape[1]]
            np.testing.assert_allclose(array, wanted, rtol=1e-4, atol=1e-5)


def test_every_savedmodel_is_judged_as_its_run(exported, run_of_cell, ask_apart):
    folders = {cell: str(exported(cell, "savedmodel").folder) for cell in CELLS}
    told, loaded, _ = ask_apart(*(("evaluate", place, "--json") for place in folders.values()))
    assert "keras" not in loaded
    for cell, (code, out) in zip(CELLS, told, strict=True):
        assert code == 0
        run = run_of_cell(cell)
        for split, found in json.loads(out)["metrics"].items():
            wanted = run.read_metrics()[split]
            for name in bind_task(run.record).headline:
                assert found[name] == pytest.approx(wanted[name], abs=1e-5, rel=1e-5), cell


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_nothing_is_left_beside_the_artifacts(cell, exported, format):
    folder = exported(cell, format).folder
    assert open_artifact(str(folder)).record.weights
    left = [path.name for path in Path(folder).parent.iterdir()]
    assert not [name for name in left if name.startswith(".") or name.endswith(".json")]
