"""How far quantiles must lie from the median to hold what they promise: conformal prediction.

Romano, Patterson and Candès 2019, "Conformalized quantile regression", with each quantile's own
distance in place of a shift, so that what is wide where a network is unsure stays so; weights as in
Barber et al. 2023, "Conformal prediction beyond exchangeability".
"""

import numpy as np

# The least distance of a quantile from the median, for windows in which the two are one; and the
# largest factor, so that such windows make none that is infinite.
LEAST_DISTANCE, MOST = 1e-9, 1e3


def fit_factors(
    forecasts: np.ndarray,
    future: np.ndarray,
    weights: np.ndarray,
    quantiles: tuple[float, ...],
    middle: int,
) -> np.ndarray | None:
    """Return by how much the distances of quantiles from the median are to be multiplied.

    Args:
        forecasts: float array of shape (windows, horizon, quantiles). Rising along the last axis.
        future: float array of shape (windows, horizon). What came.
        weights: float array of shape (windows,). How much each window counts.
        quantiles: tuple of float. What the forecasts promise, rising.
        middle: int. The place of the median among them, which stays where it is.

    Returns:
        float32 array of shape (horizon, quantiles). From each step's own errors, or from those of
        all steps where there are too few windows for that; None where there are too few at all.
    """
    horizon = future.shape[1]
    found = np.ones((horizon, len(quantiles)), np.float32)
    for place, level in enumerate(quantiles):
        if place == middle:
            continue
        side = 1 if place > middle else -1
        median = forecasts[:, :, middle]
        distance = np.maximum(side * (forecasts[:, :, place] - median), LEAST_DISTANCE)
        scores = side * (future - median) / distance  # (windows, horizon), at most 1 if held
        level = level if side > 0 else 1 - level
        by_step = [conformal_quantile(scores[:, step], weights, level) for step in range(horizon)]
        if None in by_step:
            everywhere = np.repeat(weights, horizon)
            by_step = [conformal_quantile(scores.ravel(), everywhere, level)] * horizon
        if None in by_step:
            return None
        found[:, place] = np.clip(by_step, 0.0, MOST)
    return found


def conformal_quantile(scores: np.ndarray, weights: np.ndarray, level: float) -> float | None:
    """Return what a further score stays beneath with a probability of at least `level`.

    With n equal weights it is the score of rank ⌈(n + 1) level⌉.

    Args:
        scores: float array of shape (scores,). NaN of those that are not known.
        weights: float array of shape (scores,). How much each counts; the further one counts as
            much as the one that counts most.
        level: float. Between 0 and 1.

    Returns:
        float. None where there are too few scores for that level.
    """
    known = ~np.isnan(scores)
    if not known.any():
        return None
    scores, weights = scores[known], weights[known]
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(weights[order]) / (weights.sum() + weights.max())
    rank = int(np.searchsorted(reached, level - 1e-9))  # sums of shares are not exact
    return float(scores[order[rank]]) if rank < len(scores) else None


def suffices(count: int, quantiles: tuple[float, ...]) -> bool:
    """Return whether so many independent scores are enough for each of some quantiles."""
    outermost = max(max(quantiles), 1 - min(quantiles))
    return (count + 1) * outermost <= count + 1e-9
