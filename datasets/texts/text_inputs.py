"""Raw texts for a prediction: files, columns of tables, or lines of standard input."""

import itertools
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.facts import MaskedTextFacts, PairFacts, TextFacts
from threefold.datasets.ragged import Ragged
from threefold.datasets.raw_inputs import STDIN, Given, Inputs, find_blank
from threefold.datasets.tables.column_roles import require_column
from threefold.datasets.texts.documents import as_objects
from threefold.datasets.texts.pairs.pair_files import SUMMARIES, TRANSLATIONS, Sides, find_column
from threefold.datasets.texts.text_files import (
    TABLE_SUFFIXES,
    decode_text,
    find_text_column,
    read_every_line,
    read_lines,
    read_text,
    read_text_table,
    read_texts,
)
from threefold.datasets.texts.tokenizing import MASK, encode, encode_words, find_mask, find_words

READS = ("text", "masked_text", "pair")
SUFFIXES = (".txt", *TABLE_SUFFIXES)

AnyTextFacts = TextFacts | PairFacts | MaskedTextFacts
# What a text is called, and the text, what is wrong, or nothing for a blank line.
_Named = tuple[str, str | UserError | None]


def read(
    given: Given,
    facts: AnyTextFacts,
    batch_size: int,
    *,
    encoding: str = "utf-8",
    text: str | None = None,
    source: str | None = None,
) -> Iterator[Inputs]:
    """Read texts.

    Args:
        given: Given. Plain text (a document; to be tagged or translated, a text on each line),
            tables, or `-` for a text on each line.
        facts: TextFacts, PairFacts or MaskedTextFacts. The tokenizer of the run.
        batch_size: int. Texts in one part.
        encoding: str. Of the characters.
        text: str. The column of a table that holds the texts; guessed if None.
        source: str. The column of a table that holds the sources of pairs.

    Returns:
        iterator of Inputs. Of documents `tokens` and `text`; of words to be tagged `tokens`,
        `tags` (0 where a word begins, -1 where it goes on), `words` and their `places` in the
        `text`; of pairs `source` and
        `source_text`. A text in which there is nothing to see is one of the errors.
    """
    column = source if isinstance(facts, PairFacts) else text
    files = given.files(SUFFIXES)
    found = (one for file in files for one in _read(file, facts, given.stdin, column, encoding))
    return _encode_parts(found, facts, batch_size)


def _encode_parts(
    found: Iterator[_Named], facts: AnyTextFacts, batch_size: int
) -> Iterator[Inputs]:
    over, max_length = 0, _max_length(facts)
    while part := list(itertools.islice(found, batch_size)):
        read = [
            (name, _check(name, text, facts) if isinstance(text, str) else text)
            for name, text in part
        ]
        good = [(name, text) for name, text in read if isinstance(text, str)]
        examples, cut = _encode([text for _, text in good], facts, max_length)
        over += cut
        errors = [text for _, text in read if isinstance(text, UserError)]
        yield Inputs([name for name, _ in good], examples, errors, find_blank(read))
    if over:
        texts = "text is" if over == 1 else "texts are"
        warnings.warn(f"{over} {texts} longer than {max_length} tokens and cut there", stacklevel=2)


def _max_length(facts: AnyTextFacts) -> int:
    if isinstance(facts, MaskedTextFacts):
        return 2 * facts.max_length
    return facts.max_source_length if isinstance(facts, PairFacts) else facts.max_length


def _check(name: str, text: str, facts: AnyTextFacts) -> str | UserError:
    if not text.strip():
        return UserError(f"{name} is empty; expected a text")
    if isinstance(facts, MaskedTextFacts) and MASK not in text:
        return UserError(f"{name} has no {MASK}; write it where a word is to be filled in")
    return text


def _encode(
    texts: list[str], facts: AnyTextFacts, max_length: int
) -> tuple[dict[str, np.ndarray], int]:
    """Return what a model is asked, and how many texts were cut."""
    rows = np.arange(len(texts))
    if isinstance(facts, PairFacts):
        tokens = encode(facts.source_tokenizer, texts)
        examples = {"source_text": as_objects(texts)}
        name = "source"
    elif isinstance(facts, MaskedTextFacts):
        tokens, masked = _encode_masked(texts, facts)
        places = [found[found < max_length] for found in masked]
        examples, name = {"masked": as_objects(places), "text": as_objects(texts)}, "first"
    elif facts.tagged:
        places = [find_words(text) for text in texts]
        words = [
            tuple(text[start:stop] for start, stop in found)
            for text, found in zip(texts, places, strict=True)
        ]
        tokens, begins = encode_words(facts.tokenizer, words)
        tags = [np.minimum(places[:max_length], 0) for places in begins[rows]]
        examples = {"tags": as_objects(tags), "words": as_objects(words)}
        examples |= {"places": as_objects(places), "text": as_objects(texts)}
        name = "tokens"
    else:
        tokens = encode(facts.tokenizer, texts)
        examples, name = {"text": as_objects(texts)}, "tokens"
    kept = as_objects([ids[:max_length] for ids in tokens[rows]])
    return {name: kept, **examples}, int(np.count_nonzero(tokens.lengths > max_length))


def _encode_masked(texts: list[str], facts: MaskedTextFacts) -> tuple[Ragged, list[np.ndarray]]:
    """Return the tokens of texts, and where the masks among them stand."""
    parts = [text.split(MASK) for text in texts]
    tokens = encode(facts.tokenizer, [part for found in parts for part in found])
    mask, ends = find_mask(facts.tokenizer), np.cumsum([0, *map(len, parts)])
    found, places = [], []
    for start, stop in zip(ends[:-1], ends[1:], strict=True):
        pieces = [np.append(piece, mask) for piece in tokens[np.arange(start, stop)]]
        joined = np.concatenate(pieces)[:-1]  # no mask after the last part
        found.append(joined)
        places.append(np.cumsum([len(piece) for piece in pieces])[:-1] - 1)
    return Ragged.join(found, np.int32), places


def _read(
    file: str,
    facts: AnyTextFacts,
    stdin: IO[bytes],
    column: str | None,
    encoding: str,
) -> Iterator[_Named]:
    """Yield the texts of a file; one that cannot be read is an error among them."""
    try:
        yield from _read_file(file, facts, stdin, column, encoding)
    except UserError as error:
        yield file, error


def _read_file(
    file: str,
    facts: AnyTextFacts,
    stdin: IO[bytes],
    column: str | None,
    encoding: str,
) -> Iterator[_Named]:
    pairs, suffix = isinstance(facts, PairFacts), Path(file).suffix.lower()
    if typed := file == STDIN:
        file, text = (
            "standard input",
            decode_text(stdin.read(), "standard input", encoding=encoding),
        )
    elif suffix in TABLE_SUFFIXES and not (pairs and suffix == ".tsv"):
        yield from _read_column(file, facts, column, encoding)
        return
    else:
        text = read_text(file, encoding=encoding)
        masked = isinstance(facts, MaskedTextFacts)
        lined = suffix == ".tsv" or not facts.documents if pairs else masked or facts.tagged
        if not lined:
            yield file, text
            return
    lines = read_every_line(text) if typed else read_lines(text)
    for number, line in _take_sources(lines, facts, column) if pairs else lines:
        yield f"{file} line {number}", line or None


def _take_sources(
    lines: Iterable[tuple[int, str]], facts: PairFacts, column: str | None
) -> Iterator[tuple[int, str]]:
    """Yield the sources of lines that may hold targets too, as they were found for training."""
    explicit = int(column) - 1 if column and column.isdecimal() else None
    place, position = explicit or 0, -1
    for number, line in lines:
        position += bool(line)
        cells = [cell.strip() for cell in line.split("\t")]
        if line and position == 0 and (name := _name_of_sources(cells, facts, column)):
            place = cells.index(name) if explicit is None else explicit
        else:
            yield number, cells[min(place, len(cells) - 1)]


def _name_of_sources(cells: list[str], facts: PairFacts, column: str | None) -> str | None:
    """Return the source's among the names of columns, if the cells of a first line are such."""
    if column in cells:
        return column
    sides = _sides(facts)
    # A cell alone may be a text, whatever it says.
    named = len(cells) > 1 if facts.documents else find_column(cells, sides.target_names)
    return find_column(cells, sides.source_names) if named else None


def _sides(facts: PairFacts) -> Sides:
    return SUMMARIES if facts.documents else TRANSLATIONS


def _read_column(
    file: str, facts: AnyTextFacts, column: str | None, encoding: str
) -> Iterator[_Named]:
    table = read_text_table(file, encoding=encoding)
    if isinstance(facts, PairFacts):
        names = _sides(facts).source_names
        column = column or find_column(table.frame.columns, names) or names[0]
        require_column(table, column)
    name = find_text_column(table, column)
    for row, text in enumerate(read_texts(table, name)):
        yield table.where(row), text
