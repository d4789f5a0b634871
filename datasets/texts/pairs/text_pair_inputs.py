"""Raw pairs of texts for a prediction: rows of tables, or lines with a tab between the two."""

import itertools
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.facts import TextPairFacts
from threefold.datasets.raw_inputs import STDIN, Given, Inputs, find_blank
from threefold.datasets.texts.documents import as_objects
from threefold.datasets.texts.pairs.text_pairs import find_columns, read_both
from threefold.datasets.texts.text_files import (
    TABLE_SUFFIXES,
    decode_text,
    read_every_line,
    read_lines,
    read_text,
    read_text_table,
)
from threefold.datasets.texts.tokenizing import encode

READS = ("text_pair",)
SUFFIXES = (".txt", *TABLE_SUFFIXES)

_Named = tuple[str, tuple[str, str] | UserError]  # what a pair is called; it, or what is wrong


def read(
    given: Given, facts: TextPairFacts, batch_size: int, *, encoding: str = "utf-8"
) -> Iterator[Inputs]:
    """Read pairs of texts.

    Args:
        given: Given. Tables with the run's columns, or others that are usual for pairs; `.txt`
            files of lines, on each a text, a tab, another; or `-` for such lines.
        facts: TextPairFacts. The tokenizer of the run.
        batch_size: int. Pairs in one part.
        encoding: str. Of the characters.

    Returns:
        iterator of Inputs. `first` and `second`, and both as texts. A pair with an empty side, or
        a line without two, is one of the errors.
    """
    files = given.files(SUFFIXES)
    found = (pair for file in files for pair in _read(file, facts, given.stdin, encoding))
    return _encode_parts(found, facts, batch_size)


def _encode_parts(
    found: Iterator[_Named], facts: TextPairFacts, batch_size: int
) -> Iterator[Inputs]:
    over = 0
    while part := list(itertools.islice(found, batch_size)):
        good = [(name, pair) for name, pair in part if isinstance(pair, tuple)]
        errors = [pair for _, pair in part if isinstance(pair, UserError)]
        examples = {}
        for place, side in enumerate(("first", "second")):
            texts = [pair[place] for _, pair in good]
            tokens = encode(facts.tokenizer, texts)
            over += int(np.count_nonzero(tokens.lengths > facts.max_length))
            rows = tokens[np.arange(len(texts))]
            examples[side] = as_objects([ids[: facts.max_length] for ids in rows])
            examples[f"{side}_text"] = as_objects(texts)
        yield Inputs([name for name, _ in good], examples, errors, find_blank(part))
    if over:
        texts = "text is" if over == 1 else "texts are"
        said = f"{over} {texts} longer than {facts.max_length} tokens and cut there"
        warnings.warn(said, stacklevel=2)


def _read(file: str, facts: TextPairFacts, stdin: IO[bytes], encoding: str) -> Iterator[_Named]:
    """Yield the pairs of a file; one that cannot be read is an error among them."""
    try:
        for name, pair in _read_file(file, facts, stdin, encoding):
            lacking = pair is not None and not all(text.strip() for text in pair)
            yield name, UserError(f"{name}: expected two texts") if lacking else pair
    except UserError as error:
        yield file, error


def _read_file(
    file: str, facts: TextPairFacts, stdin: IO[bytes], encoding: str
) -> Iterator[tuple[str, tuple[str, str] | None]]:
    if Path(file).suffix.lower() in TABLE_SUFFIXES:
        table = read_text_table(file, encoding=encoding)
        there = set(facts.columns) <= set(table.frame.columns)
        found = read_both(table, facts.columns if there else find_columns(table, None, None))
        yield from zip(found.where, zip(found.sources, found.targets, strict=True), strict=True)
        return
    yield from read_tabbed_lines(file, stdin, encoding)


def read_tabbed_lines(
    file: str, stdin: IO[bytes], encoding: str
) -> Iterator[tuple[str, tuple[str, str] | None]]:
    """Yield the two texts of each line of a file, or of standard input, with its place.

    A blank line of standard input is yielded too, as `None`.
    """
    if typed := file == STDIN:
        file = "standard input"
        text = decode_text(stdin.read(), file, encoding=encoding)
    else:
        text = read_text(file, encoding=encoding)
    for number, line in read_every_line(text) if typed else read_lines(text):
        first, _, second = line.partition("\t")
        yield f"{file} line {number}", (first, second) if line else None
