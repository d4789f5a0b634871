"""Processes that train an epoch in turn, each on the same single core."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence


def time_in_turn(script: str, names: Sequence[str], words: Sequence[str], rounds: int):
    """Return the seconds a step of each process, in each round; the first round is left out.

    Args:
        script: str. Where it is started with `--work NAME`, it says something in a line, and then,
            for each line that it gets, the seconds a step of one more epoch.
        names: sequence of str. What to start it with.
        words: sequence of str. Its further arguments.
        rounds: int. How many to keep.

    Returns:
        (dict of str to str, dict of str to list of float): the first lines, and the seconds.
    """
    children = {name: _start(script, name, words) for name in names}
    said = {name: child.stdout.readline().strip() for name, child in children.items()}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds + 1):
        for name, child in children.items():
            child.stdin.write("go\n")
            child.stdin.flush()
            seconds[name].append(float(child.stdout.readline()))
    for child in children.values():
        child.kill()
    return said, {name: found[1:] for name, found in seconds.items()}


def ratio_of(others: Sequence[float], own: Sequence[float]) -> float:
    """Return how many times as fast one is as another: the median over the rounds."""
    return statistics.median(other / found for other, found in zip(others, own, strict=True))


def wait() -> None:
    """Wait for one's turn; end where there is none."""
    if not sys.stdin.readline():
        sys.exit()


class TakesTurns:
    """The display of `fit`, which waits for its turn before each epoch."""

    def __init__(self):
        self.step = 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def batch(self, epoch, step, logs):
        """Count the steps; the first one's turn came before the training began."""
        self.step = step

    def epoch(self, row, improved):
        """Say how long a step took; wait."""
        print((time.perf_counter() - self.started) / self.step, flush=True)
        self.wait()

    def wait(self):
        """Wait for a turn; start the clock."""
        wait()
        self.started = time.perf_counter()


def _start(script: str, name: str, words: Sequence[str]) -> subprocess.Popen:
    command = [sys.executable, script, "--work", name, *words]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    core = min(os.sched_getaffinity(0))
    return subprocess.Popen(
        command, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: os.sched_setaffinity(0, {core}), **pipes,
    )  # fmt: skip
