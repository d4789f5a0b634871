"""Which of several labels an example has: thresholds of probabilities, and how well they decide.

The threshold with the best F1 on examples that were not trained on: Lipton, Elkan and Naryanaswamy
2014, "Optimal thresholding of classifiers to maximize F1 measure".
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

USUAL = 0.5  # the threshold where too little is known for another
FEWEST = 10  # examples with a label, and without it, from which on it has a threshold of its own


class Thresholds(NamedTuple):
    """From which probability on each label is taken for present.

    Args:
        values: float64 array of shape (labels,). Above 0, below 1.
        own: int. How many labels have one of their own; the others share one.
    """

    values: np.ndarray
    own: int


def choose_thresholds(probabilities: np.ndarray, present: np.ndarray) -> Thresholds:
    """Choose for each label the threshold with the best F1.

    Args:
        probabilities: float array of shape (examples, labels).
        present: bool array of the same shape.

    Returns:
        Thresholds. A label with fewer than `FEWEST` examples on either side shares one that is the
        best for all labels together.
    """
    shared = _choose(probabilities.ravel(), present.ravel())
    values = np.full(present.shape[1], shared)
    counts = present.sum(axis=0)
    own = np.flatnonzero(np.minimum(counts, len(present) - counts) >= FEWEST)
    for label in own:
        values[label] = _choose(probabilities[:, label], present[:, label])
    return Thresholds(values, len(own))


def _choose(probabilities: np.ndarray, present: np.ndarray) -> float:
    if not present.any():
        return USUAL
    order = np.argsort(-probabilities, kind="stable")
    falling = probabilities[order].astype(np.float64)
    taken = np.arange(1, len(order) + 1)
    f1 = 2 * np.cumsum(present[order]) / (taken + present.sum())
    # Between two probabilities: equal ones cannot be told apart. After the last, nearer to 0.
    thresholds = (falling + np.append(falling[1:], 0.0)) / 2
    possible = np.append(falling[1:] < falling[:-1], True)
    best = np.flatnonzero(possible & (f1 == f1[possible].max()))
    return float(min(thresholds[best], key=lambda value: abs(value - USUAL)))


def score_labels(
    probabilities: np.ndarray, found: np.ndarray, present: np.ndarray, names: Sequence[str]
) -> dict[str, Any]:
    """Score probabilities of labels, and what was decided by them.

    Args:
        probabilities: float array of shape (examples, labels).
        found: bool array of the same shape. The labels that each example is said to have.
        present: bool array of the same shape. Those that it has.
        names: sequence of str. The labels.

    Returns:
        dict. `mean_average_precision` and `f1`, means over the labels that some example has;
        `micro_f1`, of all decisions; `exact_match`, the share of examples without a mistake;
        `loss`, the log-loss of a decision; `by_class`.
    """
    from sklearn.metrics import average_precision_score, precision_recall_fscore_support

    by_class = precision_recall_fscore_support(present, found, zero_division=0, average=None)
    # A label that no example has says nothing of the model: it is left out of the means.
    seen = np.flatnonzero(present.any(axis=0))
    precisions = {
        label: float(average_precision_score(present[:, label], probabilities[:, label]))
        for label in seen
    }
    sure = np.clip(probabilities.astype(np.float64), 1e-7, 1 - 1e-7)
    means = {}
    if len(seen):
        means = {
            "mean_average_precision": float(np.mean(list(precisions.values()))),
            "f1": float(by_class[2][seen].mean()),
        }
    return means | {
        "micro_f1": float(2 * (found & present).sum() / max(found.sum() + present.sum(), 1)),
        "exact_match": float((found == present).all(axis=1).mean()),
        "loss": float(-np.log(np.where(present, sure, 1 - sure)).mean()),
        "by_class": {
            names[label]: {
                "average_precision": precisions[label],
                "precision": float(by_class[0][label]),
                "recall": float(by_class[1][label]),
                "f1": float(by_class[2][label]),
                "count": int(by_class[3][label]),
            }
            for label in seen
        },
    }
