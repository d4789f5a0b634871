"""What a reader of files says of itself: which tasks it serves, and what it knows its files by.

A reader is a file in one of the rooms of data with a function `load(path, ...)` and
`READER = Reader(...)`, written with constants alone: it is parsed, not imported, until a file of
its kind is to be read. What reads raw inputs for a prediction has `READS = (...)`, the kinds of
facts, and a function `read`.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

ROOM = Path(__file__).parent


class Reader(NamedTuple):
    """What a reader serves.

    Args:
        tasks: tuple of str. Who names one of them gets this reader.
        files: tuple of str. Endings of files that are its own where no task is named.
        folders: tuple of str. Endings of files of which a whole folder is its own; `*`: folders of
            files that are nobody else's.
        only: str. What it takes, in a person's words, if it takes no folder, or no file.
        in_classes: bool. Whether folders are its own where they hold one folder for each class.
        inside: tuple of tuple of str. Names of folders or files: a folder that holds one of each,
            or whose `train` does, is its own.
        fields: tuple of tuple of str. Names in a line of JSON, any of which say that a file of
            JSON Lines is its own; the most names win.

    Example:
        >>> Reader(("token_classification",), files=(".conll",)).files
        ('.conll',)
    """

    tasks: tuple[str, ...]
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    only: str | None = None
    in_classes: bool = False
    inside: tuple[tuple[str, ...], ...] = ()
    fields: tuple[tuple[str, ...], ...] = ()


@cache
def readers() -> dict[str, Reader]:
    """Return all readers: name of the module in this room -> what it says of itself."""
    return {
        name: Reader(
            *map(ast.literal_eval, value.args),
            **{word.arg: ast.literal_eval(word.value) for word in value.keywords},
        )
        for name, value in _constants("READER")
    }


def reader_of_inputs(kind: str) -> str:
    """Return the module that reads raw inputs of a kind of facts."""
    for name, value in _constants("READS"):
        if kind in ast.literal_eval(value):
            return name
    raise ValueError(f"nobody reads raw inputs of the kind '{kind}'")


@cache
def _constants(wanted: str) -> tuple[tuple[str, Any], ...]:
    return tuple(_find_constants(wanted))


def _find_constants(wanted: str) -> Iterator[tuple[str, Any]]:
    for path in sorted(ROOM.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if f"\n{wanted} = " not in text:
            continue
        for node in ast.parse(text).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == wanted:
                yield ".".join(path.relative_to(ROOM).with_suffix("").parts), node.value
