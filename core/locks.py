"""Locks between processes, the same on Windows: each goes with the process that holds it."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

# A look at a lock takes it for a moment; to another process that must not pass for being held.
_GLANCE = 0.02  # seconds between two tries


@contextlib.contextmanager
def hold_lock(path: Path, patience: float = float("inf")) -> Iterator[None]:
    """Hold the lock that a file stands for, alone of all processes.

    Args:
        path: Path. The file, new or old; it stays.
        patience: float. Seconds to wait for another process that holds it.

    Raises:
        BlockingIOError: where another process still holds it then.
    """
    # Where it is needed: 70 ms. Its `FileLock` would create, or write to, a file that is only
    # looked at, and on a disk without locks leave a mark that outlives a killed process.
    from filelock import lock_descriptor

    last = time.monotonic() + patience
    with open(path, "a") as file:  # closing it frees the lock
        while not lock_descriptor(file.fileno(), blocking=False):
            if time.monotonic() >= last:
                raise BlockingIOError(f"another process holds {path}")
            time.sleep(_GLANCE)
        yield


def is_held(path: Path) -> bool:
    """Return whether a process holds a lock; neither the file nor its folder is written to."""
    from filelock import lock_descriptor

    try:
        # Over NFS only a file that is open for writing can be locked.
        with open(path, "r+" if os.access(path, os.W_OK) else "r") as file:
            for _ in range(3):
                if lock_descriptor(file.fileno(), blocking=False):
                    return False
                time.sleep(_GLANCE)
            return True
    except FileNotFoundError:
        return False
