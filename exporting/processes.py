"""The other processes of an export, each with the backend that its work needs, or none."""

import os
import subprocess
import sys
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
    ended = subprocess.run(
        [sys.executable, "-P", "-m", f"threefold.exporting.{module}", str(scratch / "job.json")],
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if ended.returncode:
        lines = [line for line in ended.stderr.splitlines() if line.strip()]
        if "--debug" in sys.argv:
            print(ended.stderr, file=sys.stderr)
        reason = lines[-1].strip() if lines else f"exit code {ended.returncode}"
        raise Failure(f"the export failed while {module}: {reason}")
