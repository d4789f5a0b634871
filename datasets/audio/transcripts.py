"""What is said in the recordings of a folder: transcripts in a table, or in files."""

import csv
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from threefold.core.errors import UserError
from threefold.datasets.folder_files import visible_files
from threefold.datasets.texts.text_files import read_lines, read_text

TABLES = ("transcripts.tsv", "transcripts.csv", "metadata.csv", "metadata.tsv")
LIST_ENDING = ".trans.txt"  # LibriSpeech's: a name and a transcript on each line
FILE_NAMES = ("file", "file_name", "filename", "path", "audio", "wav", "recording")
TEXT_NAMES = ("text", "transcript", "transcription", "sentence")


@dataclass
class Transcripts:
    """What was found.

    Args:
        texts: dict of str to str. The transcript of each recording that has one.
        notes: list of str. What was left out.
    """

    texts: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class _Line(NamedTuple):
    """A transcript in a file that holds many of them."""

    path: Path
    number: int
    name: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.path} line {self.number}"


def find_transcripts(root: Path, names: Sequence[str]) -> Transcripts:
    """Read the transcripts of a folder's recordings.

    Args:
        root: Path. The folder.
        names: sequence of str. The recordings, relative to it.

    Returns:
        Transcripts. From tables where there is one, else from LibriSpeech's lists and from text
        files alongside the recordings.

    Raises:
        UserError: for a table or list that cannot be read, with file and line; for two transcripts
            of one recording.
    """
    files = sorted(visible_files(root))
    tables = [path for path in files if path.name.lower() in TABLES]
    lists = [path for path in files if path.name.lower().endswith(LIST_ENDING)]
    found, recordings = Transcripts(), _Recordings(root, names)
    for path in tables:
        _assign(found, _read_table(path), recordings)
    for path in () if tables else lists:
        _assign(found, _read_list(path), recordings)
    if not tables:
        texts = [path for path in files if path.suffix.lower() == ".txt" and path not in lists]
        _assign_beside(found, root, names, texts)
    if without := [name for name in names if name not in found.texts]:
        found.notes.append(
            f"{format_count(len(without), 'recording has', 'recordings have')} no transcript, such "
            f"as '{without[0]}': left out"
        )
    return found


def tidy(text: str, *, lowercase: bool) -> str:
    """Return a transcript in one form: single spaces, composed characters."""
    text = unicodedata.normalize("NFC", " ".join(text.split()))
    return text.lower() if lowercase else text


class _Recordings:
    """Finds recordings by their paths, with or without suffix, or by their bare names."""

    def __init__(self, root: Path, names: Sequence[str]):
        self.root = root
        self.by_path = {key: name for name in names for key in (os.path.splitext(name)[0], name)}
        count = Counter(Path(name).stem for name in names)
        self.by_stem = {Path(name).stem: name for name in names if count[Path(name).stem] == 1}

    def find(self, line: _Line) -> str | None:
        inside = os.path.relpath(line.path.parent, self.root)
        for folder in (inside, "."):
            key = os.path.normpath(os.path.join(folder, line.name))
            if key in self.by_path:
                return self.by_path[key]
        # Names may hold dots of their own: with and without what looks like a suffix.
        return self.by_stem.get(line.name, self.by_stem.get(Path(line.name).stem))


def _assign(found: Transcripts, lines: Iterable[_Line], recordings: _Recordings) -> None:
    """Give the transcripts of one file to their recordings."""
    lost, places = [], {}
    for line in lines:
        name = recordings.find(line)
        if name is None:
            lost.append(line)
            continue
        if name in found.texts:
            before = f" in line {places[name]}" if name in places else " in another file"
            raise UserError(f"{line.where}: '{name}' has a transcript already{before}")
        places[name] = line.number
        found.texts[name] = line.text
    if lost:
        found.notes.append(
            f"{format_count(len(lost), 'transcript has', 'transcripts have')} no recording, such "
            f"as '{lost[0].name}' in {lost[0].where}: left out"
        )


def _assign_beside(
    found: Transcripts, root: Path, names: Sequence[str], texts: Sequence[Path]
) -> None:
    """Give recordings the text files of their names."""
    by_path = {os.path.splitext(os.path.relpath(path, root))[0]: path for path in texts}
    for name in names:
        path = by_path.pop(os.path.splitext(name)[0], None)
        if path is not None and name not in found.texts:
            found.texts[name] = read_text(path)
    if by_path:
        first = os.path.relpath(next(iter(by_path.values())), root)
        found.notes.append(
            f"{format_count(len(by_path), 'text file has', 'text files have')} no recording of the "
            f"same name, such as '{first}': left out"
        )


def _read_table(path: Path) -> Iterator[_Line]:
    """Yield the rows of a table; its first line names the columns, or is LJ Speech's first row."""
    lines = read_text(path).removeprefix("\ufeff").split("\n")
    delimiter = "\t" if path.suffix.lower() == ".tsv" else "|" if "|" in lines[0] else ","
    # Transcripts have quotation marks of their own: only where commas part cells they mean more.
    quoting = csv.QUOTE_MINIMAL if delimiter == "," else csv.QUOTE_NONE
    reader = csv.reader(lines, delimiter=delimiter, quoting=quoting)
    header = next(reader, [])
    columns = _find_columns(header)
    if columns is None and delimiter != "|":
        raise UserError(
            f"{path}: expected a column of files ({', '.join(FILE_NAMES)}) and one of texts "
            f"({', '.join(TEXT_NAMES)}) in the first line, got {', '.join(header)[:80] or 'none'}"
        )
    if columns is None:
        columns, reader = (0, 1), csv.reader(lines, delimiter=delimiter, quoting=quoting)
    for row in reader:
        if not any(cell.strip() for cell in row):
            continue
        if len(row) <= max(columns):
            raise UserError(
                f"{path} line {reader.line_num}: expected at least {max(columns) + 1} cells, got "
                f"{len(row)}"
            )
        name, text = (row[column] for column in columns)
        yield _Line(path, reader.line_num, name.strip(), text)


def _find_columns(header: Sequence[str]) -> tuple[int, int] | None:
    """Return where files and texts stand in a row, if a header says so."""
    names = [cell.strip().lower() for cell in header]
    file = next((names.index(name) for name in FILE_NAMES if name in names), None)
    text = next((names.index(name) for name in TEXT_NAMES if name in names), None)
    return None if file is None or text is None else (file, text)


def _read_list(path: Path) -> Iterator[_Line]:
    for number, line in read_lines(read_text(path)):
        name, _, text = line.strip().partition(" ")
        yield _Line(path, number, name, text)


def format_count(count: int, one: str, many: str) -> str:
    """Return a number with the words for one or for many."""
    return f"{count:,} {one if count == 1 else many}"
