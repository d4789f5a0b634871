import keras
import numpy as np
import pytest
from keras import ops

from threefold.blueprints.cnn import TASKS
from threefold.datasets.dataset import ArraySource
from threefold.datasets.facts import ImageFacts
from threefold.tasks.image_multilabel_classification import ImageMultilabelClassification

pytestmark = pytest.mark.each_backend
FACTS = ImageFacts(image_shape=(6, 6, 1), class_names=("sea", "sky", "boat"))
NAME = "image_multilabel_classification"


def make_task(**settings):
    return ImageMultilabelClassification(FACTS, **settings)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return TASKS[NAME](**make_task().arguments(), filters=(4,), dense_units=())


def make_source(count=80):
    random = np.random.default_rng(0)
    images = random.uniform(0, 255, (count, 6, 6, 1)).astype(np.float32)
    return ArraySource({"image": images, "labels": random.random((count, 3)) < [0.5, 0.3, 0.25]})


def losses_of(name, targets, logits, **settings):
    outputs = np.concatenate([logits, logits - 3.0], axis=-1).astype(np.float32)
    loss = make_task(loss=name, **settings).compile_arguments()["loss"]
    arguments = (ops.convert_to_tensor(np.asarray(part, np.float32)) for part in (targets, outputs))
    return ops.convert_to_numpy(loss(*arguments))


def test_the_loss_is_that_of_keras_whatever_the_thresholds_are():
    random = np.random.default_rng(1)
    targets, logits = random.random((5, 3)).round(), random.normal(0, 3, (5, 3))
    arguments = (ops.convert_to_tensor(np.asarray(part, np.float32)) for part in (targets, logits))
    targets_, logits_ = arguments
    wanted = keras.losses.binary_crossentropy(targets_, logits_, from_logits=True,
                                              label_smoothing=0.1)  # fmt: skip
    found = losses_of("binary_cross_entropy", targets, logits, label_smoothing=0.1)
    assert found == pytest.approx(ops.convert_to_numpy(wanted), rel=1e-5)
    wanted = keras.losses.binary_focal_crossentropy(targets_, logits_, from_logits=True)
    found = losses_of("focal", targets, logits)
    assert found == pytest.approx(ops.convert_to_numpy(wanted), rel=1e-4)


def test_the_asymmetric_loss_forgets_what_is_known_to_be_absent():
    logits = np.array([[-4.0, -4.0, -4.0]])  # probabilities of 0.018
    absent, present = (
        losses_of("asymmetric", [[0, 0, 0]], logits),
        losses_of("asymmetric", [[1, 1, 1]], logits),
    )
    assert absent == [0.0] and present == pytest.approx(np.log1p(np.exp(4)), rel=1e-5)
    taken = losses_of("asymmetric", [[0, 0, 0]], np.array([[2.0, 2.0, 2.0]]))
    shifted = 1 / (1 + np.exp(-2)) - 0.05
    assert taken == pytest.approx(-(shifted**4) * np.log(1 - shifted), rel=1e-4)


def test_thresholds_are_learned_after_the_training_and_decide(model):
    task, source = make_task(), make_source()
    respond = task.predict_fn(model)
    before = task.postprocess(respond({"image": source.arrays["image"]}))
    note = task.calibrate(model, {"validation": source}, 16)
    after = task.postprocess(respond({"image": source.arrays["image"]}))
    assert after["probabilities"] == pytest.approx(before["probabilities"])
    assert "3 labels have thresholds of their own" in note

    def f1(found):
        return task.compute_metrics(found, source.arrays)["micro_f1"]

    assert f1(after) > f1(before)
    again = task.calibrate(model, {"validation": source}, 16)  # a run that was cut does it twice
    assert again == note


def test_without_a_validation_split_half_decides(model):
    layer = model.get_layer("calibration")
    layer.thresholds.assign(np.ones(3, np.float32))
    note = make_task().calibrate(model, {"train": make_source()}, 16)
    assert note == "labels from a probability of 0.5 on: there is no validation split"
    assert not ops.convert_to_numpy(layer.thresholds).any()


def test_answers_name_labels_and_near_ties():
    task = make_task()
    scores = np.array([[2.0, -1.0, 0.5], [1.0, -3.0, -3.0]], np.float32)
    thresholds = np.array([0.5, -2.0, 1.0], np.float32)
    found = task.postprocess(np.concatenate([scores, scores - thresholds], axis=-1))
    described = task.describe(found, {})
    assert [record["labels"] for record in described] == [["sea", "sky"], ["sea"]]
    assert described[0]["probabilities"]["sea"] == pytest.approx(1 / (1 + np.exp(-2)))
    near = np.concatenate([thresholds + 1e-6, np.full(3, 1e-6)])[None].astype(np.float32)
    margins = task.postprocess(np.concatenate([near]))
    assert task.near_ties(margins, 1e-5).all()
    assert not task.near_ties(found, 1e-5).any()
