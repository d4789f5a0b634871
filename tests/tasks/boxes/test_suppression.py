"""The best of many answers: as one by one, and the same in an exported graph."""

import numpy as np
import pytest

from threefold.tasks.boxes.geometry import pairwise_iou
from threefold.tasks.boxes.suppression import (
    CANDIDATES,
    MAX_IOU,
    MIN_SCORE,
    MOST,
    find_objects,
)
from threefold.tasks.boxes.suppression_graph import find_objects_in_graph

pytestmark = pytest.mark.once

WHOLE = np.ones((8, 4), np.float32), np.zeros((8, 4), np.float32), np.full((8, 4), 200, np.float32)


def crowded(seed: int, points: int, classes: int = 3) -> np.ndarray:
    """Return outputs whose boxes overlap much."""
    random = np.random.default_rng(seed)
    corner = random.uniform(0, 60, (8, points, 2))
    boxes = np.concatenate([corner, corner + random.uniform(10, 60, (8, points, 2))], axis=-1)
    logits = random.normal(-1, 2, (8, points, 1 + classes))
    return np.concatenate([boxes, logits], axis=-1).astype(np.float32)


def find_one_by_one(outputs: np.ndarray) -> list[tuple[np.ndarray, float, int]]:
    """Return the objects of an image by the words of the method."""
    probabilities = 1 / (1 + np.exp(-outputs[:, 4:].astype(np.float64)))
    scores = np.sqrt(probabilities[:, 0] * probabilities[:, 1:].max(axis=1))
    kinds = probabilities[:, 1:].argmax(axis=1)
    kept: list[int] = []
    for place in np.argsort(-scores, kind="stable")[:CANDIDATES]:
        rivals = [other for other in kept if kinds[other] == kinds[place]]
        overlaps = pairwise_iou(outputs[place, None, :4], outputs[rivals, :4])
        if scores[place] >= MIN_SCORE and not (overlaps > MAX_IOU).any():
            kept.append(place)
    return [(outputs[place, :4], scores[place], kinds[place]) for place in kept[:MOST]]


@pytest.mark.parametrize("points", [1, 5, 150, 600])
def test_objects_are_those_that_are_found_one_by_one(points):
    outputs = crowded(points, points)
    found = find_objects(outputs, *WHOLE)
    for row in range(8):
        wanted = find_one_by_one(outputs[row])
        count = found["count"][row]
        assert count == len(wanted)
        boxes, scores, kinds = (np.array(part) for part in zip(*wanted, strict=True))
        np.testing.assert_allclose(found["boxes"][row, :count], boxes, rtol=1e-6)
        np.testing.assert_allclose(found["scores"][row, :count], scores, rtol=1e-5)
        np.testing.assert_array_equal(found["class_index"][row, :count], kinds)
        assert not found["boxes"][row, count:].any() and not found["scores"][row, count:].any()


@pytest.mark.parametrize("points", [1, 150, 600])
def test_a_graph_finds_the_same(points):
    outputs = crowded(points + 1, points)
    scale, offset, limit = (part.copy() for part in WHOLE)
    scale[:], offset[:], limit[:] = [0.5, 0.25, 0.5, 0.25], [3, 7, 3, 7], [90, 150, 90, 150]
    wanted = find_objects(outputs, scale, offset, limit)
    found = find_objects_in_graph(outputs, scale[0], offset[0], limit[0])
    clear = wanted["margin"] > 1e-5
    assert clear.sum() >= 4
    for name in ("boxes", "scores", "class_index", "count"):
        np.testing.assert_allclose(
            found[name].numpy()[clear], wanted[name][clear], rtol=1e-5, atol=1e-4, err_msg=name
        )


def test_the_margin_is_how_near_the_nearest_decision_was():
    base = np.full((1, 2, 6), -20, np.float32)
    base[0, :, :4] = [[0, 0, 10, 10], [0, 0, 10, 20]]  # an overlap of a half
    base[0, 0, 4:] = [20, 4, 0][:2]
    base[0, 1, 4:] = [20, 1]
    one = [part[:1] for part in WHOLE]
    clear = find_objects(base, *one)
    assert clear["count"] == 2 and clear["margin"][0] > 0.05
    tied = base.copy()
    tied[0, 1, 5] = 4 - 1e-6
    assert find_objects(tied, *one)["margin"][0] < 1e-5
    base[0, 1, 3] = 10 / MAX_IOU * (1 + 1e-7)  # just under the overlap at which it is the same one
    assert find_objects(base, *one)["margin"][0] < 1e-5
