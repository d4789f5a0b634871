"""From names to a model, and from a run back to one."""

import sys

import keras
import numpy as np
import pytest

from threefold.core.errors import UserError
from threefold.datasets.facts import ImageFacts
from threefold.tasks.task import find_task
from threefold.training import state
from threefold.training.building import (
    bind_task,
    blueprint_names,
    build_model,
    builder_for,
    check_blueprint,
    find_blueprint,
    load_matching_weights,
    rebuild_model,
)
from threefold.training.checkpoints import CheckpointError, save_checkpoint
from threefold.training.run import DatasetRecord, Run, RunRecord
from threefold.training.settings import TrainingSettings

pytestmark = pytest.mark.each_backend

FACTS = ImageFacts(image_shape=(8, 8, 1), class_names=("a", "b"), class_counts=(3, 1))
OPTIONS = {"filters": (3,), "dense_units": (4,)}
IMAGES = np.random.default_rng(0).uniform(0, 255, (3, 8, 8, 1)).astype(np.float32)


def build(facts=FACTS, **options):
    task = find_task("image_classification")(facts)
    return build_model("cnn", task, OPTIONS | options, "float32")[0]


def answer(model):
    return np.asarray(model.predict_on_batch({"image": IMAGES}))


@pytest.fixture
def run(tmp_path):
    settings = {"loss": "focal", "label_smoothing": 0.1, "class_weights": "balanced"}
    record = RunRecord(
        blueprint="cnn", task="image_classification", options=OPTIONS,
        settings=TrainingSettings(**settings),
        dataset=DatasetRecord(reference="x", options={}, fingerprint="", sizes={}, notes=[]),
        facts=FACTS, backend="jax", device="cpu", versions={}, created="",
    )  # fmt: skip
    return Run(tmp_path, record)


def keep_best(run, model):
    save_checkpoint(run.checkpoints, "best", state.collect_weights(model), {})


def test_blueprints_are_found_with_their_tasks_and_one_line_about_them():
    found = blueprint_names()
    tasks = ("image_classification", "image_multilabel_classification", "image_regression")
    assert found["cnn"][0] == tasks
    for name, (tasks, summary) in found.items():
        assert tuple(find_blueprint(name).TASKS) == tasks
        assert summary.endswith(".") and len(summary.splitlines()) <= 2, name
    assert "layers" not in found and "options" not in found


@pytest.mark.parametrize(
    ("name", "hint"),
    [("cn", "did you mean 'cnn'"), ("zzz", "there are: bert, cnn, "), ("layers", "")],
)
def test_an_unknown_blueprint_is_refused(name, hint):
    with pytest.raises(UserError, match=f"no blueprint '{name}'.*{hint}"):
        check_blueprint(name)


def test_a_task_that_a_blueprint_does_not_serve_names_those_that_do():
    wanted = "'dnn' does not serve image_regression, but tabular_classification, .*; cnn would"
    with pytest.raises(UserError, match=wanted):
        builder_for(find_blueprint("dnn"), "image_regression")
    with pytest.raises(UserError, match="but image_.*, image_regression$"):
        builder_for(find_blueprint("cnn"), "dreaming")


def test_the_options_come_back_in_full():
    task = find_task("image_classification")(FACTS)
    _, options = build_model("cnn", task, {"filters": "3,4"}, "float32")
    assert options["filters"] == (3, 4) and options["pooling"] == "max"
    _, again = build_model("cnn", task, options, "float32")
    assert again == options


def test_a_run_is_rebuilt_with_its_best_weights_and_its_own_task(run):
    model = build()
    keep_best(run, model)
    rebuilt, task = rebuild_model(run)
    np.testing.assert_array_equal(answer(rebuilt), answer(model))
    assert (task.loss, task.label_smoothing, task.class_weights) == ("focal", 0.1, "balanced")
    assert bind_task(run.record).facts == FACTS


def test_a_run_without_a_checkpoint_cannot_be_rebuilt(run):
    with pytest.raises(CheckpointError, match="no best checkpoint"):
        rebuild_model(run)


def test_weights_are_borrowed_in_full_from_an_equal_model(run):
    donor, taker = build(), build()
    keep_best(run, donor)
    assert load_matching_weights(taker, run) == (len(donor.weights),) * 2
    np.testing.assert_array_equal(answer(taker), answer(donor))


def test_weights_are_borrowed_where_they_fit_and_the_rest_is_said(run):
    donor = build()
    keep_best(run, donor)
    three = FACTS.model_copy(update={"class_names": ("a", "b", "c"), "class_counts": (1, 1, 1)})
    taker = build(three)
    before = {weight.path: np.array(weight.numpy()) for weight in taker.weights}
    total = len(taker.weights)
    with pytest.warns(UserWarning, match=rf"{total - 2} of {total} weights fit"):
        assert load_matching_weights(taker, run) == (total - 2, total)
    given = {weight.path: np.asarray(weight.numpy()) for weight in donor.weights}
    for weight in taker.weights:
        wanted = before if weight.path.startswith("head/") else given
        np.testing.assert_array_equal(weight.numpy(), wanted[weight.path])


def test_thresholds_of_labels_are_not_borrowed(run):
    """They are what another model's answers were calibrated by."""
    task = find_task("image_multilabel_classification")(FACTS)
    donor, taker = (build_model("cnn", task, OPTIONS, "float32")[0] for _ in range(2))
    donor.get_layer("calibration").thresholds.assign(np.ones(2, np.float32))
    keep_best(run, donor)
    assert load_matching_weights(taker, run) == (len(taker.weights) - 1,) * 2
    assert not keras.ops.convert_to_numpy(taker.get_layer("calibration").thresholds).any()


def test_nothing_to_borrow_is_refused(run):
    save_checkpoint(run.checkpoints, "best", {"weights/other/kernel": np.zeros(3)}, {})
    with pytest.raises(UserError, match="no weight of it fits this model"):
        load_matching_weights(build(), run)


def test_finding_blueprints_imports_none():
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if "blueprints." in name}
    try:
        blueprint_names()
        assert not any("threefold.blueprints." in name for name in sys.modules)
    finally:
        sys.modules.update(kept)


@pytest.mark.parametrize("name", ["cnn", "resnet"])
def test_a_model_is_the_same_whatever_format_keras_is_set_to(name):
    import keras

    task = find_task("image_classification")(FACTS)
    outputs = []
    for layout in ("channels_last", "channels_first"):
        keras.config.set_image_data_format(layout)
        keras.utils.set_random_seed(0)
        model, _ = build_model(name, task, {}, "float32")
        outputs.append(keras.ops.convert_to_numpy(model({"image": IMAGES})))
    assert keras.config.image_data_format() == "channels_last"
    assert np.array_equal(*outputs)
