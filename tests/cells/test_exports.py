"""Every blueprint, for each of its tasks, becomes a proven artifact in both formats.

The cells are found, not listed: a new family is exported as soon as its file is there.
"""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from threefold.exporting.artifact import Artifact, open_artifact
from threefold.exporting.runtime import load_runtime
from threefold.tasks.signature import Field
from threefold.tasks.task import Task
from threefold.training.building import bind_task
from threefold.training.data import load_run_dataset
from threefold.training.run import RunRecord

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


pytestmark = [pytest.mark.each_backend, pytest.mark.exports]


def test_a_cell_is_exported_and_proven(cell, format):
    run, artifact = cell.whole, cell.export(format)
    record, task = artifact.record, bind_task(run.record)
    assert (record.format, record.task) == (format, cell.task_name)
    public = run.record.without_places().model_dump(mode="json")
    assert record.run.model_dump(mode="json") == public
    assert_proven(record.parity, run, task)
    assert_whole(artifact, task, run.record)
    if format == "onnx":
        assert_onnx(artifact, task, run.record)


def assert_evaluated_alike(found, wanted, task: Task) -> None:
    for name in task.summary_metrics:
        assert found[name] == pytest.approx(wanted[name], abs=1e-5, rel=1e-5), name


def assert_proven(parity, run, task: Task) -> None:
    sizes = run.record.dataset.sizes
    assert (parity.split, parity.rows) == ("test", sizes["test"])
    assert parity.batch_sizes == (1, 2, 7, 32)
    free = [side for field in task.input_fields() for side in field.shape if isinstance(side, str)]
    assert len(parity.probes) >= 2
    sizes = {"of another size", "of another length"} & {*parity.probes}
    assert bool(sizes) == (set(free) != {"batch"})
    assert parity.limit == min(field.limit for field in task.output_fields() if field.limit)
    assert 0 <= parity.mean_abs_diff <= parity.max_abs_diff <= parity.limit <= 1e-4
    # Every place of an image of one colour says the same: what is found there is all near ties.
    decided = any(field.decided for field in task.output_fields())
    assert parity.agreement > (0.9 if decided else 0.99) and not parity.quantized
    metrics = run.read_metrics()["test"]
    for who in ("run", "artifact"):
        names = dict.fromkeys((*task.summary_metrics, task.primary_metric))
        assert list(parity.metrics[who]) == list(names)
        for name, value in parity.metrics[who].items():
            assert value == pytest.approx(metrics[name], abs=1e-5, rel=1e-5), (who, name)


def fields_with_ranges(task: Task, record: RunRecord) -> tuple[Field, ...]:
    """Return what goes in; a table's numbers with the least and the largest of the training."""
    train = load_run_dataset(record, record.facts.raw()).splits["train"]
    raw = task.raw_inputs(train[np.arange(len(train))])
    found = []
    for field in task.input_fields():
        if field.column and raw[field.name].dtype.kind == "f":
            numbers = raw[field.name]
            bounds = (float(np.nanmin(numbers)), float(np.nanmax(numbers)))
            field = field.model_copy(update={"range": bounds})
        found.append(field)
    return tuple(found)


def assert_whole(artifact: Artifact, task: Task, of_run: RunRecord) -> None:
    """Check the files, and that the examples hold what goes in and what comes out."""
    folder, record = artifact.folder, artifact.record
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    files = {"example.png", "example_mask.png", "example.wav", "example.csv"}
    asked = names & files  # what example.py asks of
    images = {name for name in names - asked if name.endswith(".png")}
    facts = task.facts.sidecars()
    sidecars = {"artifact.json", "examples.npz", "example.py", "README.md", *facts, *asked}
    assert names - images == FILES[record.format] | sidecars
    assert len(images) == 1 and set(record.files) == names - {"artifact.json"}
    for name, text in facts.items():
        assert (folder / name).read_text(encoding="utf-8") == text
    if task.facts.class_names:
        assert facts["labels.txt"].splitlines() == list(task.facts.class_names)
    assert record.signature.inputs == fields_with_ranges(task, of_run)
    assert record.signature.outputs == task.output_fields()
    with np.load(folder / "examples.npz", allow_pickle=False) as examples:
        outputs = {f"expected_{field.name}" for field in record.signature.outputs}
        assert set(examples.files) == {field.name for field in record.signature.inputs} | outputs
        assert {len(array) for array in examples.values()} == {4}


def assert_onnx(artifact: Artifact, task: Task, record: RunRecord) -> None:
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
    source = load_run_dataset(record, record.facts.raw()).splits["validation"]
    run = load_runtime(artifact.model, "onnx", artifact.record.signature)
    whole = run(task.raw_inputs(source[np.arange(11)]))
    for rows in ([10], [0, 4, 2], [7, 7]):
        for name, array in run(task.raw_inputs(source[np.array(rows)])).items():
            wanted = whole[name][rows]
            if array.shape != wanted.shape:  # longer only for what the other rows held
                wanted = wanted[:, : array.shape[1]]
            np.testing.assert_allclose(array, wanted, rtol=1e-4, atol=1e-5)


def test_an_artifact_is_judged_as_its_run_by_the_command_line(cell, format, commands_apart):
    words = ["evaluate", str(cell.export(format).folder), "--json"]
    reference, _ = cell.cell.data(cell.folder)
    if Path(reference).exists():  # one's own data, whose place no artifact tells
        words += ["--dataset", reference]
    code, out, loaded = commands_apart(*words)
    assert code == 0 and "keras" not in loaded
    for split, found in json.loads(out)["metrics"].items():
        task = bind_task(cell.whole.record)
        assert_evaluated_alike(found, cell.whole.read_metrics()[split], task)


def test_nothing_is_left_beside_the_artifact(cell, format):
    folder = cell.export(format).folder
    assert open_artifact(str(folder)).record.weights
    left = [path.name for path in folder.parent.iterdir()]
    assert not [name for name in left if name.startswith(".") or name.endswith(".json")]
