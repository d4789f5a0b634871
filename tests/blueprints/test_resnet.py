"""The residual network, drawn here or taken from keras-hub."""

import time
from unittest.mock import MagicMock

import keras
import numpy as np
import pytest
from backbones import make_preset
from refusals import refused

from threefold.core.errors import UserError
from threefold.datasets import loading
from threefold.datasets.facts import ImageFacts
from threefold.tasks.task import find_task
from threefold.training import fit as fitting
from threefold.training.building import build_model, rebuild_model
from threefold.training.run import open_run
from threefold.training.settings import TrainingSettings

pytestmark = pytest.mark.each_backend

CLASSES = {"class_names": ("a", "b", "c"), "class_counts": (1, 1, 1)}


def build(image_shape=(8, 8, 1), **options):
    task = find_task("image_classification")(ImageFacts(image_shape=image_shape, **CLASSES))
    return build_model("resnet", task, {"width": "4"} | options, "float32")[0]


@pytest.mark.parametrize("depth", [8, 14, 20])
def test_depth_counts_the_layers_with_weights(depth):
    """The paper's 6 n + 2: convolutions and the head, not the shortcuts' projections."""
    layers = [layer for layer in build(depth=str(depth)).layers if "shortcut" not in layer.name]
    kinds = (keras.layers.Conv2D, keras.layers.Dense)
    assert sum(isinstance(layer, kinds) for layer in layers) == depth


@pytest.mark.parametrize("depth", ["2", "7", "9", "12", "18"])
def test_another_depth_is_refused_with_those_that_are(depth):
    with pytest.raises(UserError, match=rf"depth must be 6 n \+ 2 \(8, 14, .*\), got {depth}"):
        build(depth=depth)


def test_each_stage_halves_the_image_and_doubles_the_filters():
    model = build(width="5")
    shapes = [model.get_layer(f"stage_{stage}_block_1_add").output.shape for stage in (1, 2, 3)]
    assert shapes == [(None, 8, 8, 5), (None, 4, 4, 10), (None, 2, 2, 20)]


def test_a_block_of_equal_shapes_adds_its_input_itself():
    names = [layer.name for layer in build(depth="14").layers if "shortcut" in layer.name]
    assert names == ["stage_2_block_1_shortcut", "stage_3_block_1_shortcut"]


def test_large_images_enter_through_a_striding_stem():
    assert build((64, 64, 3)).get_layer("stem_conv").output.shape == (None, 64, 64, 4)
    large = build((96, 96, 3))
    assert large.get_layer("stem_conv").output.shape == (None, 48, 48, 4)
    assert large.get_layer("stem_pool").output.shape == (None, 24, 24, 4)


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets") / "tiny"
    return folder, make_preset(folder, stages=1)


def test_a_backbone_brings_its_weights_and_its_lasting_names(preset):
    folder, weights = preset
    one, other = build(backbone=str(folder)), build(backbone=str(folder))
    assert [w.path for w in one.weights] == [w.path for w in other.weights]
    found = {weight.path: np.asarray(weight.numpy()) for weight in one.weights}
    for path, array in weights.items():
        np.testing.assert_array_equal(found[path], array)


def test_a_backbone_sees_pixels_as_it_was_trained_on_them(preset):
    model = build((8, 8, 3), backbone=str(preset[0]))
    scaled = keras.Model(model.inputs, model.get_layer("imagenet_scale").output)
    mean_colour = np.tile(np.float32([123.675, 116.28, 103.53]), (1, 8, 8, 1))
    found = np.asarray(scaled.predict_on_batch({"image": mean_colour}))
    np.testing.assert_allclose(found, 0, atol=1e-5)
    gray = np.full((1, 8, 8, 1), 100, np.float32)
    answer = build(backbone=str(preset[0])).predict_on_batch({"image": gray})
    assert np.asarray(answer).shape == (1, 3)


def test_a_fit_from_a_backbone_learns_and_is_rebuilt(preset, tmp_path):
    folder, weights = preset
    command = fitting.Command(
        blueprint="resnet",
        task=None,
        dataset="digits",
        data_options={"validation_fraction": "0.8", "test_fraction": "0.1"},
        options={"backbone": str(folder)},
        settings=TrainingSettings.parse({"epochs": "1", "batch_size": "64"}),
        run=str(tmp_path / "run"),
    )
    fitted = fitting.start(command, lambda run, dataset, model: MagicMock())
    accuracy = {found.split: found.metrics["accuracy"] for found in fitted.evaluations}
    folder.rename(tmp_path / "elsewhere")  # the run has all that it needs
    model, task = rebuild_model(open_run(str(tmp_path / "run")))
    found = {weight.path: np.asarray(weight.numpy()) for weight in model.weights}
    path = "conv1_conv/kernel"
    assert not np.array_equal(found[path], weights[path])  # it was trained, not frozen
    examples = loading.load("digits", command.data_options).splits["test"][np.arange(180)]
    answers = task.postprocess(np.asarray(model.predict_on_batch(task.model_inputs(examples))))
    share = np.mean(answers["label_index"] == examples["label"])
    assert share == pytest.approx(accuracy["test"], abs=0.006)


@pytest.mark.parametrize("name", ["resnet_18_imagenot", "./no/such/folder"])
def test_an_unknown_preset_is_one_clear_line_at_once(name):
    began = time.monotonic()
    with refused(f"cannot load the backbone '{name}'") as error:
        build(backbone=name)
    assert time.monotonic() - began < 20
    assert "resnet_18_imagenet" in str(error.value)
