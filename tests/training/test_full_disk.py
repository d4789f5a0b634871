"""A disk that is really full: a small tmpfs, or a real limit where none can be mounted."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.once

# Runs in a process of its own, which may mount without being root; its mounts end with it.
DRIVER = """
import contextlib, hashlib, io, json, os, pathlib, resource, sys

mounted, folder = sys.argv[1] == "tmpfs", pathlib.Path(sys.argv[2])
if mounted:
    os.system(f"mount -t tmpfs -o size=4m tmpfs {folder}")
    assert os.statvfs(folder).f_blocks * 4096 == 4 << 20
os.chdir(folder)
from threefold import cli

def fill():
    if not mounted:  # Python ignores the signal: a file that grows larger is an OSError
        resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 10, resource.RLIM_INFINITY))
        return
    with open("filler", "wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    os.truncate("filler", os.path.getsize("filler") - (8 << 10))

def free():
    if mounted:
        os.unlink("filler")
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)

def fit(*words):
    sys.argv = ["threefold", "fit", *words]
    notes = io.StringIO()
    from threefold.reporting import console
    console.notes.file = notes
    try:
        cli.main()
    except SystemExit as stop:
        files = sorted(pathlib.Path("run/checkpoints").rglob("*"))
        sums = {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in files if p.is_file()}
        return {"code": stop.code, "notes": notes.getvalue(), "sums": sums}

told = [fit("dnn", "--epochs", "1", "--run", "run")]
fill()
told.append(fit("--resume", "run", "--epochs", "3"))
free()
told.append(fit("--resume", "run", "--epochs", "3"))
told.append(len(pathlib.Path("run/history.csv").read_text().splitlines()))
print(json.dumps(told))
"""

UNSHARE = ["unshare", "--map-root-user", "--mount"]


@pytest.fixture(scope="module")
def explicit(tmp_path_factory):
    """Fit, fit on with the disk full, free it, fit on again: what each said and left."""
    folder = tmp_path_factory.mktemp("disk")
    try:
        mount = [*UNSHARE, "mount", "-t", "tmpfs", "tmpfs", folder]
        kind = "tmpfs" if subprocess.run(mount, capture_output=True).returncode == 0 else "limit"
    except FileNotFoundError:
        kind = "limit"
    done = subprocess.run(
        [*(UNSHARE if kind == "tmpfs" else []), sys.executable, "-c", DRIVER, kind, folder],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_full_disk_is_one_line_that_names_the_path(explicit):
    assert explicit[0]["code"] == 0
    assert explicit[1]["code"] == 1
    error = [line for line in explicit[1]["notes"].splitlines() if line.startswith("error:")]
    assert len(error) == 1 and explicit[1]["notes"].splitlines()[-1] == error[0]
    assert "cannot write a checkpoint to run/checkpoints: " in error[0]
    assert "No space left on device" in error[0] or "File too large" in error[0]


def test_what_was_saved_before_is_untouched_and_nothing_half_written_is_left(explicit):
    assert explicit[1]["sums"] == explicit[0]["sums"] != {}


def test_with_space_again_the_run_goes_on(explicit):
    assert explicit[2]["code"] == 0
    assert explicit[3] == 1 + 3  # a head, and a row an epoch
