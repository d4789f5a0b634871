"""`kill -9` at random moments of a small fit that saves after every step, again and again.

    python benchmarks/crash.py --backend jax --kills 200

Each life of the run is a process forked from one that has imported everything and computed
nothing. It is killed at a random moment after its first step; after each kill the newest
checkpoints are read, and the next life resumes. A run that gets to its end is compared, bit by bit,
with one that was never cut; then another begins, until there were kills enough.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path

from threefold.training.backend import choose_backend

OPTIONS = {"filters": "4", "convolutions": "1"}
DATA = {"test_fraction": "0.1", "validation_fraction": "0.7"}  # 360 pictures: 12 steps an epoch
SETTINGS = {"epochs": "5", "batch_size": "32", "checkpoint_steps": "1"}
LONGEST = 1 / 3  # the longest life after its first step, in those of a run that was never cut


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backend")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    backend = choose_backend(asked.backend)
    warnings.filterwarnings("ignore", "os.fork", RuntimeWarning)  # nothing was computed yet
    import threefold.datasets.digits
    import threefold.training.fit  # noqa: F401

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        counts = torment(asked.kills, random.Random(asked.seed))
    print("| backend | kills | inside a save | unreadable | runs finished | of equal bits |")
    print("| --- | --- | --- | --- | --- | --- |")
    print(f"| {backend} | {' | '.join(str(count) for count in counts.values())} |")
    print(
        f"\npython benchmarks/crash.py --backend {backend} --kills {asked.kills} "
        f"--seed {asked.seed}"
    )
    sys.exit(counts["unreadable"] > 0 or counts["equal"] < counts["finished"])


def torment(kills: int, chance: random.Random) -> dict[str, int]:
    """Kill, look, and resume; return what was counted."""
    code, whole = live("whole", None)
    if code != 0:
        raise SystemExit(Path("whole.log").read_text())
    expected = contents("whole")
    counts = {"kills": 0, "inside": 0, "unreadable": 0, "finished": 0, "equal": 0}
    done = False
    while counts["kills"] < kills or not done:
        name = f"run-{counts['finished']}"
        spared = counts["kills"] >= kills  # the last run may end in peace
        code, _ = live(name, None if spared else chance.uniform(0, LONGEST * whole))
        done = code == 0
        if done:
            counts["finished"] += 1
            counts["equal"] += same(contents(name), expected)
        elif code == -signal.SIGKILL:
            counts["kills"] += 1
            counts["inside"] += any(Path(name).rglob(".staged-*"))
            counts["unreadable"] += not readable(name)
            print(counts, file=sys.stderr, flush=True)
        else:
            raise SystemExit(Path(f"{name}.log").read_text())
    return counts


def live(name: str, seconds: float | None) -> tuple[int, float]:
    """Begin or resume a run in a process of its own.

    Args:
        name: str. The run's folder.
        seconds: float. How long after its first step it is killed, or None for never.

    Returns:
        (int, float): its exit code, negative for a signal; the seconds from its first step on.
    """
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        code = 1
        try:
            log = os.open(f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 1)
            os.dup2(log, 2)
            fit(name, writer)
            code = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
            sys.stderr.flush()
        finally:
            os._exit(code)
    os.close(writer)
    first = os.read(reader, 1)  # its first step, or its end
    os.close(reader)
    start = time.monotonic()
    if seconds is not None and first:
        time.sleep(seconds)
        os.kill(process, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    return code, time.monotonic() - start


def fit(name: str, told: int) -> None:
    """Fit, in the forked process, and tell of every step."""
    from threefold.training import fit as fitting
    from threefold.training.settings import TrainingSettings

    class Display:
        silent = True

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def batch(self, epoch, step, logs):
            if self.silent:
                self.silent = False
                os.write(told, b".")

        def epoch(self, row, improved):
            pass

    def announce(run, dataset, model):
        return Display()

    if has_state(name):
        fitting.resume(name, None, announce)
    else:
        command = fitting.Command(
            blueprint="cnn",
            task=None,
            dataset=None,
            data_options=DATA,
            options=OPTIONS,
            settings=TrainingSettings.parse(SETTINGS),
            run=name,
        )
        shutil.rmtree(name, ignore_errors=True)  # killed before it could save
        fitting.start(command, announce)


def has_state(name: str) -> bool:
    return any(Path(name, "checkpoints").glob("state-*"))


def readable(name: str) -> bool:
    """Return whether the newest checkpoints are whole, without falling back on older ones."""
    from threefold.training.checkpoints import CheckpointError, load_checkpoint

    folder = Path(name, "checkpoints")
    with warnings.catch_warnings(action="error"):
        try:
            for kind in ("state", "best"):
                if any(folder.glob(f"{kind}-*")):
                    load_checkpoint(folder, kind)
        except (CheckpointError, UserWarning):
            return False
    return True


def contents(name: str) -> tuple:
    """Return all that a finished run holds but its times."""
    from threefold.training.checkpoints import load_checkpoint
    from threefold.training.run import open_run

    run = open_run(name)
    arrays, state = load_checkpoint(run.checkpoints, "state")
    best, best_state = load_checkpoint(run.checkpoints, "best")
    del state["seconds"]
    return arrays, best, [state, best_state, run.read_history(), run.read_metrics()]


def same(one: tuple, other: tuple) -> bool:
    """Return whether two runs hold the same bits."""
    arrays = all(
        a.keys() == b.keys()
        and all(a[k].dtype == b[k].dtype and a[k].tobytes() == b[k].tobytes() for k in a)
        for a, b in zip(one[:2], other[:2], strict=True)
    )
    return arrays and one[2] == other[2]


if __name__ == "__main__":
    main()
