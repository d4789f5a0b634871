"""Numbers: their units, metrics and losses, against scikit-learn and by hand."""

import keras
import numpy as np
import pytest
from sklearn import metrics

from threefold.datasets.facts import ImageFacts
from threefold.datasets.facts_base import NumericTarget
from threefold.tasks.task import find_task

pytestmark = pytest.mark.each_backend

TARGETS = (
    NumericTarget(name="height", mean=170.0, scale=10.0),
    NumericTarget(name="weight", mean=70.0, scale=4.0),
)
FACTS = ImageFacts(image_shape=(2, 2, 1), targets=TARGETS)


def make(targets=TARGETS, **settings):
    return find_task("image_regression")(FACTS.model_copy(update={"targets": targets}), **settings)


def random_answers(count=50):
    generator = np.random.default_rng(0)
    truth = generator.normal([170, 70], [10, 4], (count, 2)).astype(np.float32)
    return {"predictions": truth + generator.normal(0, 2, (count, 2))}, {"target": truth}


def test_the_network_learns_standardised_numbers_and_answers_in_their_units():
    truth = np.float32([[180, 66], [170, 70]])
    standardised = make().targets({"target": truth})
    np.testing.assert_allclose(standardised, [[1, -1], [0, 0]])
    np.testing.assert_allclose(make().postprocess(standardised)["predictions"], truth)
    assert make().arguments()["num_outputs"] == 2


def test_metrics_are_those_of_scikit_learn_by_target_and_averaged():
    predictions, truth = random_answers()
    found, by_target = make().compute_metrics(predictions, truth), []
    scores = {
        "mae": metrics.mean_absolute_error,
        "rmse": metrics.root_mean_squared_error,
        "r2": metrics.r2_score,
    }
    for name, score in scores.items():
        by_target = [found["by_target"][target.name][name] for target in TARGETS]
        wanted = [score(truth["target"][:, i], predictions["predictions"][:, i]) for i in range(2)]
        assert by_target == pytest.approx(wanted)
        assert found[name] == pytest.approx(np.mean(wanted))
    assert 0 < found["r2"] < 1


def test_one_target_has_no_breakdown():
    predictions, truth = (
        {name: array[:, :1] for name, array in part.items()} for part in random_answers()
    )
    assert set(make(TARGETS[:1]).compute_metrics(predictions, truth)) == {"mae", "rmse", "r2"}


def test_r2_of_a_single_example_is_not_made_up():
    found = make(TARGETS[:1]).compute_metrics(
        {"predictions": np.ones((1, 1))}, {"target": np.zeros((1, 1))}
    )
    assert found == {"mae": 1, "rmse": 1}


@pytest.mark.parametrize(
    ("loss", "wanted"),
    [
        (None, (0.25 + 9) / 2),
        ("mse", (0.25 + 9) / 2),
        ("mae", (0.5 + 3) / 2),
        ("huber", (0.5 * 0.25 + (3 - 0.5)) / 2),
    ],
)
def test_losses_by_name(loss, wanted):
    function = make(loss=loss).compile_arguments()["loss"]
    assert float(function(np.zeros((1, 2)), np.array([[0.5, -3]]))) == pytest.approx(wanted)


def test_the_metric_in_training_is_the_error_in_the_targets_units():
    metric = make().compile_arguments()["metrics"][0]
    metric.update_state(np.float32([[1, -1], [0, 0]]), np.float32([[0, 0], [0, 0]]))
    assert metric.name == "mae"
    assert float(keras.ops.convert_to_numpy(metric.result())) == pytest.approx((10 + 4) / 4)


def test_a_step_follows_the_metric_beside_the_loss():
    """The metric sees outputs that still carry gradients."""
    keras.config.set_dtype_policy("float32")
    inputs = keras.Input((2,), name="x")
    head = keras.layers.Dense(2, kernel_initializer="zeros", name="head")
    model = keras.Model(inputs, head(inputs))
    model.compile("sgd", **make().compile_arguments())
    history = model.fit(np.zeros((4, 2)), np.ones((4, 2)), batch_size=4, verbose=0).history
    assert history["mae"] == [pytest.approx(7)] and history["loss"] == [pytest.approx(1)]


def test_a_description_names_the_targets_in_plain_numbers():
    predictions, truth = random_answers(5)
    records = make().describe(predictions, {})
    assert [list(record) for record in records] == [["height", "weight"]] * 5
    assert {type(value) for record in records for value in record.values()} == {float}
    again = {"predictions": np.array([[r["height"], r["weight"]] for r in records])}
    assert make().compute_metrics(again, truth)["mae"] == pytest.approx(
        make().compute_metrics(predictions, truth)["mae"]
    )


def test_class_weights_mean_nothing_to_numbers():
    assert make(class_weights="balanced").sample_weights(np.zeros((3, 2))) is None


def test_no_number_is_undecided_and_differences_count_in_its_own_spread():
    predictions, _ = random_answers(5)
    assert make().near_ties(predictions, 1e9).tolist() == [False] * 5
    [field] = make().output_fields()
    assert field.shape == ("batch", 2) and field.scale == (10.0, 4.0)
    assert field.limit == 1e-4 and "height, weight" in field.meaning
