"""Intervals hold what they promise where they were calibrated, whenever a run is cut."""

import keras
import numpy as np
import pandas as pd
import pytest
from compiled_once import CompiledOnce
from displays import quiet
from resuming import assert_same_run
from small_series import whole, write

from threefold.datasets.dataset import SubsetSource
from threefold.training import checkpoints, state
from threefold.training import fit as fitting
from threefold.training.building import load_matching_weights, rebuild_model
from threefold.training.checkpoints import load_checkpoint
from threefold.training.data import load_run_dataset
from threefold.training.evaluate import evaluate_run
from threefold.training.run import open_run
from threefold.training.settings import TrainingSettings

pytestmark = pytest.mark.each_backend
WEIGHT = f"weights/{state.CALIBRATION}factors"


class Killed(Exception):
    """Stands for a kill."""


@pytest.fixture(scope="module")
def begin(tmp_path_factory):
    """Begin a fit in a folder of that name; all of them share a compiled model."""
    folder, sample = tmp_path_factory.mktemp("calibration"), np.random.default_rng(0)
    days = np.arange(220)
    values = 5 * np.sin(days * 2 * np.pi / 7) + sample.normal(0, 2, 220)
    frame = pd.DataFrame({"day": pd.date_range("2020", periods=220), "sold": values})
    window = {"context": "14", "horizon": "3", "season_length": "7", "target": "sold"}
    path = write(folder, frame)

    def start(name, epochs=2, **given):
        settings = TrainingSettings(epochs=epochs, batch_size=64, schedule="constant")
        options = {"units": "4", "step_units": "2", "dropout": "0"}
        return fitting.start(
            fitting.Command("rnn", "forecasting", path, window, options, settings,
                            run=str(folder / name), **given),
            quiet,
        )  # fmt: skip

    start.folder = folder
    with pytest.MonkeyPatch.context() as patch:
        CompiledOnce().stand_in(patch)
        yield start


@pytest.fixture(scope="module")
def fitted(begin):
    return begin("whole")


def factors_of(run, kind):
    return load_checkpoint(run.checkpoints, kind)[0][WEIGHT]


def test_what_is_promised_is_held_on_the_validation_split(fitted):
    validation = fitted.evaluations[0]
    stated, future = validation.predictions["forecasts"], validation.truth["future"]
    # One window less: the one that decides lies on the bound, but for rounding.
    least = 0.9 - 1 / len(future)
    assert ((future <= stated[..., 2]).mean(axis=0) >= least).all()
    assert ((future >= stated[..., 0]).mean(axis=0) >= least).all()
    assert validation.metrics["coverage"] < 1
    assert (np.diff(stated, axis=-1) >= 0).all()
    assert f"intervals calibrated on {len(future)} windows of validation: that of 80% held " in (
        fitted.calibrated
    )


def test_the_best_weights_are_calibrated_and_the_state_is_not(fitted):
    best, standing = factors_of(fitted.run, "best"), factors_of(fitted.run, "state")
    assert (standing == 1).all() and (best[:, 1] == 1).all()
    assert (best[:, [0, 2]] != 1).all()
    again = {found.split: found.metrics for found in evaluate_run(fitted.run, None, {}, None)}
    assert again["test"]["coverage"] == fitted.run.read_metrics()["test"]["coverage"]


@pytest.mark.parametrize("place", ["before it is saved", "after"])
def test_a_run_that_is_killed_while_it_is_calibrated_ends_with_the_same_bits(
    place, begin, fitted, monkeypatch
):
    def kill(*given):
        raise Killed

    name = f"cut {place}"
    with monkeypatch.context() as patch:
        owner = (checkpoints, "save_checkpoint") if "saved" in place else (
            fitting, "evaluate_model"
        )  # fmt: skip
        patch.setattr(*owner, kill)
        with pytest.raises(Killed):
            begin(name)
    run = open_run(str(begin.folder / name))
    assert (factors_of(run, "best") == 1).all() == ("saved" in place)
    fitting.resume(str(run.folder), None, quiet)
    assert_same_run(fitted.run.folder, run.folder)


def test_further_epochs_go_on_from_what_was_trained(begin):
    begin("shorter")
    fitting.resume(str(begin.folder / "shorter"), 3, quiet)
    longer = begin("longer", epochs=3)
    assert_same_run(longer.run.folder, begin.folder / "shorter")


def test_a_start_from_other_weights_is_as_yet_uncalibrated(fitted):
    model, _ = rebuild_model(fitted.run)
    layer = model.get_layer("calibration")
    layer.factors.assign(np.ones(layer.factors.shape, np.float32))
    assert load_matching_weights(model, fitted.run)[0] == len(model.weights) - 1
    assert (keras.ops.convert_to_numpy(layer.factors) == 1).all()


def test_intervals_stay_as_trained_where_they_cannot_be_calibrated(fitted):
    model, task = rebuild_model(fitted.run)
    layer, splits = model.get_layer("calibration"), load_run_dataset(
        fitted.run.record, task.facts
    ).splits  # fmt: skip
    few = {"validation": SubsetSource(splits["validation"], np.arange(2))}
    for given, reason in (
        ({"train": splits["train"]}, "there is no validation split to calibrate them on"),
        (few, "2 windows of validation are too few to calibrate them on"),
    ):
        assert task.calibrate(model, given, 16) == f"intervals as trained: {reason}"
        assert (keras.ops.convert_to_numpy(layer.factors) == 1).all()
    # With those of training there are enough; the test split is never looked at.
    found = task.calibrate(model, few | {"train": splits["train"]}, 16)
    size = len(whole(splits["train"])["future"])
    assert f"on 2 windows of validation and {size} windows of train: " in found
    assert (keras.ops.convert_to_numpy(layer.factors)[:, [0, 2]] != 1).any()
