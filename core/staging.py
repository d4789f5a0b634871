"""A folder that is there as a whole or not at all, such as an artifact: made alongside its place.

.staged-ID/           what is renamed to its place in the end
.scratch-ID/          what is not kept, and .lock, held by the process that makes the folder

A process that is killed leaves them; the next one there removes what no process holds.
"""

import contextlib
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from threefold.core.errors import Failure
from threefold.core.locks import hold_lock

STAGED, SCRATCH, LOCK, REPLACED = ".staged-", ".scratch-", ".lock", "replaced"


@contextlib.contextmanager
def staging(place: Path) -> Iterator[tuple[Path, Path]]:
    """Give a folder alongside the artifact's place, to be renamed, and one for what is not kept.

    Args:
        place: Path. The artifact's; folders on the way to it are made.

    Raises:
        Failure: where they cannot be written, or the artifact cannot.
    """
    made = []
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(place.parent)
        with _hold_scratch(place.parent) as scratch:
            staged = _staged_of(scratch)
            made += [staged, scratch]
            staged.mkdir()
            yield staged, scratch
    except OSError as error:
        reason = error.strerror or str(error)
        raise Failure(f"cannot write the artifact to {place}: {reason}; nothing is left") from error
    finally:
        for folder in made:  # Windows removes no lock that is held: not before
            shutil.rmtree(folder, ignore_errors=True)


def put_in_place(staged: Path, scratch: Path, place: Path) -> None:
    """Rename an artifact to its place; what it replaces is moved aside, and back if that fails.

    Args:
        staged: Path. The whole artifact.
        scratch: Path. Where the one that was in the place goes, under its own name.
        place: Path. The artifact's.

    Raises:
        OSError: where a folder cannot be renamed.
    """
    aside, replaces = scratch / REPLACED / place.name, place.exists()
    if replaces:
        aside.parent.mkdir()
        place.rename(aside)
    try:
        staged.rename(place)
    except OSError:
        if replaces:
            aside.rename(place)
        raise


def _staged_of(scratch: Path) -> Path:
    return scratch.with_name(STAGED + scratch.name.removeprefix(SCRATCH))


@contextlib.contextmanager
def _hold_scratch(parent: Path) -> Iterator[Path]:
    """Make a folder whose lock is held from here on."""
    with contextlib.ExitStack() as held:
        while True:
            scratch = parent / f"{SCRATCH}{uuid.uuid4().hex}"
            scratch.mkdir()
            # Until its lock is held it looks abandoned, and another process may remove it.
            with contextlib.suppress(FileNotFoundError, BlockingIOError):
                held.enter_context(hold_lock(scratch / LOCK, patience=0))
                if (scratch / LOCK).exists():
                    break
        yield scratch


def _remove_abandoned(parent: Path) -> None:
    """Remove what killed processes left; put back what one had moved aside."""
    for scratch in parent.glob(f"{SCRATCH}{'[0-9a-f]' * 32}"):
        with contextlib.suppress(OSError), hold_lock(scratch / LOCK, patience=0):
            for aside in scratch.glob(f"{REPLACED}/*"):
                if not (parent / aside.name).exists():
                    aside.rename(parent / aside.name)
            shutil.rmtree(_staged_of(scratch), ignore_errors=True)
            shutil.rmtree(scratch, ignore_errors=True)
    for staged in parent.glob(f"{STAGED}{'[0-9a-f]' * 32}"):
        if not staged.with_name(SCRATCH + staged.name.removeprefix(STAGED)).exists():
            shutil.rmtree(staged, ignore_errors=True)
