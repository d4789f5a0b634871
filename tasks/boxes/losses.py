"""Losses of a detector, each from targets and outputs to one number an example."""

import math
from collections.abc import Callable

from threefold.tasks.boxes.assignment import BOX, CENTRE, CLASSES, OWNED

FOCUS, BALANCE = 2.0, 0.25  # of the focal loss (Lin et al. 2017): gamma, alpha
LOSSES = ("focal_giou", "focal_iou", "focal_ciou", "cross_entropy_giou")


def make_loss(name: str) -> Callable:
    """Return a loss by its name: how classes are compared, and how boxes.

    Classes by focal loss or cross-entropy; boxes by overlap (`iou`; Yu et al. 2016), by what it
    lacks of the box around both (`giou`; Rezatofighi et al. 2019), or by middles and proportions
    as well (`ciou`; Zheng et al. 2020); the middle of an object by cross-entropy, always.
    """
    from keras import ops

    of_classes, _, of_boxes = name.rpartition("_")

    def cross_entropy(targets, logits):
        # What a logit costs, without an exponential that overflows.
        return ops.relu(logits) - logits * targets + ops.log1p(ops.exp(-ops.abs(logits)))

    def compare_classes(targets, logits):
        costs = cross_entropy(targets, logits)
        if of_classes == "cross_entropy":
            return costs
        found = ops.sigmoid(logits)
        missed = targets * (1 - found) + (1 - targets) * found
        return costs * missed**FOCUS * (targets * BALANCE + (1 - targets) * (1 - BALANCE))

    def detector_loss(targets, outputs):
        owned, middle = targets[..., OWNED], targets[..., CENTRE]
        count = ops.maximum(ops.sum(owned, axis=1), 1.0)  # (batch,)
        classes = ops.sum(compare_classes(targets[..., CLASSES], outputs[..., 5:]), axis=(1, 2))
        centres = ops.sum(cross_entropy(middle, outputs[..., 4]) * owned, axis=1)
        # A point without an object has the box of its own answer: no gradient, no overflow.
        wanted = ops.where(owned[..., None] > 0, targets[..., BOX], outputs[..., :4])
        boxes = ops.sum(compare_boxes(wanted, outputs[..., :4], of_boxes) * middle, axis=1)
        weight = ops.maximum(ops.sum(middle, axis=1), 1e-3)
        return classes / count + centres / count + boxes / weight

    return detector_loss


def compare_boxes(wanted, found, kind: str):
    """Return 1 minus an overlap of pairs of boxes (..., 4): `iou`, `giou` or `ciou`."""
    from keras import ops

    common, either = _overlap(wanted, found)
    iou = common / either
    if kind == "iou":
        return 1 - iou
    low = ops.minimum(wanted[..., :2], found[..., :2])
    high = ops.maximum(wanted[..., 2:], found[..., 2:])
    around = high - low
    if kind == "giou":
        whole = ops.maximum(around[..., 0] * around[..., 1], 1e-6)
        return 1 - iou + (whole - either) / whole
    apart = (wanted[..., :2] + wanted[..., 2:] - found[..., :2] - found[..., 2:]) / 2
    distance = ops.sum(apart**2, axis=-1) / ops.maximum(ops.sum(around**2, axis=-1), 1e-6)
    angles = [ops.arctan2(box[..., 2] - box[..., 0], box[..., 3] - box[..., 1] + 1e-6)
              for box in (wanted, found)]  # fmt: skip
    bend = 4 / math.pi**2 * (angles[0] - angles[1]) ** 2
    weight = ops.stop_gradient(bend / ops.maximum(1 - iou + bend, 1e-6))
    return 1 - iou + distance + weight * bend


def _overlap(wanted, found):
    from keras import ops

    sides = ops.minimum(wanted[..., 2:], found[..., 2:]) - ops.maximum(
        wanted[..., :2], found[..., :2]
    )
    sides = ops.relu(sides)
    common = sides[..., 0] * sides[..., 1]
    areas = [(box[..., 2] - box[..., 0]) * (box[..., 3] - box[..., 1]) for box in (wanted, found)]
    return common, ops.maximum(areas[0] + areas[1] - common, 1e-6)


def positive_iou(targets, outputs):
    """Return the mean overlap of the boxes of points that have an object."""
    from keras import ops

    owned = targets[..., OWNED]
    wanted = ops.where(owned[..., None] > 0, targets[..., BOX], outputs[..., :4])
    common, either = _overlap(wanted, outputs[..., :4])
    return ops.sum(common / either * owned, axis=1) / ops.maximum(ops.sum(owned, axis=1), 1.0)
