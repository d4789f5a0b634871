"""Which answers were the most wrong, and what the examples after them held."""

import textwrap
from dataclasses import dataclass

import numpy as np

from threefold.datasets.facts import TableFacts, TextFacts, TextPairFacts
from threefold.tasks.evaluation import Evaluation

SHOWN = 24
COLUMNS_SHOWN = 40
LONGEST_EXCERPT = 300  # characters of a text


@dataclass(frozen=True)
class MistakeTable:
    """The worst mistakes on a table's rows, worst first, as text.

    Args:
        header: list of str. What was asked and answered, then the columns of the table.
        rows: list of list of str. One a mistake.
        columns: int. How many columns the examples have; the first `COLUMNS_SHOWN` are here.
    """

    header: list[str]
    rows: list[list[str]]
    columns: int


def find_mistakes(evaluation: Evaluation) -> np.ndarray:
    """Return the positions of the worst mistakes, worst first.

    A wrong class is the worse the more probable it was thought; wrong numbers, the larger their
    errors, each in units of its target's scale.

    Args:
        evaluation: Evaluation. Of classes or numbers.

    Returns:
        int array of at most `SHOWN` positions in the evaluation; empty where nothing was wrong.
    """
    badness = _errors(evaluation)
    order = np.argsort(-badness, kind="stable")[:SHOWN]
    return order[badness[order] > 0]


def count_mistakes(evaluation: Evaluation) -> int:
    """Return how many answers were wrong at all."""
    return int(np.count_nonzero(_errors(evaluation)))


def tabulate_mistakes(evaluation: Evaluation) -> MistakeTable:
    """Return the worst mistakes on the rows of a table, or on texts.

    Args:
        evaluation: Evaluation. Its task's facts are those of a table or of texts.

    Returns:
        MistakeTable. Without rows where nothing was wrong.
    """
    facts, positions = evaluation.task.facts, find_mistakes(evaluation)
    examples = evaluation.source[positions] if len(positions) else {}
    if facts.kind == "text":
        names, decode = ["text"], _excerpt
    elif facts.kind == "text_pair":
        names, decode = list(facts.columns), _excerpts
    else:
        names = [column.name for column in (*facts.numeric, *facts.dates, *facts.categorical)]
        decode = _decode
    rows = [
        _format_answer(evaluation, position) + decode(facts, examples, row)[:COLUMNS_SHOWN]
        for row, position in enumerate(positions)
    ]
    asked = ["true", "predicted", "probability"]
    if not facts.class_names:
        asked = [f"{word} {t.name}" for t in facts.targets for word in ("true", "predicted")]
    return MistakeTable(asked + names[:COLUMNS_SHOWN], rows, len(names))


def _errors(evaluation: Evaluation) -> np.ndarray:
    """Return how wrong each answer was, shape (examples,); 0 where it was right."""
    predictions, truth = evaluation.predictions, evaluation.truth
    if "label" in truth:
        wrong = predictions["label_index"] != truth["label"]
        return np.where(wrong, predictions["probabilities"].max(axis=-1), 0.0)
    scale = np.array([target.scale for target in evaluation.task.facts.targets])
    return np.mean(np.abs(predictions["predictions"] - truth["target"]) / scale, axis=-1)


def _format_answer(evaluation: Evaluation, position: int) -> list[str]:
    predictions, truth = evaluation.predictions, evaluation.truth
    if "label" in truth:
        names, chosen = evaluation.task.facts.class_names, predictions["label_index"][position]
        probability = predictions["probabilities"][position, chosen]
        return [names[truth["label"][position]], names[chosen], f"{probability:.3f}"]
    pairs = zip(truth["target"][position], predictions["predictions"][position], strict=True)
    return [f"{value:.5g}" for pair in pairs for value in pair]


def _decode(facts: TableFacts, examples: dict[str, np.ndarray], row: int) -> list[str]:
    """Return an example's cells as a person wrote them, as far as the network's input shows."""
    cells = []
    if facts.numeric:
        cells += ["" if np.isnan(value) else f"{value:.6g}" for value in examples["numeric"][row]]
    if facts.dates:
        cells += [_format_date(days) for days in examples["dates"][row]]
    if facts.categorical:
        ids = examples["categorical"][row]
        cells += [
            column.vocabulary[word - 1] if word else "(missing or another word)"
            for column, word in zip(facts.categorical, ids, strict=True)
        ]
    return cells


def _excerpt(facts: TextFacts, examples: dict[str, np.ndarray], row: int) -> list[str]:
    return [textwrap.shorten(str(examples["text"][row]), LONGEST_EXCERPT, placeholder=" …")]


def _excerpts(facts: TextPairFacts, examples: dict[str, np.ndarray], row: int) -> list[str]:
    texts = (str(examples[name][row]) for name in ("first_text", "second_text"))
    return [textwrap.shorten(text, LONGEST_EXCERPT // 2, placeholder=" …") for text in texts]


def _format_date(days: float) -> str:
    """Return days since 1970-01-01 as a date, with the time of day where there is one."""
    if np.isnan(days):
        return ""
    minutes = round(float(days) * 24 * 60)
    unit = "m" if minutes % (24 * 60) else "D"
    return np.datetime_as_string(np.datetime64(minutes, "m"), unit=unit).replace("T", " ")
