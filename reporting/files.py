"""Writing a file so that a reader finds the old or the new content, never a part."""

import os
import uuid
from pathlib import Path

from threefold.datasets.errors import Failure


def replace_file(path: Path, content: bytes) -> None:
    """Write a file under another name beside its place, then put it there.

    Args:
        path: Path. The file, new or old; a link is followed.
        content: bytes. All of it.

    Raises:
        Failure: where it cannot be written; an older file is kept as it was.
    """
    place = path.resolve()
    staged = place.with_name(f".{uuid.uuid4().hex}.part")
    try:
        staged.write_bytes(content)
        os.replace(staged, place)
    except OSError as error:
        staged.unlink(missing_ok=True)
        raise Failure(f"cannot write {path}: {error.strerror or error}") from error
