import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score

from threefold.tasks.metrics.label_decisions import (
    FEWEST,
    USUAL,
    choose_thresholds,
    score_labels,
)

NAMES = ("sea", "sky", "boat")


def make(seed, examples=60):
    random = np.random.default_rng(seed)
    present = random.random((examples, 3)) < [0.5, 0.3, 0.25]
    # Few distinct numbers, so that many are equal.
    probabilities = np.round(np.clip(random.normal(0.2 + 0.4 * present, 0.2), 0, 1), 1)
    return probabilities.astype(np.float32), present


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000))
def test_no_threshold_has_a_better_f1(seed):
    probabilities, present = make(seed)
    found = choose_thresholds(probabilities, present)
    common = np.minimum(present.sum(axis=0), (~present).sum(axis=0)) >= FEWEST
    assert found.own == common.sum()
    for label in np.flatnonzero(common):

        def f1(threshold, label=label):
            taken = probabilities[:, label] >= threshold
            return f1_score(present[:, label], taken, zero_division=0)

        best = max(map(f1, np.arange(-0.05, 1.1, 0.1)))  # one between any two that differ
        assert f1(found.values[label]) == pytest.approx(best)


def test_rare_labels_share_a_threshold():
    probabilities, present = make(0)
    present[:, 2] = False
    present[:3, 2] = True
    found = choose_thresholds(probabilities, present)
    assert found.own == 2
    alone = choose_thresholds(probabilities[:, 2:], present[:, 2:])
    assert found.values[2] != pytest.approx(alone.values[0])  # three images say too little


def test_where_nothing_is_present_the_threshold_is_the_usual_one():
    found = choose_thresholds(np.full((4, 3), 0.2), np.zeros((4, 3), bool))
    assert found.values.tolist() == [USUAL] * 3


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_scores_are_those_of_scikit_learn(seed):
    probabilities, present = make(seed, 20)
    present[:, 0] = False  # a label that no image has is left out of the means
    metrics = score_labels(probabilities, probabilities >= 0.5, present, NAMES)
    seen = np.flatnonzero(present.any(axis=0))
    wanted = average_precision_score(present[:, seen], probabilities[:, seen], average="macro")
    assert metrics["mean_average_precision"] == pytest.approx(wanted)
    for average, name in (("macro", "f1"), ("micro", "micro_f1")):
        value = f1_score(present, probabilities >= 0.5, average=average, zero_division=0,
                         labels=seen if average == "macro" else None)  # fmt: skip
        assert metrics[name] == pytest.approx(value)
    assert set(metrics["by_class"]) == {NAMES[i] for i in seen}


def test_one_mistake_spoils_an_exact_match():
    present = np.array([[True, False, True], [False, True, False]])
    found = present.copy()
    found[1, 0] = True
    metrics = score_labels(found.astype(np.float32), found, present, NAMES)
    assert metrics["exact_match"] == 0.5


def test_a_split_without_labels_has_no_mean():
    metrics = score_labels(np.full((2, 3), 0.1), np.zeros((2, 3), bool), np.zeros((2, 3), bool),
                           NAMES)  # fmt: skip
    assert "mean_average_precision" not in metrics and metrics["exact_match"] == 1
