"""The other processes of an export, each with the backend that its work needs, or none.

    python -m threefold.exporting.processes JOB.json MODULE

They read nothing of what they are given as standard input, a pipe: it ends when the export does,
be it killed, and they end then, so that none goes on writing into a folder that is removed.
"""

import importlib
import os
import subprocess
import sys
import threading
from pathlib import Path

from threefold.core.errors import Failure


def run_child(module: str, scratch: Path) -> None:
    """Run one of this room's modules in a process of its own.

    Args:
        module: str. Its name.
        scratch: Path. The folder of `job.json`, which says what to do.

    Raises:
        Failure: with what it died of, in one line.
    """
    environment = os.environ | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-P", "-m", "threefold.exporting.processes"]
    read, write = os.pipe()
    try:
        ended = subprocess.run(
            [*command, str(scratch / "job.json"), module],
            env=environment,
            stdin=read,
            capture_output=True,
            text=True,
            errors="replace",
        )
    finally:
        os.close(read)
        os.close(write)
    if ended.returncode:
        lines = [line for line in ended.stderr.splitlines() if line.strip()]
        if "--debug" in sys.argv:
            print(ended.stderr, file=sys.stderr)
        reason = lines[-1].strip() if lines else f"exit code {ended.returncode}"
        raise Failure(f"the export failed while {module}: {reason}")


def main() -> None:
    """Run a module's `main`, for no longer than the process that asked for it lives."""
    threading.Thread(target=_end_with_standard_input, daemon=True).start()
    importlib.import_module(f"threefold.exporting.{sys.argv[2]}").main()


def _end_with_standard_input() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
