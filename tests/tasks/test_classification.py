"""Classes: answers, metrics, losses and weights, against scikit-learn and by hand."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from threefold.datasets.facts import ImageFacts, NumericColumn, TableFacts
from threefold.tasks.classification import Classification, calibration_bins, calibration_error
from threefold.tasks.task import find_task

pytestmark = pytest.mark.each_backend

NAMES = ("ant", "bee", "cat")
FACTS = ImageFacts(image_shape=(2, 2, 1), class_names=NAMES, class_counts=(6, 3, 1))


def make(**settings):
    return find_task("image_classification")(FACTS, **settings)


def random_answers(count=200, seed=0):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, count)
    scores = generator.normal(0, 1, (count, 3)) + 1.5 * np.eye(3)[labels]
    return make().postprocess(scores), {"label": labels}


def test_answers_are_the_softmax_of_the_scores():
    predictions = make().postprocess(np.log([[0.2, 0.5, 0.3], [0.7, 0.1, 0.2]]) + 7)
    np.testing.assert_allclose(
        predictions["probabilities"], [[0.2, 0.5, 0.3], [0.7, 0.1, 0.2]], 1e-5
    )
    assert predictions["label_index"].tolist() == [1, 0]


def test_one_against_the_rest_answers_with_sigmoids_that_sum_to_one():
    positive = np.array([[0.9, 0.3, 0.3]])
    scores = np.log(positive / (1 - positive))
    found = make(loss="binary_cross_entropy").postprocess(scores)["probabilities"]
    np.testing.assert_allclose(found, positive / 1.5, rtol=1e-5)


@pytest.mark.parametrize("loss", Classification.losses)
def test_extreme_scores_are_finite_probabilities(loss):
    scores = np.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4], [80, 90, -200]], np.float32)
    found = make(loss=loss).postprocess(scores)["probabilities"]
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=1e-5)


def test_metrics_are_those_of_scikit_learn():
    predictions, truth = random_answers()
    found, labels, predicted = (
        make().compute_metrics(predictions, truth),
        truth["label"],
        predictions["label_index"],
    )
    assert 0.5 < found["accuracy"] < 1
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert found["loss"] == pytest.approx(
        metrics.log_loss(labels, predictions["probabilities"]), 1e-5
    )
    for name in ("precision", "recall", "f1"):
        score = getattr(metrics, f"{name}_score")
        assert found[name] == pytest.approx(score(labels, predicted, average="macro"))
        by_class = [found["by_class"][label][name] for label in NAMES]
        assert by_class == pytest.approx(score(labels, predicted, average=None))
    counts = [found["by_class"][label]["count"] for label in NAMES]
    assert counts == np.bincount(labels).tolist()


def test_a_class_that_a_split_lacks_is_left_out_of_the_mean():
    predictions = make().postprocess(np.eye(3)[[0, 0, 1, 2]])
    found = make().compute_metrics(predictions, {"label": np.array([0, 0, 1, 1])})
    assert found["recall"] == pytest.approx((1 + 0.5) / 2)
    assert found["by_class"]["cat"] == {"precision": 0, "recall": 0, "f1": 0, "count": 0}


def test_a_certain_mistake_costs_a_finite_loss():
    predictions = make().postprocess(np.array([[1e4, 0, 0]]))
    found = make().compute_metrics(predictions, {"label": np.array([1])})
    assert found["loss"] == pytest.approx(-np.log(1e-7)) and found["accuracy"] == 0


def test_calibration_error_by_hand():
    # Two bins: 0.62 (three answers, one right) and 0.95 (two, both right).
    probabilities = np.array([[0.62, 0.38]] * 3 + [[0.05, 0.95]] * 2)
    labels = np.array([0, 1, 1, 1, 1])
    confidence, accuracy, counts = calibration_bins(probabilities, labels)
    assert confidence == pytest.approx([0.62, 0.95]) and accuracy == pytest.approx([1 / 3, 1])
    assert counts.tolist() == [3, 2]
    wanted = (3 * (0.62 - 1 / 3) + 2 * 0.05) / 5
    assert calibration_error(probabilities, labels) == pytest.approx(wanted)
    predictions = {"probabilities": probabilities, "label_index": probabilities.argmax(-1)}
    two = find_task("image_classification")(
        ImageFacts(image_shape=(2, 2, 1), class_names=("a", "b"), class_counts=(1, 1))
    )
    assert two.compute_metrics(predictions, {"label": labels})[
        "calibration_error"
    ] == pytest.approx(wanted)


def test_honest_answers_have_no_calibration_error_and_boasts_have():
    generator = np.random.default_rng(0)
    right = generator.uniform(0.5, 1, 20000)
    labels = (generator.uniform(size=20000) > right).astype(int)
    honest = np.stack([right, 1 - right], axis=1)
    boast = np.tile([1.0, 0.0], (20000, 1))
    assert calibration_error(honest, labels) < 0.02
    assert calibration_error(boast, labels) == pytest.approx(0.25, abs=0.02)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 50), min_size=3, max_size=3).filter(any))
def test_balanced_weights_make_every_class_that_exists_weigh_the_same(counts):
    facts = FACTS.model_copy(update={"class_counts": tuple(counts)})
    task = find_task("image_classification")(facts, class_weights="balanced")
    labels = np.repeat(np.arange(3), counts)
    weights = task.sample_weights(task.targets({"label": labels}))
    assert weights.dtype == np.float32
    assert weights.mean() == pytest.approx(1, rel=1e-4)
    totals = [weights[labels == label].sum() for label in range(3) if counts[label]]
    assert totals == pytest.approx([totals[0]] * len(totals), rel=1e-4)


def test_a_rare_class_weighs_more_and_a_mixture_weighs_in_between():
    task = make(class_weights="balanced")
    common, rare, mixed = task.sample_weights(
        np.array([[1, 0, 0], [0, 0, 1], [0.5, 0, 0.5]], np.float32)
    )
    assert rare == pytest.approx(6 * common) and mixed == pytest.approx((common + rare) / 2)
    assert make().sample_weights(np.eye(3)) is None


def loss_of(targets, scores, **given):
    return float(make(**given).compile_arguments()["loss"](np.float32(targets), np.float32(scores)))


SCORES, ONE_HOT = np.array([[2.0, -1.0, 0.5]]), np.array([[0.0, 0.0, 1.0]])
SOFTMAX = np.exp(SCORES) / np.exp(SCORES).sum()
SIGMOID = 1 / (1 + np.exp(-SCORES))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_losses_by_name_with_label_smoothing(smoothing):
    given = {"label_smoothing": smoothing}
    soft = ONE_HOT * (1 - smoothing) + smoothing / 3
    assert loss_of(ONE_HOT, SCORES, **given) == pytest.approx(-(soft * np.log(SOFTMAX)).sum(), 1e-5)
    soft = ONE_HOT * (1 - smoothing) + smoothing / 2
    wanted = -(soft * np.log(SIGMOID) + (1 - soft) * np.log(1 - SIGMOID)).mean()
    found = loss_of(ONE_HOT, SCORES, loss="binary_cross_entropy", **given)
    assert found == pytest.approx(wanted, 1e-5)


def test_the_focal_loss_is_its_papers():
    """Lin et al. 2017, equation 5, with their balance 0.25 and focus 2."""
    right = SOFTMAX[0, 2]
    wanted = -0.25 * (1 - right) ** 2 * np.log(right)
    assert loss_of(ONE_HOT, SCORES, loss="focal") == pytest.approx(wanted, 1e-4)


def test_the_metric_in_training_is_accuracy():
    metric = make().compile_arguments()["metrics"][0]
    metric.update_state(np.float32(np.eye(3)), np.float32(np.eye(3)[[0, 1, 1]]))
    assert metric.name == "accuracy"
    assert float(keras.ops.convert_to_numpy(metric.result())) == pytest.approx(2 / 3)


def test_a_description_reads_back_as_the_answer():
    predictions, truth = random_answers(20)
    task = make()
    records = task.describe(predictions, {})
    assert {type(record["probability"]) for record in records} == {float}  # for JSON
    assert [record["label"] for record in records] == [NAMES[i] for i in predictions["label_index"]]
    assert [r["probability"] for r in records] == pytest.approx(
        predictions["probabilities"].max(-1)
    )
    again = {
        "probabilities": np.array([[r["probabilities"][name] for name in NAMES] for r in records]),
        "label_index": np.array([NAMES.index(record["label"]) for record in records]),
    }
    one, other = task.compute_metrics(predictions, truth), task.compute_metrics(again, truth)
    assert one.pop("by_class") == other.pop("by_class") and one == pytest.approx(other)


def test_inputs_are_raw_pixels_as_numbers():
    image = np.full((1, 2, 2, 1), 255, np.uint8)
    found = make().model_inputs({"image": image, "label": np.array([0])})
    assert list(found) == ["image"] and found["image"].dtype == np.float32
    assert found["image"].max() == 255
    assert make().arguments() == {"image_shape": (2, 2, 1), "num_outputs": 3}


def test_a_table_gives_the_columns_it_has():
    facts = TableFacts(
        numeric=(NumericColumn(name="x", mean=1.0, scale=2.0),),
        target_name="y",
        class_names=NAMES,
        class_counts=(1, 1, 1),
    )
    task = find_task("tabular_classification")(facts)
    assert list(task.model_inputs({"numeric": np.zeros((1, 1)), "label": np.zeros(1)})) == [
        "numeric"
    ]
    assert task.arguments() == {
        "numeric": ((1.0, 2.0, ()),), "dates": (), "category_counts": (), "num_outputs": 3,
    }  # fmt: skip


def test_a_row_is_undecided_where_its_two_best_classes_are_as_good_as_equal():
    rows = [[0.5, 0.3, 0.2], [0.4, 0.2, 0.4], [0.1, 0.449, 0.451], [0.34, 0.33, 0.33], [0, 1, 0]]
    predictions = {"probabilities": np.array(rows)}
    assert make().near_ties(predictions, 1e-5).tolist() == [False, True, False, False, False]
    assert make().near_ties(predictions, 2e-3).tolist() == [False, True, True, False, False]
    assert make().near_ties(predictions, 0.006).tolist() == [False, True, True, True, False]
    assert make().near_ties(predictions, 0.0).tolist() == [False, True, False, False, False]


def test_outputs_are_promised_with_their_classes_and_limits():
    probabilities, index = make().output_fields()
    assert (probabilities.shape, probabilities.range) == (("batch", 3), (0, 1))
    assert (index.dtype, index.shape, index.range) == ("int64", ("batch",), (0, 2))
    assert (probabilities.limit, index.limit) == (1e-5, None)
    predictions, _ = random_answers(4)
    for field in (probabilities, index):
        assert predictions[field.name].dtype == field.dtype
