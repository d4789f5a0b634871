"""Source of Python's standard library: tag every name as what it is (read from its sources).

Sequences are statements, class headers and functions with their bodies, of up to 100 words, each
once. Splits are by sequence, so names of one module are met in all of them.
"""

from functools import cache

from pydantic import PositiveInt

from threefold.datasets.bundled.python_names import KINDS, Statement, tag_source
from threefold.datasets.bundled.standard_library import source_files
from threefold.datasets.dataset import Dataset
from threefold.datasets.facts import Facts
from threefold.datasets.splitting import split_rows
from threefold.datasets.texts.documents import TokenizerConfig, tag
from threefold.datasets.texts.tokenizer_files import TokenizerOption

TASK = "token_classification"
_MODULES = (
    "abc argparse base64 bdb bisect calendar code codeop collections configparser contextlib copy "
    "csv dataclasses difflib enum filecmp fileinput fnmatch fractions ftplib functools gettext "
    "glob gzip heapq http imaplib json linecache logging mimetypes netrc numbers "
    "os pathlib pdb pkgutil platform plistlib poplib posixpath pprint profile pstats queue random "
    "sched selectors shelve shlex shutil smtplib socketserver statistics string subprocess "
    "tarfile tempfile textwrap threading timeit traceback urllib uuid warnings weakref "
    "webbrowser wsgiref zipfile"
)
_FEWEST_WORDS, _MOST_WORDS = 4, 100
_TAGS = ("O", *(f"B-{kind}" for kind in KINDS), "I-module")


def load(
    *,
    facts: Facts | None = None,
    tokenizer: TokenizerOption = "wordpiece",
    vocabulary_size: PositiveInt = 4000,
    max_tokens: PositiveInt = 192,
    lowercase: bool = False,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_seed: int = 0,
) -> Dataset:
    """Load tagged source.

    Args:
        facts: Facts. Those of a run: its tokenizer then rules.
        tokenizer: str. What a token is: word, character, wordpiece or bpe; or the path of a
            `tokenizer.json` or `vocab.txt`, or of a folder that holds one.
        vocabulary_size: int. The most tokens the tokenizer learns.
        max_tokens: int. Where longer sequences are cut.
        lowercase: bool. Whether capital letters, by which classes are known, are made small.
        validation_fraction: float. Share of the sequences kept for validation.
        test_fraction: float. Share of the sequences kept for the test.
        split_seed: int. Which seeded division into splits.

    Returns:
        Dataset. `tokens`, `tags` and `words`.

    Raises:
        UserError: where Python came without its sources.
    """
    statements = _read()
    rows = split_rows(len(statements), validation_fraction, test_fraction, split_seed)
    sentences = [statement.words for statement in statements]
    tags = [[_TAGS.index(name) for name in statement.tags] for statement in statements]
    tokenizer_config = TokenizerConfig(tokenizer, vocabulary_size, max_tokens, lowercase)
    return tag("stdlib_tokens", sentences, tags, _TAGS, rows, tokenizer_config, facts=facts)


@cache
def _read() -> list[Statement]:
    found: dict[tuple[str, ...], Statement] = {}
    for path in source_files(_MODULES):
        for statement in tag_source(path.read_text(encoding="utf-8")):
            if _FEWEST_WORDS <= len(statement.words) <= _MOST_WORDS:
                found.setdefault(tuple(statement.words), statement)
    return list(found.values())
