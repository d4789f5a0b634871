"""What all tasks share: names, losses, and the two loops over batches."""

import numpy as np
import pytest

from threefold.core.errors import UserError
from threefold.datasets.dataset import ArraySource
from threefold.datasets.facts import ImageFacts
from threefold.datasets.facts_base import NumericTarget
from threefold.datasets.raw_inputs import Inputs
from threefold.tasks.classification import Classification
from threefold.tasks.evaluation import evaluate, fill_batch, make_predict_fn
from threefold.tasks.prediction import predict
from threefold.tasks.regression import Regression
from threefold.tasks.task import Task, find_task, task_names

FACTS = ImageFacts(image_shape=(2, 2, 1), class_names=("a", "b", "c"), class_counts=(1, 1, 1))
NUMBER = ImageFacts(
    image_shape=(2, 2, 1), targets=(NumericTarget(name="angle", mean=5.0, scale=2.0),)
)


def test_every_task_is_found_under_its_name():
    assert {"image_classification", "tabular_regression"} <= set(task_names())
    for name in task_names():
        found = find_task(name)
        assert issubclass(found, Task) and found.name == name
        assert found.losses and found.summary_metrics and found.figures


def test_every_task_is_compared_with_a_simple_method():
    for name in task_names():
        found = find_task(name)
        assert found.baselines is not Task.baselines, name
        if found.baselines in (Classification.baselines, Regression.baselines):
            assert found.simple_methods is not Task.simple_methods, name


def test_of_the_metric_to_hold_on_to_more_is_better():
    less = ("loss", "error", "mae", "rmse", "mase", "perplexity", "distance")
    for name in task_names():
        assert not any(word in find_task(name).primary_metric for word in less), name


@pytest.mark.parametrize("name", ["image_classificaton", "tasks", "", "../cli"])
def test_an_unknown_task_is_refused(name):
    with pytest.raises(UserError, match=f"no task '{name}'"):
        find_task(name)


@pytest.mark.parametrize(
    ("task", "facts", "loss", "hint"),
    [
        ("image_classification", FACTS, "cross-entropy", "did you mean 'cross_entropy'"),
        ("image_classification", FACTS, "mse", "there are: binary_cross_entropy, "),
        ("image_regression", NUMBER, "huberr", "did you mean 'huber'"),
    ],
)
def test_a_loss_of_another_task_is_refused(task, facts, loss, hint):
    with pytest.raises(UserError, match=f"{task} has no loss '{loss}'; {hint}"):
        find_task(task)(facts, loss=loss)


def test_a_batch_is_filled_up_with_its_last_example():
    filled = fill_batch({"x": np.array([[1, 2], [3, 4]]), "y": np.array([5, 6])}, 4)
    assert filled["x"].tolist() == [[1, 2], [3, 4], [3, 4], [3, 4]]
    assert filled["y"].tolist() == [5, 6, 6, 6]


class FixedModel:
    """A model whose scores depend on the pixels; notes the sizes of its batches."""

    def __init__(self):
        self.sizes = []

    def __call__(self, inputs):
        image = inputs["image"]
        self.sizes.append(len(image))
        weights = np.random.default_rng(0).normal(0, 0.02, (4, 3))
        return (image.reshape(len(image), 4) @ weights).astype(np.float32)


def make_images(count):
    generator = np.random.default_rng(1)
    images = generator.integers(0, 256, (count, 2, 2, 1), dtype=np.uint8)
    return {"image": images, "label": generator.integers(0, 3, count)}


@pytest.mark.parametrize("batch_size", [1, 3, 7, 10, 64])
def test_the_batch_size_does_not_change_an_evaluation(batch_size):
    task, respond = find_task("image_classification")(FACTS), FixedModel()
    source = ArraySource(make_images(10))
    found = evaluate(make_predict_fn(respond, task, batch_size), task, source, "test", batch_size)
    whole = evaluate(make_predict_fn(FixedModel(), task, 10), task, source, "test", 10)
    assert set(respond.sizes) == {batch_size}  # one size, so nothing is compiled twice
    for name, array in whole.predictions.items():
        np.testing.assert_allclose(found.predictions[name], array, rtol=1e-5)
    np.testing.assert_array_equal(found.truth["label"], source.arrays["label"])
    assert found.metrics["accuracy"] == whole.metrics["accuracy"]
    assert found.metrics["loss"] == pytest.approx(whole.metrics["loss"])
    counts = [entry["count"] for entry in found.metrics["by_class"].values()]
    assert sum(counts) == 10


def test_predictions_keep_the_order_of_the_inputs_and_name_what_was_skipped():
    task, examples = find_task("image_classification")(FACTS), make_images(7)
    mistake = UserError("no image")
    parts = [
        Inputs(list("abcde"), {"image": examples["image"][:5]}, [mistake]),
        Inputs([], {"image": examples["image"][:0]}, []),
        Inputs(list("fg"), {"image": examples["image"][5:]}, []),
    ]
    found = predict(make_predict_fn(FixedModel(), task, 2), task, parts, batch_size=2)
    assert [record["input"] for record in found.records] == list("abcdefg")
    assert found.errors == [mistake]
    wanted = task.describe(task.postprocess(FixedModel()(task.model_inputs(examples))), examples)
    for record, one in zip(found.records, wanted, strict=True):
        assert record["label"] == one["label"]
        assert record["probabilities"] == pytest.approx(one["probabilities"], rel=1e-4)
