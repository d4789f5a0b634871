"""Which point of the pyramid is to find which object, in NumPy: the same on every backend.

The rules of FCOS (Tian et al. 2019): a point finds an object whose box it lies in, near the middle
of it, on the level that suits its size; the smallest where there are several.
"""

import numpy as np

from threefold.tasks.boxes.geometry import areas

REACH = 4.0  # strides: an object that reaches farther from the point is for a coarser level
RADIUS = 1.5  # strides: how far from the middle of an object its points lie
BOX, CENTRE, OWNED, CLASSES = slice(0, 4), 4, 5, slice(6, None)  # places in the targets


def assign(
    boxes: np.ndarray, classes: np.ndarray, points: np.ndarray, num_classes: int
) -> np.ndarray:
    """Return what each point is to say.

    Args:
        boxes: float array of shape (batch, most, 4). Left, top, right, bottom in pixels.
        classes: int array of shape (batch, most). -1 where there is no object.
        points: float array of shape (points, 3). From the left, from the top, and the stride.
        num_classes: int. How many classes there are.

    Returns:
        float32 array of shape (batch, points, 6 + num_classes). The box, how near to its middle
        the point lies (centre-ness, 0 to 1), whether the point has an object, and its class as
        one-hot; all 0 for a point without.
    """
    batch, most = classes.shape
    targets = np.zeros((batch, len(points), 6 + num_classes), np.float32)
    if not most:
        return targets
    x, y, stride = points.T[:, :, None]  # (points, 1)
    for number in range(batch):
        known = np.flatnonzero(classes[number] >= 0)
        if not len(known):
            continue
        found = boxes[number, known]
        left, top, right, bottom = found.T
        far = np.stack([x - left, y - top, right - x, bottom - y], axis=-1)  # (points, boxes, 4)
        middle_x, middle_y = (left + right) / 2, (top + bottom) / 2
        near = np.maximum(abs(x - middle_x), abs(y - middle_y)) <= RADIUS * stride
        allowed = (far.min(axis=-1) > 0) & near & _suits(far.max(axis=-1), stride)
        cost = np.where(allowed, areas(found), np.inf)  # the smaller object is harder to find
        _keep_findable(cost, far, found)
        owner = cost.argmin(axis=-1)
        owned = np.flatnonzero(np.isfinite(cost.min(axis=-1)))
        owner = owner[owned]
        targets[number, owned, BOX] = found[owner]
        targets[number, owned, CENTRE] = _centreness(far[owned, owner])
        targets[number, owned, OWNED] = 1
        targets[number, owned, 6 + classes[number, known[owner]]] = 1
    return targets


def _suits(farthest: np.ndarray, stride: np.ndarray) -> np.ndarray:
    """Return whether an object that reaches so far is for the level of a point."""
    strides = np.unique(stride)
    lowest = np.where(stride == strides[0], 0, REACH * stride / 2)
    highest = np.where(stride == strides[-1], np.inf, REACH * stride)
    return (farthest > lowest) & (farthest <= highest)


def _keep_findable(cost: np.ndarray, far: np.ndarray, found: np.ndarray) -> None:
    """Give an object that no point would find the point whose place is the nearest, in place.

    A sliver between two points is in no cell of the grid; a loss that never sees it learns that
    there is nothing.
    """
    for lost in np.flatnonzero(~np.isfinite(cost).any(axis=0)):
        distance = np.abs(far[:, lost, :2] - far[:, lost, 2:]).sum(axis=-1)
        cost[distance.argmin(), lost] = areas(found[lost])


def _centreness(far: np.ndarray) -> np.ndarray:
    """Return how near to the middle of its box a point lies, from its distances (n, 4)."""
    far = np.maximum(far, 0)
    across, down = far[:, [0, 2]], far[:, [1, 3]]
    shares = [pair.min(axis=1) / np.maximum(pair.max(axis=1), 1e-9) for pair in (across, down)]
    return np.sqrt(shares[0] * shares[1])
