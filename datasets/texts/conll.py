"""Tagged words of a user's own: files in the columns of CoNLL, with tags in BIO."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import PositiveInt

from threefold.core.errors import UserError
from threefold.datasets.dataset import SPLITS, Dataset
from threefold.datasets.facts import Facts, TextFacts
from threefold.datasets.reader import Reader
from threefold.datasets.splitting import SplitFractions
from threefold.datasets.tables.column_roles import SPLIT_WORDS
from threefold.datasets.texts.documents import known_facts, tag
from threefold.datasets.texts.text_files import read_text
from threefold.datasets.texts.tokenizer_config import (
    DocumentTokenizerConfig,
    TokenizerConfig,
)

READER = Reader(("token_classification",), files=(".conll",), folders=(".conll",))
SUFFIXES = (".conll", ".bio", ".iob", ".iob2", ".txt", ".tsv")
BETWEEN_DOCUMENTS = "-DOCSTART-"
OUTSIDE = "O"
# In other words than BIO's: the end of a span, and one of a single word (BIOES, BILOU).
_PREFIXES = {"B": "B", "I": "I", "E": "I", "S": "B", "L": "I", "U": "B"}
# Of CoNLL-U (`# sent_id = 1`, `# newpar`) and of CoNLL-2012 (`#begin document`).
_COMMENT = re.compile(r"#(\s|$|begin document|end document)")
_BETWEEN_COLUMNS = re.compile("[ \t]+")  # and at no other space: one may be part of a word


class Sentence(NamedTuple):
    """Words with their tags, and where they stand: in a file, between two blank lines.

    Args:
        words: list of str. At least one.
        tags: list of str. One a word.
        place: str. What comes before the number of a word in messages: `news.conll line`.
        numbers: sequence of int. One a word.
    """

    words: list[str]
    tags: list[str]
    place: str
    numbers: Sequence[int]

    def where(self, position: int) -> str:
        """Return where a word stands: `news.conll line 7`."""
        return f"{self.place} {self.numbers[position]}"


def load(
    path: str,
    *,
    facts: Facts | None = None,
    word_column: PositiveInt = 1,
    tag_column: PositiveInt | None = None,
    comments: bool = True,
    encoding: str = "utf-8",
    tokenizer_config: DocumentTokenizerConfig = DocumentTokenizerConfig(
        tokenizer="wordpiece", lowercase=False
    ),
    split_fractions: SplitFractions = SplitFractions(),
) -> Dataset:
    """Load sentences.

    Args:
        path: str. A file with a word on each line, in columns apart by tabs or spaces, and a blank
            line after each sentence; or a folder of such, called `train` and perhaps
            `validation` and `test`.
        facts: Facts. Those of a run: its tokenizer and tags then rule.
        word_column: int. The column of the words, from 1.
        tag_column: int. The column of the tags, from 1; none for the last.
        comments: bool. Whether lines that begin with `#`, a space and no word with its tag are
            comments, as in CoNLL-U.
        encoding: str. Of the characters of the files.
        tokenizer_config: DocumentTokenizerConfig. How words become tokens.
        split_fractions: SplitFractions. How sentences are divided where nothing says so.

    Returns:
        Dataset. `tokens`, `tags` and `words`. Tags of IOB1 and BIOES are brought to BIO.

    Raises:
        UserError: for a row that cannot be used, with its file and line.
    """
    found, notes = {}, []
    for split, file in _find_files(Path(path).expanduser()).items():
        found[split], scheme, ignored = _read_file(
            file, (word_column, tag_column), comments, encoding
        )
        if ignored:
            notes.append(
                f"{file}: {ignored} line{'s' if ignored > 1 else ''} that begin with # are "
                "comments and ignored (-d comments=false: they are words)"
            )
        if scheme != "BIO":
            notes.append(f"{file}: tags are in {scheme}, brought to BIO")
    return tag_sentences(path, found, split_fractions, tokenizer_config, facts=facts, notes=notes)


def tag_sentences(
    reference: str,
    found: Mapping[str, Sequence[Sentence]],
    split_fractions: SplitFractions,
    tokenizer_config: TokenizerConfig,
    *,
    facts: Facts | None,
    notes: Sequence[str],
) -> Dataset:
    """Make a dataset of sentences.

    Args:
        reference: str. The dataset's.
        found: mapping of str to sequence of Sentence. Those of each split, tags in BIO.
        split_fractions: SplitFractions. How the splits that are lacking are taken out of those to
            train on.
        tokenizer_config: TokenizerConfig. How words become tokens; `facts` know better.
        facts: Facts. Those of a run.
        notes: sequence of str. What was decided before.

    Returns:
        Dataset. As from `tag`.

    Raises:
        UserError: for tags that the run does not know, or if there are none but `O`.
    """
    known = known_facts(facts, TextFacts, tagged=True)
    sentences: list[Sentence] = []
    rows = {}
    for split, read in found.items():
        if known is not None:
            _require_known(read, known.class_names)
        rows[split] = np.arange(len(sentences), len(sentences) + len(read))
        sentences += read
    rows, remarks = _divide(rows, split_fractions)
    class_names = known.class_names if known else _class_names(reference, sentences)
    numbers = {name: number for number, name in enumerate(class_names)}
    return tag(
        reference,
        [sentence.words for sentence in sentences],
        [[numbers[name] for name in sentence.tags] for sentence in sentences],
        class_names,
        rows,
        tokenizer_config,
        facts=facts,
        notes=[*notes, *remarks],
    )


def read_sentences(
    file: Path,
    *,
    word_column: int = 1,
    tag_column: int | None = None,
    comments: bool = True,
    encoding: str = "utf-8",
) -> tuple[list[Sentence], str]:
    """Read a file.

    Args:
        file: Path. The file.
        word_column: int. The column of the words, from 1.
        tag_column: int. The column of the tags, from 1; `None` for the last.
        comments: bool. Whether lines that begin with `# ` can be comments.
        encoding: str. Of its characters.

    Returns:
        (list of Sentence, str): the sentences with tags in BIO, and the scheme that they were in.

    Raises:
        UserError: for a row of too few or too many columns, and for tags that are in no scheme.
    """
    return _read_file(file, (word_column, tag_column), comments, encoding)[:2]


def _read_file(
    file: Path, columns: tuple[int, int | None], comments: bool, encoding: str
) -> tuple[list[Sentence], str, int]:
    """Return what `read_sentences` does, and how many lines are comments."""
    (word_column, tag_column), ignored, place = columns, 0, f"{file} line"
    sentences, current = [], Sentence([], [], place, [])
    first, width = 0, 0
    for number, line in enumerate(read_text(file, encoding=encoding).split("\n"), 1):
        cells = _split_columns(line)
        if not line.strip():
            if current.words:
                sentences.append(current)
                current = Sentence([], [], place, [])
            continue
        if cells[0].startswith(BETWEEN_DOCUMENTS):
            continue
        if comments and _is_comment(line, cells, width):
            ignored += 1
            continue
        if not width:
            first, width = number, len(cells)
        needed = max(2, word_column, tag_column or 0)
        if len(cells) != width or width < needed:
            raise UserError(
                f"{file} line {number}: {len(cells)} column{'s' if len(cells) > 1 else ''}; "
                + (f"expected {width}, as in line {first}" if width >= needed else
                   f"expected at least {needed}, a word and its tag")
            )  # fmt: skip
        word, name = cells[word_column - 1], cells[(tag_column or width) - 1]
        if not word.strip() or not name.strip():
            raise UserError(f"{file} line {number}: the {'tag' if word else 'word'} is empty")
        current.words.append(word)
        current.tags.append(name)
        current.numbers.append(number)
    if current.words:
        sentences.append(current)
    if not sentences:
        raise UserError(f"{file} is empty; expected a word and its tag on each line")
    return *to_bio(sentences), ignored


def _split_columns(line: str) -> list[str]:
    """Return the cells of a line, apart by tabs, or else by spaces."""
    if "\t" in line:
        return [cell.strip(" ") for cell in line.split("\t")]
    return _BETWEEN_COLUMNS.split(line.strip(" "))


def _is_comment(line: str, cells: list[str], width: int) -> bool:
    """Whether a line says something of a sentence: a word `#` has as many cells, and a tag."""
    if not _COMMENT.match(line):
        return False
    if "\t" not in line and "=" in cells[1:4]:  # `# text = Vitamin O`
        return True
    prefix, dash, _ = cells[-1].partition("-")
    tagged = cells[-1] == OUTSIDE or (prefix in _PREFIXES and bool(dash))
    return not (tagged and len(cells) == (width or len(cells)) > 1)


def to_bio(sentences: Sequence[Sentence]) -> tuple[list[Sentence], str]:
    """Bring the tags of sentences that belong together to BIO.

    Returns:
        (list of Sentence, str): the sentences with tags in BIO, and the scheme that they were in.

    Raises:
        UserError: for tags that are in no scheme, with their place.
    """
    scheme = _find_scheme(sentences)
    return [_in_bio(sentence) for sentence in sentences], scheme


def _find_scheme(sentences: Sequence[Sentence]) -> str:
    """Return the scheme of tags: BIO, IOB1 (where most spans begin with I) or BIOES."""
    ends, begins, alone = False, False, None
    for sentence in sentences:
        before = OUTSIDE
        for position, name in enumerate(sentence.tags):
            prefix, dash, kind = name.partition("-")
            if name != OUTSIDE and not (prefix in _PREFIXES and dash and kind):
                raise UserError(
                    f"{sentence.where(position)}: '{name}' is no tag in BIO; expected O, or B- or "
                    "I- and a name, such as B-PER"
                )
            if before.partition("-")[2] != kind:
                begins |= prefix == "B"
                if _PREFIXES.get(prefix) == "I" and alone is None:
                    alone = (sentence.where(position), name)
            ends |= prefix in "ESLU"
            before = name
    if alone and (begins or ends):
        where, name = alone
        raise UserError(
            f"{where}: '{name}' goes on with a span that did not begin; expected a B- "
            "there, as other spans have it"
        )
    return "BIOES" if ends else "IOB1" if alone else "BIO"


def _in_bio(sentence: Sentence) -> Sentence:
    found, before = [], OUTSIDE
    for name in sentence.tags:
        prefix, _, kind = name.partition("-")
        # In IOB1 a span begins with I; B parts it from one of its kind right before.
        begins = before.partition("-")[2] != kind
        new = "B" if begins else _PREFIXES.get(prefix)
        found.append(name if name == OUTSIDE else f"{new}-{kind}")
        before = name
    return sentence._replace(tags=found)


def _find_files(path: Path) -> dict[str, Path]:
    """Return the file of each split; one file alone is to be divided."""
    if not path.is_dir():
        return {"train": path}
    found: dict[str, Path] = {}
    for file in sorted(path.iterdir()):
        split = SPLIT_WORDS.get(file.stem.lower())
        if split is None or file.suffix.lower() not in SUFFIXES or not file.is_file():
            continue
        if split in found:
            raise UserError(f"'{found[split]}' and '{file}' are both for {split}; keep one of them")
        found[split] = file
    if "train" not in found:
        raise UserError(
            f"folder '{path}' holds no file to train on; expected train.conll, and perhaps "
            f"validation.conll and test.conll (or {', '.join(SUFFIXES[1:])})"
        )
    return {name: found[name] for name in SPLITS if name in found}


def _divide(
    found: dict[str, np.ndarray], split_fractions: SplitFractions
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Take the splits that are lacking out of the sentences to train on, where there are such."""
    if "train" not in found:
        return found, []
    parts, note = split_fractions.fill_in(len(found["train"]), found, noun="sentences")
    merged = found | {name: found["train"][chosen] for name, chosen in parts.items()}
    return {name: merged[name] for name in SPLITS if name in merged}, [note] if note else []


def _class_names(reference: str, sentences: Sequence[Sentence]) -> tuple[str, ...]:
    """Return the tags: outside, then beginnings and insides of each kind, by name."""
    kinds = sorted({n.partition("-")[2] for s in sentences for n in s.tags if n != OUTSIDE})
    if not kinds:
        raise UserError(f"{reference}: every tag is {OUTSIDE}; there is nothing to find")
    return (OUTSIDE, *(f"{prefix}-{kind}" for kind in kinds for prefix in "BI"))


def _require_known(sentences: Sequence[Sentence], names: tuple[str, ...]) -> None:
    for sentence in sentences:
        for position, name in enumerate(sentence.tags):
            if name not in names:
                where = sentence.where(position)
                raise UserError(f"{where}: the tag '{name}' is none of the run's")
