"""Simple methods for objects: the boxes that are usual, and whatever stands out from the ground."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy import ndimage

from threefold.datasets.dataset import Source
from threefold.tasks.boxes.suppression import MOST

MOST_IMAGES = 1000  # of the training split, taken evenly
CHUNK = 50  # images in memory at a time
LEAST_SHARE = 0.002  # of an image: what stands out and is smaller is noise

Answer = Callable[[np.ndarray], dict[str, np.ndarray]]


def fit_box_methods(
    train: Source, read: Callable[[Mapping], tuple[np.ndarray, Any, Any]], classes: int
) -> dict[str, Answer]:
    """Learn where objects usually are, and of which class they are.

    Args:
        train: Source. The training split.
        read: function. From examples to images (batch, height, width, channels), boxes (batch, any,
            4) and classes (batch, any) in the network's size.
        classes: int. How many there are.

    Returns:
        dict of str to function. From images to objects, as a task answers them.
    """
    rows = np.unique(np.linspace(0, len(train) - 1, MOST_IMAGES).round().astype(int))
    boxes, kinds = [], []
    for start in range(0, len(rows), CHUNK):
        _, some, classes_there = read(train[rows[start : start + CHUNK]])
        known = classes_there >= 0
        boxes.append(some[known])
        kinds.append(classes_there[known])
    boxes, kinds = np.concatenate(boxes), np.concatenate(kinds)
    counts = np.bincount(kinds, minlength=classes)
    seen = np.argsort(-counts, kind="stable")[:MOST]
    seen = seen[counts[seen] > 0]
    usual = np.stack([boxes[kinds == number].mean(axis=0) for number in seen])
    shares = counts[seen] / counts.sum()
    commonest = int(counts.argmax())

    def answer_usual(images: np.ndarray) -> dict[str, np.ndarray]:
        return _fill([(usual, shares, seen)] * len(images))

    def answer_standing_out(images: np.ndarray) -> dict[str, np.ndarray]:
        return _fill([_find_outstanding(image, commonest) for image in images])

    return {"mean boxes": answer_usual, "what stands out, by Otsu": answer_standing_out}


def _find_outstanding(image: np.ndarray, kind: int) -> tuple[np.ndarray, ...]:
    """Return boxes around what is brighter, or darker, than a threshold between two shades."""
    gray = image.mean(axis=-1)
    bright = gray > _threshold(gray)
    border = np.concatenate([bright[0], bright[-1], bright[:, 0], bright[:, -1]])
    labels, _ = ndimage.label(bright ^ (border.mean() > 0.5))
    found = ndimage.find_objects(labels)
    boxes = [(across.start, down.start, across.stop, down.stop) for down, across in found]
    boxes = np.array(boxes, float).reshape(-1, 4)
    sizes = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / gray.size
    order = np.argsort(-sizes, kind="stable")[:MOST]
    order = order[sizes[order] >= LEAST_SHARE]
    return boxes[order], sizes[order], np.full(len(order), kind)


def _threshold(gray: np.ndarray) -> float:
    """Return the shade that parts an image best in two (Otsu 1979)."""
    counts, edges = np.histogram(gray, 64)
    middles = (edges[:-1] + edges[1:]) / 2
    below, sums = np.cumsum(counts), np.cumsum(counts * middles)
    above, whole = below[-1] - below, sums[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = below * above * (sums / below - (whole - sums) / above) ** 2
    return float(edges[1:][np.nanargmax(np.where(np.isfinite(apart), apart, -1))])


def _fill(images: list[tuple[np.ndarray, ...]]) -> dict[str, np.ndarray]:
    """Return objects of images as one array each, 0 where there are no further ones."""
    count = np.array([len(boxes) for boxes, _, _ in images], np.int64)
    found = {
        "boxes": np.zeros((len(images), MOST, 4), np.float32),
        "scores": np.zeros((len(images), MOST), np.float32),
        "class_index": np.zeros((len(images), MOST), np.int64),
        "count": count,
    }
    for row, parts in enumerate(images):
        for name, part in zip(("boxes", "scores", "class_index"), parts, strict=True):
            found[name][row, : count[row]] = part
    return found
