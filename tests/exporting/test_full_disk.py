"""An export to a disk that is really full: a small tmpfs, or a real limit where none can be."""

import hashlib
import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.once

# Runs in a process of its own, which may mount without being root; its mounts end with it.
DRIVER = """
import contextlib, hashlib, io, json, os, pathlib, resource, shutil, sys

mounted, folder = sys.argv[1] == "tmpfs", pathlib.Path(sys.argv[2])
if mounted:
    os.system(f"mount -t tmpfs -o size=4m tmpfs {folder}")
    assert os.statvfs(folder).f_blocks * 4096 == 4 << 20
os.chdir(folder)
run, artifact = sys.argv[3:]
shutil.copytree(artifact, "shelf/it")
from threefold import cli

def limit_free_space(free):
    if not mounted:  # Python ignores the signal: a file that grows larger is an OSError
        resource.setrlimit(resource.RLIMIT_FSIZE, (free, resource.RLIM_INFINITY))
        return
    with open("filler", "ab", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    os.truncate("filler", os.path.getsize("filler") - free)

def export():
    sys.argv = ["threefold", "export", run, "--format", "onnx", "--output", "shelf/it", "--force"]
    notes = io.StringIO()
    from threefold.reporting import console
    console.notes.file = notes
    try:
        cli.main()
    except SystemExit as stop:
        sums = {
            str(path): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in pathlib.Path("shelf").rglob("*") if path.is_file()
        }
        lines = [line for line in notes.getvalue().splitlines() if line.startswith("error:")]
        hidden = [path.name for path in pathlib.Path("shelf").glob(".*")]
        return {"code": stop.code, "errors": lines, "sums": sums, "hidden": hidden}

told = []
for free in (8 << 10, 48 << 10):  # too little for the answers; enough for these, not for the model
    limit_free_space(free)
    told.append(export())
print(json.dumps(told))
"""

UNSHARE = ["unshare", "--map-root-user", "--mount"]


@pytest.fixture(scope="module")
def explicit(tmp_path_factory, run_of, artifact_of):
    """Export over an artifact with the disk full, twice: what each said and left."""
    folder = tmp_path_factory.mktemp("disk")
    run, artifact = run_of("digits").folder.resolve(), artifact_of("digits", "onnx")
    try:
        mount = [*UNSHARE, "mount", "-t", "tmpfs", "tmpfs", folder]
        kind = "tmpfs" if subprocess.run(mount, capture_output=True).returncode == 0 else "limit"
    except FileNotFoundError:
        kind = "limit"
    done = subprocess.run(
        [*(UNSHARE if kind == "tmpfs" else []), sys.executable, "-c", DRIVER, kind, folder,
         run, artifact],
        capture_output=True,
        text=True,
        # The limit would hold for jax's cache of compiled code too, which warns.
        env=os.environ | {"JAX_ENABLE_COMPILATION_CACHE": str(kind == "tmpfs").lower()},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_full_disk_is_one_line_that_says_so(explicit):
    for found in explicit:
        assert (found["code"], len(found["errors"])) == (1, 1), found
    assert "cannot write the artifact to shelf/it: " in explicit[0]["errors"][0]
    assert "the export failed while building: " in explicit[1]["errors"][0]


def test_the_artifact_of_before_is_untouched_and_nothing_half_written_is_left(
    explicit, artifact_of
):
    folder = artifact_of("digits", "onnx")
    wanted = {
        f"shelf/it/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
    }
    for found in explicit:
        assert found["sums"] == wanted and found["hidden"] == []
