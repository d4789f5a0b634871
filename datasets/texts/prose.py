"""Texts of a user's own to be continued: a text file, a folder of them, or a column of a table."""

from collections.abc import Sequence
from pathlib import Path

from threefold.core.errors import UserError
from threefold.datasets.dataset import SPLITS, Dataset
from threefold.datasets.facts import Facts
from threefold.datasets.folder_files import describe_ignored, walk
from threefold.datasets.folder_listing import FileKind
from threefold.datasets.reader import Reader
from threefold.datasets.splitting import SplitFractions
from threefold.datasets.tables.column_roles import SPLIT_WORDS
from threefold.datasets.texts.documents import continue_text
from threefold.datasets.texts.text_files import (
    TABLE_SUFFIXES,
    TEXT_SUFFIXES,
    find_text_column,
    read_text,
    read_text_table,
    read_texts,
)
from threefold.datasets.texts.tokenizer_config import (
    WindowTokenizerConfig,
)

READER = Reader(("text_generation",), files=(".txt",), folders=(".txt",))
FILES = FileKind("texts", TEXT_SUFFIXES)
_FEW = 20  # documents: of fewer, each is cut instead of given to one split
Documents = dict[str, list[str]]  # of each split


def load(
    path: str,
    *,
    facts: Facts | None = None,
    text: str | None = None,
    encoding: str = "utf-8",
    tokenizer_config: WindowTokenizerConfig = WindowTokenizerConfig(),
    split_fractions: SplitFractions = SplitFractions(0.1, 0.1),
) -> Dataset:
    """Load texts.

    Args:
        path: str. A `.txt` file; a folder of them, which may be called `train`, `validation`
            and `test` or lie in folders of these names; or a `.csv`, `.tsv`, `.parquet` or
            `.jsonl` file with a text in each row.
        facts: Facts. Those of a run: its tokenizer and window then rule.
        text: str. The column of the texts; guessed if None, by its name, else the wordiest.
        encoding: str. Of the characters of the files.
        tokenizer_config: WindowTokenizerConfig. How documents become tokens.
        split_fractions: SplitFractions. How documents are divided where nothing says so.

    Returns:
        Dataset. Windows of `tokens`, without overlap.

    Raises:
        UserError: for a file that cannot be used, and for too little text.
    """
    given, notes = read_documents(path, text, encoding)
    return continue_documents(
        path, given, split_fractions, tokenizer_config, facts=facts, notes=notes
    )


def continue_documents(
    reference: str,
    given: Documents,
    split_fractions: SplitFractions,
    tokenizer_config: WindowTokenizerConfig,
    *,
    facts: Facts | None,
    notes: Sequence[str],
) -> Dataset:
    """Make a dataset of documents to be continued.

    Args:
        reference: str. The dataset's.
        given: dict of str to list of str. The documents of each split; empty ones are left out.
        split_fractions: SplitFractions. How the splits that are lacking are taken out of those to
            train on.
        tokenizer_config: WindowTokenizerConfig. How documents become tokens; `facts` know better.
        facts: Facts. Those of a run.
        notes: sequence of str. What was decided before.

    Returns:
        Dataset. As from `continue_text`.

    Raises:
        UserError: for too little text.
    """
    documents, remarks = divide_documents(reference, given, split_fractions)
    notes = [*notes, *remarks]
    return continue_text(reference, documents, tokenizer_config, facts=facts, notes=notes)


def divide_documents(
    reference: str, given: Documents, split_fractions: SplitFractions
) -> tuple[Documents, list[str]]:
    """Return the documents of every split, and notes.

    Args:
        reference: str. The dataset's.
        given: dict of str to list of str. The documents of each split; empty ones are left out.
        split_fractions: SplitFractions. How the splits that are lacking are taken out of those to
            train on.

    Raises:
        UserError: where there is no text to train on.
    """
    count = sum(map(len, given.values()))
    found = {name: [text for text in texts if text.strip()] for name, texts in given.items()}
    kept = sum(map(len, found.values()))
    if not found.get("train", kept):  # to evaluate a run by, other splits will do
        raise UserError(f"{reference} is empty; expected text to train on")
    empty = [f"left out as empty: {count - kept} of {count} texts"] if kept < count else []
    documents, remarks = _divide(found, split_fractions)
    return documents, [*empty, *remarks]


def read_documents(path: str, column: str | None, encoding: str) -> tuple[Documents, list[str]]:
    """Return the documents of a file or folder by split, and notes.

    All are under `train` where nothing says which split they are of.
    """
    root = Path(path).expanduser()
    if not root.is_dir() and root.suffix.lower() in TABLE_SUFFIXES:
        table = read_text_table(root, encoding=encoding)
        name = find_text_column(table, column)
        return {"train": read_texts(table, name)}, [f"texts of column '{name}'"]
    if column is not None:
        raise UserError(f"-d text={column} names a column, and '{path}' is no table")
    if root.is_dir():
        return _read_folder(root, encoding)
    return {"train": [read_text(root, encoding=encoding)]}, []


def _read_folder(root: Path, encoding: str) -> tuple[Documents, list[str]]:
    names, ignored = walk(root, FILES.suffixes)
    if not names:
        raise UserError(f"folder '{root}' holds no texts ({', '.join(FILES.suffixes)})")
    explicit = {
        name: SPLIT_WORDS.get(Path(name).parts[0].partition(".")[0].lower()) for name in names
    }
    if "train" not in explicit.values():
        explicit = dict.fromkeys(names, "train")
    found: Documents = {}
    for name in sorted(names):
        if explicit[name] is None:
            raise UserError(
                f"'{root / name}' is of no split, but others are of {', '.join(SPLITS)}; "
                "put it into a folder of such a name"
            )
        found.setdefault(explicit[name], []).append(read_text(root / name, encoding=encoding))
    return found, describe_ignored(ignored, FILES.noun)


def _divide(given: Documents, split_fractions: SplitFractions) -> tuple[Documents, list[str]]:
    """Take the splits that are lacking out of the texts to train on, where there are such."""
    train = given.get("train", [])
    rows, note = split_fractions.fill_in(len(train), given, noun="texts")
    if not note or "train" not in given:
        return given, []
    if len(train) >= _FEW:
        parts = {name: [train[row] for row in found] for name, found in rows.items()}
        return given | parts, [note]
    lacking = split_fractions.lacking(given)
    parts = {name: [] for name in ("train", *lacking)}
    for text in train:
        start, end = 0, 1 - sum(lacking.values())
        for name in parts:
            end += lacking.get(name, 0.0)
            stop = _line_end(text, round(end * len(text)))
            parts[name].append(text[start:stop])
            start = stop
    parts = {name: [text for text in texts if text] for name, texts in parts.items()}
    shares = " and ".join(f"{100 * share:g} % for {name}" for name, share in lacking.items())
    return given | parts, [f"of each text, from its end, {shares}"]


def _line_end(text: str, place: int) -> int:
    """Return the end of the line that a place is in, where it is near; else the place."""
    found = text.find("\n", place, place + len(text) // 100)
    return place if found < 0 else found + 1
