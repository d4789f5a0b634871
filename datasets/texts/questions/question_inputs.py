"""Raw questions with contexts for a prediction: rows, or lines with a tab between the two."""

import itertools
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.facts import QuestionFacts
from threefold.datasets.raw_inputs import Given, Inputs, find_blank
from threefold.datasets.tables.column_roles import require_column
from threefold.datasets.texts.pairs.text_pair_inputs import read_tabbed_lines
from threefold.datasets.texts.questions.question_files import read_rows
from threefold.datasets.texts.questions.questions import Question, QuestionWindows
from threefold.datasets.texts.text_files import TABLE_SUFFIXES, read_text_table, read_texts

READS = ("question",)
SUFFIXES = (".txt", ".json", *TABLE_SUFFIXES)

_Named = tuple[str, tuple[str, str] | UserError]  # what a question is called; it with its context


def read(
    given: Given, facts: QuestionFacts, batch_size: int, *, encoding: str = "utf-8"
) -> Iterator[Inputs]:
    """Read questions with their contexts.

    Args:
        given: Given. Tables with the columns `question` and `context`; `.json` files of SQuAD's
            form; `.txt` files of lines, on each a question, a tab, a context; or `-` for such
            lines.
        facts: QuestionFacts. The tokenizer and the windows of the run.
        batch_size: int. Questions in one part.
        encoding: str. Of the characters.

    Returns:
        iterator of Inputs. As `QuestionWindows` has them: a question has a row, under one name,
        for each window of its context. One without a text or a context is one of the errors.
    """
    files = given.files(SUFFIXES)
    found = (pair for file in files for pair in _read(file, given.stdin, encoding))
    return _encode_parts(found, facts, batch_size)


def _encode_parts(
    found: Iterator[_Named], facts: QuestionFacts, batch_size: int
) -> Iterator[Inputs]:
    over = done = 0
    while part := list(itertools.islice(found, batch_size)):
        good = [(name, pair) for name, pair in part if isinstance(pair, tuple)]
        errors = [pair for _, pair in part if isinstance(pair, UserError)]
        contexts = {context: None for _, (_, context) in good}
        places = {context: place for place, context in enumerate(contexts)}
        questions = [Question(text, places[context]) for _, (text, context) in good]
        windows = QuestionWindows(list(contexts), questions, facts)
        over += int(np.count_nonzero(windows.asked.lengths > facts.max_question_length))
        examples = windows[np.arange(len(windows))]
        examples["question_id"] += done
        done += len(questions)
        names = [good[owner][0] for owner in windows.owners]
        blank = [(int(np.searchsorted(windows.owners, place)), name)
                 for place, name in find_blank(part)]  # fmt: skip
        yield Inputs(names, examples, errors, blank)
    if over:
        which = "question is" if over == 1 else "questions are"
        said = f"{over} {which} longer than {facts.max_question_length} tokens and cut there"
        warnings.warn(said, stacklevel=2)


def _read(file: str, stdin: IO[bytes], encoding: str) -> Iterator[_Named]:
    """Yield the questions of a file; one that cannot be read is an error among them."""
    try:
        for name, pair in _read_file(file, stdin, encoding):
            if pair is None:
                yield name, None
            elif not all(text.strip() for text in pair):
                yield name, UserError(f"{name}: expected a question and its context")
            else:
                yield name, (pair[0].strip(), pair[1])
    except UserError as error:
        yield file, error


def _read_file(
    file: str, stdin: IO[bytes], encoding: str
) -> Iterator[tuple[str, tuple[str, str] | None]]:
    suffix = Path(file).suffix.lower()
    if suffix in TABLE_SUFFIXES:
        table = read_text_table(file, encoding=encoding)
        for column in ("question", "context"):
            require_column(table, column)
        pairs = zip(read_texts(table, "question"), read_texts(table, "context"), strict=True)
        for row, pair in enumerate(pairs):
            yield table.where(row), pair
        return
    if suffix == ".json":
        for where, row in read_rows(file, encoding=encoding):
            cells = (row.get(name) for name in ("question", "context"))
            yield where, tuple(cell if isinstance(cell, str) else "" for cell in cells)
        return
    yield from read_tabbed_lines(file, stdin, encoding)
