"""A lock has one holder at a time, goes when that dies, and is looked at without a trace."""

import os
import subprocess
import sys

import pytest

from threefold.core.locks import hold_lock, is_held

HOLD = """
import sys, time
from pathlib import Path
from threefold.core.locks import hold_lock
with hold_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_holder_is_refused_and_the_next_one_is_not(tmp_path):
    path = tmp_path / ".lock"
    with hold_lock(path):
        assert is_held(path)
        with pytest.raises(BlockingIOError, match="another process holds"):
            with hold_lock(path, patience=0.05):
                pass
    assert not is_held(path)
    with hold_lock(path, patience=0):
        assert is_held(path)


def test_a_process_that_is_killed_frees_its_lock(tmp_path):
    path = tmp_path / ".lock"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        assert is_held(path)
        process.kill()
        process.wait()
        assert not is_held(path)


def test_a_look_leaves_no_trace(tmp_path, monkeypatch):
    path = tmp_path / ".lock"
    assert not is_held(path)
    assert os.listdir(tmp_path) == []
    path.write_text("as it was")
    path.chmod(0o444)
    tmp_path.chmod(0o555)
    before = path.stat()
    monkeypatch.setattr(os, "access", lambda *_: False)  # to root, everything can be written to
    try:
        assert not is_held(path)
    finally:
        tmp_path.chmod(0o755)
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert path.read_text() == "as it was"
