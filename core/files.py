"""Writing files so that a reader finds the old or the new content, never a part.

On the ground floor, for every room that writes. What a killed process leaves is known by its name.
"""

import contextlib
import json
import os
import re
import uuid
from pathlib import Path
from typing import IO, Any

from threefold.core.errors import Failure

PART = ".{name}.part"
LONGEST_NAME = 200  # bytes


def replace_file(path: Path, content: bytes) -> None:
    """Write a file under another name alongside its place, through to the disk, then put it there.

    Args:
        path: Path. The file, new or old; a link is followed.
        content: bytes. All of it.

    Raises:
        Failure: where it cannot be written; an older file is kept as it was.
    """
    place = path.resolve()
    staged = place.with_name(PART.format(name=uuid.uuid4().hex))
    try:
        with open(staged, "wb") as file:
            file.write(content)
            write_through(file)
        os.replace(staged, place)
        sync_folder(place.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            staged.unlink()
        raise Failure(f"cannot write {path}: {error.strerror or error}") from error


def parse_json(text: str | bytes) -> Any:
    """Return what JSON says.

    Raises:
        JSONDecodeError: for what is no JSON, or is nested more deeply than anybody would.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise json.JSONDecodeError("nested too deeply", "", 0) from None
    except MemoryError:
        raise json.JSONDecodeError("larger than the memory", "", 0) from None


def to_file_name(word: str) -> str:
    """Return a word of data as the name of one file, which leads into no other folder.

    Args:
        word: str. Such as the name of a class: `..`, `a/b` and `/etc` too.

    Returns:
        str. The word where it can be a name, else one like it; empty for an empty word.
    """
    whole = word.encode(errors="replace").decode()  # of bytes that are no UTF-8, question marks
    name = re.sub(r'[\\/:*?"<>|\x00-\x1f\x7f-\x9f]', "_", whole)
    name = name.encode()[:LONGEST_NAME].decode(errors="ignore")
    return re.sub(r"^\.|[. ]$", "_", name)


def remove_parts(folder: Path) -> None:
    """Remove what a process that was killed in `replace_file` left in a folder."""
    for part in folder.glob(PART.format(name="[0-9a-f]" * 32)):
        with contextlib.suppress(OSError):
            part.unlink()


def write_through(file: IO[bytes]) -> None:
    """Wait until what was written to a file is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    if os.name == "nt":  # opens no folders, and keeps a journal of names itself
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
