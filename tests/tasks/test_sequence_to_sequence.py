"""What translations and summaries share: tokens in, tokens out, each after the one before."""

import numpy as np
import pytest

from threefold.datasets.facts import PairFacts
from threefold.datasets.texts.tokenizing import END, START
from threefold.tasks.sequence_to_sequence import exact_match, take_best
from threefold.tasks.task import find_task

FACTS = PairFacts(
    source_tokenizer="", target_tokenizer="", source_vocabulary_size=20,
    target_vocabulary_size=20, max_source_length=20, max_target_length=12,
)  # fmt: skip


def objects(*rows):
    found = np.empty(len(rows), object)
    found[:] = [np.array(row, np.int32) for row in rows]
    return found


EXAMPLES = {"source": objects([4, 5, 6], [7]), "target": objects([8, 9], [4, 5, 6, 7, 8])}


@pytest.fixture(params=["translation", "summarization"])
def task(request):
    return find_task(request.param)(FACTS)


def test_each_token_is_told_from_those_before_it(task):
    inputs, targets = task.model_inputs(EXAMPLES), task.targets(EXAMPLES)
    assert inputs["source"].shape == (2, 8) and inputs["source"][1].tolist() == [7] + [0] * 7
    assert inputs["target"][0].tolist() == [START, 8, 9, 0, 0, 0, 0, 0]
    assert targets[0].tolist() == [8, 9, END, 0, 0, 0, 0, 0]
    np.testing.assert_array_equal(inputs["target"][1, 1:6], targets[1, :5])
    weights = task.sample_weights(targets)
    assert (weights > 0).tolist() == (targets > 0).tolist()


def test_what_is_to_be_answered_has_no_target(task):
    assert set(task.model_inputs({"source": EXAMPLES["source"]})) == {"source"}
    assert task.raw_inputs(EXAMPLES)["source"].tolist() == [[4, 5, 6], [7, 0, 0]]
    assert [len(row) for row in task.probes(EXAMPLES)["of another length"]["source"]] == [2, 1]


def test_the_best_answer_is_compared_up_to_its_end():
    predictions = {
        "tokens": np.array([[[8, 9, END, 0], [1, 1, 1, 1]], [[4, END, 0, 0], [8, 9, 3, 0]]])
    }
    found, wanted = take_best(predictions, {"target": np.array([[8, 9, 0, 0], [4, 5, 0, 0]])})
    assert [row.tolist() for row in found] == [[8, 9], [4]]
    assert exact_match(found, wanted) == 0.5


def test_scores_too_near_to_each_other_leave_the_order_undecided(task):
    scores = np.array([[-0.1, -0.2, -0.3], [-0.1, -0.10001, -0.3]])
    assert task.near_ties({"scores": scores}, 1e-4).tolist() == [False, True]
