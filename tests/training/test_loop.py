"""The loop: what is kept, what stops it, and what it does with the learning rate."""

import math
from unittest.mock import MagicMock

import keras
import numpy as np
import pytest

from threefold.datasets.dataset import Dataset
from threefold.tasks.evaluation import evaluate
from threefold.tasks.tabular_classification import TabularClassification
from threefold.training import fit as fitting
from threefold.training import loop
from threefold.training import plan as planning
from threefold.training.batches import Batches
from threefold.training.building import rebuild_model
from threefold.training.callbacks import Diverged
from threefold.training.checkpoints import load_checkpoint
from threefold.training.data import load_run_dataset
from threefold.training.evaluate import make_predictions
from threefold.training.inspection.description import describe_run
from threefold.training.run import open_run
from threefold.training.settings import TrainingSettings

pytestmark = pytest.mark.each_backend

DATA = {"test_fraction": "0.1", "validation_fraction": "0.3"}  # 107 wines to train on
OPTIONS = {
    "widths": "8",
    "dropout": "0",
    "normalization": "none",
    "numeric_embedding": "none",
    "skip_connection": "false",
}
# Said in full, so that a better recipe of the blueprint changes nothing here.
RECIPE = {
    "epochs": "2", "batch_size": "32", "optimizer": "adam", "learning_rate": "0.01", "ema": "0",
    "weight_decay": "0", "schedule": "cosine",
}  # fmt: skip
STILL = {"optimizer": "sgd", "learning_rate": "1e-30"}  # too little to change a weight


def fit(folder, **given):
    command = fitting.Command(
        blueprint="dnn",
        task=None,
        dataset="wine",
        data_options=DATA,
        options=OPTIONS,
        settings=TrainingSettings.parse(RECIPE | given),
        run=str(folder),
    )
    return fitting.start(command, lambda run, dataset, model: MagicMock())


def read(folder, kind):
    return load_checkpoint(open_run(str(folder)).checkpoints, kind)


def validation_loss(folder, arrays=None):
    """Return the loss of a run's best weights, or of others, on its validation split."""
    from threefold.training import state

    run = open_run(str(folder))
    model, task = rebuild_model(run)
    if arrays is not None:
        state.restore_weights(model, arrays)
    source = load_run_dataset(run.record, run.record.facts).splits["validation"]
    found = evaluate(make_predictions(model, task, 32), task, source, "validation", 32)
    return found.metrics["loss"]


def test_the_best_epoch_is_kept_and_judged(tmp_path):
    # Rates this high make the validation loss rise and fall.
    fitted = fit(tmp_path, epochs="6", learning_rate="0.2", schedule="constant")
    scores = [row["val_loss"] for row in fitted.progress.history]
    best = int(np.argmin(scores))
    assert best < 5, "the last epoch must not be the best for this test to tell"
    assert (fitted.progress.best, fitted.progress.best_epoch) == (scores[best], best + 1)
    assert read(tmp_path, "best")[1] == {"epoch": best + 1}
    assert read(tmp_path, "state")[1]["epoch"] == 6
    assert fitted.evaluations[0].metrics["loss"] == pytest.approx(scores[best], rel=1e-4)
    assert validation_loss(tmp_path) == pytest.approx(scores[best], rel=1e-4)
    assert [row["epoch"] for row in fitted.run.read_history()] == [1, 2, 3, 4, 5, 6]


def test_of_epochs_that_are_as_good_the_last_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(TabularClassification, "loss_tolerance", 1e9)
    fitted = fit(tmp_path, epochs="3", learning_rate="0.2", schedule="constant")
    assert read(tmp_path, "best")[1] == {"epoch": 3}
    assert validation_loss(tmp_path) == pytest.approx(fitted.progress.history[2]["val_loss"], 1e-4)
    assert describe_run(fitted.run)["best_epoch"] == 3


def test_averaged_weights_are_validated_and_kept(tmp_path):
    fitted = fit(tmp_path, epochs="1", batch_size="8", ema="0.9")
    best, _ = read(tmp_path, "best")
    whole, _ = read(tmp_path, "state")
    kernel = "weights/dense_1/kernel"
    averages = [array for name, array in whole.items() if "average" in name]
    assert any(np.array_equal(best[kernel], average) for average in averages)
    assert not np.array_equal(best[kernel], whole[kernel])  # training went on from the others
    reported = fitted.progress.history[0]["val_loss"]
    assert validation_loss(tmp_path) == pytest.approx(reported, rel=1e-4)
    trained = {name: array for name, array in whole.items() if name.startswith("weights/")}
    assert validation_loss(tmp_path, trained) != pytest.approx(reported, rel=1e-2)


def test_patience_ends_a_run_that_gets_no_better(tmp_path):
    fitted = fit(tmp_path, epochs="9", patience="2", **STILL)
    assert fitted.progress.stopped_early and fitted.progress.epoch == 3
    assert fitted.progress.best_epoch == 1
    assert len(fitted.run.read_history()) == 3


def test_a_plateau_lowers_the_rate(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "PLATEAU_EPOCHS", 2)
    fitted = fit(tmp_path, epochs="6", schedule="plateau", **STILL)
    found = [row["learning_rate"] for row in fitted.progress.history]
    assert found == pytest.approx([1e-30] * 3 + [3e-31] * 2 + [9e-32], rel=1e-4)


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_learns_and_keeps_whole_numbers(precision, tmp_path):
    fitted = fit(tmp_path, epochs="6", learning_rate="0.05", precision=precision)
    assert fitted.progress.history[-1]["loss"] < 0.8 * fitted.progress.history[0]["loss"]
    best, _ = read(tmp_path, "best")
    assert {array.dtype.name for name, array in best.items()} == {"float32"}
    assert fitted.evaluations[0].metrics["accuracy"] > 0.6


def test_a_rate_that_explodes_stops_the_run_at_once(tmp_path):
    wanted = r"the loss became \w+ in epoch 1, step [23]; nothing was saved yet; .*--clip-norm"
    with pytest.raises(Diverged, match=wanted) as stop:
        fit(tmp_path, batch_size="8", optimizer="sgd", learning_rate="1e30", warmup="0")
    assert stop.value.exit_code == 1


@pytest.mark.parametrize("checkpoint_steps", [None, "1"])
def test_a_loss_of_nan_stops_within_the_step_and_the_last_good_state_is_kept(
    checkpoint_steps, tmp_path, monkeypatch
):
    original = Batches.take

    def spoiled(self, position, count):
        inputs, targets = original(self, position, count)
        if self.seed is not None and self.epoch == 1 and position <= 2 < position + count:
            targets = targets.astype(np.float32)
            targets[(2 - position) * 16 : (3 - position) * 16] = math.nan  # of the third batch
        return inputs, targets

    given = {"checkpoint_steps": checkpoint_steps} if checkpoint_steps else {}
    with monkeypatch.context() as patch:
        patch.setattr(Batches, "take", spoiled)
        with pytest.raises(Diverged, match="in epoch 2, step 3; the last good state") as stop:
            fit(tmp_path, epochs="3", batch_size="16", **given)
    assert str(tmp_path / "checkpoints") in str(stop.value)
    arrays, content = read(tmp_path, "state")
    assert (content["epoch"], content["step"]) == ((1, 2) if checkpoint_steps else (1, 0))
    assert all(np.isfinite(array).all() for array in arrays.values())
    fitted = fitting.resume(str(tmp_path), None, lambda run, dataset, model: MagicMock())
    assert fitted.progress.epoch == 3
    assert math.isfinite(fitted.progress.history[-1]["loss"])


def test_a_model_that_broke_in_the_first_epoch_is_never_the_best(tmp_path):
    """One step an epoch: the loss is that of the weights before the step, which broke them."""
    with pytest.raises(Diverged, match="a weight is not a number any more in epoch 1; nothing"):
        fit(tmp_path, batch_size="128", optimizer="sgd", learning_rate="3e38", clip_norm="1e9",
            warmup="0", loss="binary_cross_entropy", weight_decay="9")  # fmt: skip
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_without_a_validation_split_the_training_loss_decides(tmp_path, monkeypatch):
    load = planning.load_dataset

    def without_validation(*args, **kwargs) -> Dataset:
        dataset = load(*args, **kwargs)
        del dataset.splits["validation"]
        return dataset

    monkeypatch.setattr(planning, "load_dataset", without_validation)
    fitted = fit(tmp_path, epochs="3", patience="1")
    assert fitted.progress.best == min(row["loss"] for row in fitted.progress.history)
    assert [found.split for found in fitted.evaluations] == ["test"]
    assert "val_loss" not in fitted.run.read_history()[0]


def test_the_loss_in_training_is_the_tasks_with_its_weights(tmp_path):
    """One step on everything, at a rate that changes nothing: the loss can be told by hand."""
    given = {"epochs": "1", "batch_size": "128", **STILL}
    variants = {
        "plain": {},
        "smooth": {"label_smoothing": "0.3"},
        "balanced": {"class_weights": "balanced"},
    }
    losses = {
        name: fit(tmp_path / name, **given, **more).progress.history[0]["loss"]
        for name, more in variants.items()
    }
    run = open_run(str(tmp_path / "balanced"))
    model, task = rebuild_model(run)
    source = load_run_dataset(run.record, run.record.facts).splits["train"]
    examples = source[np.arange(len(source))]
    probabilities = task.postprocess(
        np.asarray(model.predict_on_batch(task.model_inputs(examples)))
    )
    targets = task.targets(examples)
    each = -(targets * np.log(probabilities["probabilities"])).sum(axis=1)
    assert losses["plain"] == pytest.approx(each.mean(), rel=1e-3)
    weighted = (each * task.sample_weights(targets)).mean()
    assert losses["balanced"] == pytest.approx(weighted, rel=1e-3)
    soft = targets * 0.7 + 0.1
    smooth = -(soft * np.log(probabilities["probabilities"])).sum(axis=1).mean()
    assert losses["smooth"] == pytest.approx(smooth, rel=1e-3)
    assert len({round(loss, 4) for loss in losses.values()}) == 3


def test_the_rate_is_recorded_with_every_epoch(tmp_path):
    fitted = fit(tmp_path, epochs="3", schedule="plateau")
    assert [row["learning_rate"] for row in fitted.progress.history] == pytest.approx([0.01] * 3)
    assert keras.config.backend() == fitted.run.record.backend


@pytest.mark.with_tensorflow
def test_what_tensorflow_has_compiled_is_kept_from_epoch_to_epoch(tmp_path, monkeypatch):
    """To set its global seed throws that away: seconds an epoch, for a small recurrent network."""
    import tensorflow as tf

    seeds = []
    monkeypatch.setattr(tf.random, "set_seed", seeds.append)
    fit(tmp_path / "run", epochs="3")
    assert seeds == [0]
