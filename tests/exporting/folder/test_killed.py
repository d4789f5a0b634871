"""An export that is killed leaves nothing that the next one does not remove."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from threefold.core.locks import hold_lock
from threefold.exporting.artifact import open_artifact
from threefold.exporting.export import Request, export_run

pytestmark = pytest.mark.once

# An export whose other processes are real, but for TensorFlow's: it takes a file that is there.
EXPORT = """
import json, pathlib, shutil, sys, time
from threefold.training.backend import choose_backend
choose_backend()
from threefold.exporting import export
from threefold.training.run import open_run

run, artifact = sys.argv[1:]
real = export.run_child

def run_child(module, scratch):
    if module == "building":
        job = json.loads((scratch / "job.json").read_text())
        shutil.copy(pathlib.Path(artifact, "model.onnx"), job["staged"])
    else:
        real(module, scratch)

export.run_child = run_child
print("begun", flush=True)
export.export_run(open_run(run), export.Request("onnx", "shelf/it", force=True))
"""


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_an_export_killed_at_any_instant_leaves_the_artifact_alone_to_the_next(
    run_of, artifact_of, export_from, in_tmp
):
    run, artifact = run_of("digits"), artifact_of("digits", "onnx")
    words = [sys.executable, "-c", EXPORT, str(run.folder), str(artifact)]
    pauses = random.Random(0)
    for _ in range(3):
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as killed:
            assert killed.stdout.readline() == "begun\n"
            until = time.monotonic() + 60
            while not [*Path("shelf").glob(".scratch-*")] and time.monotonic() < until:
                time.sleep(0.01)
            time.sleep(pauses.uniform(0, 3))
            os.kill(killed.pid, signal.SIGKILL)
        export_from(artifact)
        export_run(run, Request("onnx", "shelf/it", force=True))
        assert left_in(Path("shelf")) == {"it"}
        open_artifact("shelf/it")


def make_staged(ident: str) -> Path:
    """Return the scratch of an export that has put aside what it replaces."""
    scratch, staged = Path(f"shelf/.scratch-{ident}"), Path(f"shelf/.staged-{ident}")
    for folder in (scratch / "replaced", staged):
        folder.mkdir(parents=True)
    (staged / "model.onnx").write_bytes(b"half")
    return scratch


def test_what_a_running_export_holds_is_not_touched(run_of, artifact_of, export_from, in_tmp):
    running, killed = make_staged("a" * 32), make_staged("b" * 32)
    other = Path("shelf/.staged-notes")
    other.mkdir()
    export_from(artifact_of("digits", "onnx"))
    with hold_lock(running / ".lock"):
        export_run(run_of("digits"), Request("onnx", "shelf/it"))
        names = {"it", running.name, f".staged-{'a' * 32}", other.name}
        assert left_in(Path("shelf")) == names and not killed.exists()


def test_an_artifact_that_a_killed_export_had_put_aside_is_put_back(
    run_of, artifact_of, copy_of, export_from
):
    aside = make_staged("c" * 32) / "replaced" / "old"
    copy_of("photos", "onnx", "mine").rename(aside)
    export_from(artifact_of("digits", "onnx"))
    export_run(run_of("digits"), Request("onnx", "shelf/it"))
    assert left_in(Path("shelf")) == {"it", "old"}
    open_artifact("shelf/old")


def test_another_process_of_a_killed_export_ends_with_it(in_tmp):
    """Else it would write on into a folder that is gone."""
    Path("job.json").write_text(json.dumps({}))
    program = """
import importlib, os, pathlib, sys, types
from threefold.exporting import processes
sleeper = types.ModuleType("sleeper")
def wait():
    import time
    print(os.getpid(), flush=True)
    time.sleep(600)
sleeper.main = wait
sys.modules["threefold.exporting.sleeper"] = sleeper
sys.argv = ["x", "job.json", "sleeper"]
processes.main()
"""
    read, write = os.pipe()
    words = [sys.executable, "-c", program]
    with subprocess.Popen(words, stdin=read, stdout=subprocess.PIPE) as it:
        os.close(read)
        assert int(it.stdout.readline()) == it.pid
        os.close(write)
        assert it.wait(timeout=60) == 1
