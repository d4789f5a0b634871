"""A command is looked up once, and refused before data are read wherever it can be."""

from pathlib import Path

import pytest

from threefold.core.errors import UserError
from threefold.training import plan as planning
from threefold.training.plan import Command, make_plan
from threefold.training.settings import TrainingSettings

pytestmark = pytest.mark.once


def command(blueprint, *, task=None, dataset=None, options=None, **settings):
    parsed = TrainingSettings.parse(settings)
    return Command(blueprint, task, dataset, {}, options or {}, parsed)


@pytest.mark.parametrize(
    ("given", "message"),
    {
        "option of no task": ({"options": {"filtrs": "8"}}, "no option 'filtrs'.*'filters'"),
        "value of an option": ({"options": {"filters": "many"}}, "-o filters=many does not fit"),
        "class weights of numbers": (
            {"task": "image_regression", "class_weights": "balanced"},
            "--class-weights is of no use to image_regression; it is for image_classification, ",
        ),
        "smoothing of numbers": (
            {"task": "image_regression", "label_smoothing": "0.1"}, "--label-smoothing is of no",
        ),
        "loss": ({"task": "image_regression", "loss": "focal"}, "has no loss 'focal'"),
        "recipe": ({"recipe": "resnet50"}, "blueprint 'cnn' has no recipe 'resnet50'"),
        "task of others": ({"task": "forecasting"}, "'cnn' does not serve forecasting"),
    }.values(),
    ids=lambda value: "",
)  # fmt: skip
def test_what_suits_no_task_is_refused_before_the_data_are_looked_for(given, message):
    with pytest.raises(UserError, match=message):
        make_plan(command("cnn", dataset="./nowhere", **given))


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("rnn", {"augment": "flip"}, "--augment is of no use to "),
        ("gan", {"augment": "mixup"}, "--augment mixup is of no use to image_generation"),
        ("gan", {"class_weights": "balanced"}, "--class-weights is of no use to image_generation"),
        ("dnn", {"dataset": "diabetes", "class_weights": "balanced"}, "to tabular_regression"),
    ],
)
def test_settings_that_a_task_cannot_use_are_refused(name, given, message):
    with pytest.raises(UserError, match=message):
        make_plan(command(name, **given))


def test_what_suits_one_of_several_tasks_waits_for_the_data():
    plan = make_plan(command("cnn", dataset="./nowhere", class_weights="balanced"))
    assert plan.task is None
    assert plan.settle("image_classification").settings.class_weights == "balanced"
    with pytest.raises(UserError, match="--class-weights is of no use to image_regression"):
        plan.settle("image_regression")


def test_a_seed_beyond_64_bits_is_one_line():
    for seed in ("-1", str(2**63)):
        with pytest.raises(UserError, match=f"--seed {seed} does not fit"):
            command("cnn", seed=seed)
    assert command("cnn", seed=str(2**63 - 1)).settings.seed == 2**63 - 1


def test_a_family_without_data_of_its_own_asks_for_some(monkeypatch):
    blueprint = planning.find_blueprint("cnn")
    monkeypatch.setattr(blueprint, "DATASETS", {})
    with pytest.raises(UserError, match="'cnn' has no data of its own .*; give --dataset"):
        make_plan(command("cnn"))


def test_what_is_refused_leaves_no_run_folder(run_cli):
    code, _, err = run_cli("fit", "dnn", "--dataset", "diabetes", "--label-smoothing", "0.1")
    assert code == 2 and "--label-smoothing is of no use to tabular_regression" in err
    assert not Path("runs").exists()


def test_epochs_and_steps_are_refused_together_at_once(run_cli):
    code, _, err = run_cli("fit", "cnn", "--dataset", "./nowhere", "--epochs", "1", "--steps", "9")
    assert code == 2 and "--epochs and --steps both say how long to train" in err


def test_a_cell_is_settled_once():
    plan = make_plan(command("cnn"))
    assert plan.settle("image_classification") is plan.settle("image_classification")
