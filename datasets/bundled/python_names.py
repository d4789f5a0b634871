"""What each name in Python source is: the words of its statements, tagged in BIO.

Words come from `tokenize`, tags from the places that `ast` gives; nothing is run or imported.
"""

import ast
import builtins
import io
import keyword
import re
import tokenize
from collections.abc import Iterator
from typing import NamedTuple

from threefold.datasets.texts.tokenizing import split_words

# Pygments takes twice as long as `tokenize`, reads broken source without a word, and calls 26,504
# of 35,000 names just a name: of these kinds it knows functions and classes where they are defined.
KINDS = ("argument", "attribute", "class", "function", "method", "module", "variable")
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_NAMING = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.arg, ast.keyword, ast.Call,
    ast.Attribute, ast.Name, ast.Import, ast.ImportFrom,
)  # fmt: skip
_DEFINED = re.compile(r"(?:def|class)\s+(\w+)")
_FROM = re.compile(r"from\s*\.*\s*([\w.]*)")
_Place = tuple[int, int]  # line from 1, character from 0

_SILENT = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
    tokenize.ENDMARKER, tokenize.ENCODING,
}  # fmt: skip


class Statement(NamedTuple):
    """One statement, function or class header.

    Args:
        words: list of str. As `split_words` has them, without comments and docstrings.
        tags: list of str. `O`, or `B-` and `I-` with one of `KINDS`.
    """

    words: list[str]
    tags: list[str]


def tag_source(source: str) -> Iterator[Statement]:
    """Tag the names of a source file.

    Args:
        source: str. Python that can be parsed.

    Yields:
        Statement. For each function with its body, method, class header and other statement of
        the module or of a class, in the order of the file.
    """
    tree = ast.parse(source)
    names = _Names(tree, source.splitlines(keepends=True))
    tokens = list(_tokens(source))
    position = 0
    for start, stop in _pieces(tree.body):
        words, tags = [], []
        while position < len(tokens) and tokens[position].start < (stop + 1, 0):
            token = tokens[position]
            position += 1
            if token.start[0] < start or token.start[0] in names.docstrings:
                continue
            found = split_words(token.string)
            words += found
            tags += names.tag(token, len(found))
        if words:
            yield Statement(words, _as_bio(words, tags))


class _Scope(NamedTuple):
    """The names that a function binds."""

    arguments: set[str]
    stored: set[str]


_Scopes = tuple[_Scope, ...]  # the outermost first


class _Names:
    """The kinds of the names of a file, by their places, and the lines of its docstrings."""

    def __init__(self, tree: ast.Module, lines: list[str]):
        self.lines = lines
        self.kinds: dict[_Place, str] = {}
        self.docstrings: set[int] = set()
        self.modules, self.classes, self.functions, self.called = set(), set(), set(), set()
        self.methods: set[ast.AST] = set()
        self.naming: list[tuple[ast.AST, _Scopes]] = []
        self._declare(tree, ())
        for node, scopes in self.naming:
            self._mark(node, scopes)

    def tag(self, token: tokenize.TokenInfo, count: int) -> list[str]:
        """Return the kind of each word of a token, `O` for what is no name."""
        if token.type != tokenize.NAME or keyword.iskeyword(token.string):
            return ["O"] * count
        return [self.kinds.get(token.start, "variable")] * count

    def _declare(self, node: ast.AST, scopes: _Scopes) -> None:
        """Note what a node and all in it declare, and the nodes that hold names."""
        if isinstance(node, _NAMING):
            self.naming.append((node, scopes))
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store):
                for scope in scopes:
                    scope.stored.add(node.id)
            return
        if isinstance(node, ast.ClassDef):
            self.classes.add(node.name)
            self.methods.update(node.body)
        elif isinstance(node, _Function):
            self.functions.add(node.name)
        elif isinstance(node, ast.Import):
            self.modules |= {(a.asname or a.name).partition(".")[0] for a in node.names}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            self.called.add(node.func.id)
        elif _is_text(node):
            self.docstrings.update(range(node.lineno, node.end_lineno + 1))
        inner, bodies = scopes, []
        if isinstance(node, _Function | ast.Lambda):
            # Defaults and decorators belong to the scope around, bodies to the inner one.
            inner = (*scopes, _Scope(_arguments(node), set()))
            bodies = node.body if isinstance(node.body, list) else [node.body]
        inside = set(bodies)
        for child in _children(node):
            self._declare(child, inner if child in inside else scopes)

    def _mark(self, node: ast.AST, scopes: _Scopes) -> None:
        """Note the kinds of the names that a node holds itself."""
        if isinstance(node, _Function | ast.ClassDef):
            kind = "method" if node in self.methods else "function"
            kind = "class" if isinstance(node, ast.ClassDef) else kind
            found = _DEFINED.search(self.lines[node.lineno - 1], node.col_offset)
            if found:
                self.kinds[node.lineno, found.start(1)] = kind
        elif isinstance(node, ast.arg) or (isinstance(node, ast.keyword) and node.arg):
            self.kinds[self._place(node.lineno, node.col_offset)] = "argument"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            self._mark_attribute(node.func, "method")
        elif isinstance(node, ast.Attribute):
            self._mark_attribute(node, "attribute")
        elif isinstance(node, ast.Name):
            kind = self._resolve(node.id, scopes)
            self.kinds[self._place(node.lineno, node.col_offset)] = kind
        elif isinstance(node, ast.Import | ast.ImportFrom):
            self._mark_import(node)

    def _mark_attribute(self, node: ast.Attribute, kind: str) -> None:
        line, end = self._place(node.end_lineno, node.end_col_offset)
        self.kinds.setdefault((line, end - len(node.attr)), kind)

    def _mark_import(self, node: ast.Import | ast.ImportFrom) -> None:
        """Note the names of an import, dotted ones as they stand in the source."""
        if isinstance(node, ast.ImportFrom):
            found = _FROM.search(self.lines[node.lineno - 1], node.col_offset)
            self._mark_dotted((node.lineno, found.start(1)), found[1])
        for alias in node.names:
            place = self._place(alias.lineno, alias.col_offset)
            if isinstance(node, ast.Import):
                self._mark_dotted(place, alias.name)
            else:
                self.kinds[place] = self._resolve(alias.name, ())
            if alias.asname:
                line, end = self._place(alias.end_lineno, alias.end_col_offset)
                kind = "module" if isinstance(node, ast.Import) else self.kinds[place]
                self.kinds[line, end - len(alias.asname)] = kind

    def _mark_dotted(self, place: _Place, name: str) -> None:
        line, start = place
        for part in re.finditer(r"\w+", name):
            self.kinds[line, start + part.start()] = "module"

    def _resolve(self, name: str, scopes: _Scopes) -> str:
        """Return what a plain name stands for: the innermost scope that binds it."""
        for scope in reversed(scopes):
            if name in scope.arguments:
                return "argument"
            if name in scope.stored:
                return "variable"
        found = getattr(builtins, name, None)
        if name in self.modules:
            return "module"
        if name in self.classes or isinstance(found, type):
            return "class"
        if name in self.functions or callable(found):
            return "function"
        if re.match(r"_*[A-Z]\w*[a-z]", name):  # from elsewhere: by the custom of capitals
            return "class"
        return "function" if name in self.called else "variable"

    def _place(self, line: int, offset: int) -> _Place:
        """Return a place in characters, of which `ast` counts the bytes."""
        text = self.lines[line - 1]
        return line, offset if text.isascii() else len(text.encode()[:offset].decode())


def _tokens(source: str) -> Iterator[tokenize.TokenInfo]:
    """Yield the tokens that are seen; an f-string is one, as it was up to Python 3.11."""
    depth, begin, kinds = 0, None, vars(tokenize)
    starts = {kinds.get("FSTRING_START"), kinds.get("TSTRING_START")} - {None}
    ends = {kinds.get("FSTRING_END"), kinds.get("TSTRING_END")} - {None}
    lines = source.splitlines(keepends=True)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in starts:
            depth, begin = depth + 1, begin or token.start
        elif token.type in ends:
            depth -= 1
            if not depth:
                text = _between(lines, begin, token.end)
                yield tokenize.TokenInfo(tokenize.STRING, text, begin, token.end, token.line)
                begin = None
        elif not depth and token.type not in _SILENT:
            yield token


def _between(lines: list[str], start: _Place, end: _Place) -> str:
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]]
    middle = lines[start[0] : end[0] - 1]
    return "".join([lines[start[0] - 1][start[1] :], *middle, lines[end[0] - 1][: end[1]]])


def _pieces(body: list[ast.stmt]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last line of each statement."""
    for node in body:
        start = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        if isinstance(node, ast.ClassDef):
            yield start, max(node.lineno, _header_end(node))
            yield from _pieces(node.body)
        else:
            yield start, node.end_lineno


def _header_end(node: ast.ClassDef) -> int:
    first = node.body[0]
    decorators = [decorator.lineno for decorator in getattr(first, "decorator_list", [])]
    return min([first.lineno, *decorators]) - 1


def _is_text(node: ast.AST) -> bool:
    """Return whether a statement is a mere string: a docstring, mostly."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _arguments(node: _Function | ast.Lambda) -> set[str]:
    found = node.args
    plain = [*found.posonlyargs, *found.args, *found.kwonlyargs, found.vararg, found.kwarg]
    return {argument.arg for argument in plain if argument}


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes right below one; `ast.iter_child_nodes` takes three times as long."""
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, list):
            yield from (item for item in value if isinstance(item, ast.AST))
        elif isinstance(value, ast.AST):
            yield value


def _as_bio(words: list[str], kinds: list[str]) -> list[str]:
    """Return BIO tags: names that a dot joins to a dotted module are one span."""
    tags = ["O" if kind == "O" else f"B-{kind}" for kind in kinds]
    for place in range(2, len(words)):
        dotted = words[place - 1] == "." and kinds[place] == kinds[place - 2] == "module"
        if dotted and tags[place - 2] != "O":
            tags[place - 1] = tags[place] = "I-module"
    return tags
