import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threefold.core.errors import UserError
from threefold.datasets.splitting import SplitFractions, sample_rows, split_rows

fractions = st.sampled_from([0.0, 0.1, 0.15, 0.25, 1 / 3, 0.45])
class_sizes = st.lists(st.integers(1, 40), min_size=1, max_size=12)


def shuffled_labels(sizes, seed):
    labels = np.repeat(np.arange(len(sizes)) * 7, sizes)
    return np.random.default_rng(seed).permutation(labels)


@settings(max_examples=60, deadline=None)
@given(class_sizes, fractions, fractions, st.integers(0, 1000))
def test_splits_hold_every_row_once_and_every_class_in_proportion(sizes, validation, test, seed):
    labels = shuffled_labels(sizes, seed)
    rows = split_rows(labels, validation, test, seed)

    everything = np.concatenate(list(rows.values()))
    assert sorted(everything) == list(range(len(labels)))
    shares = {"train": 1 - validation - test, "validation": validation, "test": test}
    for name, share in shares.items():
        found = rows.get(name, np.empty(0, int))
        assert np.all(np.diff(found) > 0)
        for label, size in zip(np.unique(labels), sizes, strict=True):
            count = np.sum(labels[found] == label)
            assert abs(count - share * size) < 1
    for label in np.unique(labels):
        assert label in labels[rows["train"]]


def test_many_small_classes_add_up_to_splits_of_the_right_size():
    rows = split_rows(np.repeat(np.arange(500), 2), 0.15, 0.15, seed=3)
    sizes = {name: len(found) for name, found in rows.items()}
    assert sizes == {"train": 700, "validation": 150, "test": 150}


def test_single_rows_before_larger_classes_do_not_upset_their_balance():
    labels = np.concatenate([np.arange(3000), np.repeat([5000, 5001], 6)])
    rows = split_rows(labels, 0.3, 0.15, seed=0)
    for label in (5000, 5001):
        counts = [int(np.sum(labels[found] == label)) for found in rows.values()]
        assert counts == [3, 2, 1]


def test_the_division_depends_on_the_seed_alone():
    labels = shuffled_labels([30, 20, 10], 0)
    first, again, other = (split_rows(labels, 0.2, 0.2, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["test"], other["test"])


def test_rows_without_classes_are_divided_by_number():
    rows = split_rows(100, 0.2, 0.1, seed=0)
    assert [len(rows[name]) for name in ("train", "validation", "test")] == [70, 20, 10]


def test_a_share_of_nothing_makes_no_split():
    assert list(split_rows(10, 0.0, 0.0, seed=0)) == ["train"]


@pytest.mark.parametrize("validation, test", [(0.5, 0.5), (-0.1, 0.2), (1.0, 0.0), (0.58, 0.42)])
def test_fractions_that_leave_nothing_to_train_on_are_refused(validation, test):
    with pytest.raises(UserError, match=f"got {validation} and {test}"):
        split_rows(10, validation, test, seed=0)


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=60),
    st.sampled_from([0.0, 0.1, 0.3]),
    st.sampled_from([0.0, 0.2]),
    st.sets(st.sampled_from(["validation", "test"])),
    st.integers(0, 3),
)
def test_only_what_is_lacking_is_taken_and_groups_stay_together(
    groups, validation, test, there, seed
):
    fractions = SplitFractions(validation, test, seed)
    rows, note = fractions.fill_in(len(groups), there, noun="rows", groups=groups)
    assert sorted(np.concatenate(list(rows.values())).tolist()) == list(range(len(groups)))
    assert not set(rows) & there
    found = [{groups[row] for row in chosen} for chosen in rows.values()]
    assert sum(map(len, found)) == len(set(groups))
    assert bool(note) == bool(fractions.lacking(there))
    alone, _ = fractions.fill_in(len(groups), there, noun="rows")
    wanted = [fractions.lacking(there).get(name, 0.0) for name in ("validation", "test")]
    for name, chosen in split_rows(len(groups), *wanted, seed).items():
        np.testing.assert_array_equal(alone[name], chosen)


def test_what_was_taken_is_said():
    rows, note = SplitFractions(0.1, 0.2, 3).fill_in(np.arange(20) % 2, noun="rows")
    assert note == (
        "no validation or test split: of 20 rows 10 % for validation and 20 % for test, seed 3, "
        "stratified"
    )
    assert {name: len(found) for name, found in rows.items()} == {
        "train": 14, "validation": 2, "test": 4,
    }  # fmt: skip
    assert SplitFractions(0.1, 0.2).fill_in(20, ("test", "validation"), noun="rows").note == ""


@settings(max_examples=60, deadline=None)
@given(class_sizes, st.integers(1, 60), st.integers(0, 1000))
def test_some_rows_stand_for_all(sizes, most, seed):
    labels = np.repeat(np.arange(len(sizes)), sizes)  # in the order of the classes
    rows = sample_rows(labels, most, seed)
    counts = np.bincount(labels[rows], minlength=len(sizes))
    assert np.all(np.diff(rows) > 0) and counts.min() > 0
    assert len(rows) == min(len(labels), most) or len(sizes) > 1
    share = min(1, most / len(labels))
    for count, size in zip(counts, sizes, strict=True):
        assert count == 1 or abs(count - share * size) < 1
    np.testing.assert_array_equal(rows, sample_rows(labels, most, seed))


def test_another_seed_chooses_other_rows():
    assert not np.array_equal(sample_rows(1000, 10, 0), sample_rows(1000, 10, 1))
    assert sample_rows(1000, 10, 0).max() > 500
