"""The order of examples and their random numbers: pure functions, the same on every backend.

Nothing here keeps state, so a run that is cut in the middle of an epoch continues with exactly the
batches it would have seen.
"""

import numpy as np

STRETCH = 50  # batches that are sorted by length together
# Added to a seed, for numbers that have nothing to do with others of it.
NORMAL_STREAM, CROP_STREAM = 2**32, 2**33


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


def group_lengths(
    order: np.ndarray, lengths: np.ndarray, batch_size: int, seed: int, epoch: int
) -> np.ndarray:
    """Rearrange an order so that each batch of it holds examples of similar length.

    Examples are sorted by length within stretches of `STRETCH` batches only, and the batches are
    dealt anew, so that the order stays a random one.

    Args:
        order: int array of shape (examples,). Positions of examples.
        lengths: int array. How long each example is, by its position.
        batch_size: int. Examples in a batch; an incomplete one stays the last.
        seed: int. The run's seed.
        epoch: int. Which epoch.

    Returns:
        int array of shape (examples,). The same positions.
    """
    stretch = STRETCH * batch_size
    # The rows that no whole batch holds are the last of the order, not the longest of it.
    rest = len(order) % batch_size
    kept, last = order[: len(order) - rest], order[len(order) - rest :]
    parts = [kept[start : start + stretch] for start in range(0, len(kept), stretch)]
    ordered = [part[np.argsort(lengths[part], kind="stable")] for part in parts]
    if not ordered:
        return last
    batches = np.concatenate(ordered).reshape(-1, batch_size)
    dealt = np.random.default_rng(np.random.SeedSequence([seed, epoch, 1])).permutation(
        len(batches)
    )
    return np.concatenate([batches[dealt].ravel(), last])


def uniform(seed: int, epoch: int, indices: np.ndarray, count: int) -> np.ndarray:
    """Return random numbers that depend on `(seed, epoch, index, draw)` alone.

    A counter is hashed with the finaliser of SplitMix64 (Steele et al. 2014, "Fast splittable
    pseudorandom number generators"), for a whole batch at once: a generator object for every
    example would cost more than the augmentation that it serves.

    Args:
        seed: int. The run's seed.
        epoch: int. Which epoch.
        indices: int array of shape (batch,). Which examples.
        count: int. How many numbers for each.

    Returns:
        float array of shape (batch, draws), from 0 to below 1.
    """
    return (_bits(seed, epoch, indices, count) >> np.uint64(11)) * 2.0**-53


def normal(seed: int, epoch: int, indices: np.ndarray, count: int) -> np.ndarray:
    """Return random numbers of a standard normal distribution; arguments are those of `uniform`,
    of which they are another stream.

    Two of each 64 bits (Box and Muller 1958, "A note on the generation of random normal deviates"):
    noise is a good part of what a step of a small generator costs.

    Returns:
        float32 array of shape (batch, draws), from -5.77 to 5.77.
    """
    bits = _bits(seed + NORMAL_STREAM, epoch, indices, -(-count // 2))
    near = (bits >> np.uint64(40)).astype(np.float32)  # 24 bits, as many as a float32 can tell
    turn = (bits & np.uint64(2**24 - 1)).astype(np.float32) * np.float32(2 * np.pi * 2.0**-24)
    radius = np.sqrt(np.float32(-2) * np.log((near + 1) * np.float32(2.0**-24)))
    pairs = radius[..., None] * np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    return pairs.reshape(len(bits), -1)[:, :count]


def _bits(seed: int, epoch: int, indices: np.ndarray, count: int) -> np.ndarray:
    """Return 64 random bits for each number, uint64 of shape (batch, draws)."""
    key = np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0]
    with np.errstate(over="ignore"):
        example = _mix(np.asarray(indices).astype(np.uint64) + key)
        counter = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        return _mix(example[:, None] + counter[None, :])


def _mix(bits: np.ndarray) -> np.ndarray:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
