"""What is the family's own: its networks, its rules and its recipes."""

import numpy as np
import pytest

from threefold.blueprints import gan
from threefold.core.errors import UserError
from threefold.training.backend import seed_everything
from threefold.training.building import resolve_options
from threefold.training.settings import TrainingSettings, find_recipe

pytestmark = pytest.mark.each_backend


def build(image_shape=(8, 8, 1), num_classes=3, **given):
    seed_everything(0)
    return gan.build(image_shape, num_classes, **{"filters": 2, "latent_dim": 4} | given)


def make(model, count=2, **labels):
    noise = np.random.default_rng(0).normal(size=(count, 4)).astype(np.float32)
    return np.asarray(model.get_layer("generator").predict_on_batch({"noise": noise, **labels}))


@pytest.mark.parametrize("architecture", ["dense", "dcgan", "sagan"])
@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (32, 48, 3)])
def test_images_are_of_the_size_of_the_data(architecture, shape):
    model = build(shape, architecture=architecture)
    images = make(model)
    assert images.shape == (2, *shape) and np.abs(images).max() <= 1
    found = model.get_layer("discriminator").predict_on_batch({"image": images})
    assert np.asarray(found["score"]).shape == (2, 1)


@pytest.mark.parametrize("shape", [(9, 9, 1), (8, 9, 1), (37, 37, 3), (2, 2, 1)])
def test_a_size_that_cannot_be_reached_is_refused_with_one_that_can(shape):
    for architecture in ("dcgan", "sagan"):
        with pytest.raises(ValueError, match="architecture=dense") as error:
            build(shape, architecture=architecture)
        words = str(error.value).partition("image_size=")[2].partition(")")[0]
        reached = tuple(int(side) for side in words.split(","))
        assert build((*reached, shape[2]), architecture=architecture)
    assert build(shape, architecture="dense")


def test_the_class_decides_the_image_and_the_score():
    model = build(conditional=True)
    labels = np.array([0, 2], np.int32)
    images = make(model, label=labels)
    assert not np.allclose(images, make(model, label=labels[::-1]))
    discriminator = model.get_layer("discriminator")
    scores = [np.asarray(discriminator.predict_on_batch({"image": images, "label": given})["score"])
              for given in (labels, labels[::-1])]  # fmt: skip
    assert not np.allclose(*scores)


def test_averages_over_a_batch_are_not_for_a_penalty_or_spectral_norm():
    def averaged(**given):
        layers = build(**given).get_layer("discriminator").layers
        return any("norm" in layer.name for layer in layers)

    assert averaged(gradient_penalty="none")
    for given in ({"gradient_penalty": "r1"}, {"gradient_penalty": "none", "spectral_norm": True}):
        assert not averaged(**given)


def test_a_weight_without_a_penalty_is_refused():
    with pytest.raises(ValueError, match="penalty_weight is for gradient_penalty=wgan_gp and r1"):
        build(gradient_penalty="none", penalty_weight=3.0)


def test_attention_begins_with_what_is_there():
    from keras import ops

    from threefold.blueprints.parts.adversarial.layers import SelfAttention

    seed_everything(0)
    layer, places = SelfAttention(), np.random.default_rng(0).normal(size=(2, 3, 4, 8))
    found = ops.convert_to_numpy(layer(places.astype(np.float32)))
    np.testing.assert_allclose(found, places, rtol=1e-6)


@pytest.mark.parametrize("name", gan.RECIPES)
def test_every_recipe_names_options_and_settings_that_exist(name):
    recipe = find_recipe(gan, name)
    options = resolve_options("gan", "image_generation", recipe["options"])
    assert options.items() >= recipe["options"].items()
    assert gan.build((8, 8, 1), 3, **options | {"filters": 2}).adversarial_config
    found = TrainingSettings(recipe=name, epochs=2).resolve(gan, "image_generation", ())
    assert found.model_dump().items() >= (recipe["settings"] | {"epochs": 2}).items()


def test_an_unknown_recipe_suggests_the_closest():
    with pytest.raises(UserError, match="no recipe 'wgan_pg'; did you mean 'wgan_gp'"):
        find_recipe(gan, "wgan_pg")
    from threefold.blueprints import cnn

    with pytest.raises(UserError, match="blueprint 'cnn' has no recipe 'dcgan'; it has none"):
        find_recipe(cnn, "dcgan")
