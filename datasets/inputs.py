"""Raw inputs for a prediction: files, folders, globs, tables, or standard input."""

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from threefold.datasets.errors import UserError
from threefold.datasets.facts import Facts, ImageFacts

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif")


class Inputs(NamedTuple):
    """Some inputs, in the order in which they were given.

    Args:
        names: list of str. What each is called: a file, or a file and a row.
        examples: dict of str to array. The readable ones, the batch first.
        errors: list of UserError. One for each that cannot be read.
    """

    names: list[str]
    examples: dict[str, np.ndarray]
    errors: list[UserError]


def read_inputs(
    given: Sequence[str], facts: Facts, stdin: IO[bytes], batch_size: int
) -> Iterator[Inputs]:
    """Read what a user wants predicted, some at a time.

    Args:
        given: sequence of str. Files, folders and globs; `-` reads standard input: a table as CSV,
            for pictures one path a line.
        facts: Facts. Shapes and columns of the run.
        stdin: binary stream. Standard input.
        batch_size: int. Pictures decoded at a time.

    Yields:
        Inputs. At most `batch_size` pictures, or the rows of one table.

    Raises:
        UserError: for a path that does not exist, or a table without the run's columns.
    """
    if isinstance(facts, ImageFacts):
        paths = _image_paths(given, stdin)
        for start in range(0, len(paths), batch_size):
            yield _read_pictures(paths[start : start + batch_size], facts)
    else:
        for source in _files(given, (".csv", ".tsv", ".parquet")):
            yield _read_table(source, facts, stdin)


def _read_pictures(paths: list[str], facts: ImageFacts) -> Inputs:
    from threefold.datasets.images import try_read_batch

    read = try_read_batch(paths, facts.image_shape)
    good = [(path, found) for path, found in zip(paths, read, strict=True)
            if not isinstance(found, UserError)]  # fmt: skip
    errors = [found for found in read if isinstance(found, UserError)]
    names = [path for path, _ in good]
    images = np.stack([image for _, image in good]) if good else np.empty((0, *facts.image_shape))
    return Inputs(names, {"image": images}, errors)


def _read_table(source: str, facts: Facts, stdin: IO[bytes]) -> Inputs:
    from threefold.datasets.tables import read_rows

    rows = read_rows(stdin if source == "-" else source, facts)
    return Inputs([f"{source}:{row + 1}" for row in rows.positions], rows.arrays, rows.errors)


def _image_paths(given: Sequence[str], stdin: IO[bytes]) -> list[str]:
    paths = []
    for found in _files(given, IMAGE_SUFFIXES):
        if found == "-":
            paths += [line for line in stdin.read().decode().splitlines() if line.strip()]
        else:
            paths.append(found)
    return paths


def _files(given: Sequence[str], suffixes: tuple[str, ...]) -> Iterator[str]:
    """Expand folders, to the files of a kind in them, and globs; keep the order."""
    for word in given:
        path = Path(word).expanduser()
        if word == "-" or path.is_file():
            yield word if word == "-" else str(path)
        elif path.is_dir():
            found = sorted(p for p in path.rglob("*") if p.suffix.lower() in suffixes)
            if not found:
                raise UserError(f"{word} holds no file of the kinds {', '.join(suffixes)}")
            yield from map(str, found)
        else:
            matches = sorted(glob.glob(str(path), recursive=True))
            if not matches:
                raise UserError(f"no file, folder or match for '{word}'")
            yield from (match for match in matches if Path(match).is_file())
