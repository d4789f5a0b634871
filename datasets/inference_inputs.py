"""Raw inputs for a prediction: files, folders, globs, tables, or standard input."""

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.facts import (
    Facts,
    ForecastFacts,
    ImageFacts,
    MaskedTextFacts,
    PairFacts,
    QuestionFacts,
    SequenceFacts,
    SpeechFacts,
    TableFacts,
    TextFacts,
    TextPairFacts,
)
from threefold.datasets.raw_inputs import STDIN, Inputs
from threefold.datasets.series.windows import Fill

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif")
TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")


def read_inputs(
    given: Sequence[str],
    facts: Facts,
    stdin: IO[bytes],
    batch_size: int,
    *,
    encoding: str = "utf-8",
    text: str | None = None,
    source: str | None = None,
    fill: Fill | None = None,
) -> Iterator[Inputs]:
    """Read what a user wants predicted, some at a time.

    Args:
        given: sequence of str. Files, folders and globs; `-` reads standard input: a table as CSV,
            for images and recordings one path a line, for texts one of them a line.
        facts: Facts. Shapes and columns of the run.
        stdin: binary stream. Standard input.
        batch_size: int. Images or recordings decoded at a time.
        encoding: str. Of the characters of a CSV, or of texts.
        text: str. The column of a table that holds the texts; guessed if None.
        source: str. The column of a table that holds the sources of pairs.
        fill: str. What fills gaps in series: interpolate, previous or zero; None refuses them.

    Returns:
        iterator of Inputs. At most `batch_size` images, recordings or texts, or the rows of one
        table. A file that cannot be read is one of the errors.

    Raises:
        UserError: at once, for a path that does not exist.
    """
    if isinstance(facts, ImageFacts):
        paths = _paths(given, IMAGE_SUFFIXES, stdin)
        starts = range(0, len(paths), batch_size)
        return (_read_images(paths[start : start + batch_size], facts) for start in starts)
    if isinstance(facts, SpeechFacts):
        from threefold.datasets.audio.audio_files import SUFFIXES, read_sound_inputs

        return read_sound_inputs(_paths(given, SUFFIXES, stdin), facts.rate, batch_size)
    if isinstance(facts, TextFacts | PairFacts | MaskedTextFacts):
        from threefold.datasets.texts.text_inputs import SUFFIXES, read_text_inputs

        column = source if isinstance(facts, PairFacts) else text
        texts = list(_files(given, SUFFIXES))
        return read_text_inputs(texts, facts, stdin, batch_size, column=column, encoding=encoding)
    if isinstance(facts, TextPairFacts):
        from threefold.datasets.texts.pairs.text_pair_inputs import SUFFIXES, read_text_pair_inputs

        pairs = list(_files(given, SUFFIXES))
        return read_text_pair_inputs(pairs, facts, stdin, batch_size, encoding=encoding)
    if isinstance(facts, QuestionFacts):
        from threefold.datasets.texts.questions.question_inputs import (
            SUFFIXES,
            read_question_inputs,
        )

        questions = list(_files(given, SUFFIXES))
        return read_question_inputs(questions, facts, stdin, batch_size, encoding=encoding)
    if isinstance(facts, SequenceFacts):
        return (_read_series(file, facts) for file in list(_files(given, (".ts",))))
    files = list(_files(given, TABLE_SUFFIXES))
    if isinstance(facts, ForecastFacts):
        from threefold.datasets.series.forecasting_tables import read_histories

        sources = (stdin if file == STDIN else file for file in files)
        return (read_histories(one, facts, encoding=encoding, fill=fill) for one in sources)
    return (_read_table(stdin if file == STDIN else file, facts, encoding) for file in files)


def _read_images(paths: list[str], facts: ImageFacts) -> Inputs:
    from threefold.datasets.images.image_files import stack_images, try_read_batch

    read = try_read_batch(paths, facts.image_shape)
    good = [(path, found) for path, found in zip(paths, read, strict=True)
            if not isinstance(found, UserError)]  # fmt: skip
    errors = [found for found in read if isinstance(found, UserError)]
    names = [path for path, _ in good]
    if not good:
        return Inputs(
            [], {"image": np.empty((0, *(side or 0 for side in facts.image_shape)))}, errors
        )
    return Inputs(names, {"image": stack_images([image for _, image in good])}, errors)


def _read_series(file: str, facts: SequenceFacts) -> Inputs:
    from threefold.datasets.series.labeled_series import read_series

    try:
        if file == STDIN:
            raise UserError("series are read from files: give a .ts file")
        names, values = read_series(file, facts)
    except UserError as error:
        return Inputs([], {}, [error])
    return Inputs(names, {"values": values}, [])


def _read_table(source: str | IO[bytes], facts: TableFacts, encoding: str) -> Inputs:
    from threefold.datasets.tables.labeled_tables import read_rows

    try:
        rows = read_rows(source, facts, encoding=encoding)
    except UserError as error:
        return Inputs([], {}, [error])
    return Inputs(rows.names, rows.arrays, rows.errors)


def _paths(given: Sequence[str], suffixes: tuple[str, ...], stdin: IO[bytes]) -> list[str]:
    """Return the files of a kind; standard input holds the path of one on each line."""
    paths = []
    for found in _files(given, suffixes):
        if found == STDIN:
            # As the file system has them: a name need not be UTF-8.
            lines = stdin.read().splitlines()
            paths += [os.fsdecode(line) for line in lines if line.strip()]
        else:
            paths.append(found)
    return paths


def _files(given: Sequence[str], suffixes: tuple[str, ...]) -> Iterator[str]:
    """Expand folders, to the files of a kind in them, and globs; keep the order."""
    for word in given:
        path = Path(word).expanduser()
        if word == STDIN or path.is_file():
            yield word if word == STDIN else str(path)
        elif path.is_dir():
            found = sorted(p for p in path.rglob("*") if p.suffix.lower() in suffixes)
            if not found:
                raise UserError(f"{word} holds no file of the kinds {', '.join(suffixes)}")
            yield from map(str, found)
        else:
            found = sorted(filter(os.path.isfile, glob.glob(str(path), recursive=True)))
            if not found:
                raise UserError(f"no file, folder or match for '{word}'")
            yield from found
