import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, jaccard_score

from threefold.datasets.images.augmentation import IGNORED
from threefold.tasks.metrics.mask_scores import boundary_f1, score_masks

NAMES = ("sea", "land", "sky", "none")


def score(found, masks):
    found = np.asarray(found)
    return score_masks(np.eye(4, dtype=np.float32)[found], found, np.asarray(masks), NAMES)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_overlaps_are_those_of_scikit_learn(seed):
    random = np.random.default_rng(seed)
    masks = random.integers(0, 3, (2, 7, 6)).astype(np.uint8)
    masks[random.random(masks.shape) < 0.2] = IGNORED
    found = random.integers(0, 4, masks.shape)
    known = masks != IGNORED
    true, taken = masks[known], found[known]
    seen = np.unique(true)
    metrics = score(found, masks)
    for wanted, name in ((jaccard_score, "mean_iou"), (f1_score, "dice")):
        value = wanted(true, taken, labels=seen, average="macro", zero_division=0)
        assert metrics[name] == pytest.approx(value)
    assert metrics["pixel_accuracy"] == pytest.approx(accuracy_score(true, taken))
    assert set(metrics["by_class"]) == {NAMES[i] for i in seen}


def test_what_is_right_everywhere_has_the_best_scores():
    masks = np.kron(np.array([[[0, 1], [2, 0]]]), np.ones((1, 5, 5))).astype(np.uint8)
    metrics = score(masks, masks)
    wanted = {"mean_iou": 1, "dice": 1, "pixel_accuracy": 1, "boundary_f1": 1, "loss": 0}
    assert {name: metrics[name] for name in wanted} == pytest.approx(wanted)


def test_a_pixel_that_counts_for_nothing_changes_no_score():
    masks = np.array([[[0, 1, 1], [0, 0, 1]]], np.uint8)
    before = score(masks, masks)
    more = np.concatenate([masks, np.full((1, 2, 3), IGNORED, np.uint8)])
    assert score(np.concatenate([masks, masks[:, ::-1]]), more) == before


def test_outlines_may_lie_a_little_beside_the_true_ones():
    true = np.zeros((1, 40, 40), bool)
    true[:, 10:20, 10:20] = True
    known = np.ones_like(true)
    assert boundary_f1(np.roll(true, 1, axis=1), true, known) == 1
    assert boundary_f1(np.roll(true, 5, axis=1), true, known) < 0.6
    assert boundary_f1(np.zeros_like(true), true, known) == 0


def test_masks_without_a_known_pixel_have_scores():
    found = np.zeros((1, 2, 2), int)
    assert score(found, np.full((1, 2, 2), IGNORED, np.uint8))["pixel_accuracy"] == 0
