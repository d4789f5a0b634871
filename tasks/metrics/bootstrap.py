"""How far a metric would move with other rows of the same kind (Efron 1979)."""

import time
import warnings
from collections.abc import Callable, Sequence

import numpy as np

SAMPLES, FEWEST_SAMPLES = 1000, 100
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
    bounds = np.percentile(np.array(sampled), BOUNDS, axis=0)
    return {
        name: (float(low), float(high))
        for name, low, high in zip(names, *bounds, strict=True)
        if np.isfinite([low, high]).all() and low < high
    }
