"""The strongest quick methods for masks and boxes, of those that need no pretrained network."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import ndimage
from sklearn.ensemble import ExtraTreesClassifier

from threefold.datasets.dataset import Source
from threefold.datasets.images.resizing import resize
from threefold.tasks.boxes.geometry import pairwise_iou
from threefold.tasks.boxes.suppression import MOST
from threefold.tasks.task import Task

SCALES = (
    1,
    2,
    4,
    8,
)  # pixels: of the blurs whose brightness, gradients and curvature are looked at
MOST_PIXELS = 100_000  # to learn from
PATCH = 12  # pixels: the sides of windows as they are compared
GROUND = 8  # windows of ground in each image to learn from
SIDES = (0.1, 0.3, 0.5, 0.7, 0.9)  # quantiles of the sides of objects: those of windows
STEP = 0.2  # of a window's side
SHARED = 0.35  # overlap of two windows from which on the better one counts
GROUND_IOU = 0.3  # overlap with an object up to which a window is of ground

Answer = dict[str, np.ndarray]


def forest_of_pixels(task: Task, splits: Mapping[str, Source]) -> tuple[str, Answer, Any]:
    """Classify each pixel by what is around it, as ilastik does (Berg et al. 2019).

    Returns:
        (name of the method, answers for the test split, its truth).
    """
    train, test = (_read(task, splits[name]) for name in ("train", "test"))
    rows = np.concatenate([_describe_pixels(image) for image in train[0]])
    labels = train[1]["mask"].ravel()
    some = np.random.default_rng(0).permutation(np.flatnonzero(labels < 255))[:MOST_PIXELS]
    model = ExtraTreesClassifier(200, min_samples_leaf=3, random_state=0, n_jobs=2)
    model.fit(rows[some], labels[some])
    count = len(task.facts.class_names)
    found = np.zeros((*test[1]["mask"].shape, count), np.float32)
    for place, image in enumerate(test[0]):
        answers = model.predict_proba(_describe_pixels(image))
        found[place][..., model.classes_] = answers.reshape(*image.shape[:2], -1)
    answer = {"probabilities": found, "class_index": found.argmax(axis=-1)}
    return "forest of pixels at four scales", answer, test[1]


def forest_of_windows(task: Task, splits: Mapping[str, Source]) -> tuple[str, Answer, Any]:
    """Classify windows of five sizes (Dalal and Triggs 2005, with a forest); keep the best ones.

    Returns:
        (name of the method, answers for the test split, its truth). Of one class.
    """
    train, test = (_read(task, splits[name]) for name in ("train", "test"))
    random, rows, labels, sides = np.random.default_rng(0), [], [], []
    for image, boxes, kinds in zip(train[0], train[1]["boxes"], train[1]["box_class"], strict=True):
        boxes = boxes[kinds >= 0]
        sides += (boxes[:, 2:] - boxes[:, :2]).mean(axis=1).tolist()
        rows += [_describe_window(image, box) for box in boxes]
        labels += [1] * len(boxes)
        ground = _sample_ground(image, boxes, random)
        rows += [_describe_window(image, box) for box in ground]
        labels += [0] * len(ground)
    model = ExtraTreesClassifier(300, min_samples_leaf=2, random_state=0, n_jobs=2)
    model.fit(np.stack(rows), labels)
    windows = _place_windows(train[0][0].shape[:2], np.quantile(sides, SIDES))
    found = {
        "boxes": np.zeros((len(test[0]), MOST, 4), np.float32),
        "scores": np.zeros((len(test[0]), MOST), np.float32),
        "class_index": np.zeros((len(test[0]), MOST), np.int64),
        "count": np.zeros(len(test[0]), np.int64),
    }
    for place, image in enumerate(test[0]):
        described = np.stack([_describe_window(image, box) for box in windows])
        scores = model.predict_proba(described)[:, 1]
        kept = _suppress(windows, scores)[:MOST]
        found["boxes"][place, : len(kept)] = windows[kept]
        found["scores"][place, : len(kept)] = scores[kept]
        found["count"][place] = len(kept)
    return "forest of windows", found, test[1]


def _read(task: Task, source: Source) -> tuple[np.ndarray, Answer]:
    examples = source[np.arange(len(source))]
    return task.model_inputs(examples)["image"], task.truth(examples)


def _describe_pixels(image: np.ndarray) -> np.ndarray:
    """Return (pixels, features): brightness, slope and curvature at each scale."""
    gray = image.mean(axis=-1)
    found = [gray]
    for scale in SCALES:
        found += [
            ndimage.gaussian_filter(gray, scale),
            ndimage.gaussian_gradient_magnitude(gray, scale),
            ndimage.gaussian_laplace(gray, scale),
            ndimage.generic_filter(gray, np.std, size=2 * scale + 1) if scale < 4 else gray,
        ]
    return np.stack(found, axis=-1).reshape(-1, len(found))


def _describe_window(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Return the colours in a window, small, and the steps of its brightness."""
    left, top, right, bottom = np.rint(box).astype(int)
    window = image[max(top, 0) : max(bottom, top + 2), max(left, 0) : max(right, left + 2)]
    small = resize(window.astype(np.uint8), PATCH, PATCH).astype(np.float32)
    steps = np.stack(np.gradient(small.mean(axis=-1)))
    return np.concatenate([small.ravel(), steps.ravel()])


def _sample_ground(image: np.ndarray, boxes: np.ndarray, random: Any) -> np.ndarray:
    sides = random.uniform(12, 70, GROUND)
    corners = random.uniform(0, np.array(image.shape[1::-1]) - sides[:, None])
    found = np.concatenate([corners, corners + sides[:, None]], axis=1)
    if not len(boxes):
        return found
    return found[pairwise_iou(found, boxes.astype(float)).max(axis=1) < GROUND_IOU]


def _place_windows(shape: tuple[int, int], sides: np.ndarray) -> np.ndarray:
    found = []
    for side in sides:
        step = max(2.0, STEP * side)
        for top in np.arange(0, shape[0] - side + 1, step):
            for left in np.arange(0, shape[1] - side + 1, step):
                found.append([left, top, left + side, top + side])
    return np.array(found)


def _suppress(boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the places of the best boxes, none of which overlaps a better one by much."""
    left, kept = list(np.argsort(-scores, kind="stable")), []
    while left:
        best, *rest = left
        kept.append(best)
        near = pairwise_iou(boxes[best : best + 1], boxes[rest])[0] if rest else []
        left = [place for place, iou in zip(rest, near, strict=True) if iou < SHARED]
    return np.array(kept)
