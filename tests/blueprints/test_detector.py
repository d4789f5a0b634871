"""The detector and its task: any size, losses that know what is right, boxes of images' own."""

import keras
import numpy as np
import pytest

from threefold.blueprints.parts.points import locate_points, strides_of
from threefold.datasets.facts import ImageFacts
from threefold.datasets.images.image_files import stack_images
from threefold.tasks.object_detection import ObjectDetection
from threefold.training.building import build_model

pytestmark = pytest.mark.each_backend

SMALL = {"filters": "4,6,8", "levels": "2", "pyramid_filters": "6", "head_convolutions": "1"}
OPTIONS = {"filters": (4, 6, 8), "levels": 2}


def make_task(shape=(18, 21, 3), **settings):
    facts = ImageFacts(image_shape=shape, class_names=("cat", "dog", "cow"), boxes=True)
    return ObjectDetection(facts, options=OPTIONS, **settings)


def objects():
    boxes = np.array([[[1, 2, 9, 12], [10, 8, 20, 17]], [[3, 3, 15, 14], [0, 0, 0, 0]]], np.float32)
    return {"boxes": boxes, "box_class": np.array([[0, 2], [1, -1]])}


@pytest.mark.parametrize("shape", [(18, 21, 3), (16, 8, 1), (1, 1, 1), (7, 64, 3)])
def test_every_point_of_every_size_has_an_answer(shape):
    model, _ = build_model("detector", make_task(shape), SMALL, "float32")
    images = np.random.default_rng(0).uniform(0, 255, (2, *shape)).astype(np.float32)
    found = np.asarray(model.predict_on_batch({"image": images}))
    points = locate_points(shape[:2], strides_of((4, 6, 8), 2))
    assert found.shape == (2, len(points), 4 + 1 + 3) and np.isfinite(found).all()
    # Every box lies around the point that it is from.
    assert (found[..., :2] < points[:, :2]).all() and (found[..., 2:4] > points[:, :2]).all()
    # Before it has learned, nothing is said to be there.
    assert found[..., 5:].max() < -3


def compute(loss, examples, outputs):
    task = make_task(loss=loss)
    function = task.compile_arguments()["loss"]
    targets = task.targets(examples)
    found = function(keras.ops.convert_to_tensor(targets), keras.ops.convert_to_tensor(outputs))
    return keras.ops.convert_to_numpy(found)


def right_outputs(examples):
    targets = make_task().targets(examples)
    centre = targets[..., 4:5].clip(1e-6, 1 - 1e-6)
    return np.concatenate(
        [targets[..., :4], np.log(centre / (1 - centre)), 60 * targets[..., 6:] - 30], axis=-1
    )


@pytest.mark.parametrize("loss", ObjectDetection.losses)
def test_a_right_answer_costs_the_least(loss):
    examples = objects()
    right = right_outputs(examples)
    least = compute(loss, examples, right)
    assert least.shape == (2,) and np.isfinite(least).all()
    owned = make_task().targets(examples)[..., 5] == 1
    for place, shift in ((0, 3.0), (3, -2.0), (4, 2.0), (5, -40.0), (6, 40.0)):
        wrong = right.copy()
        wrong[owned, place] += shift
        costs = compute(loss, examples, wrong)
        assert (costs >= least - 1e-5).all() and costs.max() > least.max() + 1e-3, place


@pytest.mark.parametrize("loss", ObjectDetection.losses)
def test_an_image_without_objects_costs_what_is_found_in_it(loss):
    none = {"boxes": np.zeros((2, 1, 4), np.float32), "box_class": np.full((2, 1), -1)}
    quiet = np.zeros_like(right_outputs(none), np.float32)
    quiet[..., 5:] = -30
    assert compute(loss, none, quiet).max() < 1e-6
    loud = quiet.copy()
    loud[1, 3, 6] = 3
    costs = compute(loss, none, loud)
    assert costs[0] < 1e-6 and costs[1] > 0.5


def test_boxes_are_in_pixels_of_the_images_as_they_were_read():
    """A network that always says the same box says, of each image, where that is in it."""
    task = make_task((16, 16, 1))
    images = stack_images([np.zeros((32, 32, 1), np.uint8), np.zeros((16, 64, 1), np.uint8)])

    class Same:
        def predict_on_batch(self, inputs):
            assert inputs["image"].shape == (2, 16, 16, 1)
            outputs = np.full((2, 20, 8), -30, np.float32)
            outputs[:, 7, :5] = [4, 4, 12, 12, 30]
            outputs[:, 7, 6] = 30
            outputs[:, 3] = outputs[:, 7]
            outputs[:, 3, :4] = [4, -2, 12, 4]  # of the second image, in the gray above it
            return outputs

    inputs = task.inference_inputs({"image": images})
    found = task.postprocess(task.predict_fn(Same())(inputs))
    assert found["count"].tolist() == [2, 1]
    np.testing.assert_allclose(found["boxes"][0, :2], [[8, 0, 24, 8], [8, 8, 24, 24]], atol=1e-4)
    # 16 x 64 becomes 4 x 16 in the middle: what reaches beyond it ends at its edge.
    np.testing.assert_allclose(found["boxes"][1, 0], [16, 0, 48, 16], atol=1e-4)
    (record,) = task.describe(found, {"image": images})[1]["objects"]
    assert record["class"] == "dog"
    assert [record[side] for side in ("left", "top", "right", "bottom")] == [16, 0, 48, 16]
    assert record["score"] == pytest.approx(1, abs=1e-5)
