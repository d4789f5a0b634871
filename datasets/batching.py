"""The order of examples and their random numbers: pure functions, the same on every backend.

Nothing here keeps state, so a run that is cut in the middle of an epoch continues with exactly the
batches it would have seen.
"""

import numpy as np


def epoch_order(
    size: int, seed: int, epoch: int, *, shard: int = 0, num_shards: int = 1
) -> np.ndarray:
    """Return the order in which an epoch visits the examples.

    Args:
        size: int. Number of examples.
        seed: int. The run's seed.
        epoch: int. Which epoch, from 0.
        shard: int. Which of the processes asks, from 0.
        num_shards: int. How many processes share the epoch. All get equally many examples; up to
            ``num_shards - 1`` of the last in the order sit the epoch out.

    Returns:
        int array of shape (size // num_shards,). Positions of examples.
    """
    order = np.random.default_rng(np.random.SeedSequence([seed, epoch])).permutation(size)
    return order[: size - size % num_shards][shard::num_shards]


def uniform(seed: int, epoch: int, indices: np.ndarray, draws: int) -> np.ndarray:
    """Return random numbers that depend on `(seed, epoch, index, draw)` alone.

    A counter is hashed with the finaliser of SplitMix64 (Steele et al. 2014, "Fast splittable
    pseudorandom number generators"), for a whole batch at once: a generator object for every
    example would cost more than the augmentation that it serves.

    Args:
        seed: int. The run's seed.
        epoch: int. Which epoch.
        indices: int array of shape (batch,). Which examples.
        draws: int. How many numbers for each.

    Returns:
        float array of shape (batch, draws), from 0 to below 1.
    """
    key = np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0]
    with np.errstate(over="ignore"):
        example = _mix(np.asarray(indices).astype(np.uint64) + key)
        counter = np.arange(1, draws + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        bits = _mix(example[:, None] + counter[None, :])
    return (bits >> np.uint64(11)) * 2.0**-53


def _mix(bits: np.ndarray) -> np.ndarray:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
