"""Which files of a folder are looked at: one rule for a fit, for a prediction, for every reader.

Only regular files are: to open a named pipe would wait for whoever writes to it, maybe for ever.
"""

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from threefold.core.errors import UserError

# What systems and archives leave in folders, besides names that begin with a dot.
LEFTOVERS = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "icon\r"})
HIDDEN, NO_FILE = "hidden", "not a file"
KINDS = {
    stat.S_ISFIFO: "a named pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}
SHOWN = 6  # endings of files that are named in a note


class FolderFiles(NamedTuple):
    """The files of a kind in a folder.

    Args:
        names: list of str. Their paths in the folder.
        ignored: Counter of str. How many others there are: by the end of their names, and those
            that are `HIDDEN`, or `NO_FILE` though their names are of the kind.
    """

    names: list[str]
    ignored: Counter[str]


def is_hidden(name: str) -> bool:
    """Return whether a file or folder of this name is nobody's data."""
    return name.startswith(".") or name.lower() in LEFTOVERS


def walk(folder: Path, suffixes: tuple[str, ...]) -> FolderFiles:
    """Return the files of a kind in and below a folder, and how many others there are.

    Args:
        folder: Path. The folder.
        suffixes: tuple of str. How names of the kind end, in small letters.

    Raises:
        UserError: for a folder that cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise UserError(f"cannot read folder '{error.filename}': {error.strerror}")

    found, ignored = [], Counter()
    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not is_hidden(name)]
        inside = os.path.relpath(parent, folder)
        for name in names:
            if is_hidden(name):
                ignored[HIDDEN] += 1
            elif not name.lower().endswith(suffixes):
                ignored[os.path.splitext(name)[1].lower()] += 1
            elif not os.path.isfile(os.path.join(parent, name)):
                ignored[NO_FILE] += 1
            else:
                found.append(name if inside == "." else os.path.join(inside, name))
    return FolderFiles(found, ignored)


def visible_files(folder: Path) -> Iterator[Path]:
    """Yield the files in and below a folder, whatever they hold, but the hidden."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        for name in names:
            if not is_hidden(name) and os.path.isfile(os.path.join(parent, name)):
                yield Path(parent, name)


def by_stem(folder: Path, names: Iterable[str], endings: Iterable[str] = ()) -> dict[str, str]:
    """Return files by their names without endings, sorted.

    Args:
        folder: Path. Where they are.
        names: iterable of str. Their paths in it.
        endings: iterable of str. What else is taken off, such as `_mask`.

    Raises:
        UserError: for two files of one name.
    """
    found: dict[str, str] = {}
    for name in sorted(names):
        stem = os.path.splitext(name)[0]
        for ending in endings:
            stem = stem.removesuffix(ending)
        if stem in found:
            raise UserError(
                f"'{folder / found[stem]}' and '{folder / name}' are both called '{stem}'; "
                "keep one of them"
            )
        found[stem] = name
    return found


def describe_ignored(
    ignored: Counter[str], noun: str, convertible: Iterable[str] = ()
) -> list[str]:
    """Return what is said of the files of a folder that are not looked at, a line each.

    Args:
        ignored: Counter of str. From `walk`.
        noun: str. What the folder holds, such as `images`.
        convertible: iterable of str. Ends of names that are of the kind, but not read.
    """
    lines = []
    counts = Counter(ignored)
    known = Counter({suffix: counts.pop(suffix) for suffix in convertible if suffix in counts})
    if known:
        lines.append(f"{_count(known)}: not read; convert them to one of the kinds that are")
    if pipes := counts.pop(NO_FILE, 0):
        lines.append(f"{pipes} not a file (a pipe, a socket or a dangling link): ignored")
    if counts:
        lines.append(f"ignored as hidden or no {noun}: {_count(counts)}")
    return lines


def require_regular(path: str | os.PathLike) -> None:
    """Refuse what is there but neither a file nor a folder, which to open might never end.

    Raises:
        UserError: for a named pipe, a socket or a device.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return  # whoever opens it says so
    for is_kind, words in KINDS.items():
        if is_kind(mode):
            raise UserError(
                f"'{os.fspath(path)}' is {words}, not a file; write what it gives to a file first"
            )


def _count(counts: Counter[str]) -> str:
    """Return counts in words: `20 .heic, 1 .psd`, the largest first."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{count} {name or 'without an ending'}" for name, count in ranked[:SHOWN]]
    rest = sum(count for _, count in ranked[SHOWN:])
    return ", ".join([*shown, *([f"{rest} others"] if rest else [])])
