"""Defects that no row of the data shows, in a model file or alongside it, are refused, too."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from threefold.core.errors import Failure
from threefold.exporting import export, parity, sidecars
from threefold.exporting.export import Request, export_run

pytestmark = pytest.mark.once


def find_nodes(graph: onnx.GraphProto, kind: str) -> list[onnx.NodeProto]:
    return [node for node in graph.node if node.op_type == kind]


def find_no_number_missing(model: onnx.ModelProto) -> None:
    for node in find_nodes(model.graph, "IsNaN"):
        node.op_type = "IsInf"


def take_unknown_words_for_the_first(model: onnx.ModelProto) -> None:
    [node] = find_nodes(model.graph, "CategoryMapper") or find_nodes(model.graph, "LabelEncoder")
    [default] = [found for found in node.attribute if found.name == "default_int64"]
    assert default.i == 0
    default.i = 1


def ignore(setting: str, value: float) -> Callable[[onnx.ModelProto], None]:
    """Let a sampler go by its usual value, whatever it is given."""

    def spoil(model: onnx.ModelProto) -> None:
        constant = onnx.helper.make_node(
            "ConstantOfShape",
            ["shape_of_it"],
            ["constant_for_it"],
            value=onnx.numpy_helper.from_array(np.array([value], np.float32)),
        )
        shape = onnx.helper.make_node("Shape", [setting], ["shape_of_it"])
        for node in model.graph.node:
            node.input[:] = ["constant_for_it" if n == setting else n for n in node.input]
        model.graph.node.insert(0, constant)
        model.graph.node.insert(0, shape)

    return spoil


DEFECTS = {
    "missing numbers go on as they are": (
        "complete", find_no_number_missing,
        "probabilities is not a number in some rows on inputs with every column missing",
    ),
    "an unknown word is the first of the vocabulary": (
        "complete", take_unknown_words_for_the_first,
        "probabilities is off by ",
    ),
    "the temperature is ignored": ("prose", ignore("temperature", 1.0), "with temperature 0.5"),
    "the nucleus is ignored": ("prose", ignore("top_p", 1.0), "with top_p 0.5"),
}  # fmt: skip


def refuse(run, format: str) -> str:
    """Export; return why it was refused, after a look at what is left."""
    with pytest.raises(Failure) as raised:
        export_run(run, Request(format, "shelf/it"))
    assert [path.name for path in Path("shelf").iterdir()] == ["it.parity.json"]
    report = json.loads(Path("shelf/it.parity.json").read_text("utf-8"))
    assert report["refusals"][0] in str(raised.value)
    return "\n".join(report["refusals"])


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_that_no_row_shows_is_refused(defect, run_of, artifact_of, export_from, in_tmp):
    kind, change, reason = DEFECTS[defect]

    def spoil(path: Path) -> None:
        model = onnx.load(path)
        change(model)
        onnx.save(model, path)

    export_from(artifact_of(kind, "onnx"), spoil)
    reasons = refuse(run_of(kind), "onnx")
    assert reason in reasons
    assert "in a batch of" not in reasons  # all real rows are answered as they should be


SIGNATURES = {
    "a batch of one row": "the file declares the input 'image' as uint8 (1, free, free, 1), not "
    "uint8 (batch, height, width, 1)",
    "classes of another type": "the file declares the output 'label_index' as int32 (free), not "
    "int64 (batch)",
    "nine classes": "the file declares the output 'probabilities' as float32 (free, 9), not "
    "float32 (batch, 10)",
}


@pytest.mark.parametrize("defect", SIGNATURES)
def test_a_serving_signature_that_says_something_else_is_refused(
    defect, run_of, artifact_of, export_from, in_tmp
):
    """A server reads these lines of the file, not the function behind them."""
    protobufs = pytest.importorskip("tensorflow.core.protobuf.saved_model_pb2")

    def spoil(path: Path) -> None:
        model = protobufs.SavedModel.FromString(path.read_bytes())
        signature = model.meta_graphs[0].signature_def["serving_default"]
        if defect == "a batch of one row":
            signature.inputs["image"].tensor_shape.dim[0].size = 1
        elif defect == "nine classes":
            signature.outputs["probabilities"].tensor_shape.dim[1].size = 9
        else:
            signature.outputs["label_index"].dtype = 3  # int32
        path.write_bytes(model.SerializeToString())

    export_from(artifact_of("digits", "savedmodel"), spoil)
    assert SIGNATURES[defect] in refuse(run_of("digits"), "savedmodel")


def after(module, name: str, spoil: Callable[[Path], None], monkeypatch) -> None:
    """Let a function whose first argument is the folder be followed by a defect."""
    real = getattr(module, name)

    def changed(folder: Path, *given):
        returned = real(folder, *given)
        spoil(folder)
        return returned

    monkeypatch.setattr(module, name, changed)


def replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        text = (folder / name).read_text("utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1), "utf-8")

    return spoil


def change_an_example(folder: Path) -> None:
    with np.load(folder / "examples.npz") as file:
        arrays = {name: file[name] for name in file.files}
    arrays["expected_probabilities"][0] = arrays["expected_probabilities"][0][::-1]
    np.savez(folder / "examples.npz", **arrays)


SIDECARS = {
    "labels.txt": (
        sidecars, "write_example", replace("labels.txt", "3\n4\n", "4\n3\n"),
        "labels.txt is not what the answers were trained with",
    ),
    "example.py": (
        parity, "_keep_examples", replace("example.py", "model.onnx", "model.onxx"),
        "example.py fails: ",
    ),
    "examples.npz": (parity, "_keep_examples", change_an_example, "example.py fails: "),
    "README.md": (
        export, "write_card", replace("README.md", "| uint8 | (", "| float32 | ("),
        "README.md does not say that 'image' is uint8",
    ),
    "artifact.json": (
        export, "write_record", replace("artifact.json", '"uint8"', '"int64"'),
        "artifact.json: it is not what was written",
    ),
}  # fmt: skip


def let_texts_be_of_any_length(folder: Path) -> None:
    content = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    assert content["truncation"]
    (folder / "tokenizer.json").write_text(json.dumps(content | {"truncation": None}), "utf-8")


def test_a_tokenizer_that_cuts_no_text_is_refused(
    run_of, artifact_of, export_from, in_tmp, monkeypatch
):
    export_from(artifact_of("prose", "onnx"))
    after(sidecars, "write_example", let_texts_be_of_any_length, monkeypatch)
    reason = "tokenizer.json is not what the answers were trained with"
    assert reason in refuse(run_of("prose"), "onnx")


@pytest.mark.parametrize("name", SIDECARS)
def test_a_defect_of_any_file_alongside_is_refused(
    name, run_of, artifact_of, export_from, in_tmp, monkeypatch
):
    module, function, spoil, reason = SIDECARS[name]
    export_from(artifact_of("digits", "onnx"))
    after(module, function, spoil, monkeypatch)
    assert reason in refuse(run_of("digits"), "onnx")


def test_a_record_with_classes_in_another_order_is_refused(
    run_of, artifact_of, export_from, in_tmp, monkeypatch
):
    export_from(artifact_of("digits", "onnx"))
    real = export.write_record

    def write(folder: Path, content: dict) -> None:
        real(folder, content | {"labels": content["labels"][::-1]})

    monkeypatch.setattr(export, "write_record", write)
    reason = "artifact.json does not name the classes in the order of the answers"
    assert reason in refuse(run_of("digits"), "onnx")
