"""Shared by all tests. Which of them run, and where, is said by `--part`; see CONTRIBUTING.md."""

import atexit
import os
import re
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest

KERAS = {"keras", "keras_hub", "tensorflow", "jax", "torch"}
PARTS = ("plain", "once", "with_tensorflow", "backend", "variant")
MARKS = {"once": "once", "with_tensorflow": "with_tensorflow", "each_backend": "backend"}


def settle() -> None:
    """Give all processes of a session one temporary folder, which goes with the first of them.

    What a killed session has left there is removed by the next.
    """
    if "THREEFOLD_TESTS" in os.environ:
        return
    for left in Path(tempfile.gettempdir()).glob("threefold-tests-*"):
        if not Path("/proc", left.name.rpartition("-")[2]).exists():
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.gettempdir(), f"threefold-tests-{os.getpid()}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    tempfile.tempdir = None
    os.environ |= {"THREEFOLD_TESTS": str(os.getpid()), "TMPDIR": str(folder)}
    # Models are tiny, and the cores are shared.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Tiny models are compiled far longer than they run: all processes share what was compiled.
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder / "jax"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
    os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")


settle()


def pytest_addoption(parser):
    parser.addoption(
        "--part",
        default=",".join(PARTS),
        help="plain: what needs no Keras; once: what the backend has no part in; with_tensorflow: "
        "what needs it; backend: what each must pass; variant: what one stands for",
    )


def pytest_configure(config):
    """Choose the backend, or forbid all of them."""
    parts = config.getoption("--part").split(",")
    if not set(parts) <= set(PARTS):
        raise pytest.UsageError(f"--part takes {', '.join(PARTS)}, not {config.option.part}")
    if parts == ["plain"]:
        from forbidden import Forbidden

        sys.meta_path.insert(0, Forbidden(KERAS, "mark this file `once` or `each_backend`"))
    else:
        from threefold.training.backend import choose_backend

        choose_backend()


@cache
def part_of(path: Path) -> str:
    """Return the part of a file's tests, as its `pytestmark` says."""
    marks = re.search(r"^pytestmark = (.*)", path.read_text(encoding="utf-8"), re.MULTILINE)
    found = [part for mark, part in MARKS.items() if marks and f"mark.{mark}" in marks[1]]
    return found[0] if found else "plain"


def pytest_ignore_collect(collection_path, config):
    """Do not even import files of other parts: they may import what is forbidden here."""
    parts = config.getoption("--part").split(",")
    if collection_path.is_dir():
        tests = list(collection_path.rglob("test_*.py"))
    else:
        tests = [collection_path] if collection_path.name.startswith("test_") else []
    return bool(tests) and not any(part_of(test) in parts for test in tests) or None


def pytest_xdist_make_scheduler(config, log):
    """Keep the tests of a cell, and else those of a file, in one process."""
    from xdist.scheduler import LoadFileScheduling

    class ByCell(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file, _, test = nodeid.partition("::")
            cell = re.search(r"[a-z0-9]+-[a-z_]+", test.partition("[")[2])
            return cell[0] if cell and file.startswith("tests/cells") else file

    return ByCell(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items, config):
    """Leave out single tests of other parts; begin with what takes long."""
    for mark in {"once", "with_tensorflow", "variant"}.difference(
        config.getoption("--part").split(",")
    ):
        items[:] = [item for item in items if item.get_closest_marker(mark) is None]
    items.sort(key=lambda item: not item.path.is_relative_to(Path(__file__).parent / "cells"))


@pytest.fixture(scope="session")
def backend() -> str:
    from threefold.training.backend import choose_backend

    return choose_backend()


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


@pytest.fixture(scope="session")
def across(backend, tmp_path_factory):
    """What must be the same on every backend."""
    from across import Across

    return Across(backend, tmp_path_factory.mktemp("across"))


@pytest.fixture(scope="session")
def lasting_children():
    """The processes that do the work of exports, started once."""
    from lasting import LastingChildren

    children = LastingChildren()
    yield children
    children.close()


@pytest.fixture(scope="session")
def commands_apart():
    """Run the command line in a process without Keras; return (exit code, stdout, modules)."""
    from lasting import LastingCommands

    commands = LastingCommands()
    yield commands.run
    commands.close()
