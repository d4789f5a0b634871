"""Two finished runs, bit by bit."""

import json

from threefold.training.checkpoints import load_checkpoint
from threefold.training.run import open_run


def compare_runs(one: str, other: str) -> tuple[int, list[str]]:
    """Return how many arrays and records two runs hold, and the names of those that differ.

    Arrays are those of the last state (weights, optimizer, seeds, metrics of the epoch) and of the
    epoch that is kept; records the counters, the history and the metrics.

    Args:
        one: str. The folder of a run.
        other: str. That of another.
    """
    found, others = map(_read, (one, other))
    names = found.keys() | others.keys()
    return len(names), sorted(name for name in names if found.get(name) != others.get(name))


def _read(folder: str) -> dict:
    run = open_run(folder)
    arrays, counters = load_checkpoint(run.checkpoints, "state")
    best, _ = load_checkpoint(run.checkpoints, "best")
    del counters["seconds"]
    records = {"counters": counters, "history": run.read_history(), "metrics": run.read_metrics()}
    # As JSON, which keeps every bit of a float, and in which NaN equals itself.
    found = {name: json.dumps(record) for name, record in records.items()}
    for name, array in (arrays | {f"best/{key}": value for key, value in best.items()}).items():
        found[name] = array.dtype, array.shape, array.tobytes()
    return found
