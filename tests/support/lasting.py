"""Processes that do one job of an export after the other: starting TensorFlow takes seconds."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from threefold.core.errors import Failure

HERE = str(Path(__file__).parent)
WORK = """
import importlib, sys

module = importlib.import_module(f"threefold.exporting.{sys.argv[1]}")
if sys.argv[1] == "building":
    from lasting import build_once

    build_once(module)
for line in sys.stdin:
    sys.argv[1:] = [line.rstrip()]
    module.main()
    print("done", flush=True)
"""


def build_once(building) -> None:
    """Let the files of all formats come from one rebuilt model."""
    newest, rebuild = {}, building.rebuild_model

    def rebuild_once(run, precision):
        if newest.get("run") != run.folder:
            newest.update(run=run.folder, model=rebuild(run, precision))
        return newest["model"]

    building.rebuild_model = rebuild_once


class LastingChildren:
    """Does what `run_child` does, in processes that are started once.

    One proves ONNX files, and must not load TensorFlow; one SavedModels; one makes both.
    """

    def __init__(self):
        self._children = {}
        self._errors = tempfile.TemporaryFile("w+")

    def run_child(self, module: str, scratch: Path) -> None:
        """Let the module do the job of a folder; what it dies of is told by the test."""
        job = scratch / "job.json"
        format = json.loads(job.read_text(encoding="utf-8"))["format"]
        kind = (module, "" if module == "building" else format)
        child = self._children.get(kind) or self._start(kind)
        child.stdin.write(f"{job}\n")
        child.stdin.flush()
        if child.stdout.readline() != "done\n":
            child.wait()
            if module == "empty_batch":  # which is an answer: not every runtime takes one
                child.stdin.close()
                child.stdout.close()
                del self._children[kind]
                raise Failure("it died")
            self._errors.seek(0)
            raise AssertionError(f"{module} died: {self._errors.read()[-4000:]}")

    def _start(self, kind: tuple[str, str]) -> subprocess.Popen:
        self._children[kind] = subprocess.Popen(
            [sys.executable, "-P", "-c", WORK, kind[0]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=os.environ
            | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
            | {"PYTHONPATH": os.pathsep.join([HERE, os.environ.get("PYTHONPATH", "")])},
            text=True,
        )
        return self._children[kind]

    def close(self) -> None:
        """End the processes."""
        for child in self._children.values():
            child.kill()  # TensorFlow takes its time to end by itself
            child.communicate()
        self._errors.close()


# Python that calls commands of threefold in one process, and sees what was imported.
CALL = """
import contextlib, io, json, sys

def call(*words):
    from threefold import cli

    sys.argv = ["threefold", *words]
    out, code = io.StringIO(), None
    with contextlib.redirect_stdout(out):
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code or 0
    return code, out.getvalue()

def loaded():
    return [name for name, module in sys.modules.items() if module is not None]
"""
# Runs commands as they come; prints what each said, and what was imported.
COMMANDS = f"""{CALL}
sys.modules["keras"] = None
for line in sys.stdin:
    print(json.dumps([*call(*json.loads(line)), loaded()]), flush=True)
"""


class LastingCommands:
    """Runs commands in a process that is started once, and in which nothing can import Keras."""

    def __init__(self):
        self._errors = tempfile.TemporaryFile("w+")
        self._child = None

    def run(self, *words: str) -> tuple[int, str, list[str]]:
        """Run a command; return its exit code, what it printed, and the modules there are."""
        if self._child is None:
            self._child = subprocess.Popen(
                [sys.executable, "-c", COMMANDS],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env={name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"},
                text=True,
            )
        self._child.stdin.write(json.dumps(words) + "\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise AssertionError(f"{words} died: {self._errors.read()[-4000:]}")
        return tuple(json.loads(line))

    def close(self) -> None:
        """End the process."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
        self._errors.close()
