"""A runtime answers for inputs of the signature, and says what it expected for any other."""

import numpy as np
import pytest
from refusals import refused

from threefold.core.errors import UserError
from threefold.exporting.artifact import open_artifact
from threefold.exporting.runtime import load_runtime
from threefold.tasks.signature import Field, Signature

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def opened(artifact_of):
    """The signature and the runtime of an artifact."""

    def opened(kind: str):
        artifact = open_artifact(str(artifact_of(kind, "onnx")))
        signature = artifact.record.signature
        return signature, load_runtime(artifact.model, "onnx", signature)

    return opened


@pytest.fixture(scope="module")
def run_images(opened):
    return opened("photos")[1]


@pytest.fixture(scope="module")
def rows(opened):
    """The runtime of the table, and three rows for it."""
    signature, run = opened("table")
    raw = {
        field.name: np.array(["Köln", "", "never seen"])
        if field.dtype == "string"
        else np.array([1, np.nan, -3], np.float32)
        for field in signature.inputs
    }
    return run, raw


def noise(*shape, dtype=np.uint8):
    return np.random.default_rng(len(shape)).integers(0, 255, shape).astype(dtype)


def mixed(*shapes):
    found = np.empty(len(shapes), object)
    found[:] = [noise(*shape) for shape in shapes]
    return found


WRONG_IMAGES = {
    "float32": noise(2, 9, 9, 3, dtype=np.float32),
    "int64": noise(2, 9, 9, 3, dtype=np.int64),
    "uint16": noise(2, 9, 9, 3, dtype=np.uint16),
    "truths": noise(2, 9, 9, 3).astype(bool),
    "words": np.array(["a.png", "b.png"]),
    "one channel": noise(2, 9, 9, 1),
    "four channels": noise(2, 9, 9, 4),
    "no batch": noise(9, 9, 3),
    "no channels": noise(2, 9, 9),
    "a number": np.array(7, np.uint8),
    "one of some": mixed((9, 9, 3), (9, 9, 1)),
    "floats among some": np.array([noise(9, 9, 3), noise(3, 9, 3).astype(float)], object),
}


@pytest.mark.parametrize("kind", WRONG_IMAGES)
def test_a_wrong_image_is_told_what_was_expected(run_images, kind):
    with refused() as raised:
        run_images({"image": WRONG_IMAGES[kind]})
    wanted = "input 'image': expected uint8 of shape (batch, height, width, 3), got "
    assert str(raised.value).startswith(wanted), str(raised.value)


def test_what_was_given_is_said_too(run_images):
    for array, got in (
        (noise(2, 9, 9, 1), "uint8 of shape (batch, 9, 9, 1)"),
        (noise(2, 9, 9, 3, dtype=np.float32), "float32 of shape (batch, 9, 9, 3)"),
        (mixed((9, 9, 3), (9, 8, 1)), "uint8 of shape (batch, 9, 8, 1)"),
    ):
        with pytest.raises(UserError, match="got ") as raised:
            run_images({"image": array})
        assert str(raised.value).endswith(f"got {got}")


@pytest.mark.parametrize(
    ("names", "got"),
    [((), "none"), (("photo",), "photo"), (("image", "mask"), "image, mask")],
)
def test_missing_and_unknown_inputs_are_named(run_images, names, got):
    with pytest.raises(UserError, match=f"^expected the inputs image, got {got}$"):
        run_images(dict.fromkeys(names, noise(1, 9, 9, 3)))


def test_a_column_that_is_missing_is_told_by_the_names_of_all(rows):
    run, raw = rows
    for names in (list(raw)[1:], [*raw, "more"]):
        with pytest.raises(UserError) as raised:
            run({name: raw.get(name, raw["Size"]) for name in names})
        wanted = f"expected the inputs {', '.join(raw)}, got {', '.join(names)}"
        assert str(raised.value) == wanted


@pytest.mark.parametrize(
    ("column", "array", "wanted", "got"),
    [
        ("city", np.zeros(3, np.float32), "string of shape (batch)", "float32 of shape (batch)"),
        ("city", np.array([1, 2, 3]), "string of shape (batch)", "int64 of shape (batch)"),
        ("Size", np.array(["1", "2", "3"]), "float32 of shape (batch)", "string of shape (batch)"),
        ("Size", np.zeros(3), "float32 of shape (batch)", "float64 of shape (batch)"),
        (
            "city",
            np.array(["a", "b", "c"], object),
            "string of shape (batch)",
            "object of shape (batch)",
        ),
        ("Size", np.zeros(3, int), "float32 of shape (batch)", "int64 of shape (batch)"),
        ("Size", np.zeros((3, 1), np.float32), "float32 of shape (batch)", "(batch, 1)"),
        ("city", np.array([["a"], ["b"], ["c"]]), "string of shape (batch)", "(batch, 1)"),
    ],
)
def test_a_wrong_column_is_told_what_was_expected(rows, column, array, wanted, got):
    run, raw = rows
    with pytest.raises(UserError) as raised:
        run(raw | {column: array})
    text = str(raised.value)
    assert text.startswith(f"input '{column}': expected {wanted}, got ") and text.endswith(got)


def test_right_inputs_are_answered(run_images, rows):
    run, raw = rows
    predictions = run(raw)
    assert predictions["probabilities"].shape == (3, 2) and predictions["label_index"].shape == (3,)
    assert np.isfinite(predictions["probabilities"]).all()
    predictions = run_images({"image": noise(4, 9, 13, 3)})
    assert predictions["probabilities"].dtype == np.float32
    assert predictions["label_index"].dtype == np.int64


def test_a_word_is_found_and_any_other_is_unknown(rows):
    run, raw = rows
    one = {name: array[:1] for name, array in raw.items()}

    def predict_with(word):
        return run(one | {"city": np.array([word])})["probabilities"]

    assert not np.array_equal(predict_with("Köln"), predict_with("Bonn"))
    for word in ("", "köln", "Köln ", "🙂", "a" * 999):
        np.testing.assert_array_equal(predict_with(word), predict_with("unknown"))


def test_mixed_sizes_are_answered_in_their_order(run_images):
    images = mixed((9, 9, 3), (20, 20, 3), (9, 9, 3), (1, 1, 3), (20, 20, 3), (9, 10, 3))
    predictions = run_images({"image": images})
    for position, image in enumerate(images):
        alone = run_images({"image": image[None]})
        for name, array in alone.items():
            np.testing.assert_allclose(predictions[name][position], array[0], rtol=1e-4, atol=1e-6)


def test_inputs_beside_mixed_images_keep_their_rows(monkeypatch):
    """No task has such a model yet; the runtime must not tell them apart wrongly."""
    from threefold.exporting import runtime

    def run(raw):
        sums = np.array([image.sum() for image in raw["image"]])
        return {"sum": sums + raw["number"], "size": np.full(len(sums), raw["image"].size)}

    monkeypatch.setattr(runtime, "_load_onnx", lambda model: run)
    signature = Signature(
        inputs=(
            Field(name="image", dtype="uint8", shape=("batch", "height", "width", 3), meaning=""),
            Field(name="number", dtype="float32", shape=("batch",), meaning=""),
        ),
        outputs=(),
    )
    images = mixed((2, 2, 3), (3, 2, 3), (2, 2, 3), (3, 2, 3), (3, 2, 3))
    numbers = np.arange(5, dtype=np.float32) * 10_000
    found = load_runtime(None, "onnx", signature)({"image": images, "number": numbers})
    wanted = [image.sum() + number for image, number in zip(images, numbers, strict=True)]
    np.testing.assert_array_equal(found["sum"], wanted)
