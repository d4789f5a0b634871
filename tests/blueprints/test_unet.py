"""U-Net and its task: any size, pixels that count for nothing, losses that know what is right."""

import keras
import numpy as np
import pytest

from threefold.datasets.facts import ImageFacts
from threefold.datasets.images.augmentation import IGNORED
from threefold.tasks.image_segmentation import ImageSegmentation
from threefold.training.building import build_model

pytestmark = pytest.mark.each_backend

NAMES = ("sea", "land", "sky")
LOSSES = ImageSegmentation.losses


def make_task(shape=(9, 11, 1), **settings):
    facts = ImageFacts(image_shape=shape, class_names=NAMES, mask_codes=(0, 1, 2))
    return ImageSegmentation(facts, **settings)


@pytest.mark.parametrize("shape", [(9, 11, 1), (16, 8, 3), (1, 1, 1), (7, 64, 3)])
def test_every_pixel_of_every_size_has_an_answer(shape):
    model, _ = build_model("unet", make_task(shape), {"filters": "4,6,8"}, "float32")
    images = np.random.default_rng(0).uniform(0, 255, (2, *shape)).astype(np.float32)
    found = np.asarray(model.predict_on_batch({"image": images}))
    assert found.shape == (2, *shape[:2], 3) and np.isfinite(found).all()


def masks_and_logits():
    random = np.random.default_rng(0)
    masks = random.integers(0, 3, (2, 9, 11)).astype(np.uint8)
    masks[:, :3] = IGNORED
    return masks, random.normal(size=(2, 9, 11, 3)).astype(np.float32)


def compute(loss, masks, logits):
    task = make_task(loss=loss)
    function = task.compile_arguments()["loss"]
    targets = task.targets({"mask": masks})
    found = function(keras.ops.convert_to_tensor(targets), keras.ops.convert_to_tensor(logits))
    return keras.ops.convert_to_numpy(found)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_pixel_that_counts_for_nothing_changes_no_loss(loss):
    masks, logits = masks_and_logits()
    before = compute(loss, masks, logits)
    assert before.shape == (2,)
    logits[:, :3] = 50
    np.testing.assert_allclose(compute(loss, masks, logits), before, rtol=1e-5)
    logits[:, 3:] = 50
    assert not np.allclose(compute(loss, masks, logits), before)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_right_answer_costs_next_to_nothing_and_a_wrong_one_more(loss):
    masks, _ = masks_and_logits()
    right = make_task().targets({"mask": masks}) * 40
    assert (compute(loss, masks, right) < 0.01).all()
    assert (compute(loss, masks, np.roll(right, 1, axis=-1)) > 0.3).all()


def test_cross_entropy_is_the_mean_over_the_pixels_that_count():
    masks, logits = masks_and_logits()
    known = masks != IGNORED
    logs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    wanted = [-logs[i][known[i]][np.arange(known[i].sum()), masks[i][known[i]]].mean()
              for i in range(2)]  # fmt: skip
    np.testing.assert_allclose(compute("cross_entropy", masks, logits), wanted, rtol=1e-5)


def test_an_image_of_which_no_pixel_counts_costs_nothing_that_is_no_number():
    masks, logits = masks_and_logits()
    for loss in LOSSES:
        assert np.isfinite(compute(loss, np.full_like(masks, IGNORED), logits)).all()
