"""U-Net over a network that was trained before: its features, what is trained, what a run needs."""

import json

import keras
import numpy as np
import pytest
from backbones import make_preset
from displays import quiet
from refusals import refused

from threefold.blueprints.parts.backbones import read_architecture
from threefold.core.errors import UserError
from threefold.datasets.facts import ImageFacts
from threefold.tasks.image_segmentation import ImageSegmentation
from threefold.training import fit as fitting
from threefold.training.backend import seed_everything
from threefold.training.building import build_model, rebuild_model
from threefold.training.run import open_run
from threefold.training.settings import TrainingSettings

pytestmark = pytest.mark.each_backend

SHAPE = (9, 11, 1)


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets") / "tiny"
    return folder, make_preset(folder)


def build(backbone, shape=SHAPE, filters="3,4,5", **options):
    facts = ImageFacts(image_shape=shape, class_names=("sea", "land"), mask_codes=(0, 1))
    seed_everything(3)
    backbone = backbone if isinstance(backbone, dict) else str(backbone)
    given = {"backbone": backbone, "filters": filters} | options
    return build_model("unet", ImageSegmentation(facts), given, "float32")[0]


def sample_images(shape) -> dict[str, np.ndarray]:
    return {"image": np.random.default_rng(0).uniform(0, 255, (2, *shape)).astype(np.float32)}


def answer(model, shape=SHAPE):
    return np.asarray(model.predict_on_batch(sample_images(shape)))


def read(model) -> dict[str, np.ndarray]:
    return {weight.path: np.asarray(keras.ops.convert_to_numpy(weight)) for weight in model.weights}


@pytest.mark.parametrize("shape", [(9, 11, 1), (16, 8, 3), (1, 1, 3)])
def test_every_pixel_of_every_size_has_an_answer(preset, shape):
    found = answer(build(preset[0], shape), shape)
    assert found.shape == (2, *shape[:2], 2) and np.isfinite(found).all()


def test_its_features_are_those_of_the_preset(preset):
    import keras_hub

    model, images = build(preset[0], (8, 16, 3)), sample_images((8, 16, 3))
    network = keras_hub.models.Backbone.from_preset(str(preset[0]))
    pyramid = keras.Model(network.input, [network.pyramid_outputs["P2"], network.output])
    scaled = (images["image"] - [123.675, 116.28, 103.53]) / [58.395, 57.12, 57.375]
    wanted = pyramid.predict_on_batch(scaled.astype(np.float32))
    taken = [model.get_layer("up_3_join").input[0], model.get_layer("bottom_dropout").input]
    found = keras.Model(model.input, taken).predict_on_batch(images)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_another_preset_answers_otherwise(preset, tmp_path):
    make_preset(tmp_path / "other", seed=2)
    one, again, other = (answer(build(p)) for p in (preset[0], preset[0], tmp_path / "other"))
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, other, rtol=0.01)


def fit(folder, tmp_path, name="run", init=None, **options):
    command = fitting.Command(
        blueprint="unet",
        task=None,
        dataset="digit_scenes",
        data_options={"validation_fraction": "0.05", "test_fraction": "0.9"},
        options={"backbone": str(folder), "filters": "3,4,5"} | options,
        settings=TrainingSettings.parse({"epochs": "1", "batch_size": "8"}),
        run=str(tmp_path / name),
        init=init,
    )
    return fitting.start(command, quiet).run


@pytest.mark.parametrize("freeze", ["true", "false"])
def test_what_is_frozen_stays_to_the_last_statistic(preset, tmp_path, freeze):
    folder, weights = preset
    found = read(rebuild_model(fit(folder, tmp_path, freeze=freeze))[0])
    same = {path for path, array in weights.items() if np.array_equal(found[path], array)}
    assert same == (set(weights) if freeze == "true" else set())


def test_a_frozen_backbone_answers_alike_in_training(preset):
    model = build(preset[0], freeze="true", dropout="0")
    encoder = keras.Model(model.inputs, model.get_layer("bottom_dropout").input)
    image = keras.ops.convert_to_tensor(sample_images(SHAPE)["image"])
    one, other = (np.asarray(keras.ops.convert_to_numpy(encoder(image, training=training)))
                  for training in (True, False))  # fmt: skip
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    names = {weight.path.split("_")[0] for weight in model.trainable_weights}
    assert names == {"up", "head/kernel", "head/bias"}


def test_a_run_needs_no_preset_any_more(tmp_path):
    make_preset(tmp_path / "tiny")
    first = fit(tmp_path / "tiny", tmp_path)
    (tmp_path / "tiny").rename(tmp_path / "elsewhere")
    run = open_run(str(first.folder))
    assert fitting.resume(str(run.folder), 2, quiet).progress.epoch == 2
    second = fit(tmp_path / "tiny", tmp_path, "second", init=str(run.folder), freeze="true")
    before, after = read(rebuild_model(run)[0]), read(rebuild_model(second)[0])
    np.testing.assert_array_equal(after["conv1_conv/kernel"], before["conv1_conv/kernel"])
    with pytest.raises(UserError, match="cannot load the backbone"):
        fit(tmp_path / "tiny", tmp_path, "third")


def test_an_efficient_net_is_rebuilt_as_it_was(tmp_path):
    """Of it, keras-hub's `get_config` leaves out how many features there are at the end."""
    import keras_hub

    keras.config.set_dtype_policy("float32")
    network = keras_hub.models.EfficientNetBackbone(
        stackwise_width_coefficients=[1.0, 1.0],
        stackwise_depth_coefficients=[1.0, 1.0],
        stackwise_kernel_sizes=[3, 3],
        stackwise_num_repeats=[1, 1],
        stackwise_input_filters=[8, 8],
        stackwise_output_filters=[8, 8],
        stackwise_expansion_ratios=[1, 4],
        stackwise_squeeze_and_excite_ratios=[0.25, 0.25],
        stackwise_strides=[1, 2],
        stackwise_block_types=["v1", "fused"],
        num_features=16,
    )
    network.save_to_preset(str(tmp_path / "tiny"))
    place = tmp_path / "tiny" / "config.json"
    config = json.loads(place.read_text())
    config["config"]["num_features"] = 16
    place.write_text(json.dumps(config))
    model = build(tmp_path / "tiny", filters="3,4")
    again = build(read_architecture(model), filters="3,4")
    assert [(w.path, w.shape) for w in again.weights if "seed" not in w.path] == [
        (w.path, w.shape) for w in model.weights if "seed" not in w.path
    ]
    for weight, other in zip(again.weights, model.weights, strict=True):
        weight.assign(np.array(keras.ops.convert_to_numpy(other)))  # jax gives memory away
    np.testing.assert_allclose(answer(again), answer(model), rtol=1e-5, atol=1e-5)


def test_filters_are_those_of_the_decoder(preset):
    model = build(preset[0], filters="none")
    shapes = [model.get_layer(f"up_{stage}_narrow").output.shape[1:] for stage in (3, 2, 1)]
    assert shapes == [(4, 4, 64), (8, 8, 32), (16, 16, 16)]
    with refused("filters must be 3 numbers, .*: the backbone makes images 8 times smaller; got 2"):
        build(preset[0], filters="3,4")


@pytest.mark.parametrize(
    ("missing", "message"),
    [("config.json", "no preset: it has no config.json"),
     ("model.weights.h5", "no preset: it has no model.weights.h5")],
)  # fmt: skip
def test_a_folder_that_lacks_a_file_is_named_with_it(tmp_path, missing, message):
    make_preset(tmp_path / "tiny")
    (tmp_path / "tiny" / missing).unlink()
    with refused(message):
        build(tmp_path / "tiny")


def test_files_that_do_not_fit_are_one_line(tmp_path):
    make_preset(tmp_path / "tiny")
    (tmp_path / "tiny" / "model.weights.h5").write_bytes(b"damaged")
    with refused("cannot load the backbone '.*tiny': "):
        build(tmp_path / "tiny")
    config = tmp_path / "tiny" / "config.json"
    config.write_text(json.dumps({"some": "thing"}))
    with refused("cannot load the backbone '.*tiny': "):
        build(tmp_path / "tiny")


def test_a_network_without_feature_maps_of_several_sizes_is_refused(tmp_path):
    import keras_hub

    network = keras_hub.models.BertBackbone(
        vocabulary_size=5, num_layers=1, num_heads=1, hidden_dim=2, intermediate_dim=2
    )
    network.save_to_preset(str(tmp_path / "bert"))
    with refused("is a BertBackbone; expected a FeaturePyramidBackbone"):
        build(tmp_path / "bert")
    make_preset(tmp_path / "flat", stages=1)
    with refused(r"maps are smaller than the image by \[4.0\]; expected several powers of 2"):
        build(tmp_path / "flat")


def test_there_is_nothing_to_freeze_without_a_backbone():
    with refused("freeze=true leaves a backbone as it is, and there is none"):
        build("none", freeze="true")
