"""Raw inputs for a prediction: what was given, and what a reader of one kind makes of it."""

import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.folder_files import describe_ignored, require_regular, walk

STDIN = "-"


class Inputs(NamedTuple):
    """Some inputs, in the order in which they were given.

    Args:
        names: list of str. What each is called: a file, or a file and a line of it.
        examples: dict of str to array. The readable ones, the batch first.
        errors: list of UserError. One for each that cannot be read.
        blank: sequence of (int, str). Lines of standard input in which there is nothing: before
            which of the examples each stands, and what it is called. Each keeps its place among
            the answers.
        remarks: sequence of str. What to say of the readable ones.
    """

    names: list[str]
    examples: dict[str, np.ndarray]
    errors: list[UserError]
    blank: Sequence[tuple[int, str]] = ()
    remarks: Sequence[str] = ()


def find_blank(read: Sequence[tuple[str, object]]) -> list[tuple[int, str]]:
    """Return the blank lines among named texts, each with how many readable ones come before."""
    found, before = [], 0
    for name, text in read:
        if text is None:
            found.append((before, name))
        before += not (text is None or isinstance(text, UserError))
    return found


class Given(NamedTuple):
    """What a user wants predicted.

    Args:
        words: sequence of str. Files, folders, globs, and `-` for standard input.
        stdin: binary stream. Standard input.
    """

    words: Sequence[str]
    stdin: IO[bytes]

    def files(self, suffixes: tuple[str, ...]) -> list[str]:
        """Return the files, and `-` where it was given: folders and globs expanded, in order.

        Args:
            suffixes: tuple of str. Endings of the files that count in a folder.

        Raises:
            UserError: for what is not there, and a folder without such a file.
        """
        return [file for word in self.words for file in _expand(word, suffixes)]

    def paths(self, suffixes: tuple[str, ...]) -> list[str]:
        """Return the files, as `files` does; standard input holds the path of one on each line."""
        paths = []
        for file in self.files(suffixes):
            if file == STDIN:
                # As the file system has them: a name need not be UTF-8.
                lines = self.stdin.read().splitlines()
                paths += [os.fsdecode(line) for line in lines if line.strip()]
            else:
                paths.append(file)
        return paths

    def unread(self, noun: str, convertible: tuple[str, ...]) -> list[UserError]:
        """Return what to say of each folder that holds files of the kind that are not read.

        Args:
            noun: str. What is read, such as `images`.
            convertible: tuple of str. How names of those that are not read end.
        """
        found = []
        for word in self.words:
            path = Path(word).expanduser()
            if word != STDIN and path.is_dir():
                ignored = walk(path, ()).ignored
                counts = Counter({end: ignored[end] for end in convertible if end in ignored})
                lines = describe_ignored(counts, noun, convertible)
                found += [UserError(f"{word}: {line}") for line in lines]
        return found


def _expand(word: str, suffixes: tuple[str, ...]) -> Iterator[str]:
    path = Path(word).expanduser()
    if word == STDIN or path.is_file():
        yield word if word == STDIN else str(path)
    elif path.is_dir():
        names, ignored = walk(path, suffixes)
        if not names:
            others = "".join(f"; {line}" for line in describe_ignored(ignored, "such file"))
            raise UserError(f"{word} holds no file of the kinds {', '.join(suffixes)}{others}")
        yield from map(str, sorted(path / name for name in names))
    else:
        require_regular(path)
        found = sorted(filter(os.path.isfile, glob.glob(str(path), recursive=True)))
        if not found:
            raise UserError(f"no file, folder or match for '{word}'")
        yield from found
