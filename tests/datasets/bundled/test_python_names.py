"""What each name in Python source is."""

import ast
import textwrap

import pytest

from threefold.datasets.bundled.python_names import KINDS, tag_source
from threefold.datasets.bundled.standard_library import source_files


def tagged(source):
    """Return each statement as `name/kind` for what is tagged, inside spans with a plus."""
    found = []
    for words, tags in tag_source(textwrap.dedent(source)):
        pairs = zip(words, tags, strict=True)
        found.append(" ".join(
            f"{'+' if tag[0] == 'I' else ''}{word}/{tag[2:]}" for word, tag in pairs if tag != "O"
        ))  # fmt: skip
    return found


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import os.path, sys as s", "os/module +./module +path/module sys/module s/module"),
        ("from a.b import Shape as S, run", "a/module +./module +b/module Shape/class S/class "
         "run/variable"),
        ("from . import run", "run/variable"),
        ("x = len(y)", "x/variable len/function y/variable"),
        ("x = int(y)", "x/variable int/class y/variable"),
        ("raise Wrong(1)", "Wrong/class"),
        ("a.b.c(d=1)", "a/variable b/attribute c/method d/argument"),
        ("def f(x, *y, k=z, **w): return g(x)", "f/function x/argument y/argument k/argument "
         "z/variable w/argument g/function x/argument"),
        ("def f(x):\n  def g(y): return x + y\n  return g", "f/function x/argument g/function "
         "y/argument x/argument y/argument g/function"),
        ("f = lambda x: x + y", "f/variable x/argument x/argument y/variable"),
        ("def f():\n  len = 3\n  return len", "f/function len/variable len/variable"),
        ("def f(é): return é.ü", "f/function é/argument é/argument ü/attribute"),
        ("@a.b\ndef f(): pass", "a/variable b/attribute f/function"),
        ("async def f(): await g()", "f/function g/function"),
        ("try: x()\nexcept OSError as e: y(e)", "x/function OSError/class e/variable y/function "
         "e/variable"),
        ("x = 'a name'  # and another", "x/variable"),
        ("x = f'{y} and {z}'", "x/variable"),
        ("x = [y for y in z if y]", "x/variable y/variable y/variable z/variable y/variable"),
    ],
)  # fmt: skip
def test_names_are_tagged_by_what_they_are(source, expected):
    assert tagged(source) == [expected]


def test_names_of_the_file_are_known_everywhere_in_it():
    source = """
        import json
        class Shape(Base):
            'What it is.'
            sides = 3

            def area(self, scale):
                \"\"\"Return
                it.\"\"\"
                return json.dumps(helper, Shape, scale)
        def helper(): pass
    """
    assert tagged(source) == [
        "json/module",
        "Shape/class Base/class",
        "sides/variable",
        "area/method self/argument scale/argument json/module dumps/method helper/function "
        "Shape/class scale/argument",
        "helper/function",
    ]


def test_comments_and_docstrings_are_no_words():
    (statement,) = tag_source("def f():\n    '''Say x.'''\n    return 'x y'  # z\n")
    assert statement.words == ["def", "f", "(", ")", ":", "return", "'", "x", "y", "'"]


def test_every_name_of_real_source_has_a_kind():
    names = {name.id for path in source_files("textwrap") for name in
             ast.walk(ast.parse(path.read_bytes())) if isinstance(name, ast.Name)}  # fmt: skip
    found = set()
    for path in source_files("textwrap"):
        for words, tags in tag_source(path.read_text()):
            assert len(words) == len(tags)
            assert {tag[2:] for tag in tags if tag != "O"} <= set(KINDS)
            found |= {word for word, tag in zip(words, tags, strict=True) if tag != "O"}
    assert names <= found
