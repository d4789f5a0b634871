"""One writer for every kind of state: whatever happens, the old or the new one can be read.

A checkpoint is a folder of two files and a manifest with their sha256 sums. It is staged alongside
its place, written through to the disk, and renamed; the older ones go only after that. So a process
that is killed at any instant, or a disk that fills, leaves the last complete checkpoint, and a file
that was damaged later is distinguished from a good one.

    checkpoints/
        state-000007/   arrays.npz  state.json  manifest.json
        state-000008/
        best-000003/

The numbers count the checkpoints of a kind. None is ever written over another.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import uuid
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from threefold.core.array_files import read_arrays
from threefold.core.errors import Failure
from threefold.core.files import parse_json, sync_folder, write_through

ARRAYS, STATE, MANIFEST = "arrays.npz", "state.json", "manifest.json"
KEPT = 2  # the newest, and the one before it should the newest be damaged


class CheckpointError(Failure):
    """A file of a run that cannot be written or read."""


def save_checkpoint(
    folder: Path, kind: str, arrays: dict[str, np.ndarray], state: dict[str, Any]
) -> Path:
    """Write a checkpoint and let the older ones of its kind go.

    Args:
        folder: Path. The run's folder of checkpoints.
        kind: str. `state` or `best`: each kind keeps its newest.
        arrays: dict of str to array. Weights and other numbers.
        state: dict. Anything that JSON holds.

    Returns:
        Path. The new checkpoint.

    Raises:
        CheckpointError: when the disk is full or cannot be written; nothing older is lost.
    """
    older = _newest_first(folder, kind)
    number = _number(older[0]) + 1 if older else 1
    place = folder / f"{kind}-{number:06d}"
    staged = folder / f".staged-{uuid.uuid4().hex}"
    try:
        staged.mkdir(parents=True)
        with open(staged / ARRAYS, "wb") as file:
            np.savez(file, **arrays)
            write_through(file)
        _write(staged / STATE, state)
        sums = {name: _sha256(staged / name) for name in (ARRAYS, STATE)}
        _write(staged / MANIFEST, sums)
        sync_folder(staged)
        os.rename(staged, place)
        sync_folder(folder)
    except OSError as error:
        shutil.rmtree(staged, ignore_errors=True)
        reason = error.strerror or str(error)
        raise CheckpointError(
            f"cannot write a checkpoint to {folder}: {reason}; the ones before it are kept"
        ) from error
    for old in older[KEPT - 1 :]:
        _discard(old)
    return place


def load_checkpoint(folder: Path, kind: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read the newest checkpoint that is whole, with a warning for each that is not.

    Args:
        folder: Path. The run's folder of checkpoints.
        kind: str. `state` or `best`.

    Returns:
        (arrays, state), as they were given to `save_checkpoint`.

    Raises:
        CheckpointError: where none can be read.
    """
    found = _newest_first(folder, kind)
    for place in found:
        try:
            return _read(place)
        except (OSError, ValueError, KeyError, TypeError) as error:
            warnings.warn(
                f"the checkpoint {place} is damaged ({error}); trying the one before it",
                stacklevel=2,
            )
    what = f"every {kind} checkpoint in {folder} is damaged" if found else (
        f"no {kind} checkpoint in {folder}: the run stopped before its first"
    )  # fmt: skip
    raise CheckpointError(f"{what}; begin anew: threefold fit --again {folder.parent}")


def arrays_digest(folder: Path, kind: str) -> str:
    """Return the sha256 of the arrays that `load_checkpoint` reads, in hexadecimal digits."""
    for place in _newest_first(folder, kind):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            _read(place)
            return _sha256(place / ARRAYS)
    raise CheckpointError(f"no {kind} checkpoint in {folder} can be read")


def _read(place: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    for name in (ARRAYS, STATE, MANIFEST):
        if not (place / name).is_file():  # to open a named pipe would wait for ever
            raise ValueError(f"{name} is not there, or not a file")
    sums = parse_json((place / MANIFEST).read_text(encoding="utf-8"))
    for name in (ARRAYS, STATE):
        if _sha256(place / name) != sums[name]:
            raise ValueError(f"{name} is not what was written")
    arrays = read_arrays(place / ARRAYS)
    return arrays, parse_json((place / STATE).read_text(encoding="utf-8"))


def _newest_first(folder: Path, kind: str) -> list[Path]:
    found = [p for p in folder.glob(f"{kind}-*") if re.fullmatch(rf"{kind}-\d+", p.name)]
    return sorted(found, key=_number, reverse=True)


def _number(place: Path) -> int:
    return int(place.name.rpartition("-")[2])


def _discard(place: Path) -> None:
    """Remove a checkpoint; a half-removed one must not look like a damaged one."""
    aside = place.with_name(f".discarded-{uuid.uuid4().hex}")
    try:
        os.rename(place, aside)
    except OSError:
        return  # it costs space, nothing else; the next save tries again
    shutil.rmtree(aside, ignore_errors=True)


def clean(folder: Path) -> None:
    """Remove what a killed process left half written."""
    for pattern in (".staged-*", ".discarded-*"):
        for left in folder.glob(pattern):
            shutil.rmtree(left, ignore_errors=True)


def _write(path: Path, content: Any) -> None:
    # Without spaces, so that there is no byte whose change would not show.
    with open(path, "wb") as file:
        file.write(json.dumps(content, separators=(",", ":")).encode())
        write_through(file)


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
