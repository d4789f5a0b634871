"""A model file that answers otherwise than the trained model is refused, whatever made it so."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from threefold.core.errors import Failure
from threefold.exporting.export import Request, export_run
from threefold.training.checkpoints import load_checkpoint, save_checkpoint
from threefold.training.run import open_run

pytestmark = pytest.mark.once


def change(model: onnx.ModelProto, which, how) -> None:
    """Change the one constant of a graph that `which` picks."""
    arrays = [(tensor, numpy_helper.to_array(tensor)) for tensor in model.graph.initializer]
    [(tensor, array)] = [pair for pair in arrays if which(pair[1])]
    tensor.CopyFrom(numpy_helper.from_array(np.asarray(how(array.copy())), tensor.name))


def weights_of_the_head(array) -> bool:
    return array.shape == (8, 10)


def nearly(value: float):
    return lambda array: array.size == 1 and array.dtype == np.float32 and np.isclose(array, value)


def not_a_number(array):
    array[3, 4] = np.nan
    return array


def call_otherwise(model: onnx.ModelProto, names: dict[str, str]) -> None:
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in model.graph.output:
        value.name = names.get(value.name, value.name)


def freeze(model: onnx.ModelProto, axis: int, length: int) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = length


def answer_logarithms(model: onnx.ModelProto) -> None:
    """As a network without its last step does: no metric takes probabilities below zero."""
    [node] = [node for node in model.graph.node if node.op_type == "Softmax"]
    node.op_type = "LogSoftmax"


DEFECTS = {
    "a weight 1 % off": lambda model: change(model, weights_of_the_head, lambda a: a * 1.01),
    "one weight not a number": lambda model: change(model, weights_of_the_head, not_a_number),
    "pixels divided by 128": lambda model: change(
        model, nearly(1 / 127.5), lambda a: a * np.float32(127.5 / 128)
    ),
    "outputs swapped": lambda model: call_otherwise(
        model, {"probabilities": "label_index", "label_index": "probabilities"}
    ),
    "an output of another name": lambda model: call_otherwise(model, {"label_index": "label"}),
    "a frozen batch": lambda model: freeze(model, 0, 1),
    "a frozen height": lambda model: freeze(model, 1, 8),
    "logarithms for probabilities": answer_logarithms,
}
REASONS = {
    "a weight 1 % off": "probabilities is off by",
    "one weight not a number": "probabilities is not a number in some rows in a batch of 1",
    "pixels divided by 128": "probabilities is off by",
    "outputs swapped": "the file declares the output 'probabilities' as int64 (batch), not "
    "float32 (batch, 10)",
    "an output of another name": "the file has the outputs label, probabilities, not "
    "probabilities, label_index",
    "a frozen batch": "the file declares the input 'image' as uint8 (1, height, width, 1), not "
    "uint8 (batch, height, width, 1)",
    "a frozen height": "the file declares the input 'image' as uint8 (batch, 8, width, 1), not ",
    "logarithms for probabilities": "probabilities is off by",
}


def assert_refused(folder: Path, name: str) -> dict:
    """Check that a report is all that is left; return it."""
    assert [path.name for path in folder.iterdir()] == [f"{name}.parity.json"]
    report = json.loads((folder / f"{name}.parity.json").read_text("utf-8"))
    assert report["refusals"] and report["rows"] > 0
    assert list(report["metrics"]["run"]) == ["accuracy", "f1", "loss"]
    return report


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_is_refused_with_a_report_and_nothing_else(
    defect, run_of, artifact_of, export_from, in_tmp
):
    def spoil(path: Path) -> None:
        model = onnx.load(path)
        DEFECTS[defect](model)
        onnx.save(model, path)

    export_from(artifact_of("digits", "onnx"), spoil)
    with pytest.raises(Failure) as raised:
        export_run(run_of("digits"), Request("onnx", "shelf/it"))
    text = str(raised.value)
    assert text.startswith("the exported model does not answer as the trained one does: ")
    assert REASONS[defect] in text and "\n" not in text
    assert text.endswith("no artifact was written; report: shelf/it.parity.json")
    report = assert_refused(in_tmp / "shelf", "it")
    assert any(REASONS[defect] in refusal for refusal in report["refusals"])


def test_the_same_file_without_a_defect_is_taken(run_of, artifact_of, export_from, in_tmp):
    export_from(artifact_of("digits", "onnx"), lambda path: onnx.save(onnx.load(path), path))
    artifact = export_run(run_of("digits"), Request("onnx", "shelf/it"))
    assert artifact.record.parity.rows == 180
    assert [path.name for path in (in_tmp / "shelf").iterdir()] == ["it"]


def test_a_larger_difference_may_be_allowed_and_a_smaller_one_demanded(
    run_of, artifact_of, export_from, in_tmp
):
    spoil = DEFECTS["pixels divided by 128"]

    def spoilt(path: Path) -> None:
        model = onnx.load(path)
        spoil(model)
        onnx.save(model, path)

    export_from(artifact_of("digits", "onnx"), spoilt)
    parity = export_run(run_of("digits"), Request("onnx", "loose", atol=0.5)).record.parity
    assert parity.limit == 0.5 and 1e-5 < parity.max_abs_diff < 0.5
    export_from(artifact_of("digits", "onnx"))
    for atol in (1e-12, float("nan")):
        with pytest.raises(Failure, match="is off by .*; limit"):
            export_run(run_of("digits"), Request("onnx", "tight", atol=atol))
        assert not Path("tight").exists()


@pytest.fixture
def changed_run(run_of, in_tmp):
    """The run on digits, with one of its best weights moved by 1 %."""
    shutil.copytree(run_of("digits").folder, in_tmp / "changed")
    run = open_run("changed")
    arrays, state = load_checkpoint(run.checkpoints, "best")
    name = "weights/head/kernel"
    save_checkpoint(run.checkpoints, "best", arrays | {name: arrays[name] * 1.01}, state)
    return run


def test_a_savedmodel_with_other_weights_is_refused(changed_run, artifact_of, export_from, in_tmp):
    export_from(artifact_of("digits", "savedmodel"))
    with pytest.raises(Failure, match="probabilities is off by .*; limit 1e-05"):
        export_run(changed_run, Request("savedmodel", "shelf/it"))
    assert_refused(in_tmp / "shelf", "it")


def test_the_command_line_says_it_in_one_line(run_cli, changed_run, artifact_of, export_from):
    export_from(artifact_of("digits", "onnx"))
    code, out, err = run_cli("export", "changed", "--format", "onnx", "--output", "it", "--json")
    assert (code, out) == (1, "")
    assert err.startswith("error: the exported model does not answer as") and err.count("\n") == 1
    assert_refused_here = sorted(path.name for path in Path().iterdir())
    assert assert_refused_here == ["changed", "it.parity.json"]


def test_a_model_that_cannot_be_made_or_opened_is_one_line(
    run_of, artifact_of, export_from, in_tmp
):
    """What another process dies of is said, and nothing is left."""

    def spoil(path: Path) -> None:
        path.write_bytes(path.read_bytes()[:-500])

    export_from(artifact_of("digits", "savedmodel"), spoil)
    with pytest.raises(Failure, match="^the export failed while parity: .+") as raised:
        export_run(run_of("digits"), Request("savedmodel", "shelf/it"))
    assert "\n" not in str(raised.value)
    assert list((in_tmp / "shelf").iterdir()) == []


def test_gates_of_a_recurrent_layer_in_another_order_are_refused(fit, export_from, in_tmp):
    run = fit("series", "rnn", options={"cell": "lstm", "units": "6", "bidirectional": "false"})
    whole = export_run(run, Request("onnx", "whole"))
    kinds = [node.op_type for node in onnx.load(whole.model).graph.node]
    assert "LSTM" in kinds and "Loop" not in kinds

    def spoil(path: Path) -> None:
        model = onnx.load(path)

        def swap_gates(array):
            gates = np.split(array, 4, axis=1)
            return np.concatenate([gates[gate] for gate in (0, 2, 1, 3)], axis=1)

        change(model, lambda array: array.shape == (1, 24, 6), swap_gates)
        onnx.save(model, path)

    export_from(whole.model.parent, spoil)
    with pytest.raises(Failure, match="probabilities is off by"):
        export_run(run, Request("onnx", "shelf/it"))
