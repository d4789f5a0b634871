"""Images with holes: what a model is given, and what becomes of its answers."""

import numpy as np
import pytest

from threefold.core.errors import UserError
from threefold.datasets.images.image_files import stack_images
from threefold.tasks.evaluation import evaluate
from threefold.tasks.image_inpainting import ImageInpainting
from threefold.training.data import load_dataset


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits", {}, task="image_inpainting")


@pytest.fixture
def task(digits):
    return ImageInpainting(digits.facts)


def test_an_evaluation_has_the_same_holes_in_batches_of_any_size(digits, task):
    whole = task.model_inputs(digits.splits["test"][np.arange(7)])
    part = task.model_inputs(digits.splits["test"][np.array([4, 2])])
    np.testing.assert_array_equal(part["mask"], whole["mask"][[4, 2]])
    assert whole["mask"].shape == (7, 8, 8, 1) and whole["mask"].dtype == np.float32
    other = task.model_inputs(digits.splits["train"][np.arange(7)])
    assert not np.array_equal(other["mask"], whole["mask"])


def test_a_training_has_other_holes_in_each_epoch(task):
    one, other = (task.random_arrays(0, epoch, np.arange(9))["mask"] for epoch in (0, 1))
    assert not np.array_equal(one, other)


def test_the_simple_methods_are_better_than_nothing(digits, task):
    """Judged as a model is, by the same holes."""
    baselines = task.baselines(digits.splits["train"])
    found = {name: score(digits.splits["test"]) for name, score in baselines.items()}
    assert set(found) == {"mean of the hole's border", "diffusion from the hole's border"}

    def fill_white(examples):
        empty = task.model_inputs(examples)
        return {"completed": empty["image"] * (1 - empty["mask"]) + 255 * empty["mask"]}

    white = evaluate(fill_white, task, digits.splits["test"], "test", 64).metrics
    for metrics in found.values():
        assert set(metrics) == {"psnr", "ssim", "l1"}
        assert metrics["psnr"] > white["psnr"] and metrics["l1"] < white["l1"]
    assert found["diffusion from the hole's border"]["ssim"] > 0.7


def test_an_answer_has_the_images_own_size_and_its_own_pixels_outside_the_hole(task):
    sample = np.random.default_rng(0)
    images = [sample.integers(0, 256, size).astype(np.uint8) for size in ((20, 33, 1), (8, 8, 1))]
    masks = [np.zeros(image.shape[:2], np.uint8) for image in images]
    masks[0][3:9, 4:30], masks[1][0, 0] = 1, 1
    examples = {"image": stack_images(images), "mask": stack_images(masks)}

    def answer(given):
        inputs = task.model_inputs(given)
        assert inputs["image"].shape == (2, 8, 8, 1) and inputs["mask"].shape == (2, 8, 8, 1)
        return {"completed": np.full((2, 8, 8, 1), 77, np.float32)}

    found = task.answer_inputs(answer, examples, 2)
    written = task.found_images(found)
    for image, mask, whole in zip(images, masks, written, strict=True):
        assert whole.dtype == np.uint8 and whole.shape == image.shape
        assert (whole[mask == 1] == 77).all()
        np.testing.assert_array_equal(whole[mask == 0], image[mask == 0])
    shares = [record["share_in_hole"] for record in task.describe(found, examples)]
    assert shares == [pytest.approx(mask.mean()) for mask in masks]


def test_data_without_images_are_refused():
    with pytest.raises(UserError, match="serves the task|takes images"):
        load_dataset("wine", {}, task="image_inpainting")
