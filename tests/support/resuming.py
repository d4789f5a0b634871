"""Runs that are cut and go on."""

import signal

import numpy as np
import pytest
from displays import quiet

from threefold.training import fit as fitting
from threefold.training.callbacks import CheckpointCallback, Interrupted
from threefold.training.checkpoints import load_checkpoint
from threefold.training.run import open_run


def final_state(folder):
    run = open_run(str(folder))
    arrays, content = load_checkpoint(run.checkpoints, "state")
    best, _ = load_checkpoint(run.checkpoints, "best")
    return arrays | {f"best/{k}": v for k, v in best.items()}, content


def cut_at(monkeypatch, epoch, step):
    """Send SIGTERM after a step of an epoch, both counted from 0."""
    original = CheckpointCallback.on_train_batch_end

    def cut(self, batch, logs=None):
        if self.progress.epoch == epoch and batch + self.batches.first_step == step:
            signal.raise_signal(signal.SIGTERM)
        original(self, batch, logs)

    monkeypatch.setattr(CheckpointCallback, "on_train_batch_end", cut)


def assert_same_state(one, other):
    (arrays, content), (others, other_content) = one, other
    assert arrays.keys() == others.keys()
    for name in arrays:
        np.testing.assert_array_equal(arrays[name], others[name], err_msg=name)
    for name in ("epoch", "step", "best", "best_epoch", "counters", "history", "stopped_early"):
        assert content[name] == other_content[name], name


def assert_same_run(one, other):
    """Compare all that two finished runs hold but their times."""
    assert_same_state(final_state(one), final_state(other))
    one, other = open_run(str(one)), open_run(str(other))
    assert one.read_metrics() == other.read_metrics()
    assert one.read_history() == other.read_history()


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
    assert_same_run(tmp_path / "whole", tmp_path / "cut")
