import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from threefold.datasets.batching import epoch_order, normal, uniform

sizes = st.integers(0, 300)
seeds = st.integers(0, 2**32)


@settings(max_examples=50, deadline=None)
@given(sizes, seeds, st.integers(0, 50))
def test_an_epoch_visits_every_example_once(size, seed, epoch):
    order = epoch_order(size, seed, epoch)
    assert sorted(order) == list(range(size))
    assert np.array_equal(order, epoch_order(size, seed, epoch))


@settings(max_examples=50, deadline=None)
@given(sizes, seeds, st.integers(1, 5))
def test_shards_are_disjoint_equal_and_leave_out_less_than_one_round(size, seed, num_shards):
    shards = [
        epoch_order(size, seed, 0, shard=shard, num_shards=num_shards)
        for shard in range(num_shards)
    ]
    assert {len(shard) for shard in shards} == {size // num_shards}
    visited = np.concatenate(shards)
    assert len(set(visited)) == len(visited) > size - num_shards
    # Step by step, the shards together walk through the order of a single process.
    assert np.array_equal(np.stack(shards, 1).ravel(), epoch_order(size, seed, 0)[: len(visited)])


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = [epoch_order(100, seed, epoch) for seed in (0, 1) for epoch in (0, 1, 2)]
    assert len({order.tobytes() for order in orders}) == len(orders)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=50), seeds, st.data())
def test_random_numbers_belong_to_the_example_and_not_to_its_batch(indices, seed, data):
    indices = np.array(indices)
    numbers = uniform(seed, 3, indices, 4)
    assert numbers.shape == (len(indices), 4)
    assert np.all((numbers >= 0) & (numbers < 1))
    some = np.array(data.draw(st.permutations(range(len(indices)))))[: len(indices) // 2 + 1]
    assert np.array_equal(uniform(seed, 3, indices[some], 4), numbers[some])
    assert np.array_equal(uniform(seed, 3, indices, 2), numbers[:, :2])


def test_normal_numbers_are_normal_and_unrelated():
    numbers = normal(7, 0, np.arange(20_000), 5)
    assert numbers.dtype == np.float32 and np.isfinite(numbers).all()
    assert np.array_equal(normal(7, 0, np.array([3]), 4), numbers[3:4, :4])
    for column in numbers.T:  # at the level of 1 in 10,000: of 5 columns, one in 2,000 would fail
        assert kstest(column, "norm").pvalue > 1e-4
    others = [normal(7, 1, np.arange(20_000), 1), normal(8, 0, np.arange(20_000), 1)]
    neighbours = np.roll(numbers[:, :1], 1, axis=0)
    # The squares, too: two numbers have one radius, and would be related by it were it shared.
    for found in (np.hstack([numbers, neighbours, *others]), numbers**2):
        related = np.corrcoef(found.T)
        assert np.abs(related - np.eye(len(related))).max() < 0.03


def test_random_numbers_are_uniform_and_unrelated():
    numbers = uniform(7, 0, np.arange(20_000), 6)
    assert np.allclose(numbers.mean(axis=0), 1 / 2, atol=0.01)
    assert np.allclose(numbers.var(axis=0), 1 / 12, atol=0.003)
    counts = np.histogram(numbers, bins=20, range=(0, 1))[0]
    assert np.all(np.abs(counts / numbers.size * 20 - 1) < 0.05)
    others = [uniform(7, 1, np.arange(20_000), 1), uniform(8, 0, np.arange(20_000), 1)]
    neighbours = np.roll(numbers[:, :1], 1, axis=0)
    related = np.corrcoef(np.hstack([numbers, neighbours, *others]).T)
    assert np.abs(related - np.eye(len(related))).max() < 0.03
