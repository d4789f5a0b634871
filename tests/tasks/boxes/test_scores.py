"""Average precision, as pycocotools computes it."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from threefold.tasks.boxes.scores import confuse, score_objects

NAMES = ("a", "b", "c")
FIELDS = {
    "mean_average_precision": 0,
    "mean_average_precision_50": 1,
    "mean_average_precision_75": 2,
    "mean_average_precision_small": 3,
    "mean_average_precision_medium": 4,
    "mean_average_precision_large": 5,
    "mean_average_recall": 8,
}


def make_objects(seed: int, images: int = 12, most: int = 8):
    """Return true boxes and guesses around them, with scores of which some are equal."""
    random = np.random.default_rng(seed)
    truth = {
        "boxes": np.zeros((images, most, 4), np.float32),
        "box_class": np.full((images, most), -1),
    }
    found = {
        "boxes": np.zeros((images, 100, 4), np.float32),
        "scores": np.zeros((images, 100), np.float32),
        "class_index": np.zeros((images, 100), np.int64),
        "count": np.zeros(images, np.int64),
    }
    for row in range(images):
        count = random.integers(0, most + 1)
        corner = random.uniform(0, 140, (count, 2))
        true = np.hstack(
            [corner, corner + random.uniform(4, 60 * (1 + 2 * (seed % 2)), (count, 2))]
        )
        truth["boxes"][row, :count] = true
        truth["box_class"][row, :count] = random.integers(0, len(NAMES), count)
        guesses = random.integers(0, 30)
        base = true[random.integers(0, count, guesses)] if count else np.zeros((guesses, 4))
        boxes = base + random.normal(0, 4, (guesses, 4))
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
        found["boxes"][row, :guesses] = boxes
        found["scores"][row, :guesses] = np.sort(random.uniform(0, 1, guesses).round(2))[::-1]
        found["class_index"][row, :guesses] = random.integers(0, len(NAMES), guesses)
        found["count"][row] = guesses
    return found, truth


def score_by_pycocotools(found, truth) -> np.ndarray:
    def describe(row, box, number, **more):
        left, top, right, bottom = box.astype(float)
        return {
            "image_id": int(row) + 1,
            "category_id": int(number) + 1,
            "bbox": [left, top, right - left, bottom - top],
            **more,
        }

    objects = []
    for row, place in zip(*np.nonzero(truth["box_class"] >= 0), strict=True):
        one = describe(row, truth["boxes"][row, place], truth["box_class"][row, place])
        area = one["bbox"][2] * one["bbox"][3]
        objects.append(one | {"id": len(objects) + 1, "area": area, "iscrowd": 0})
    guesses = [
        describe(row, found["boxes"][row, place], found["class_index"][row, place],
                 score=float(found["scores"][row, place]))
        for row, count in enumerate(found["count"]) for place in range(count)
    ]  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        data = COCO()
        data.dataset = {
            "images": [{"id": row + 1} for row in range(len(found["count"]))],
            "annotations": objects,
            "categories": [{"id": i + 1, "name": name} for i, name in enumerate(NAMES)],
        }
        data.createIndex()
        evaluation = COCOeval(data, data.loadRes(guesses), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


@pytest.mark.parametrize("seed", range(6))
def test_random_boxes_score_as_pycocotools_has_it(seed):
    found, truth = make_objects(seed)
    ours, theirs = score_objects(found, truth, NAMES), score_by_pycocotools(found, truth)
    for name, place in FIELDS.items():
        if theirs[place] >= 0:
            assert ours[name] == pytest.approx(theirs[place], abs=1e-12), name
        else:  # there is no object of that size
            assert name not in ours
    assert 0.02 < ours["mean_average_precision"] < 0.9


def test_what_is_found_exactly_scores_one_and_what_is_missed_nothing():
    _, truth = make_objects(1)
    count = (truth["box_class"] >= 0).sum(axis=1)
    found = {
        "boxes": truth["boxes"],
        "scores": np.linspace(0.9, 0.1, truth["boxes"].shape[1])[None].repeat(len(count), axis=0),
        "class_index": np.maximum(truth["box_class"], 0),
        "count": count,
    }
    assert score_objects(found, truth, NAMES)["mean_average_precision"] == 1
    none = found | {"count": np.zeros_like(count)}
    assert score_objects(none, truth, NAMES)["mean_average_precision"] == 0
    counts = confuse(found, truth, len(NAMES), 0.05)
    assert counts.sum() == np.trace(counts) == count.sum()
    missed = confuse(none, truth, len(NAMES), 0.05)
    assert missed[:-1, -1].sum() == missed.sum() == count.sum()


def test_an_object_in_the_wrong_class_and_one_that_is_not_there_are_told_apart():
    truth = {"boxes": np.array([[[0, 0, 10, 10.0]]]), "box_class": np.array([[0]])}
    found = {
        "boxes": np.array([[[1, 0, 10, 10.0], [50, 50, 60, 60]]]),
        "scores": np.array([[0.9, 0.8]]),
        "class_index": np.array([[1, 2]]),
        "count": np.array([2]),
    }
    counts = confuse(found, truth, 3, 0.5)
    assert counts[0, 1] == 1 and counts[3, 2] == 1 and counts.sum() == 2
    assert confuse(found, truth, 3, 0.85)[3].sum() == 0
