"""FID and KID by the features of InceptionV3: here of random weights, which compare images too."""

import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from PIL import Image

from threefold.core.errors import UserError
from threefold.datasets.facts import ImageFacts
from threefold.tasks.metrics.images.image_quality import frechet_distance, kernel_distance
from threefold.training.backend import choose_backend, seed_everything
from threefold.training.inspection import inception
from threefold.training.inspection.inception import load_inception

pytestmark = pytest.mark.once

choose_backend()


def record_of(shape, task="image_generation"):
    facts = ImageFacts(image_shape=shape, class_names=("a",), class_counts=(9,))
    return SimpleNamespace(task=task, facts=facts)


def random_images(count, shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(np.float32)


@pytest.fixture(scope="module")
def network():
    seed_everything(0)
    return keras.applications.InceptionV3(include_top=False, pooling="avg", weights=None)


@pytest.fixture(scope="module")
def folder(network, tmp_path_factory):
    """The same weights as Keras's own file holds them, and as a user saves them; others."""
    folder = tmp_path_factory.mktemp("inception")
    network.save(folder / inception.PUBLISHED)
    for name in ("own.weights.h5", "own.keras"):
        getattr(network, "save" if name.endswith(".keras") else "save_weights")(folder / name)
    (folder / "words.h5").write_text("weights")
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    other.save_weights(folder / "other.weights.h5")
    return folder


@pytest.fixture
def small_inception(monkeypatch):
    """Look at images of fewer pixels, which takes a tenth of the time."""
    monkeypatch.setattr(inception, "SIDE", 75)


def test_features_are_those_of_keras(network, folder):
    """Of images that Pillow enlarges and makes smaller, and Keras scales."""
    for side in (8, 400):
        images = random_images(2, (side, side, 3))
        channels = [
            np.asarray(Image.fromarray(image[..., channel]).resize((299, 299), Image.BILINEAR))
            for image in images
            for channel in range(3)
        ]
        resized = np.stack(channels, -1).reshape(299, 299, 2, 3).transpose(2, 0, 1, 3)
        scaled = keras.applications.inception_v3.preprocess_input(resized.copy())
        wanted = np.asarray(network.predict_on_batch(scaled))
        found = load_inception(record_of(images[0].shape), str(folder / inception.PUBLISHED))(
            images
        )
        assert found.shape == (2, 2048) and found.std() > 0
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3 * wanted.max())


def test_files_of_every_form_give_the_same_features(folder, small_inception):
    files = (inception.PUBLISHED, "own.weights.h5", "own.keras")
    images, record = random_images(2, (8, 8, 1)), record_of((8, 8, 1))
    one, *others = (load_inception(record, str(folder / name))(images) for name in files)
    for features in others:
        np.testing.assert_array_equal(features, one)


def test_features_come_in_the_order_of_images_and_tell_them_apart(
    folder, monkeypatch, small_inception
):
    monkeypatch.setattr(inception, "BATCH", 8)  # the last one is not full
    compute = load_inception(record_of((8, 8, 1)), str(folder / "own.weights.h5"))
    real, flat = random_images(20, (8, 8, 1)), random_images(20, (1, 1, 1)) * np.ones((20, 8, 8, 1))
    features, limit = compute(real), 1e-4 * compute(real).max()
    np.testing.assert_allclose(compute(real[::-1]), features[::-1], rtol=1e-4, atol=limit)
    assert np.abs(features - features[::-1]).max() > 10 * limit
    some, flat_some = features[:, :64], compute(flat)[:, :64]  # of all it takes seconds
    assert frechet_distance(some, some) < 1e-3 * frechet_distance(flat_some, some)
    assert kernel_distance(features, features) < kernel_distance(compute(flat), features)
    rgb = load_inception(record_of((8, 8, 3)), str(folder / "own.weights.h5"))
    np.testing.assert_allclose(
        rgb(real[:8].repeat(3, axis=-1)), features[:8], rtol=1e-4, atol=limit
    )


@pytest.mark.parametrize(
    ("record", "file", "message"),
    [
        (record_of((8, 8, 1), "image_classification"), "own.weights.h5",
         "--inception is for runs that make images (image_generation), not image_classification"),
        (record_of((8, 8, 1), "image_inpainting"), "own.weights.h5", "for runs that make images"),
        (record_of((1, 2, 1)), "own.weights.h5", "those of this run are 1 × 2 × 1"),
        (record_of((8, 8, 2)), "own.weights.h5", "gray or RGB images; those of this run are 8 × 8"),
        (record_of((8, 8, 1)), "none.h5", "none.h5: no such file; expected Keras's inception_v3_"),
        (record_of((8, 8, 1)), "words.h5", "holds no weights of keras.applications.InceptionV3"),
        (record_of((8, 8, 1)), "other.weights.h5", "holds no weights of keras.applications.Incep"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused(folder, record, file, message, recwarn):
    with pytest.raises(UserError) as refused:
        load_inception(record, str(folder / file))
    assert message in str(refused.value) and "\n" not in str(refused.value) and not recwarn


@pytest.mark.filterwarnings("default::UserWarning")
def test_evaluate_adds_the_distances_beside_those_of_real_images(run_cli, folder, small_inception):
    small = ("-o", "filters=2", "-o", "latent_dim=4", "-d", "test_fraction=0.03", "--epochs", "1")
    assert run_cli("fit", "gan", *small, "--run", "run")[0] == 0
    weights = ("--inception", str(folder / "own.weights.h5"))
    code, out, err = run_cli("evaluate", "run", "--split", "test", *weights, "--json")
    assert code == 0, err
    assert err.count("warning: inception_fid of 54 images is too large: below 2,048 the cov") == 1
    found = json.loads(out)["metrics"]["test"]
    (real,) = found["baselines"].values()
    assert found["images"] == 54
    for name in ("inception_fid", "inception_kid"):
        assert found[name] > 3 * max(real[name], 0)


def test_an_artifact_is_refused(run_cli, in_tmp):
    (in_tmp / "artifact").mkdir()
    (in_tmp / "artifact" / "artifact.json").write_text("{}")
    code, _, err = run_cli("evaluate", "artifact", "--inception", "none.h5")
    assert (code, err.count("\n")) == (2, 1)
    assert "--inception is for runs; the artifact artifact has a runtime of its own" in err
