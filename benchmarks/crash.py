"""`kill -9` at random moments of a small fit that saves after every step, again and again.

    python benchmarks/crash.py --backend jax --kills 200    goes on where it was stopped
    python benchmarks/crash.py --stale                      kills nothing: lists what is missing
    python benchmarks/crash.py --table                      kills nothing: writes the table

Each life of the run is a process forked from one that has imported everything and computed
nothing. It is killed at a random moment after its first step; after each kill the newest
checkpoints are read, and the next life resumes. A run that gets to its end is compared, bit by bit,
with one that was never cut; then another begins, until there were kills enough.

What was counted is kept in `crash.csv` after every kill, for the code as it is: stop the script at
any time. The same words begin another run and go on counting; each kill's moment depends on the
seed and its number alone. Counts of older code stay until there are as many kills of the new.
"""

import argparse
import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path

from kept import STOPPED, digest_of, keep, read_rows, render_rows, write_table

from threefold.training.backend import BACKENDS, choose_backend

HERE = Path(__file__).resolve()  # the script changes its folder
KEPT = HERE.with_suffix(".csv")
BEGIN, END = "<!-- benchmarks/crash.py -->", "<!-- end of crash -->"
PLACES = ("training", "blueprints", "core/files.py")  # the last writes what a run holds
KEYS = ("backend", "seed", "digest")
COUNTS = ("kills", "inside", "unreadable", "finished", "equal")
OPTIONS = {"filters": "4", "convolutions": "1"}
DATA = {"test_fraction": "0.1", "validation_fraction": "0.7"}  # 360 images: 12 steps an epoch
SETTINGS = {"epochs": "5", "batch_size": "32", "checkpoint_steps": "1"}
MAX_LENGTH = 1 / 3  # the longest life after its first step, in those of a run that was never cut


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backend")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", action="store_true", help="count from nothing")
    parser.add_argument("--stale", action="store_true", help="only list what is missing or older")
    parser.add_argument("--table", action="store_true", help="only write the table")
    args = parser.parse_args()
    if args.stale:
        sys.exit(list_stale(args.kills, args.seed))
    try:
        good = args.table or torment_backend(args)
    finally:  # stopped or not, it shows what is kept
        write_table(make_table(), BEGIN, END, HERE.with_name("README.md"))
    list_stale(args.kills, args.seed)
    sys.exit(not good)


def torment_backend(args: argparse.Namespace) -> bool:
    """Kill until there were kills enough; return whether all could be read and went on well."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    backend = choose_backend(args.backend)
    names = {"backend": backend, "seed": str(args.seed), "digest": digest_now()}
    counts = {} if args.again else read_counts(names)
    counts = dict.fromkeys(COUNTS, 0) | counts
    if counts["kills"] < args.kills:
        warnings.filterwarnings("ignore", "os.fork", RuntimeWarning)  # nothing was computed yet
        import threefold.datasets.bundled.digits
        import threefold.training.fit  # noqa: F401

        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                torment(names, args.kills, counts)
            except KeyboardInterrupt:
                print("stopped; the same words go on from here", file=sys.stderr)
                raise SystemExit(STOPPED) from None
            finally:
                os.chdir(HERE.parent)
    return counts["unreadable"] == 0 and counts["equal"] == counts["finished"]


def digest_now() -> str:
    """Return the digest of the code that a row proves."""
    return digest_of(*PLACES, blueprint="cnn")


def read_counts(names: dict[str, str]) -> dict[str, int]:
    """Return what was counted of a backend, a seed and the code as it is; else nothing."""
    for row in read_rows(KEPT):
        if all(row[key] == names[key] for key in KEYS):
            return {name: int(row[name]) for name in COUNTS}
    return {}


def keep_counts(names: dict[str, str], counts: dict[str, int]) -> None:
    """Keep what was counted; let go of what was counted of older code, once outdone."""
    if names["digest"] != digest_now():
        sys.exit("the code was changed meanwhile; start again, and it counts from nothing")
    row = {"backend": names["backend"], "seed": names["seed"], **counts, "digest": names["digest"]}
    keep(
        KEPT,
        row,
        KEYS,
        lambda kept: (
            kept["backend"] == names["backend"]
            and kept["digest"] != names["digest"]
            and int(kept["kills"]) <= counts["kills"]
        ),
    )


def list_stale(kills: int, seed: int) -> bool:
    """Print which backends lack kills of the code as it is; return whether any does."""
    stale = False
    for backend in BACKENDS:
        names = {"backend": backend, "seed": str(seed), "digest": digest_now()}
        done = read_counts(names).get("kills", 0)
        if done < kills:
            stale = True
            print(f"{backend}: {done} of {kills} kills with the code as it is", file=sys.stderr)
    return stale


def make_table() -> str:
    """Return the table in Markdown: of each backend the row of the most kills."""
    best = {row["backend"]: row for row in sorted(read_rows(KEPT), key=lambda r: int(r["kills"]))}
    header = ["backend", "kills", "inside a save", "unreadable", "runs finished", "of equal bits"]
    rows = [[name, *(best[name][count] for count in COUNTS)] for name in BACKENDS if name in best]
    return render_rows(header, rows)


def torment(names: dict[str, str], kills: int, counts: dict[str, int]) -> None:
    """Kill, look, and resume; count, and keep the counts after every kill."""
    code, whole = live("whole", None)
    if code != 0:
        raise SystemExit(Path("whole.log").read_text())
    expected = contents("whole")
    run, done = 0, False
    while counts["kills"] < kills or not done:
        name = f"run-{run}"
        spared = counts["kills"] >= kills  # the last run may end in peace
        moment = random.Random(f"{names['seed']}-{counts['kills']}").uniform(0, MAX_LENGTH * whole)
        code, _ = live(name, None if spared else moment)
        done = code == 0
        if done:
            run += 1
            counts["finished"] += 1
            counts["equal"] += same(contents(name), expected)
        elif code == -signal.SIGKILL:
            counts["kills"] += 1
            counts["inside"] += any(Path(name).rglob(".staged-*"))
            counts["unreadable"] += not readable(name)
        else:
            raise SystemExit(Path(f"{name}.log").read_text())
        keep_counts(names, counts)
        print(counts, file=sys.stderr, flush=True)


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
    try:
        first = os.read(reader, 1)  # its first step, or its end
        start = time.monotonic()
        if seconds is not None and first:
            time.sleep(seconds)
            os.kill(process, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    except BaseException:  # the script is stopped: nobody may write to the folder any more
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
        raise
    finally:
        os.close(reader)
    return code, time.monotonic() - start


def fit(name: str, progress_pipe: int) -> None:
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
                os.write(progress_pipe, b".")

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
