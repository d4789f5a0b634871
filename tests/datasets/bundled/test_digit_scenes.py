import numpy as np

from threefold.datasets import loading
from threefold.datasets.bundled import digit_scenes
from threefold.datasets.bundled.digits import read_digits


def test_scenes_are_the_same_each_time_and_fewer_are_the_first_of_more():
    one, again = (loading.load("digit_scenes", {"scenes": "20"}) for _ in range(2))
    assert one.fingerprint == again.fingerprint
    assert sum(map(len, one.splits.values())) == 20


def test_a_mask_says_which_digits_ink_a_pixel_shows():
    digits, labels = read_digits()
    held = []
    for scene in range(30):
        random = np.random.default_rng(scene)
        image, mask, _, _ = digit_scenes.compose(digits, labels, np.arange(100), random)
        assert image.shape == (64, 64, 3) and image.dtype == np.uint8
        # Ink is brighter than any ground.
        assert image[mask > 0].max(axis=-1).mean() > image[mask == 0].max(axis=-1).mean() + 50
        held += np.unique(mask).tolist()
        assert set(np.unique(mask)) - {0} <= set(labels[:100] + 1)
    assert set(held) == set(range(11))


def test_a_box_frames_the_ink_of_its_digit():
    digits, labels = read_digits()
    alone = 0
    for scene in range(60):
        random = np.random.default_rng(scene)
        _, mask, boxes, classes = digit_scenes.compose(digits, labels, np.arange(100), random)
        assert 1 <= len(boxes) == len(classes) <= 4
        for left, top, right, bottom in boxes.astype(int):
            assert 0 <= left < right <= 64 and 0 <= top < bottom <= 64
        if len(boxes) == 1:
            alone += 1
            down, right = np.nonzero(mask)
            around = [right.min(), down.min(), right.max() + 1, down.max() + 1]
            assert boxes[0].tolist() == around
            assert set(np.unique(mask)) == {0, classes[0] + 1}
    assert alone > 5


def test_masks_and_boxes_are_of_the_same_scenes():
    one = loading.load("digit_scenes", {"scenes": "20"}).splits["train"][np.arange(10)]
    other = loading.load("digit_scenes", {"scenes": "20"}, task="object_detection")
    found = other.splits["train"][np.arange(10)]
    assert (one["image"] == found["image"]).all()
    assert other.facts.class_names == tuple("0123456789")
    assert found["boxes"].shape == (10, 4, 4) and (found["box_class"] >= 0).any(axis=1).all()


def test_no_digit_is_in_two_splits(monkeypatch):
    pools = []
    compose = digit_scenes.compose

    def keep(digits, labels, pool, random):
        pools.append(frozenset(pool.tolist()))
        return compose(digits, labels, pool, random)

    monkeypatch.setattr(digit_scenes, "compose", keep)
    loading.load("digit_scenes", {"scenes": "20"})
    one, other, third = set(pools)
    assert not (one & other or one & third or other & third)
