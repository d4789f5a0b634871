"""Answers to questions: spans, windows that belong together, exact match and F1."""

import numpy as np
import pytest

from threefold.datasets.facts import QuestionFacts
from threefold.datasets.raw_inputs import Inputs
from threefold.datasets.texts.questions.questions import Question, QuestionWindows
from threefold.datasets.texts.tokenizing import token_names, train_tokenizer
from threefold.tasks.metrics.answer_scores import exact_match, normalise, score_answers, word_f1
from threefold.tasks.metrics.question_baselines import cut, split
from threefold.tasks.prediction import predict
from threefold.tasks.question_answering import (
    LONGEST_ANSWER,
    MASKED,
    QuestionAnswering,
    best_windows,
)

CONTEXT = "one two three four five six seven eight nine"


def facts_of(unanswerable: bool, max_length: int = 4, stride: int = 2) -> QuestionFacts:
    content = train_tokenizer("word", [CONTEXT], 100)
    return QuestionFacts(
        tokenizer=content, vocabulary_size=len(token_names(content)), max_length=max_length,
        max_question_length=5, stride=stride, unanswerable=unanswerable,
    )  # fmt: skip


def windows_of(facts: QuestionFacts) -> QuestionWindows:
    place = CONTEXT.index("six"), CONTEXT.index("six") + 3
    questions = [Question("which", 0, ("six",), place), Question("none", 0)]
    return QuestionWindows([CONTEXT], questions, facts)


def point(task: QuestionAnswering, spans: list[tuple[int, int, float]]) -> dict[str, np.ndarray]:
    """Return answers of windows: a start, an end, and how sure it is over none."""
    logits = np.zeros((len(spans), 2, task.facts.max_length + 1), np.float32)
    logits[:, :, 1:] = -50
    for row, (start, end, score) in enumerate(spans):
        logits[row, 0, start] = logits[row, 1, end] = score / 2
    return task.postprocess(logits)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The Denver Broncos", "denver broncos"),
        ("Denver Broncos!", "Denver   Broncos"),
        ("an apple, a pear", "apple pear"),
        ("theatre", "theatre."),
    ],
)
def test_case_articles_punctuation_and_spaces_do_not_count(one, other):
    assert normalise(one) == normalise(other)
    assert exact_match(one, other) == word_f1(one, other) == 1.0


def test_f1_counts_words_in_common():
    assert word_f1("the Broncos", "Denver Broncos") == pytest.approx(2 / 3)
    assert word_f1("gold gold", "gold medal") == pytest.approx(0.5)
    assert word_f1("silver", "gold") == 0.0
    assert word_f1("", "") == 1.0 and word_f1("", "gold") == word_f1("gold", "") == 0.0


def test_the_best_of_all_right_answers_counts_and_none_has_its_own_numbers():
    found = ["Santa Clara", "Levi's", "", "gold"]
    wanted = [["Santa Clara, California", "Santa Clara"], ["Levi's Stadium"], [], ["the"]]
    assert score_answers(found[:2], wanted[:2]) == {
        "f1": pytest.approx((1 + 2 / 3) / 2), "exact_match": 0.5,
    }  # fmt: skip
    # Right answers of an article alone are none, as in SQuAD's own evaluation.
    metrics = score_answers(found, wanted)
    assert metrics["has_answer_f1"] == pytest.approx((1 + 2 / 3) / 2)
    assert metrics["no_answer_accuracy"] == 0.5
    assert metrics["f1"] == pytest.approx((1 + 2 / 3 + 1 + 0) / 4)
    assert "has_answer_f1" not in score_answers(["", ""], [[], []])


@pytest.mark.parametrize("count", [1, 5, LONGEST_ANSWER + 9])
def test_the_best_span_is_that_of_a_search_of_all(count):
    task, sample = QuestionAnswering(facts_of(True)), np.random.default_rng(count)
    logits = sample.normal(0, 3, (20, 2, 1 + count)).astype(np.float32)
    logits[:5, :, 1 + (count + 1) // 2 :] = MASKED
    answers = task.postprocess(logits)
    for row in range(20):
        spans = {
            (start, end): float(logits[row, 0, start]) + float(logits[row, 1, end])
            for start in range(1, count + 1)
            for end in range(start, min(start + LONGEST_ANSWER, count + 1))
        }
        best = max(spans, key=spans.__getitem__)
        assert (answers["start"][row], answers["end"][row]) == best
        none = float(logits[row, :, 0].sum())
        assert answers["score"][row] == pytest.approx(spans[best] - none, abs=1e-4)
    np.testing.assert_allclose(answers["start_probabilities"].sum(axis=1), 1, rtol=1e-5)


def test_a_near_second_span_is_undecided():
    task = QuestionAnswering(facts_of(True))
    logits = np.zeros((3, 2, 5), np.float32)
    logits[0, :, 1] = 9
    logits[1, 0, 2], logits[1, 1, 2:4] = 9, 9  # two ends of the same logit
    logits[2, 0, 2], logits[2, 1, 2], logits[2, 1, 3] = 9, 9, 8.99
    assert task.near_ties(task.postprocess(logits), 1e-5).tolist() == [False, True, False]


def test_the_best_window_of_each_question_is_chosen():
    ids, scores = np.array([4, 4, 2, 2, 9]), np.array([1.0, 3.0, 2.0, 2.0, -5.0])
    assert best_windows(ids, scores).tolist() == [2, 1, 4]


@pytest.mark.parametrize("unanswerable", [False, True])
def test_windows_of_one_question_are_judged_as_one_answer(unanswerable):
    task = QuestionAnswering(facts_of(unanswerable))
    source = windows_of(task.facts)
    examples = source[np.arange(len(source))]
    assert examples["start"].tolist() == [0, 4, 2, 0] + [0] * 4
    right = [(1, 2, -3), (4, 4, 5), (2, 2, 8), (1, 3, -1)]
    answers = point(task, right + [(1, 1, -4)] * 4)
    metrics = task.compute_metrics(answers, task.truth(examples))
    assert metrics["f1"] == metrics["exact_match"] == (1.0 if unanswerable else 0.5)
    assert metrics["has_answer_f1"] == 1.0
    answers = point(task, [(1, 2, -3), (4, 4, 5), (1, 1, 8), (1, 3, -1)] + [(1, 1, 4)] * 4)
    metrics = task.compute_metrics(answers, task.truth(examples))
    assert metrics["f1"] == metrics["no_answer_accuracy"] == 0.0


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_a_prediction_tells_of_each_question_once(batch_size):
    task = QuestionAnswering(facts_of(True))
    source = windows_of(task.facts)
    examples = source[np.arange(len(source))]
    spans = [(1, 2, -3.0), (4, 4, 5.0), (2, 2, 8.0), (1, 3, -1.0)] + [(1, 1, -4.0)] * 4
    rows = iter(spans)

    def answer(batch):
        return point(task, [next(rows) for _ in batch["question"]])

    names = ["first"] * 4 + ["second"] * 4
    found = predict(answer, task, [Inputs(names, examples, [])], batch_size)
    assert [record["input"] for record in found.records] == ["first", "second"]
    one, other = found.records
    assert one["question"] == "which" and one["answer"] == "six"
    assert CONTEXT[one["start_char"] : one["end_char"]] == "six" and one["score"] > 0.99
    assert one["answer"] in one["context"]
    assert other["answer"] == "" and other["start_char"] is None and other["score"] < 0.1


def test_a_question_is_answered_where_none_was_without_an_answer():
    task = QuestionAnswering(facts_of(False))
    examples = windows_of(task.facts)[np.arange(1)]
    (record,) = task.describe(point(task, [(1, 2, -3)]), examples)
    assert record["answer"] == "one two"


def test_the_loss_is_that_of_both_positions():
    task = QuestionAnswering(facts_of(True))
    source = windows_of(task.facts)
    examples = source[np.arange(4)]
    answers = task.postprocess(np.zeros((4, 2, 5), np.float32))
    assert task.compute_metrics(answers, task.truth(examples))["loss"] == pytest.approx(np.log(5))
    assert task.targets(examples).tolist() == [[0, 0], [4, 4], [2, 2], [0, 0]]


def test_the_simple_method_takes_words_behind_those_of_the_question():
    context = "It is 3.5 km long. The river rises in the hills.\nlast line"
    assert split(context) == ["It is 3.5 km long.", "The river rises in the hills.", "last line"]
    assert cut("The river rises in the hills.", "Where does the river rise?", 3) == "hills"
    assert cut("The river rises.", "Which river?", 1) == "rises"
    assert cut("", "Which?", 1) == ""


def test_simple_methods_are_judged_on_the_questions():
    task = QuestionAnswering(facts_of(True, max_length=9))
    methods = task.baselines(windows_of(task.facts))
    source = windows_of(task.facts)
    found = {
        name: compute_baseline_metrics(source) for name, compute_baseline_metrics in methods.items()
    }
    assert found["no answer to any"]["no_answer_accuracy"] == 1.0
    assert len(found) == 2 and all(set(m) >= {"f1", "exact_match"} for m in found.values())


def test_an_answer_of_articles_and_punctuation_alone_is_none():
    from threefold.tasks.metrics.answer_scores import drop_empty, score_answers

    assert drop_empty(["()", "the", "a list"]) == ["a list"]
    assert score_answers([""], [["()"]]) == {"f1": 1, "exact_match": 1, "no_answer_accuracy": 1}
