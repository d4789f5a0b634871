"""Whatever happens to a save, or to a file afterwards, the old or the new state can be read."""

import builtins
import contextlib
import errno
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from threefold.training.checkpoints import (
    CheckpointError,
    clean,
    load_checkpoint,
    save_checkpoint,
)

DAMAGED = "is damaged .*trying the one before it"


def content(number):
    """Return arrays and state that no other number has, bigger than one write."""
    arrays = {
        "weights/kernel": np.full((70, 70), number, np.float32),
        "optimizer/iteration": np.array(number),
    }
    return arrays, {"epoch": number, "history": [{"loss": 1 / (number + 3)}]}


def save(folder, number, kind="state"):
    return save_checkpoint(folder, kind, *content(number))


def assert_holds(loaded, number):
    arrays, state = loaded
    expected, expected_state = content(number)
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)
    assert state == expected_state


class Killed(BaseException):
    """`kill -9`, as far as one process can play it: no clean-up follows that reaches the disk."""


class Disk:
    """Counts what reaches the disk, and lets one operation fail.

    Args:
        fail: int. Which operation, from 0; `None` for none.
        error: exception. What it raises. After `Killed`, every later operation raises it too.
    """

    OPERATIONS = ("mkdir", "rename", "fsync", "unlink", "rmdir")

    def __init__(self, patch, fail=None, error=None):
        self.fail, self.error = fail, error
        self.done, self.dead = [], False
        for name in self.OPERATIONS:
            patch.setattr(os, name, self._watched(name, getattr(os, name)))
        real_open, disk = builtins.open, self

        class Raw(io.FileIO):
            def write(self, data):
                disk.step("write")
                return super().write(data)

        def watched_open(path, mode="r", *args, **kwargs):
            if mode != "wb":
                return real_open(path, mode, *args, **kwargs)
            self.step("open")
            return io.BufferedWriter(Raw(path, mode))

        patch.setattr(builtins, "open", watched_open)

    def step(self, name):
        if self.dead or len(self.done) == self.fail:
            self.dead = isinstance(self.error, Killed)
            self.done.append(name)
            raise self.error
        self.done.append(name)

    def _watched(self, name, real):
        def watched(*args, **kwargs):
            self.step(name)
            return real(*args, **kwargs)

        return watched


def operations_of_a_save(folder, number):
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch)
        save(folder, number)
    return disk.done


@pytest.fixture
def three(tmp_path):
    """A folder in which a save also lets an older checkpoint go."""
    for number in range(3):
        save(tmp_path / "checkpoints", number)
    return tmp_path / "checkpoints"


def faults(three, error):
    """Yield a fresh folder for each operation, after a save in which it failed."""
    done = operations_of_a_save(Path(shutil.copytree(three, three.with_name("counted"))), 3)
    for name in ("mkdir", "open", "write", "fsync", "rename", "unlink", "rmdir"):
        assert name in done  # else this test watches nothing
    for k, name in enumerate(done):
        folder = Path(shutil.copytree(three, three.with_name(f"fault-{k}")))
        raised = None
        with pytest.MonkeyPatch.context() as patch:
            disk = Disk(patch, k, error)
            try:
                save(folder, 3)
            except (CheckpointError, Killed) as found:
                raised = found
        assert disk.done[k] == name
        yield folder, name, done[:k], raised


def test_a_full_disk_at_any_operation_loses_nothing_and_leaves_nothing(three):
    for folder, name, before, raised in faults(three, OSError(errno.ENOSPC, "No space left")):
        placed = "rename" in before  # then the new one is there, and only older ones may go
        if raised is not None:
            assert re.fullmatch(
                rf"cannot write a checkpoint to {folder}: No space left; .* are kept", str(raised)
            )
        assert (raised is None) == (placed and name in ("rename", "unlink", "rmdir")), name
        assert not list(folder.glob(".staged-*")), name
        assert_holds(load_checkpoint(folder, "state"), 3 if placed else 2)
        save(folder, 4)  # and it goes on
        clean(folder)
        assert_holds(load_checkpoint(folder, "state"), 4)
        assert not list(folder.glob(".*"))


def test_a_kill_at_any_operation_leaves_the_old_or_the_new(three):
    for folder, name, before, raised in faults(three, Killed()):
        assert isinstance(raised, Killed)
        with warnings.catch_warnings(action="error"):
            assert_holds(load_checkpoint(folder, "state"), 3 if "rename" in before else 2)
        clean(folder)
        assert not list(folder.glob(".*")), name
        save(folder, 4)
        assert_holds(load_checkpoint(folder, "state"), 4)


def test_the_first_save_can_be_killed_too(tmp_path):
    folder = tmp_path / "checkpoints"
    for k in range(100):
        with pytest.MonkeyPatch.context() as patch:
            Disk(patch, k, Killed())
            with contextlib.suppress(Killed):
                save(folder, 1)
        if list(folder.glob("state-*")):
            break
        with pytest.raises(CheckpointError, match="stopped before its first; begin anew"):
            load_checkpoint(folder, "state")
    assert k > 10
    assert_holds(load_checkpoint(folder, "state"), 1)


def test_the_newest_two_of_each_kind_are_kept(tmp_path):
    for number in range(5):
        save(tmp_path, number)
        save(tmp_path, 10 + number, "best")
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "best-000004", "best-000005", "state-000004", "state-000005",
    ]  # fmt: skip
    assert_holds(load_checkpoint(tmp_path, "state"), 4)
    assert_holds(load_checkpoint(tmp_path, "best"), 14)


def test_more_checkpoints_than_six_digits_count(tmp_path):
    save(tmp_path, 1).rename(tmp_path / "state-999999")
    for number in (2, 3, 4):
        save(tmp_path, number)
    assert_holds(load_checkpoint(tmp_path, "state"), 4)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["state-1000001", "state-1000002"]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    save(folder, 1)
    save(folder, 2)
    return folder


def damage_bytes(data, content):
    """Draw a change of a file: a byte flipped, a part overwritten, or an end cut off."""
    at = data.draw(st.integers(0, len(content) - 1), label="at")
    how = data.draw(st.sampled_from(["flip", "overwrite", "cut", "grow"]), label="how")
    if how == "flip":
        mask = data.draw(st.integers(1, 255), label="mask")
        return content[:at] + bytes([content[at] ^ mask]) + content[at + 1 :]
    if how == "overwrite":
        changed = content[:at] + data.draw(st.binary(min_size=1, max_size=600)) + content[at:]
        return changed[: len(content)] if changed[: len(content)] != content else b""
    return content[:at] if how == "cut" else content + data.draw(st.binary(min_size=1, max_size=9))


@settings(max_examples=150, deadline=None)
@given(data=st.data(), name=st.sampled_from(["arrays.npz", "state.json", "manifest.json"]))
def test_damage_anywhere_is_detected_and_the_one_before_is_used(pair, data, name):
    path = pair / "state-000002" / name
    good = path.read_bytes()
    bad = damage_bytes(data, good)
    if name == "manifest.json" and bad.strip() == good:  # an end of line more says the same
        return
    path.write_bytes(bad)
    try:
        with pytest.warns(UserWarning, match=DAMAGED) as raised:
            assert_holds(load_checkpoint(pair, "state"), 1)
        assert "state-000002" in str(raised[0].message)
    finally:
        path.write_bytes(good)


@pytest.mark.parametrize("name", ["arrays.npz", "state.json", "manifest.json"])
@pytest.mark.parametrize("how", ["missing", "empty", "null", "folder"])
def test_a_file_that_is_gone_or_nonsense(tmp_path, name, how):
    save(tmp_path, 1)
    path = save(tmp_path, 2) / name
    path.unlink()
    if how == "folder":
        path.mkdir()
    elif how != "missing":
        path.write_text({"empty": "", "null": "null"}[how])
    with pytest.warns(UserWarning, match=DAMAGED):
        assert_holds(load_checkpoint(tmp_path, "state"), 1)
    # The run goes on: what is saved next is what is read next, and the damaged one is no model.
    save(tmp_path, 3)
    assert_holds(load_checkpoint(tmp_path, "state"), 3)


@pytest.mark.filterwarnings("ignore:the checkpoint")
def test_when_both_are_damaged_nothing_is_made_up(tmp_path):
    for number in (1, 2):
        (save(tmp_path / "checkpoints", number) / "arrays.npz").write_bytes(b"PK")
    with pytest.raises(CheckpointError, match=f"every state .* --again {tmp_path}$"):
        load_checkpoint(tmp_path / "checkpoints", "state")
    with pytest.raises(CheckpointError, match="no best checkpoint"):
        load_checkpoint(tmp_path / "checkpoints", "best")


def test_nothing_is_unpickled(tmp_path):
    place = save(tmp_path, 1)
    with open(place / "arrays.npz", "wb") as file:
        np.savez(file, weights=np.array([{"an": "object"}], object))
    sums = (place / "manifest.json").read_text()
    found = subprocess.run(["sha256sum", place / "arrays.npz"], capture_output=True, text=True)
    digest = re.sub('("arrays.npz":")[0-9a-f]*', rf"\g<1>{found.stdout.split()[0]}", sums)
    (place / "manifest.json").write_text(digest)
    with (
        pytest.warns(UserWarning, match="weights.npy holds objects, not numbers"),
        pytest.raises(CheckpointError),
    ):
        load_checkpoint(tmp_path, "state")


ARRAYS = arrays_of.arrays(
    dtype=st.sampled_from(
        [
            "float16",
            "float32",
            "float64",
            "int8",
            "int32",
            "int64",
            "uint8",
            "uint32",
            "uint64",
            "bool",
        ]
    ),  # fmt: skip
    shape=arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
NAMES = st.from_regex(r"(weights|optimizer|seeds)/[a-z_0-9/]{1,20}[a-z]", fullmatch=True)


@settings(max_examples=50, deadline=None)
@given(
    arrays=st.dictionaries(NAMES, ARRAYS, max_size=4),
    state=st.dictionaries(st.text(max_size=9), PLAIN, max_size=3),
)
def test_what_is_saved_is_what_is_loaded(arrays, state):
    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(Path(folder), "state", arrays, state)
        loaded, loaded_state = load_checkpoint(Path(folder), "state")
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        assert (loaded[name].dtype, loaded[name].shape) == (array.dtype, array.shape)
        assert loaded[name].tobytes() == array.tobytes()  # NaN with its payload, minus zero
    assert loaded_state == state


def test_a_checkpoint_that_unpacks_to_more_than_its_file_is_refused(tmp_path):
    """Its sums are right: whoever made it wrote them too."""
    place = save(tmp_path, 1)
    np.savez_compressed(place / "arrays.npz", **{"weights/kernel": np.zeros((1000, 1000))})
    sums = json.loads((place / "manifest.json").read_text())
    sums["arrays.npz"] = hashlib.sha256((place / "arrays.npz").read_bytes()).hexdigest()
    (place / "manifest.json").write_text(json.dumps(sums))
    with (
        pytest.warns(UserWarning, match="arrays.npz is compressed, as no checkpoint is"),
        pytest.raises(CheckpointError, match="every state checkpoint in .* is damaged"),
    ):
        load_checkpoint(tmp_path, "state")


def test_a_state_that_is_nested_without_end_is_damaged(tmp_path):
    place = save(tmp_path, 1)
    (place / "manifest.json").write_text("[" * 100_000)
    with pytest.warns(UserWarning, match="nested too deeply"), pytest.raises(CheckpointError):
        load_checkpoint(tmp_path, "state")


@pytest.mark.parametrize("name", ["arrays.npz", "state.json", "manifest.json"])
def test_a_pipe_in_a_checkpoint_is_not_waited_for(tmp_path, name):
    place = save(tmp_path, 1)
    (place / name).unlink()
    os.mkfifo(place / name)
    with pytest.warns(UserWarning, match=f"{name} is not there"), pytest.raises(CheckpointError):
        load_checkpoint(tmp_path, "state")
