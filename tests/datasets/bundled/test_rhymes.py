import numpy as np
import pytest

from threefold.datasets import loading
from threefold.datasets.bundled.cmudict import read_pronunciations
from threefold.datasets.bundled.rhymes import pair_words, rhyming_part


@pytest.mark.parametrize(
    ("sounds", "part"),
    [
        ("B R EY1 V L IY0", "EY V L IY"),
        ("T AH0 M EY1 T OW2", "OW"),  # the second stress is a stress
        ("K AE1 T", "AE T"),
        ("DH AH0", ""),
    ],
)
def test_a_rhyme_begins_with_the_last_stressed_vowel(sounds, part):
    assert rhyming_part(sounds) == part


def test_half_of_the_pairs_rhyme_and_the_others_share_their_last_letter():
    pairs, labels = pair_words(2000)
    sounds = read_pronunciations(True)
    assert labels.sum() == 1000 and len(set(pairs.sources)) == 2000
    for first, second, label in zip(pairs.sources, pairs.targets, labels, strict=True):
        assert first != second
        assert (rhyming_part(sounds[first]) == rhyming_part(sounds[second])) == label
        assert label or first[-1] == second[-1]


def test_the_number_of_pairs_is_an_option_and_fewer_are_the_first_of_more():
    assert sum(map(len, loading.load("rhymes", {"pairs": "50"}).splits.values())) == 50
    few, more = pair_words(20)[0].targets, pair_words(40)[0].targets
    assert few == more[:20]


def test_no_class_is_seen_more_often_in_any_split():
    for split in loading.load("rhymes", {"pairs": "100"}).splits.values():
        labels = split[np.arange(len(split))]["label"]
        assert abs(int((labels == 0).sum()) - int((labels == 1).sum())) <= 1
