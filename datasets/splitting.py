"""Seeded splits, stratified where there are classes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.dataset import SPLITS


class Division(NamedTuple):
    """Rows divided among splits.

    Args:
        rows: dict of str to int array. Of `train` and of each split that was taken out of it.
        note: str. What was done, in a person's words; empty where nothing was.
    """

    rows: dict[str, np.ndarray]
    note: str


@dataclass(frozen=True)
class SplitFractions:
    """How splits that data lack are taken out of their rows; options of all that is divided.

    Args:
        validation_fraction: float. Share kept for validation, where the data have no such split.
        test_fraction: float. Share kept for the test, where the data have no such split.
        split_seed: int. Which seeded division into splits, stratified where there are classes.
    """

    validation_fraction: float = 0.15
    test_fraction: float = 0.15
    split_seed: int = 0

    def split(self, labels: np.ndarray | int) -> dict[str, np.ndarray]:
        """Divide rows into all three splits; see `split_rows`."""
        return split_rows(labels, self.validation_fraction, self.test_fraction, self.split_seed)

    def lacking(self, there: Collection[str]) -> dict[str, float]:
        """Return the share of train that each split gets that has none of its own."""
        shares = {"validation": self.validation_fraction, "test": self.test_fraction}
        return {name: share for name, share in shares.items() if share and name not in there}

    def fill_in(
        self,
        labels: np.ndarray | int,
        there: Collection[str] = (),
        *,
        noun: str,
        groups: Sequence[Any] | None = None,
    ) -> Division:
        """Take the splits that are lacking out of the rows to train on.

        Args:
            labels: int array of shape (rows,), or the number of rows where there are no classes.
                Of the rows to train on alone.
            there: collection of str. The splits that the data have.
            noun: str. What a row is, in the plural, for the note.
            groups: sequence of anything hashable, shape (rows,). Rows of one group, such as pairs
                with the same source, stay in one split; shares then are of groups.

        Returns:
            Division.

        Raises:
            UserError: where the fractions leave nothing to train on.
        """
        lacking = self.lacking(there)
        wanted = [lacking.get(name, 0.0) for name in SPLITS[1:]]
        count = labels if isinstance(labels, int) else len(labels)
        if groups is None:
            rows = split_rows(labels, *wanted, self.split_seed)
        else:
            numbers: dict[Any, int] = {}
            owners = np.array([numbers.setdefault(group, len(numbers)) for group in groups])
            parts = split_rows(len(numbers), *wanted, self.split_seed)
            rows = {name: np.flatnonzero(np.isin(owners, own)) for name, own in parts.items()}
        taken = [f"{100 * share:g} % for {name}" for name, share in lacking.items()]
        stratified = "" if isinstance(labels, int) else ", stratified"
        note = (
            f"no {' or '.join(lacking)} split: of {count:,} {noun} {' and '.join(taken)}, "
            f"seed {self.split_seed}{stratified}"
        )
        return Division(rows, note if taken else "")

    def divide(self, own: Sequence[str], *, noun: str) -> Division:
        """Take the splits that are lacking out of `train`, and keep those that are there.

        Args:
            own: sequence of str. The split of each row.
            noun: str. As for `fill_in`.

        Returns:
            Division. Of all splits that hold a row.
        """
        named = np.array(own)
        rows = {name: np.flatnonzero(named == name) for name in SPLITS}
        train = rows["train"]
        there = [name for name, found in rows.items() if len(found)]
        if not len(train):  # a run may be evaluated by a test split alone
            return Division({name: rows[name] for name in there}, "")
        parts, note = self.fill_in(len(train), there, noun=noun)
        rows |= {name: train[found] for name, found in parts.items()}
        return Division({name: found for name, found in rows.items() if len(found)}, note)


# scikit-learn's `train_test_split` refuses a class of one row, and more classes than rows to keep;
# it takes 5 times as long for 1,000,000 rows, 16 times for 150.
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
    shares = np.array([1 - validation_fraction - test_fraction, validation_fraction, test_fraction])
    # 0.58 + 0.42 is a hair below 1 in floats: that leaves nothing to train on either.
    if shares[1:].min() < 0 or shares[0] < 1e-6:
        raise UserError(
            "validation_fraction and test_fraction must be 0 or more and below 1 together, "
            f"got {validation_fraction} and {test_fraction}"
        )
    if isinstance(labels, int):
        labels = np.zeros(labels, np.int64)
    generator = np.random.default_rng(np.random.SeedSequence([seed, len(labels)]))
    order = generator.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    class_sizes = np.unique(labels, return_counts=True)[1]
    counts = _deal(class_sizes, shares)
    # Row `order[i]` belongs to split `owner[i]`: each class's rows in a block, train first.
    owner = np.repeat(np.tile(np.arange(3), len(counts)), counts.ravel())
    rows = {name: np.sort(order[owner == i]) for i, name in enumerate(SPLITS)}
    return {name: found for name, found in rows.items() if len(found)}


def sample_rows(labels: np.ndarray | int, most: int, seed: int) -> np.ndarray:
    """Choose some rows that stand for all, in whatever order these are.

    Args:
        labels: int array of shape (rows,), or the number of rows where there are no classes.
        most: int. How many to choose at most, unless there are more classes; above 0.
        seed: int. Which choice.

    Returns:
        int array. Sorted row numbers: of every class its share, and at least one.
    """
    count = labels if isinstance(labels, int) else len(labels)
    if count <= most:
        return np.arange(count)
    return split_rows(labels, 1 - most / count, 0.0, seed)["train"]


def _deal(class_sizes: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return how many rows of each class go to train, validation and test, shape (classes, 3).

    Every split gets its share of a class rounded down; the one or two rows left over go to the
    splits that are furthest after their share of all classes so far, so that many small classes
    add up to splits of the right size.
    """
    counts = np.zeros((len(class_sizes), 3), np.int64)
    behind = np.zeros(3)
    for count, size in zip(counts, class_sizes, strict=True):
        quota = shares * size
        # The tolerance takes 20 * 0.15 for 3, however floats write it.
        count[:] = np.floor(quota + 1e-9)
        count[0] = max(count[0], 1)
        behind += quota - count
        # A split whose share is a whole number of rows has none to round up.
        may_round_up = quota > count + 1e-9
        for _ in range(size - count.sum()):
            choice = int(np.argmax(np.where(may_round_up, behind, -np.inf)))
            may_round_up[choice] = False
            count[choice] += 1
            behind[choice] -= 1
    return counts
