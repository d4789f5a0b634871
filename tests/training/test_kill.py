"""One run, hit by real signals again and again, ends with the bits of one that never was."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from threefold.training.checkpoints import load_checkpoint
from threefold.training.run import open_run

pytestmark = pytest.mark.each_backend

EPOCHS, STEPS = 3, 6
FIT = [
    "cnn", "-o", "filters=4", "-o", "convolutions=1", "-d", "test_fraction=0.1",
    "-d", "validation_fraction=0.7", "--batch-size", "64", "--epochs", str(EPOCHS),
]  # fmt: skip

BEGIN = [*FIT, "--checkpoint-steps", "2", "--run", "cut"]
AGAIN = ["--resume", "cut"]

# The command line, which stops at a step and, from there, at a later fsync: it makes the file
# `here`, and waits for the file `go`.
DRIVER = """
import os, pathlib, sys, time
from threefold import cli
from threefold.reporting.console import FitDisplay

epoch, step, fsync = map(int, sys.argv[1:4])
sys.argv = ["threefold", "fit", *sys.argv[4:]]
real_batch, real_fsync = FitDisplay.batch, os.fsync
left = None

parent = os.getppid()

def stop():
    pathlib.Path("here").touch()
    while not os.path.exists("go") and os.getppid() == parent:  # else the tests were killed
        time.sleep(0.01)

def batch(self, now, done, logs):
    global left
    real_batch(self, now, done, logs)
    if (now, done) == (epoch, step):
        left = fsync
        if fsync == 0:
            stop()

def watched_fsync(descriptor):
    global left
    if left is not None:
        left -= 1
        if left == 0:
            stop()
    real_fsync(descriptor)

FitDisplay.batch, os.fsync = batch, watched_fsync
cli.main()
"""


def hit(number, *words, epoch, step, fsync=0, meanwhile=None):
    """Run `fit` up to a place, send it a signal there; return its exit code and stderr.

    Args:
        number: int. The signal.
        words: str. What follows `fit`.
        epoch: int. Epoch of the place, from 0.
        step: int. Step of the place, from 1.
        fsync: int. Which fsync after that step; 0 for the step itself.
        meanwhile: function. Called while the process waits.
    """
    driver = [sys.executable, "-c", DRIVER, str(epoch), str(step), str(fsync)]
    process = subprocess.Popen(
        [*driver, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        while not os.path.exists("here"):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        if meanwhile is not None:
            meanwhile()
        process.send_signal(number)
        if number != signal.SIGKILL:
            open("go", "w").close()
        _, err = process.communicate(timeout=60)
        return process.returncode, err
    finally:
        process.kill()
        for name in ("here", "go"):
            if os.path.exists(name):
                os.unlink(name)


def standing(folder="cut"):
    """Return how many epochs, and steps of the next, the newest state has seen."""
    _, content = load_checkpoint(open_run(folder).checkpoints, "state")
    return content["epoch"], content["step"]


def half_written(folder="cut"):
    return list(open_run(folder).checkpoints.glob(".staged-*"))


def contents(folder):
    run = open_run(folder)
    arrays, state = load_checkpoint(run.checkpoints, "state")
    best, best_state = load_checkpoint(run.checkpoints, "best")
    del state["seconds"]
    return arrays, best, (state, best_state, run.read_history(), run.read_metrics())


def test_a_run_that_is_killed_ends_with_the_same_bits(run_cli):
    def refused():
        code, _, err = run_cli("fit", "--resume", "cut")
        assert (code, err) == (2, "error: cut is being fitted by another process\n")

    # kill -9 within the save that follows a step: the one before it counts.
    code, _ = hit(signal.SIGKILL, *BEGIN, epoch=1, step=4, fsync=2, meanwhile=refused)
    assert (code, standing(), len(half_written())) == (-signal.SIGKILL, (1, 2), 1)
    # SIGTERM saves first, at a step that --checkpoint-steps would not.
    code, err = hit(signal.SIGTERM, *AGAIN, epoch=2, step=1)
    assert (code, standing(), half_written()) == (128 + signal.SIGTERM, (2, 1), [])
    assert err.splitlines()[-1] == (
        "error: SIGTERM in epoch 3, after step 1: the state is saved; go on with: "
        "threefold fit --resume cut"
    )
    assert_as_never_cut(run_cli)


@pytest.mark.variant
def test_a_run_that_is_hit_at_other_places_ends_with_the_same_bits(run_cli):
    # kill -9 between two steps, one of them not saved yet.
    code, _ = hit(signal.SIGKILL, *BEGIN, epoch=0, step=5)
    assert (code, standing()) == (-signal.SIGKILL, (0, 4))
    # kill -9 at the end of an epoch, when its best weights are saved and its state is not.
    code, _ = hit(signal.SIGKILL, *AGAIN, epoch=1, step=STEPS, fsync=6)
    assert (code, standing(), len(half_written())) == (-signal.SIGKILL, (1, 4), 1)
    # Ctrl-C saves first, too.
    code, err = hit(signal.SIGINT, *AGAIN, epoch=2, step=3)
    assert (code, standing()) == (128 + signal.SIGINT, (2, 3))
    assert "error: SIGINT in epoch 3, after step 3" in err
    assert_as_never_cut(run_cli)


def assert_as_never_cut(run_cli):
    """Go on to the end, and compare with a run of the same command."""
    assert run_cli("fit", "--resume", "cut")[0] == 0
    assert run_cli("fit", *FIT, "--run", "whole")[0] == 0
    (arrays, best, explicit), (others, other_best, other_pipe) = contents("cut"), contents("whole")
    assert explicit == other_pipe
    for one, other in ((arrays, others), (best, other_best)):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)
