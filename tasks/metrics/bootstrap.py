"""How far a metric would move with other rows of the same kind (Efron 1979)."""

import time
import warnings
from collections.abc import Callable, Sequence

import numpy as np

SAMPLES, FEWEST_SAMPLES = 1000, 100
COUNTED_SAMPLES = 200  # of what is computed from how often a row counts
MOST_SECONDS = 5.0
BOUNDS = (2.5, 97.5)  # percentiles


def bootstrap_intervals(
    compute: Callable[[np.ndarray], dict[str, float]], rows: int, names: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Return 95 % intervals of metrics, by sampling rows again and again with replacement.

    Args:
        compute: function from positions of rows, int array, to metrics of these rows.
        rows: int. How many there are.
        names: sequence of str. The metrics.

    Returns:
        dict of str to (float, float). Nothing where they take too long, or a metric of theirs
        is not defined; nor where all rows agree, which says nothing of how far others would.
    """
    random = np.random.default_rng(0)
    until, sampled = time.monotonic() + MOST_SECONDS, []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # a sample may lack a class, or be of one row alone
        while len(sampled) < SAMPLES and time.monotonic() < until:
            found = compute(random.integers(0, rows, rows))
            sampled.append([found.get(name, np.nan) for name in names])
    if len(sampled) < FEWEST_SAMPLES:
        return {}
    found = {name: interval(of) for name, of in zip(names, np.array(sampled).T, strict=True)}
    return {name: bounds for name, bounds in found.items() if bounds}


def interval(sampled: np.ndarray) -> tuple[float, float] | None:
    """Return the 95 % interval of a metric from its values for samples; None where it has none."""
    low, high = np.percentile(sampled, BOUNDS)
    return (float(low), float(high)) if np.isfinite([low, high]).all() and low < high else None


def sample_counts(rows: int, seed: int) -> np.ndarray:
    """Return how often each row is in each of `COUNTED_SAMPLES` samples with replacement.

    Args:
        rows: int. How many there are.
        seed: int. Of the random numbers.

    Returns:
        int array of shape (samples, rows). Each sample has as many rows as there are.
    """
    random = np.random.default_rng(seed)
    return random.multinomial(rows, np.full(rows, 1 / rows), COUNTED_SAMPLES)
