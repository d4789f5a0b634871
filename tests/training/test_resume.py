"""A run that is cut and resumed ends with the same bits as one that never was."""

import signal

import numpy as np
import pytest
from cells import CELLS

from threefold.training import fit as fitting
from threefold.training.callbacks import Interrupted, Keeper
from threefold.training.checkpoints import load_checkpoint
from threefold.training.run import open_run
from threefold.training.settings import TrainingSettings

SMALL = {"test_fraction": "0.1", "validation_fraction": "0.7"}  # 360 pictures to train on


class Quiet:
    """A display that shows nothing."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def batch(self, epoch, step, logs):
        pass

    def epoch(self, row, improved):
        pass


def quiet(run, dataset, model):
    return Quiet()


def command(folder, settings, blueprint="cnn", options=None, data=SMALL):
    return fitting.Command(
        blueprint=blueprint,
        task=None,
        dataset=None,
        data_options=data,
        options=options or {},
        settings=TrainingSettings.parse({"epochs": "3", "batch_size": "64"} | settings),
        run=str(folder),
    )


def final_state(folder):
    run = open_run(str(folder))
    arrays, content = load_checkpoint(run.checkpoints, "state")
    best, _ = load_checkpoint(run.checkpoints, "best")
    return arrays | {f"best/{k}": v for k, v in best.items()}, content


def cut_at(monkeypatch, epoch, step):
    """Send SIGTERM after a step of an epoch, both counted from 0."""
    original = Keeper.on_train_batch_end

    def cut(self, batch, logs=None):
        if self.progress.epoch == epoch and batch + self.batches.first_step == step:
            signal.raise_signal(signal.SIGTERM)
        original(self, batch, logs)

    monkeypatch.setattr(Keeper, "on_train_batch_end", cut)


def assert_same_state(one, other):
    (arrays, content), (others, other_content) = one, other
    assert arrays.keys() == others.keys()
    for name in arrays:
        np.testing.assert_array_equal(arrays[name], others[name], err_msg=name)
    for name in ("epoch", "step", "best", "best_epoch", "counters", "history", "stopped_early"):
        assert content[name] == other_content[name], name


VARIANTS = {
    "plain": ({}, {"filters": "4", "dense_units": "8"}),
    "averaged": ({"ema": "0.9", "optimizer": "adam", "augment": "mixup,cutout"}, {"filters": "4"}),
    "counted": (
        {"schedule": "plateau", "patience": "2", "optimizer": "nesterov", "loss": "focal"}
        | {"class_weights": "balanced", "label_smoothing": "0.1"},
        {"filters": "4", "normalization": "none"},
    ),
    "half": ({"precision": "mixed_float16", "optimizer": "muon"}, {"filters": "4"}),
    "lars": ({"precision": "mixed_bfloat16", "optimizer": "lars"}, {"filters": "4"}),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_cut_in_mid_epoch_and_resumed_ends_with_the_same_bits(variant, tmp_path, monkeypatch):
    settings, options = VARIANTS[variant]
    cut_and_resume(
        lambda name: command(tmp_path / name, settings, options=options), tmp_path, monkeypatch
    )


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.blueprint != "cnn"], ids=str)
def test_every_family_ends_with_the_same_bits(cell, tmp_path, monkeypatch):
    reference, data = cell.data(tmp_path)

    def wanted(name):
        return fitting.Command(
            blueprint=cell.blueprint,
            task=cell.task,
            dataset=reference,
            data_options=data,
            options=cell.options,
            settings=TrainingSettings.parse({"epochs": "3", "batch_size": "8"}),
            run=str(tmp_path / name),
        )

    cut_and_resume(wanted, tmp_path, monkeypatch)


def cut_and_resume(wanted, tmp_path, monkeypatch):
    """Compare a whole run with one that is cut and goes on, both made by `wanted`."""
    fitting.start(wanted("whole"), quiet)
    with monkeypatch.context() as patch:
        cut_at(patch, epoch=1, step=2)
        with pytest.raises(Interrupted) as stopped:
            fitting.start(wanted("cut"), quiet)
    assert stopped.value.exit_code == 128 + signal.SIGTERM
    _, content = final_state(tmp_path / "cut")
    assert (content["epoch"], content["step"]) == (1, 3)
    fitting.resume(str(tmp_path / "cut"), None, quiet)
    assert_same_state(final_state(tmp_path / "whole"), final_state(tmp_path / "cut"))
    whole, cut = (open_run(str(tmp_path / n)) for n in ("whole", "cut"))
    assert whole.read_metrics() == cut.read_metrics()
    assert whole.read_history() == cut.read_history()
