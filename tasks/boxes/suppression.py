"""From what the points say to objects: the best, without those that say the same once more.

Non-maximum suppression in whole matrices, as an exported graph can repeat it: an object is kept
unless a better one of its class that is kept itself overlaps it. Asked of all at once, again and
again, this settles on what asking one after the other gives (Zheng et al. 2020, "Enhancing
geometric factors in model learning and inference": cluster NMS).
"""

import numpy as np
from scipy.special import expit

from threefold.tasks.boxes.geometry import pairwise_iou

CANDIDATES = 200  # points with the best scores, that are compared
MOST = 100  # objects of an image that are answered
MIN_SCORE = 0.05
CERTAIN = 0.3  # the score from which on an object is shown to a person
MAX_IOU = 0.6  # of two objects of a class
ROUNDS = 24  # as long as a chain of objects may be, each of which decides about the next


def find_objects(
    outputs: np.ndarray, scale: np.ndarray, offset: np.ndarray, limit: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the objects of images.

    Args:
        outputs: float array of shape (batch, points, 5 + classes). Those of a `detector`.
        scale: float32 array of shape (batch, 4). Of boxes; see `letterbox.scale_and_offset`.
        offset: float32 array of shape (batch, 4). Likewise.
        limit: float32 array of shape (batch, 4). Width and height, twice, of the image itself.

    Returns:
        dict of str to array. `boxes` float32 (batch, 100, 4) in pixels of the image itself,
        `scores` float32 (batch, 100) from the best on, `class_index` int64 (batch, 100), `count`
        int64 (batch,): entries after it are 0; and `margin` float64 (batch,): how far the nearest
        of the decisions that led there was from falling otherwise.
    """
    outputs = np.asarray(outputs, np.float32)
    probabilities = expit(outputs[..., 5:])
    classes = probabilities.argmax(axis=-1)  # (batch, points)
    centres = expit(outputs[..., 4])
    scores = np.sqrt(probabilities.max(axis=-1) * centres)
    places = np.argsort(-scores, axis=1, kind="stable")[:, :CANDIDATES]
    batch = np.arange(len(outputs))[:, None]
    boxes, top = outputs[batch, places, :4], scores[batch, places]
    kinds = classes[batch, places]
    overlaps = pairwise_iou(boxes, boxes)
    same = kinds[:, :, None] == kinds[:, None, :]
    earlier = np.tri(boxes.shape[1], k=-1, dtype=bool)  # [i, j]: j is better than i
    # What has its middle in the gray around an image is nothing of the image.
    beyond = _find_beyond(boxes, scale, offset, limit)
    good = (top >= MIN_SCORE) & (beyond <= 0)
    rivals = (overlaps > MAX_IOU) & same & earlier & good[:, None, :]
    kept = good
    for _ in range(ROUNDS):
        before, kept = kept, good & ~(rivals & kept[:, None, :]).any(axis=2)
        if (before == kept).all():
            break
    found = _gather(boxes, top, kinds, kept)
    found["boxes"] = _to_image(found["boxes"], scale, offset, limit)
    found["boxes"] *= found["scores"][..., None] > 0
    margins = _margins(scores, top, overlaps, same, probabilities[batch, places])
    edges = np.where(top >= MIN_SCORE, np.abs(beyond) / boxes[..., 2:].max(initial=1), np.inf)
    margins = np.minimum(margins, edges.min(axis=1, initial=np.inf))
    return found | {"margin": margins}


def _find_beyond(
    boxes: np.ndarray, scale: np.ndarray, offset: np.ndarray, limit: np.ndarray
) -> np.ndarray:
    """Return how far, in pixels, the middles of boxes lie outside of the image, (batch, boxes)."""
    middles = (boxes[..., :2] + boxes[..., 2:]) / 2
    low, high = offset[:, None, :2], (offset + scale * limit)[:, None, :2]
    return np.maximum(low - middles, middles - high).max(axis=-1)


def _gather(
    boxes: np.ndarray, scores: np.ndarray, kinds: np.ndarray, kept: np.ndarray
) -> dict[str, np.ndarray]:
    """Put the kept ones first, in their order, and fill up to `MOST` with 0."""
    order = np.argsort(~kept, axis=1, kind="stable")[:, :MOST]
    batch = np.arange(len(kept))[:, None]
    there = kept[batch, order]
    found = {
        "boxes": boxes[batch, order] * there[..., None],
        "scores": scores[batch, order] * there,
        "class_index": kinds[batch, order].astype(np.int64) * there,
    }
    missing = MOST - order.shape[1]
    for name, array in found.items():
        found[name] = np.pad(array, [(0, 0), (0, missing)] + [(0, 0)] * (array.ndim - 2))
    return found | {"count": there.sum(axis=1).astype(np.int64)}


def _to_image(
    boxes: np.ndarray, scale: np.ndarray, offset: np.ndarray, limit: np.ndarray
) -> np.ndarray:
    """Return boxes of the network's image in pixels of the image itself, inside of it."""
    boxes = (boxes - offset[:, None]) / scale[:, None]
    return np.clip(boxes, 0, limit[:, None]).astype(np.float32)


def _margins(
    scores: np.ndarray,
    top: np.ndarray,
    overlaps: np.ndarray,
    same: np.ndarray,
    probabilities: np.ndarray,
) -> np.ndarray:
    """Return the least distance of a score or an overlap from where it would decide otherwise.

    Of those candidates alone that score enough, or nearly: the others decide nothing.
    """
    count, close = len(scores), 0.1 * MIN_SCORE
    least = np.abs(scores - MIN_SCORE).min(axis=1, initial=np.inf).astype(np.float64)
    near = top >= MIN_SCORE - close
    for number in range(count):
        some = np.flatnonzero(near[number])
        values = [least[number]]
        if scores.shape[1] > top.shape[1] and len(some) == top.shape[1]:
            cut = np.partition(scores[number], -top.shape[1] - 1)[-top.shape[1] - 1]
            values.append(top[number, -1] - cut)
        if len(some) > 1:
            values.append(np.min(-np.diff(top[number, some])))
            pairs = np.triu(same[number][np.ix_(some, some)], 1)
            gaps = np.abs(overlaps[number][np.ix_(some, some)] - MAX_IOU)[pairs]
            values.append(gaps.min(initial=np.inf))
        if len(some) and probabilities.shape[-1] > 1:
            best = np.partition(probabilities[number, some], -2, axis=-1)[:, -2:]
            values.append((best[:, 1] - best[:, 0]).min())
        least[number] = min(values)
    return least
