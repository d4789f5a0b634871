"""Average precision of found objects, by the protocol of COCO (Lin et al. 2014).

What `pycocotools` answers for the same boxes: a hundred objects of a class in an image at most,
matched in the order of their scores, and a precision read off at 101 recalls.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from threefold.tasks.boxes.geometry import areas, pairwise_iou

IOUS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
SIZES = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}  # square pixels
EVERY_SIZE = (0.0, 1e10)
MOST = 100  # objects of a class in an image


class Matches(NamedTuple):
    """Objects found of one class, from the best score on, and whether each is one.

    `scores` (n,); `right` bool (thresholds, n), `ignored` bool of the same shape: matched to an
    object of another size, or of another size itself; `count`: objects that are there.
    """

    scores: np.ndarray
    right: np.ndarray
    ignored: np.ndarray
    count: int


def score_objects(
    found: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray], names: Sequence[str]
) -> dict[str, Any]:
    """Score found objects.

    Args:
        found: mapping of str to array. `boxes` (batch, most, 4), `scores`, `class_index` (batch,
            most) and `count` (batch,).
        truth: mapping of str to array. `boxes` (batch, any, 4), and `box_class` (batch, any), -1
            where there is none.
        names: sequence of str. The classes.

    Returns:
        dict. `mean_average_precision` over thresholds of overlap from 0.5 to 0.95 and the classes
        that there are, that at 0.5 and at 0.75 alone, for objects of under 32², under 96² and more
        square pixels, where there are such; `mean_average_recall`; and `by_class`.
    """
    rows = {}
    sizes: dict[str, list[float]] = {name: [] for name in SIZES}
    for number, name in enumerate(names):
        images = _images_of_class(found, truth, number)
        matches = match_class(images, EVERY_SIZE)
        if not matches.count:
            continue
        precision, recall = average_precision(matches)
        rows[name] = {
            "average_precision": float(precision.mean()),
            "average_precision_50": float(precision[0]),
            "average_precision_75": float(precision[5]),
            "average_recall": float(recall.mean()),
            "count": matches.count,
        }
        for size, limits in SIZES.items():
            some = match_class(images, limits)
            if some.count:
                sizes[size].append(float(average_precision(some)[0].mean()))

    def mean_of(field: str) -> float:
        return float(np.mean([row[field] for row in rows.values()])) if rows else 0.0

    return {
        "mean_average_precision": mean_of("average_precision"),
        "mean_average_precision_50": mean_of("average_precision_50"),
        "mean_average_precision_75": mean_of("average_precision_75"),
        "mean_average_recall": mean_of("average_recall"),
        **{f"mean_average_precision_{name}": float(np.mean(values))
           for name, values in sizes.items() if values},
        "by_class": rows,
    }  # fmt: skip


def match_class(
    images: list[tuple[np.ndarray, np.ndarray, np.ndarray]], limits: tuple[float, float]
) -> Matches:
    """Match found objects of one class to true ones, at each threshold of overlap.

    Args:
        images: list of tuple. Of each image the found boxes (n, 4), best first, their scores (n,),
            and the true boxes (m, 4).
        limits: pair of float. Square pixels: objects of another size are ignored.
    """
    scores, right, ignored, count = [], [], [], 0
    for boxes, values, true in images:
        sizes = areas(true)
        outside = (sizes < limits[0]) | (sizes > limits[1])
        order = np.argsort(outside, kind="stable")  # those that count first
        true, outside = true[order], outside[order]
        count += int((~outside).sum())
        if not len(boxes):
            continue
        hits, passed = _match_image(pairwise_iou(boxes, true), outside)
        size = areas(boxes)
        passed |= ~hits & ((size < limits[0]) | (size > limits[1]))
        scores.append(values)
        right.append(hits & ~passed)
        ignored.append(passed)
    if not scores:
        none = np.zeros((len(IOUS), 0), bool)
        return Matches(np.zeros(0), none, none, count)
    joined = np.concatenate(scores)
    order = np.argsort(-joined, kind="stable")
    return Matches(
        joined[order],
        np.concatenate(right, axis=1)[:, order],
        np.concatenate(ignored, axis=1)[:, order],
        count,
    )


def _match_image(overlaps: np.ndarray, outside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return whether each found object is a true one, and whether that is ignored.

    Args:
        overlaps: array of shape (found, true), found best first, true with the ignored last.
        outside: bool array of shape (true,). Whether an object is ignored.

    Returns:
        two bool arrays of shape (thresholds, found).
    """
    hits = np.zeros((len(IOUS), len(overlaps)), bool)
    passed = hits.copy()
    for place, threshold in enumerate(IOUS):
        free = np.ones(len(outside), bool)
        for row, values in enumerate(overlaps):
            allowed = free & (values >= min(threshold, 1 - 1e-10))
            some = allowed & ~outside
            some = some if some.any() else allowed
            if some.any():
                # Of equal ones the last, as pycocotools has it.
                chosen = len(values) - 1 - np.argmax(np.where(some, values, -1)[::-1])
                free[chosen] = False
                hits[place, row], passed[place, row] = True, outside[chosen]
    return hits, passed


def average_precision(matches: Matches) -> tuple[np.ndarray, np.ndarray]:
    """Return the average precision and the highest recall at each threshold, (thresholds,)."""
    curves = precision_at_recalls(matches)
    count = max(matches.count, 1)
    return curves.mean(axis=1), matches.right.sum(axis=1) / count


def precision_at_recalls(matches: Matches) -> np.ndarray:
    """Return the precision at `RECALLS`, (thresholds, 101): the best at that recall or a higher."""
    curves = np.zeros((len(IOUS), len(RECALLS)))
    for place, (right, ignored) in enumerate(zip(matches.right, matches.ignored, strict=True)):
        hits = np.cumsum(right[~ignored])
        if not len(hits):
            continue
        recall = hits / max(matches.count, 1)
        precision = hits / np.arange(1, len(hits) + 1)
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        places = np.searchsorted(recall, RECALLS, side="left")
        reached = places < len(envelope)
        curves[place, reached] = envelope[places[reached]]
    return curves


def matches_by_class(
    found: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray], classes: int
) -> list[Matches]:
    """Return the matches of each class, of objects of every size."""
    return [
        match_class(_images_of_class(found, truth, number), EVERY_SIZE) for number in range(classes)
    ]


def _images_of_class(
    found: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray], number: int
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    images = []
    for row, count in enumerate(found["count"]):
        chosen = np.flatnonzero(found["class_index"][row, :count] == number)[:MOST]
        true = truth["boxes"][row][truth["box_class"][row] == number]
        boxes = found["boxes"][row, chosen].astype(np.float64)
        scores = found["scores"][row, chosen].astype(np.float64)
        images.append((boxes, scores, true.astype(np.float64)))
    return images


def confuse(
    found: Mapping[str, np.ndarray],
    truth: Mapping[str, np.ndarray],
    classes: int,
    least: float,
) -> np.ndarray:
    """Count true classes (rows) and found ones (columns) of objects that overlap by half.

    Args:
        found: mapping of str to array. As of `score_objects`.
        truth: mapping of str to array. Likewise.
        classes: int. How many there are.
        least: float. The score from which on an object counts as found.

    Returns:
        int array of shape (classes + 1, classes + 1). The last is the background: objects that were
        missed, and those found where there is none.
    """
    counts = np.zeros((classes + 1, classes + 1), np.int64)
    for row, count in enumerate(found["count"]):
        some = np.flatnonzero(found["scores"][row, :count] >= least)
        known = np.flatnonzero(truth["box_class"][row] >= 0)
        overlaps = pairwise_iou(
            found["boxes"][row, some].astype(np.float64),
            truth["boxes"][row, known].astype(np.float64),
        )
        free = np.ones(len(known), bool)
        for place, values in enumerate(overlaps):
            values = np.where(free, values, 0)
            column = found["class_index"][row, some[place]]
            chosen = values.argmax() if len(values) else 0
            if len(values) and values[chosen] >= 0.5:
                free[chosen] = False
                counts[truth["box_class"][row, known[chosen]], column] += 1
            else:
                counts[classes, column] += 1
        for missed in truth["box_class"][row, known[free]]:
            counts[missed, classes] += 1
    return counts
