"""What is replayed, and which differences are refused."""

import numpy as np
import pytest

from threefold.core.errors import Failure
from threefold.datasets.dataset import ArraySource
from threefold.datasets.facts import ImageFacts
from threefold.datasets.facts_base import NumericTarget
from threefold.exporting.export import Request, export_run
from threefold.exporting.parity import Comparison, compare
from threefold.tasks.task import find_task

pytestmark = pytest.mark.once

ROWS = 71
CLASSES = ImageFacts(image_shape=(2, 2, 1), class_names=("a", "b", "c"), class_counts=(1, 1, 1))
NUMBERS = ImageFacts(
    image_shape=(2, 2, 1),
    targets=(
        NumericTarget(name="large", mean=0.0, scale=1000.0),
        NumericTarget(name="small", mean=0.0, scale=0.01),
    ),
)


class Played:
    """A task, rows of it, and a model that is a formula: what a file might do wrong is played."""

    def __init__(self, name: str, facts: ImageFacts):
        self.task = find_task(name)(facts)
        images = np.random.default_rng(0).integers(0, 256, (ROWS, 2, 2, 1), dtype=np.uint8)
        self.source = ArraySource({"image": images, "label": np.zeros(ROWS, int)})
        outputs = self.task.arguments()["num_outputs"]
        self.weights = np.random.default_rng(1).normal(0, 0.01, (4, outputs)).astype(np.float32)
        whole = self.source[np.arange(ROWS)]
        probes = self.task.probes(self.source[np.arange(16)])
        self.reference = {
            f"answers/{n}": a for n, a in self.respond(self.task.raw_inputs(whole)).items()
        }
        for situation, few in probes.items():
            answers = self.respond(self.task.raw_inputs(few))
            self.reference |= {f"{situation}/{n}": a for n, a in answers.items()}
        self.reference["probe_rows"] = np.array(16)
        self.batches = []

    def respond(self, raw):
        images = self.task.model_inputs(raw)["image"]
        return self.task.postprocess(images.reshape(len(images), 4) @ self.weights)

    def compare(
        self, spoil=lambda raw, predictions: predictions, atol=None
    ) -> tuple[Comparison, dict]:
        def run(raw):
            self.batches.append(raw["image"].shape)
            return spoil(raw, self.respond(raw))

        comparison = Comparison(self.task, self.task.output_fields(), atol)
        return comparison, compare(run, self.task, self.source, self.reference, comparison)


@pytest.fixture
def classes():
    return Played("image_classification", CLASSES)


@pytest.fixture
def numbers():
    return Played("image_regression", NUMBERS)


def test_rows_are_replayed_in_every_batch_size_and_in_another_image_size(classes):
    comparison, predictions = classes.compare()
    assert comparison.refusals == []
    np.testing.assert_array_equal(
        predictions["label_index"], classes.reference["answers/label_index"]
    )
    sizes = [shape[0] for shape in classes.batches]
    assert sizes == [1] * 64 + [2] * 32 + [7] * 9 + [1] + [32, 32, 7] + [16, 4, 16]
    assert {shape[1:] for shape in classes.batches[:-3]} == {(2, 2, 1)}
    assert classes.batches[-3] == (16, 4, 6, 1)
    report = comparison.report()
    assert report["agreement"] == 1.0 and report["limit"] == 1e-5
    assert 0 <= report["mean_abs_diff"] <= report["max_abs_diff"] < 1e-6


@pytest.mark.parametrize("size", [1, 2, 7, 32])
def test_a_fault_of_one_batch_size_is_found_and_named(classes, size):
    def spoil(raw, predictions):
        if raw["image"].shape[:2] == (size, 2):
            predictions["probabilities"] = np.roll(predictions["probabilities"], 1, axis=0) + 0.01
        return predictions

    comparison, _ = classes.compare(spoil)
    assert comparison.refusals
    assert all(reason.endswith(f"in a batch of {size}; limit 1e-05") or "label" in reason
               for reason in comparison.refusals)  # fmt: skip


def test_a_fault_of_another_image_size_is_found_and_named(classes):
    def spoil(raw, predictions):
        wrong = raw["image"].shape[1:3] == (4, 6)
        predictions["probabilities"] += np.float32(0.001) * wrong
        return predictions

    comparison, _ = classes.compare(spoil)
    [reason] = comparison.refusals
    assert reason == "probabilities is off by 0.001 on inputs of another size; limit 1e-05"


def test_one_number_in_one_row_is_enough(classes):
    def spoil(raw, predictions):
        if len(raw["image"]) == 32:
            predictions["probabilities"][31, 2] += np.float32(2e-5)
        return predictions

    assert len(classes.compare(spoil)[0].refusals) == 2
    assert classes.compare(spoil, atol=3e-5)[0].refusals == []
    assert len(classes.compare(spoil, atol=1e-5)[0].refusals) == 2


def test_another_class_is_refused_unless_two_are_as_good_as_equal(classes):
    reference = classes.reference["answers/probabilities"]
    best = reference.max(axis=1)

    def spoil(raw, predictions):
        predictions["label_index"] = (predictions["label_index"] + 1) % 3
        return predictions

    comparison, _ = classes.compare(spoil)
    assert "label_index differs in 1 of 1 rows in a batch of 1" in comparison.refusals
    assert comparison.report()["agreement"] == 0.0
    second = np.sort(reference, axis=1)[:, 1]
    assert (best - second).min() > 2e-5  # else the test says nothing
    tied = np.tile(np.float32([0.4, 0.2, 0.4]), (ROWS, 1))
    for name, array in classes.reference.items():
        if name.endswith("/probabilities"):
            classes.reference[name] = tied[: len(array)]
        elif name.endswith("/label_index"):
            classes.reference[name] = np.zeros(len(array), int)

    def take_the_other(raw, predictions):
        rows = len(raw["image"])
        return {"probabilities": tied[:rows], "label_index": np.full(rows, 2)}

    comparison, _ = classes.compare(take_the_other)
    assert comparison.refusals == []
    assert comparison.report()["agreement"] == 0.0


def test_differences_of_numbers_count_in_the_spread_of_each_target(numbers):
    def off_by(large, small):
        def spoil(raw, predictions):
            return {"predictions": predictions["predictions"] + np.float32([large, small])}

        return numbers.compare(spoil)[0]

    assert off_by(0.05, 0).refusals == []  # a 20,000th of its spread
    assert off_by(0, 0.05).refusals  # five times its spread
    found = off_by(0.5, 0)
    assert "predictions is off by 0.0005" in found.refusals[0]
    assert found.report()["max_abs_diff"] == pytest.approx(5e-4, rel=0.01)
    assert found.report()["mean_abs_diff"] == pytest.approx(2.5e-4, rel=0.01)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused_and_not_judged(numbers, value):
    def spoil(raw, predictions):
        predictions["predictions"][-1, 0] = value
        return predictions

    comparison, predictions = numbers.compare(spoil, atol=1e9)
    assert predictions is None
    assert "predictions is not a number in some rows in a batch of 1" in comparison.refusals


def test_a_runtime_that_fails_at_times_is_refused_and_not_judged(classes):
    def spoil(raw, predictions):
        if len(raw["image"]) == 7:
            raise RuntimeError("out of\nluck")
        return predictions

    comparison, predictions = classes.compare(spoil)
    assert predictions is None
    assert set(comparison.refusals) == {"the runtime fails in a batch of 7: out of luck"}


def test_keras_in_the_process_that_proves_is_refused(run_of, artifact_of, export_from, in_tmp):
    """The file would not be proven to run without it."""
    export_from(artifact_of("digits", "onnx"), hide=False)
    with pytest.raises(Failure, match="Keras was imported where the artifact was to run without"):
        export_run(run_of("digits"), Request("onnx", "it"))
    assert [path.name for path in in_tmp.iterdir()] == ["it.parity.json"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_answer_that_is_no_number_is_refused_though_the_trained_model_gave_it(numbers, value):
    for kind in ("answers", "all black or all white"):
        numbers.reference[f"{kind}/predictions"][0, 0] = value

    def spoil(raw, predictions):
        if raw["image"].shape[1:3] == (2, 2):
            predictions["predictions"][0, 0] = value
        return predictions

    refusals = numbers.compare(spoil)[0].refusals
    assert "predictions is not a number in some rows in a batch of 1" in refusals


def test_large_answers_of_real_rows_have_no_wider_limit(numbers):
    numbers.reference["answers/predictions"] += np.float32(1e5) * np.array([1, 0], np.float32)

    def spoil(raw, predictions):
        if raw["image"].shape[1:3] == (2, 2):
            predictions["predictions"] += np.float32([1e5 + 0.5, 0])
        return predictions

    refusals = numbers.compare(spoil)[0].refusals
    assert any("is off by 0.000" in one and "in a batch of" in one for one in refusals)
