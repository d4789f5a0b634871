"""Questions of a user's own with their contexts and answers: SQuAD's form, or rows of the hub's."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from threefold.core.errors import UserError, suggest
from threefold.core.files import parse_json
from threefold.datasets.dataset import Dataset
from threefold.datasets.facts import Facts
from threefold.datasets.reader import Reader
from threefold.datasets.splitting import SplitFractions
from threefold.datasets.texts.questions.questions import (
    Question,
    build_question_dataset,
    split_questions,
)
from threefold.datasets.texts.text_files import read_lines, read_text
from threefold.datasets.texts.tokenizer_config import QuestionTokenizerConfig

READER = Reader(
    ("question_answering",),
    files=(".json",),
    only="a file of questions with contexts and answers, a .json or .jsonl",
    fields=(("question", "context", "answers"),),
)
SUFFIXES = (".json", ".jsonl")


class QuestionSet(NamedTuple):
    """What was read: contexts, each once, questions about them, and what was left out."""

    contexts: list[str]
    questions: list[Question]
    notes: list[str]


def load(
    path: str,
    *,
    facts: Facts | None = None,
    encoding: str = "utf-8",
    skip_bad: bool = False,
    tokenizer_config: QuestionTokenizerConfig = QuestionTokenizerConfig(),
    split_fractions: SplitFractions = SplitFractions(),
) -> Dataset:
    """Load questions.

    Args:
        path: str. A `.json` file of SQuAD's form, 1.1 or 2.0, or a list of rows; or a `.jsonl`
            file of rows: `question`, `context`, `answers` (`text` and `answer_start`) and maybe
            `id`.
        facts: Facts. Those of a run: its tokenizer and windows then rule.
        encoding: str. Of the characters of the file.
        skip_bad: bool. Whether questions that cannot be used are left out or refused. Those whose
            answer is not where its answer_start says are always left out.
        tokenizer_config: QuestionTokenizerConfig. How questions and contexts become tokens.
        split_fractions: SplitFractions. How contexts are divided where nothing says so.

    Returns:
        Dataset. Of `QuestionWindows`.

    Raises:
        UserError: for a file or a question that cannot be used, with its place.
    """
    asked = read_questions(path, encoding=encoding, skip_bad=skip_bad)
    rows = split_questions(asked.questions, split_fractions)
    return build_question_dataset(
        path,
        asked.contexts,
        asked.questions,
        rows,
        tokenizer_config,
        facts=facts,
        notes=asked.notes,
    )


def read_questions(path: str, *, encoding: str = "utf-8", skip_bad: bool = False) -> QuestionSet:
    """Read questions with their contexts and answers.

    Args:
        path: str. As in `load`.
        encoding: str. Of the characters of the file.
        skip_bad: bool. Whether questions that cannot be used are left out or refused.

    Returns:
        Asked. At least one question.

    Raises:
        UserError: for a file or a question that cannot be used, with its place.
    """
    contexts: dict[str, int] = {}
    questions, seen = [], {}
    bad: list[str] = []
    misplaced: list[str] = []
    count = 0
    for where, row in read_rows(path, encoding=encoding):
        count += 1
        where = f"{where}, id {row['id']}" if row.get("id") else where
        try:
            text, context, answers = _parse(row)
            if row.get("id") is not None and seen.setdefault(str(row["id"]), where) is not where:
                raise _BadRowError(f"the id is that of {seen[str(row['id'])]}, too")
        except _BadRowError as error:
            if not skip_bad:
                raise UserError(
                    f"{where}: {error}; fix it, or leave such out with -d skip_bad=true"
                ) from None
            bad.append(f"{where}: {error}")
            continue
        place = next((found for a in answers if (found := _locate(context, *a))), None)
        if answers and place is None:
            misplaced.append(where)
            continue
        number = contexts.setdefault(context, len(contexts))
        # Right answers are given several times, by several people.
        explicit = tuple(dict.fromkeys(answer for answer, _ in answers if answer.strip()))
        questions.append(Question(text, number, explicit, place))
    notes = _say_left_out(bad, misplaced, count)
    if not questions:
        why = f": {notes[0]}" if notes else ""
        raise UserError(f"{path} holds no question that can be used{why}")
    none = sum(not question.answers for question in questions)
    about = f"{len(questions)} questions about {len(contexts)} contexts"
    return QuestionSet(
        list(contexts), questions, [about + (f", {none} without an answer" if none else ""), *notes]
    )


def _say_left_out(bad: list[str], misplaced: list[str], count: int) -> list[str]:
    notes = []
    if misplaced:
        notes.append(
            f"left out: {len(misplaced)} of {count} questions whose answer is not where "
            f"answer_start says, the first: {misplaced[0]}"
        )
    if bad:
        notes.append(
            f"left out: {len(bad)} of {count} questions that cannot be used, the first: {bad[0]}"
        )
    return notes


def read_rows(path: str, *, encoding: str = "utf-8") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield rows, and what messages call each: those of SQuAD's form with their context.

    Raises:
        UserError: for a file that is no JSON, or of another form.
    """
    file = Path(path).expanduser()
    text = read_text(file, encoding=encoding)
    if not text.strip():
        raise UserError(f"{file} is empty; expected questions as JSON")
    if file.suffix.lower() == ".jsonl":
        yield from _read_lines(file, text)
        return
    try:
        content = parse_json(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":  # lines of JSON under the name of one
            yield from _read_lines(file, text)
            return
        raise _no_json(f"{file} line {error.lineno}", error) from None
    if isinstance(content, dict):
        content = content.get("data", [content] if "question" in content else None)
    if not isinstance(content, list):
        raise UserError(
            f'{file}: expected SQuAD\'s form, {{"data": [{{"paragraphs": [...]}}]}}, or a list of '
            "rows"
        )
    for number, row in enumerate(content, 1):
        if isinstance(row, dict) and "question" in row:
            yield f"{file} row {number}", row
        else:
            yield from _read_article(row, f"{file} article {number}")


def _read_lines(file: Path, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in read_lines(text):
        where = f"{file} line {number}"
        try:
            row = parse_json(line)
        except json.JSONDecodeError as error:
            raise _no_json(where, error) from None
        if not isinstance(row, dict):
            raise UserError(f'{where}: expected an object such as {{"question": "..."}}')
        yield where, row


def _no_json(where: str, error: json.JSONDecodeError) -> UserError:
    return UserError(f"{where}, character {error.colno}: no JSON ({error.msg})")


def _read_article(article: Any, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, paragraph in enumerate(_require(article, "paragraphs", list, where), 1):
        place = f"{where} paragraph {number}"
        context = _require(paragraph, "context", str, place)
        for row, question in enumerate(_require(paragraph, "qas", list, place), 1):
            if not isinstance(question, dict):
                raise UserError(f"{place} question {row}: expected an object")
            yield f"{place} question {row}", question | {"context": context}


def _require(found: Any, name: str, kind: type, where: str) -> Any:
    """Return what an object holds under a name."""
    if not isinstance(found, dict):
        raise UserError(f"{where}: expected an object with '{name}'")
    if not isinstance(found.get(name), kind):
        hint = suggest(name, found) if name not in found else f": expected {_WORDS[kind]}"
        raise UserError(f"{where} has no '{name}'{hint}")
    return found[name]


_WORDS = {str: "a text", list: "a list"}


class _BadRowError(Exception):
    """What is wrong with a question."""


def _parse(row: dict[str, Any]) -> tuple[str, str, list[tuple[str, int]]]:
    """Return the question, its context, and answers with the characters that they begin at."""
    for name in ("question", "context"):
        text = row.get(name)
        if not isinstance(text, str):
            raise _BadRowError(f"'{name}' is {'no text' if name in row else 'missing'}")
        if not text.strip():
            raise _BadRowError(f"the {name} is empty")
    if row.get("is_impossible"):
        answers = []
    elif row.get("answers") is None:
        raise _BadRowError("'answers' is missing")
    else:
        answers = _parse_answers(row["answers"])
    try:
        "".join([row["question"], row["context"], *(text for text, _ in answers)]).encode()
    except UnicodeEncodeError:
        raise _BadRowError("it holds half a character") from None
    return row["question"].strip(), row["context"], answers


def _parse_answers(answers: Any) -> list[tuple[str, int]]:
    if isinstance(answers, list):  # SQuAD's own
        if not all(isinstance(answer, dict) for answer in answers):
            raise _BadRowError("'answers' is no list of objects")
        texts, starts = ([a.get(name) for a in answers] for name in ("text", "answer_start"))
    elif isinstance(answers, dict):  # the hub's
        texts, starts = (answers.get(name, []) for name in ("text", "answer_start"))
        if isinstance(texts, str):
            texts, starts = [texts], [starts]
    else:
        raise _BadRowError("'answers' is neither a list nor an object")
    for name, found, kind in (("text", texts, str), ("answer_start", starts, int)):
        if not (isinstance(found, list) and all(isinstance(value, kind) for value in found)):
            raise _BadRowError(f"'answers' lacks a '{name}', or has one of another kind")
    if len(texts) != len(starts):
        raise _BadRowError(f"'answers' holds {len(texts)} texts and {len(starts)} answer_start")
    return list(zip(texts, starts, strict=True))


def _locate(context: str, answer: str, start: int) -> tuple[int, int] | None:
    """Return from which character to which an answer stands, spaces around it left out."""
    if start < 0 or not answer.strip() or context[start : start + len(answer)] != answer:
        return None
    before = len(answer) - len(answer.lstrip())
    return start + before, start + len(answer.rstrip())
