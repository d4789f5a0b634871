"""Images with holes: what the networks look at and leave alone, and what they are trained by."""

import numpy as np
import pytest

from threefold.datasets.dataset import ArraySource
from threefold.datasets.facts import ImageFacts
from threefold.datasets.images.numbered_images import Numbered
from threefold.tasks.image_inpainting import ImageInpainting
from threefold.training.backend import seed_everything
from threefold.training.building import build_model
from threefold.training.settings import TrainingSettings

pytestmark = pytest.mark.each_backend

COUNT = 12


def make(size=(9, 11), channels=1, **given):
    """Return a small task, its model, and images of noise."""
    facts = ImageFacts(image_shape=(*size, channels), class_names=("a",), class_counts=(COUNT,))
    task = ImageInpainting(facts)
    seed_everything(0)
    model, _ = build_model("gan", task, {"filters": "4"} | given, "float32")
    images = np.random.default_rng(0).integers(0, 256, (COUNT, *size, channels))
    return task, model, Numbered(ArraySource({"image": images.astype(np.float32)}), 0)


def compiled(task, model, **settings):
    from threefold.training.loop import compile_model

    settings = {"optimizer": "adam", "learning_rate": 1e-3, "schedule": "constant", "warmup": 0,
                "epochs": 1} | settings  # fmt: skip
    return compile_model(model, task, TrainingSettings(**settings), COUNT)


@pytest.mark.parametrize("size", [(1, 2), (9, 11), (32, 17)])
@pytest.mark.parametrize("channels", [1, 3])
def test_outside_of_its_hole_an_image_stays_and_inside_it_is_not_looked_at(size, channels):
    task, model, source = make(size, channels)
    inputs = task.model_inputs(source[np.arange(COUNT)])
    complete = task.predict_fn(model)
    made, inside = complete(inputs), np.broadcast_to(inputs["mask"] == 1, inputs["image"].shape)
    np.testing.assert_array_equal(made[~inside], inputs["image"][~inside])
    assert made[inside].min() >= 0 and made[inside].max() <= 255
    other = np.where(inside, 255 - inputs["image"], inputs["image"])
    np.testing.assert_array_equal(complete(inputs | {"image": other}), made)
    moved = np.where(inside, inputs["image"], 255 - inputs["image"])
    assert not np.array_equal(complete(inputs | {"image": moved})[inside], made[inside])
    assert model.compute_output_shape({n: a.shape for n, a in inputs.items()})[0] == COUNT


def test_what_is_reported_is_the_difference_inside_the_holes():
    """By it the best epoch is chosen: half of the numbers that `evaluate` gives as `l1`."""
    from threefold.training.batches import Batches

    task, model, source = make()
    inputs = task.model_inputs(source[np.arange(COUNT)])
    validation = Batches(source, task, COUNT)
    (given, targets) = validation[0]
    made = task.predict_fn(model)({name: given[name] for name in inputs})
    inside = given["mask"][..., 0] == 1
    wanted = np.abs(made - targets)[inside].mean() / 127.5
    trainer = compiled(task, model)
    found = trainer.evaluate(validation, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(wanted, rel=1e-5)
    scored = task.compute_metrics({"completed": made}, {"image": targets, "mask": inside})
    assert scored["l1"] == pytest.approx(127.5 * wanted, rel=1e-5)


def test_the_generator_is_held_to_the_real_image_and_to_the_discriminator():
    from threefold.training.batches import Batches

    losses = {}
    for weight in ("0", "10"):
        task, model, source = make(reconstruction=weight)
        history = compiled(task, model, learning_rate=1e-12).fit(
            Batches(source, task, COUNT), shuffle=False, verbose=0
        )
        losses[weight] = {name: values[0] for name, values in history.history.items()}
    assert losses["0"]["loss"] == pytest.approx(losses["10"]["loss"], rel=1e-4)
    added = losses["10"]["generator_loss"] - losses["0"]["generator_loss"]
    assert added == pytest.approx(10 * losses["10"]["loss"], rel=1e-3)
    assert losses["0"]["discriminator_loss"] == pytest.approx(2, abs=1.5)  # of a hinge


def test_what_is_learned_is_to_complete():
    """Of images of one shade each, the hole has the shade of the rest."""
    from threefold.training.batches import Batches

    task, model, _ = make((8, 8))
    shades = np.random.default_rng(0).integers(40, 216, (64, 1, 1, 1)).astype(np.float32)
    source = Numbered(ArraySource({"image": np.broadcast_to(shades, (64, 8, 8, 1))}), 0)
    trainer = compiled(task, model, learning_rate=5e-3)
    history = trainer.fit(Batches(source, task, 16, seed=0), epochs=20, shuffle=False, verbose=0)
    assert history.history["loss"][-1] < 0.4 * history.history["loss"][0]


@pytest.mark.once
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--recipe", "dcgan"], "--recipe dcgan is not for image_inpainting"),
        (["-o", "latent_dim=3"], "has no option 'latent_dim'"),
        (["--label-smoothing", "0.1"], "--label-smoothing is of no use to image_inpainting"),
        (["--augment", "mixup"], "--augment mixup is of no use to image_inpainting"),
        (["--dataset", "wine"], "13 numeric columns, 3 classes; image_inpainting takes images"),
    ],
)
def test_what_belongs_to_images_of_noise_is_refused(run_cli, words, message):
    code, _, err = run_cli("fit", "gan", "--task", "image_inpainting", *words)
    assert code == 2 and message in err and len(err.strip().splitlines()) == 1


@pytest.mark.once
def test_what_explodes_names_what_there_is_to_try(run_cli, in_tmp):
    code, _, err = run_cli(
        "fit", "gan", "--task", "image_inpainting", "-o", "filters=2", "--learning-rate", "1e30",
        "--epochs", "2", "--run", "it",
    )  # fmt: skip
    assert code == 1 and "a lower --learning-rate or --clip-norm 1" in err
