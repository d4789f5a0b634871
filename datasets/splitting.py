"""Seeded splits, stratified where there are classes."""

import numpy as np

from threefold.datasets.errors import UserError


def split_rows(
    labels: np.ndarray | int, validation_fraction: float, test_fraction: float, seed: int
) -> dict[str, np.ndarray]:
    """Divide rows into train, validation and test.

    Every class keeps its share in each split as closely as whole rows allow, and at least one row
    in `train`. The division depends on nothing but the arguments.

    Args:
        labels: int array of shape (rows,), or the number of rows where there are no classes.
        validation_fraction: float. Share of the rows kept for validation, 0 to below 1.
        test_fraction: float. Share of the rows kept for the test, 0 to below 1.
        seed: int. Which division.

    Returns:
        dict of str to int array. Sorted row numbers of each split that is not empty.

    Raises:
        UserError: where the fractions leave nothing to train on.
    """
    if min(validation_fraction, test_fraction) < 0 or validation_fraction + test_fraction >= 1:
        raise UserError(
            "validation_fraction and test_fraction must be 0 or more and below 1 together, "
            f"got {validation_fraction} and {test_fraction}"
        )
    if isinstance(labels, int):
        labels = np.zeros(labels, np.int64)
    generator = np.random.default_rng(np.random.SeedSequence([seed, len(labels)]))
    order = generator.permutation(len(labels))
    # Walk the rows class by class and deal each to the split that is furthest behind its share:
    # classes of any size, one row included, then need no rule of their own.
    order = order[np.argsort(labels[order], kind="stable")]
    names = ("train", "validation", "test")
    shares = np.array([1 - validation_fraction - test_fraction, validation_fraction, test_fraction])
    rows: dict[str, list[int]] = {name: [] for name in names}
    taken = np.zeros(3)
    in_class = np.zeros(3)
    previous = None
    for position, row in enumerate(order):
        if labels[row] != previous:
            previous, in_class = labels[row], np.zeros(3)
        # The class's own balance comes first, the balance over all rows breaks its ties.
        lag = (in_class.sum() + 1) * shares - in_class
        overall = (position + 1) * shares - taken
        choice = 0 if in_class[0] == 0 else int(np.argmax(lag + 1e-3 * overall))
        rows[names[choice]].append(int(row))
        taken[choice] += 1
        in_class[choice] += 1
    return {name: np.sort(np.array(found, np.int64)) for name, found in rows.items() if found}
