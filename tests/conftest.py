"""Shared by all tests. Each runs under the backend that KERAS_BACKEND names."""

import os
import sys
import tempfile

import pytest

from threefold.training.backend import choose_backend

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the models are tiny, the cores are shared
# Tiny models are compiled far longer than they run. All processes of a session share what was
# compiled; the folder goes with the process that came first.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    COMPILED = tempfile.TemporaryDirectory()
    os.environ |= {
        "JAX_COMPILATION_CACHE_DIR": COMPILED.name,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    }
BACKEND = choose_backend()


@pytest.fixture(scope="session")
def backend() -> str:
    return BACKEND


@pytest.fixture
def in_tmp(tmp_path, monkeypatch):
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run_cli(in_tmp, monkeypatch, capsys):
    """Run the command line in this process; return (exit code, stdout, stderr)."""
    from threefold import cli

    def run(*words: str, stdin: bytes = b""):
        import io

        monkeypatch.setattr(sys, "argv", ["threefold", *words])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), out, err

    return run
