"""Python's own standard library as text: its files are parsed, never imported."""

import ast
import re
import sysconfig
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from threefold.core.errors import UserError

# Grouped as the library reference groups its chapters; only what Python 3.11 and later share.
AREAS = {
    "text": "string re difflib textwrap stringprep codecs gettext locale",
    "data_types": "datetime zoneinfo calendar collections heapq bisect weakref types copy pprint "
    "reprlib enum graphlib",
    "numbers": "numbers decimal _pydecimal fractions random statistics",
    "files": "pathlib os fileinput stat filecmp tempfile glob fnmatch linecache shutil posixpath "
    "ntpath zipfile tarfile gzip bz2 lzma shelve dbm sqlite3 csv configparser plistlib "
    "netrc",
    "system": "io _pyio argparse optparse getopt logging getpass curses platform ctypes pty cmd "
    "shlex",
    "concurrency": "threading multiprocessing concurrent subprocess sched queue asyncio selectors",
    "internet": "http urllib smtplib ftplib poplib imaplib ssl socket socketserver xmlrpc "
    "ipaddress wsgiref uuid webbrowser email mailbox mimetypes base64 html xml json",
    "interfaces": "tkinter turtle",
    "development": "pydoc doctest unittest pdb bdb profile cProfile pstats timeit trace "
    "tracemalloc",
    "language": "ast symtable tokenize pyclbr py_compile compileall dis inspect importlib "
    "traceback abc contextlib dataclasses warnings code codeop typing zipimport pkgutil "
    "modulefinder runpy functools operator site sysconfig pickletools",
}
_TESTS = {"test", "tests", "idle_test"}
_FEWEST_WORDS = 4  # of a text that says anything
_SHINGLE = 5  # words in a row
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def source_files(modules: str) -> list[Path]:
    """Return the files of some modules and packages, without their tests.

    Args:
        modules: str. Names, apart by spaces; one that this Python does not have is left out.

    Returns:
        list of Path. In the order of the names; of a package by path.

    Raises:
        UserError: where Python came without its sources.
    """
    library = Path(sysconfig.get_paths()["stdlib"])
    found = []
    for name in modules.split():
        file, folder = library / f"{name}.py", library / name
        if file.is_file():
            found.append(file)
        else:
            inside = sorted(folder.rglob("*.py"))
            found += [p for p in inside if not _TESTS & set(p.relative_to(folder).parts)]
    if not found:
        raise UserError(
            f"the sources of Python's standard library are not in {library}; use a Python that "
            "comes with them, or another dataset"
        )
    return found


def parse_file(path: Path) -> ast.Module:
    """Return the syntax tree of a source file."""
    return ast.parse(path.read_bytes())


def docstrings(path: Path) -> list[str]:
    """Return the docstrings of a file, of the module first, then in the order of the file."""
    return [found.docstring for found in documented(path)]


class Documented(NamedTuple):
    """What has a docstring.

    Args:
        signature: str. `module NAME`, `class NAME(BASES)` or `CLASS.NAME(PARAMETERS)`.
        docstring: str. Without its indentation.
        code: str. What a function does, as its source has it; of others nothing.
    """

    signature: str
    docstring: str
    code: str


def documented(path: Path) -> list[Documented]:
    """Return what a file documents, the module first, then in the order of the file."""
    tree = parse_file(path)
    name = path.parent.name if path.stem == "__init__" else path.stem
    lines = path.read_bytes().decode("utf-8", "replace").split("\n")
    found = []
    for signature, node in ((f"module {name}", tree), *_sign(tree.body)):
        docstring = ast.get_docstring(node)
        if docstring:
            last = node.body[0].end_lineno
            code = lines[last : node.end_lineno] if isinstance(node, _Function) else []
            texts = (signature, docstring, textwrap.dedent("\n".join(code)).strip("\n"))
            found.append(Documented(*map(_without_surrogates, texts)))
    return found


def _sign(body: list[ast.stmt], within: str = "") -> Iterator[tuple[str, ast.ClassDef | _Function]]:
    """Yield classes, methods and functions, but not those inside of functions."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield f"class {within}{node.name}({', '.join(map(ast.unparse, node.bases))})", node
            yield from _sign(node.body, f"{within}{node.name}.")
        elif isinstance(node, _Function):
            yield f"{within}{node.name}({ast.unparse(node.args)})", node
        elif isinstance(node, ast.If | ast.Try):
            yield from _sign(node.body, within)


def is_new(text: str, seen: set[str]) -> bool:
    """Return whether most of a text, in runs of words, was not seen before; then remember it."""
    words = re.findall(r"\w+", text.lower())
    if len(words) < _FEWEST_WORDS:
        return False
    last = max(1, len(words) - _SHINGLE + 1)
    shingles = {" ".join(words[start : start + _SHINGLE]) for start in range(last)}
    new = 2 * len(shingles & seen) < len(shingles)
    seen |= shingles
    return new


def _without_surrogates(text: str) -> str:
    # A docstring may show half characters by writing one, which no file of text can hold.
    return text.encode("utf-8", "replace").decode()
