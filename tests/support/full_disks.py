"""Commands on a disk that is really full: a small tmpfs, or a real limit where none can be."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

UNSHARE = ["unshare", "--map-root-user", "--mount"]
# Runs in a process of its own, which may mount without being root; its mounts end with it.
DRIVER = """
import contextlib, hashlib, io, json, os, pathlib, resource, sys

mounted, folder = sys.argv[1] == "tmpfs", pathlib.Path(sys.argv[2])
if mounted:
    os.system(f"mount -t tmpfs -o size=4m tmpfs {folder}")
    assert os.statvfs(folder).f_blocks * 4096 == 4 << 20
os.chdir(folder)
from threefold import cli
from threefold.reporting import console

def limit_free_space(free):
    if not mounted:  # Python ignores the signal: a file that grows larger is an OSError
        resource.setrlimit(resource.RLIMIT_FSIZE, (free, resource.RLIM_INFINITY))
        return
    with open("filler", "ab", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    os.truncate("filler", os.path.getsize("filler") - free)

def run(*words):
    sys.argv = ["threefold", *words]
    console.notes.file = notes = io.StringIO()
    try:
        cli.main()
    except SystemExit as stop:
        return stop.code, notes.getvalue()

def sums_of(folder):
    files = sorted(path for path in pathlib.Path(folder).rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

"""


def run_on_small_disk(driver: str, folder: Path, *words: str | Path, **environment: str) -> Any:
    """Run what follows DRIVER on a disk of 4 MiB; return what it prints, which is JSON.

    Args:
        driver: str. Python, with what DRIVER defines; words are `sys.argv[3:]`.
        folder: Path. An empty folder, where the disk is.
        words: str or Path.
        environment: str. Variables that are set where no disk can be mounted.
    """
    try:
        mount = [*UNSHARE, "mount", "-t", "tmpfs", "tmpfs", folder]
        mounts = subprocess.run(mount, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounts = False
    begin, kind = (UNSHARE, "tmpfs") if mounts else ([], "limit")
    done = subprocess.run(
        [*begin, sys.executable, "-c", DRIVER + driver, kind, folder, *words],
        capture_output=True,
        text=True,
        env=os.environ | ({} if mounts else environment),
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
