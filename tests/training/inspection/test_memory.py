"""A device whose memory is full: one line that names a batch size, and a run that can go on."""

from pathlib import Path

import keras
import pytest

from threefold.training import fit as fitting
from threefold.training.callbacks import CheckpointCallback
from threefold.training.inspection.memory import OutOfMemory, is_out_of_memory

pytestmark = pytest.mark.each_backend

SMALL = ("-o", "widths=8", "--epochs", "2", "--batch-size", "32", "--seed", "3")


def full_memory() -> Exception:
    """Return the error that the backend in use raises."""
    backend = keras.config.backend()
    if backend == "torch":
        import torch

        return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nGPU 0 has")
    if backend == "jax":
        import jax

        return jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes.")
    import tensorflow as tf

    return tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")


def fill_memory(monkeypatch, step: int, epoch: int = 0) -> None:
    """Let a step fail as it does where it does not fit."""
    original = CheckpointCallback.on_train_batch_begin

    def fail(self, batch, logs=None):
        if (self.progress.epoch, batch) == (epoch, step):
            raise full_memory()
        original(self, batch, logs)

    monkeypatch.setattr(CheckpointCallback, "on_train_batch_begin", fail)


def test_full_memory_is_said_in_one_line(run_cli, monkeypatch):
    with monkeypatch.context() as patch:
        fill_memory(patch, step=0)
        code, out, err = run_cli("fit", "dnn", *SMALL, "--run", "first")
    assert code == 1 and not out and "Traceback" not in err
    line = [line for line in err.splitlines() if "out of memory" in line]
    assert len(line) == 1 and "--batch-size 32" in line[0]
    advice = "threefold fit --again first --batch-size 16"
    assert advice in line[0] and "--resume" not in line[0]
    code, out, _ = run_cli(*advice.split()[1:], "--run", "second", "--json")
    assert code == 0 and '"batch_size": 16' in Path("second/run.json").read_text()


def test_a_run_that_filled_the_memory_goes_on(run_cli, monkeypatch):
    with monkeypatch.context() as patch:
        fill_memory(patch, step=1, epoch=1)
        code, _, err = run_cli("fit", "dnn", *SMALL, "--run", "cut")
    assert code == 1 and "threefold fit --resume cut" in err
    assert run_cli("fit", "--resume", "cut", "--json")[0] == 0
    assert run_cli("fit", "dnn", *SMALL, "--run", "whole", "--json")[0] == 0
    assert Path("cut/history.csv").read_text() == Path("whole/history.csv").read_text()


def test_a_batch_of_one_is_not_halved(in_tmp, monkeypatch):
    from displays import quiet

    from threefold.training.settings import TrainingSettings

    fill_memory(monkeypatch, step=0)
    settings = TrainingSettings.parse({"epochs": "1", "batch_size": "1"})
    with pytest.raises(OutOfMemory, match="try a smaller model"):
        fitting.start(fitting.Command("dnn", None, "wine", {}, {}, settings, "run"), quiet)


def test_errors_of_full_memory_are_told_from_others():
    # Keras raises an error of a layer anew, with a text of its own around the first.
    wrapped = RuntimeError(f"Exception encountered when calling Dense.call().\n{full_memory()}")
    caused = ValueError("a layer failed")
    caused.__cause__ = full_memory()
    assert is_out_of_memory(full_memory()) and is_out_of_memory(caused)
    assert is_out_of_memory(wrapped) or keras.config.backend() == "tensorflow"
    assert is_out_of_memory(RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"))
    assert not is_out_of_memory(RuntimeError("shapes do not agree"))
    assert not is_out_of_memory(ValueError("RESOURCE_EXHAUSTED"))
