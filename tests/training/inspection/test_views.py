"""Test-time augmentation: an answer is the mean over views, whatever else is in the batch."""

import numpy as np
import pytest

from threefold.core.errors import UserError
from threefold.datasets.images.augmentation import augment
from threefold.training.inspection.views import VIEWS, average_views, choose_changes


class Settings:
    def __init__(self, task, augment):
        self.task, self.settings = task, self
        self.augment = augment


def brightest(inputs):
    """Answer with the values of two pixels."""
    return inputs["image"][:, 3:5, 2, 0]


def test_an_answer_is_the_mean_over_the_image_and_its_views():
    images = np.random.default_rng(0).integers(0, 256, (3, 9, 7, 1)).astype(np.float32)
    found = average_views(brightest, ("shift", "rotate"))({"image": images})
    one = np.zeros(3, int)
    views = [images, *(augment(images, 0, view, one, ("shift", "rotate")) for view in range(VIEWS))]
    wanted = np.mean([view[:, 3:5, 2, 0] for view in views], axis=0)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert np.abs(found - brightest({"image": images})).max() > 1


def test_an_answer_does_not_depend_on_the_batch():
    images = np.random.default_rng(0).integers(0, 256, (5, 9, 7, 3)).astype(np.float32)
    respond = average_views(brightest, ("crop", "flip"))
    whole = respond({"image": images})
    np.testing.assert_array_equal(respond({"image": images[[4, 1]]}), whole[[4, 1]])


def test_what_cannot_be_averaged_is_refused():
    with pytest.raises(UserError, match="--tta is of no use to image_segmentation; it is for"):
        choose_changes(Settings("image_segmentation", ("shift",)))
    with pytest.raises(UserError, match="changes images as the training did, and this one changed"):
        choose_changes(Settings("image_classification", ("mixup",)))
    chosen = choose_changes(Settings("image_classification", ("mixup", "shift", "cutout")))
    assert chosen == ("shift",)
