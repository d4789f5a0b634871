"""A run that is cut goes on under another backend as it would have gone on here."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from threefold.reporting.console import FitDisplay
from threefold.training.checkpoints import load_checkpoint
from threefold.training.run import open_run

pytestmark = pytest.mark.each_backend

NEXT = {"jax": "torch", "torch": "tensorflow", "tensorflow": "jax"}
# Adam's moments, averaged weights and a rate that changes: a state that is lost would show.
FIT = [
    "cnn", "-o", "filters=4", "-o", "dense_units=8", "-o", "dropout=0", "--optimizer", "adam",
    "--ema", "0.9", "-d", "test_fraction=0.1", "-d", "validation_fraction=0.7",
    "--batch-size", "64", "--epochs", "3",
]  # fmt: skip
CUT = (1, 2)  # epoch, from 0, and step, from 1; an epoch has 6

DRIVER = """
import json, sys
from threefold import cli
from threefold.reporting.console import FitDisplay

def batch(self, epoch, step, logs):
    print(json.dumps([epoch, step, float(logs["loss"])]))

FitDisplay.batch = batch
sys.argv = ["threefold", "fit", "--resume", "there"]
cli.main()
"""


def test_the_next_losses_are_the_same_there_and_here(run_cli, in_tmp, backend, monkeypatch):
    here = []

    def batch(self, epoch, step, logs):
        here.append([epoch, step, float(logs["loss"])])
        if (epoch, step) == CUT and len(here) == 6 + CUT[1]:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(FitDisplay, "batch", batch)
    code, _, err = run_cli("fit", *FIT, "--run", "here")
    assert code == 128 + signal.SIGTERM, err
    shutil.copytree(in_tmp / "here", in_tmp / "there")
    here.clear()
    assert run_cli("fit", "--resume", "here")[0] == 0
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        capture_output=True,
        text=True,
        env=os.environ | {"KERAS_BACKEND": NEXT[backend]},
    )
    assert done.returncode == 0, done.stderr
    there = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]

    steps = [(1, step) for step in range(3, 7)] + [(2, step) for step in range(1, 7)]
    assert [tuple(row[:2]) for row in here] == [tuple(row[:2]) for row in there] == steps
    for (epoch, step, loss), (*_, other) in zip(here, there, strict=True):
        assert other == pytest.approx(loss, rel=1e-4), f"epoch {epoch}, step {step}"
    for row, other in zip(
        open_run("here").read_history(), open_run("there").read_history(), strict=True
    ):
        assert other == pytest.approx(row, rel=1e-3)
    _, content = load_checkpoint(open_run("there").checkpoints, "state")
    assert content["backend"] == NEXT[backend]
