"""Questions about functions of Python's standard library, with answers in their documentation.

Read from its sources. A context holds five functions that are documented one after the other in a
file, each with its signature and the first paragraph of its docstring. Asked is what one of them
does or returns, or what a parameter is by default; the words of the answer are those of the
docstring or the signature. About a fifth has no answer: a parameter that another function has but
this one lacks or must be given, or a function that the context does not document. All are those of
the Python that runs: another one has others. Splits are by context.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from threefold.datasets.bundled.standard_library import AREAS, documented, source_files
from threefold.datasets.dataset import Dataset
from threefold.datasets.facts import Facts
from threefold.datasets.splitting import SplitFractions
from threefold.datasets.texts.questions.questions import (
    Question,
    build_question_dataset,
    split_questions,
)
from threefold.datasets.texts.tokenizer_config import QuestionTokenizerConfig

TASK = "question_answering"
IN_A_CONTEXT = 3  # functions
ASKED = {"default": 2, "what": 2, "none": 1}  # questions about a context at most
_FEWEST, _MOST = 3, 30  # words of a first paragraph
_LONGEST_SIGNATURE = 120  # characters
_CALL = re.compile(r"[\w.]*\(")  # how a first paragraph begins that is a signature
_RETURNS = re.compile(r"Returns? (?=\w)")
_SENTENCE = re.compile(r".+?(?=[.:;](\s|$)|$)")


class Function(NamedTuple):
    """A function, as a context describes it.

    Args:
        name: str. `CLASS.NAME`, or `NAME`.
        signature: str. With its parameters.
        summary: str. The first paragraph of its docstring, on one line.
        parameters: dict of str to pair of int. Where the default of each stands in the signature;
            `None` for one that must be given.
    """

    name: str
    signature: str
    summary: str
    parameters: dict[str, tuple[int, int] | None]


def load(
    *,
    facts: Facts | None = None,
    tokenizer_config: QuestionTokenizerConfig = QuestionTokenizerConfig(
        vocabulary_size=4000, max_tokens=160, max_question_tokens=32
    ),
    split_fractions: SplitFractions = SplitFractions(),
) -> Dataset:
    """Load the questions.

    Args:
        facts: Facts. Those of a run: its tokenizer and windows then rule.
        tokenizer_config: QuestionTokenizerConfig. How questions and contexts become tokens.
        split_fractions: SplitFractions. How contexts are divided where nothing says so.

    Returns:
        Dataset. Of `QuestionWindows`.

    Raises:
        UserError: where Python came without its sources.
    """
    contexts, questions = read_questions()
    rows = split_questions(questions, split_fractions)
    return build_question_dataset(
        "stdlib_questions", contexts, questions, rows, tokenizer_config, facts=facts
    )


@cache
def read_questions() -> tuple[list[str], list[Question]]:
    """Return the contexts in the order of the library, and questions; always the same."""
    contexts: list[str] = []
    questions: list[Question] = []
    seen: set[str] = set()
    random = np.random.default_rng(0)
    for path in source_files(" ".join(AREAS.values())):
        functions = [f for f in _functions(path) if f.summary not in seen]
        seen |= {f.summary for f in functions}
        groups = [
            functions[start : start + IN_A_CONTEXT]
            for start in range(0, len(functions) - IN_A_CONTEXT + 1, IN_A_CONTEXT)
        ]
        for group in groups:
            lines = [f"{function.signature}: {function.summary}" for function in group]
            elsewhere = [f for other in groups for f in other if f not in group]
            for text, line, place in _choose(group, elsewhere, random):
                begin = sum(len(before) + 1 for before in lines[:line])
                answers, where = (), None
                if place is not None:
                    where = begin + place[0], begin + place[1]
                    answers = (lines[line][slice(*place)],)
                questions.append(Question(text, len(contexts), answers, where))
            contexts.append("\n".join(lines))
    return contexts, questions


def _functions(path) -> Iterator[Function]:
    names: set[str] = set()
    for signature, docstring, code in documented(path):
        summary = " ".join(docstring.partition("\n\n")[0].split())
        name, _, rest = signature.partition("(")
        explicit = _FEWEST <= len(summary.split()) <= _MOST and not _CALL.match(summary)
        short = signature.isascii() and len(signature) <= _LONGEST_SIGNATURE
        if code and explicit and short and name not in names and not name.startswith("class "):
            names.add(name)
            parameters = _parameters(rest[:-1], len(name) + 1)
            yield Function(name, signature, summary, parameters)


def _parameters(text: str, before: int) -> dict[str, tuple[int, int] | None]:
    """Return where defaults of parameters come after so many characters."""
    head = "def f("
    arguments = ast.parse(f"{head}{text}): pass").body[0].args
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(plain) - len(arguments.defaults)) + arguments.defaults
    pairs = zip([*plain, *arguments.kwonlyargs], [*defaults, *arguments.kw_defaults], strict=True)
    move = before - len(head)
    return {
        argument.arg: node and (node.col_offset + move, node.end_col_offset + move)
        for argument, node in pairs
        if argument.arg not in ("self", "cls")
    }


_QuestionSet = tuple[str, int, tuple[int, int] | None]  # the question, of which line, where in it


def _choose(
    group: Sequence[Function], elsewhere: Sequence[Function], random: np.random.Generator
) -> list[_QuestionSet]:
    """Return some of all questions that can be asked about a context."""
    given = dict.fromkeys(n for f in group for n, place in f.parameters.items() if place)
    kinds: dict[str, list[_QuestionSet]] = {
        "default": [
            (_default(function, name), line, place)
            for line, function in enumerate(group)
            for name, place in function.parameters.items()
            if place is not None
        ],
        "what": [_what(function, line) for line, function in enumerate(group)],
        "none": [
            (_default(function, name), line, None)
            for line, function in enumerate(group)
            for name in given
            if function.parameters.get(name) is None
        ],
    }
    if elsewhere:
        known = {function.name for function in group}
        other = elsewhere[random.integers(len(elsewhere))]
        if other.name not in known:
            kinds["none"].append((_what(other, 0)[0], 0, None))
    found = []
    for kind, asked in kinds.items():
        chosen = np.sort(random.permutation(len(asked))[: ASKED[kind]])
        found += [asked[place] for place in chosen]
    return found


def _default(function: Function, parameter: str) -> str:
    return f"What is {parameter} by default in {function.name}?"


def _what(function: Function, line: int) -> _QuestionSet:
    returns = _RETURNS.match(function.summary)
    start = returns.end() if returns else 0
    end = start + len(_SENTENCE.match(function.summary[start:])[0].rstrip())
    before = len(function.signature) + 2
    question = f"What does {function.name} {'return' if returns else 'do'}?"
    return question, line, (before + start, before + end)
