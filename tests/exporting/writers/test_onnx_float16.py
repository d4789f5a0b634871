"""Networks that compute in float16: proven within a limit of their own, or refused."""

import json
import shutil

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from threefold.core.errors import Failure
from threefold.exporting.artifact import open_artifact
from threefold.exporting.export import Request, export_run
from threefold.exporting.writers.onnx_float16 import write_float16

pytestmark = pytest.mark.once


def halve(file, folder, spoil=lambda model: None):
    """Return an ONNX file of float16 that was made of a file of float32."""
    model = onnx.load(file)
    spoil(model)
    onnx.save(model, folder / "half.onnx")
    write_float16(folder / "half.onnx")
    return folder / "half.onnx"


def infer(model, **inputs):
    session = onnxruntime.InferenceSession(model)
    return dict(
        zip([v.name for v in session.get_outputs()], session.run(None, inputs), strict=True)
    )


def test_a_float16_artifact_is_proven_and_says_so(run_of, run_cli, artifact_of):
    words = ("--format", "onnx", "--precision", "float16", "--json")
    code, out, err = run_cli("export", str(run_of("digits").folder), *words)
    assert (code, err) == (0, "")
    assert json.loads(out)["artifact"] == "artifacts/digits-onnx-float16"
    artifact = open_artifact("artifacts/digits-onnx-float16")
    parity = artifact.record.parity
    assert artifact.record.precision == "float16" and parity.limit == 5e-3
    assert 1e-5 < parity.max_abs_diff < 5e-3 and parity.rows == 180
    assert "in float16" in (artifact.folder / "README.md").read_text("utf-8")
    whole = onnx.load(artifact_of("digits", "onnx") / "model.onnx")
    model = onnx.load(artifact.model)
    assert model.graph.input == whole.graph.input and model.graph.output == whole.graph.output
    assert list(model.metadata_props) == list(whole.metadata_props)
    # The last layer's bias, of ten numbers, is added in float32.
    large = {numpy_helper.to_array(w).dtype.name for w in model.graph.initializer
             if numpy_helper.to_array(w).size > 10}  # fmt: skip
    assert large == {"float16"}
    code, out, err = run_cli("show", "artifacts/digits-onnx-float16")
    assert code == 0 and "float16" in out


def test_a_table_is_proven_with_extreme_numbers_missing_cells_and_words(run_of, in_tmp):
    artifact = export_run(run_of("table"), Request("onnx", "it", precision="float16"))
    parity = artifact.record.parity
    assert "of extreme numbers" in parity.probes and parity.agreement == 1
    assert parity.max_abs_diff < 5e-3


def test_what_float16_cannot_hold_is_answered_with_numbers(artifact_of, in_tmp):
    model = halve(artifact_of("complete", "onnx") / "model.onnx", in_tmp)
    sizes = np.array([1e5, -1e5, 1e30, -1e30, np.nan], np.float32)
    cities = np.array(["Bonn"] * 5, object)
    found = infer(model, size=sizes, city=cities)["probabilities"]
    assert found.dtype == np.float32 and np.isfinite(found).all()
    np.testing.assert_allclose(found[0], found[2], atol=1e-6)


def test_images_of_any_size_are_resized_in_float32(artifact_of, in_tmp):
    """Positions in an image of more than 2,048 columns are no numbers of float16."""
    whole = artifact_of("photos", "onnx") / "model.onnx"
    model = halve(whole, in_tmp)
    image = np.random.default_rng(0).integers(0, 256, (1, 3, 4099, 3)).astype(np.uint8)
    found, wanted = (infer(path, image=image)["probabilities"] for path in (model, whole))
    np.testing.assert_allclose(found, wanted, atol=2e-3)


def test_a_float16_file_that_is_off_by_more_is_refused(run_of, artifact_of, export_from, in_tmp):
    def spoil(model):
        for weight in model.graph.initializer:
            array = numpy_helper.to_array(weight)
            if array.shape == (8, 10):
                changed = (array * 1.2).astype(array.dtype)
                weight.CopyFrom(numpy_helper.from_array(changed, weight.name))

    half = halve(artifact_of("digits", "onnx") / "model.onnx", in_tmp, spoil)
    export_from(artifact_of("digits", "onnx"), lambda path: shutil.copy(half, path))
    with pytest.raises(Failure, match=r"probabilities is off by .* limit 0\.005"):
        export_run(run_of("digits"), Request("onnx", "it", precision="float16"))
    assert not (in_tmp / "it").exists()


def write_graph(folder, nodes, weights):
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "serve", [value("x", TensorProto.FLOAT, ["batch", 2])],
        [value("y", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(np.asarray(a, np.float32), name) for name, a in weights.items()],
    )  # fmt: skip
    opset = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), folder / "graph.onnx")
    return folder / "graph.onnx"


@pytest.mark.parametrize("mask", [[0, 0], [0, -1e9]])
def test_squares_and_masks_between_layers_do_not_overflow(mask, in_tmp):
    node, one = helper.make_node, np.eye(2)
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        node("Mul", ["a", "a"], ["squares"]),  # up to a million
        node("Sqrt", ["squares"], ["size"]),
        node("Add", ["size", "mask"], ["masked"]),
        node("Softmax", ["masked"], ["share"]),
        node("MatMul", ["share", "v"], ["y"]),
    ]  # fmt: skip
    path = write_graph(in_tmp, nodes, {"w": 4 * one, "v": one, "mask": mask})
    x = np.array([[250, 249.5], [-3, 1]], np.float32)
    write_float16(path)
    found = infer(path, x=x)["y"]
    size = 4 * abs(x) + np.array(mask)
    wanted = 1 / (1 + np.exp((size[:, ::-1] - size).clip(-80, 80)))
    np.testing.assert_allclose(found, wanted, atol=2e-3)


def test_a_graph_without_a_layer_is_refused(in_tmp):
    path = write_graph(in_tmp, [helper.make_node("Add", ["x", "b"], ["y"])], {"b": [1, 2]})
    with pytest.raises(Failure, match="^float16: no layer with weights stands outside of a loop$"):
        write_float16(path)
