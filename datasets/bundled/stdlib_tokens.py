"""Source of Python's standard library: tag every name as what it is (read from its sources).

Sequences are statements, class headers and functions with their bodies, of up to 100 words, each
once. Splits are by sequence, so names of one module are met in all of them.
"""

from functools import cache

from threefold.datasets.bundled.python_names import KINDS, Statement, tag_source
from threefold.datasets.bundled.standard_library import source_files
from threefold.datasets.dataset import Dataset
from threefold.datasets.facts import Facts
from threefold.datasets.splitting import SplitFractions
from threefold.datasets.texts.documents import tag
from threefold.datasets.texts.tokenizer_config import TokenizerConfig

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
_FEWEST_WORDS, _MOST_WORDS = 4, 40
_TAGS = ("O", *(f"B-{kind}" for kind in KINDS), "I-module")


def load(
    *,
    facts: Facts | None = None,
    tokenizer_config: TokenizerConfig = TokenizerConfig(
        vocabulary_size=4000, max_tokens=96, lowercase=False
    ),
    split_fractions: SplitFractions = SplitFractions(0.1, 0.1),
) -> Dataset:
    """Load tagged source.

    Args:
        facts: Facts. Those of a run: its tokenizer then rules.
        tokenizer_config: TokenizerConfig. How words become tokens.
        split_fractions: SplitFractions. How sequences are divided where nothing says so.

    Returns:
        Dataset. `tokens`, `tags` and `words`.

    Raises:
        UserError: where Python came without its sources.
    """
    statements = _read()
    rows = split_fractions.split(len(statements))
    sentences = [statement.words for statement in statements]
    tags = [[_TAGS.index(name) for name in statement.tags] for statement in statements]
    return tag("stdlib_tokens", sentences, tags, _TAGS, rows, tokenizer_config, facts=facts)


@cache
def _read() -> list[Statement]:
    found: dict[tuple[str, ...], Statement] = {}
    for path in source_files(_MODULES):
        for statement in tag_source(path.read_text(encoding="utf-8")):
            if _FEWEST_WORDS <= len(statement.words) <= _MOST_WORDS:
                found.setdefault(tuple(statement.words), statement)
    return list(found.values())
