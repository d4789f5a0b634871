"""Two networks against each other: the losses, their gradients, and what a cut leaves."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from threefold.datasets.dataset import ArraySource
from threefold.datasets.facts import ImageFacts
from threefold.datasets.images.numbered_images import Numbered
from threefold.tasks.image_generation import RANDOM_NUMBERS, ImageGeneration
from threefold.training.backend import choose_backend, seed_everything
from threefold.training.building import build_model, resolve_options
from threefold.training.settings import TrainingSettings

pytestmark = pytest.mark.each_backend

BACKEND = choose_backend()
TORCH = BACKEND == "torch"
STEPS, BATCH_SIZE = 5, 8
LOSSES = ("standard", "least_squares", "hinge", "wasserstein")
# A penalty is added to a loss, whichever it is: each loss and each part is tried at least once.
SETUPS = {
    "wasserstein": {"loss": "wasserstein"},  # of clipped weights
    "wgan_gp": {"loss": "wasserstein", "gradient_penalty": "wgan_gp"},
    "dense": {"architecture": "dense", "conditional": "true", "critic_steps": "3",
              "loss": "least_squares"},
    "sagan": {"architecture": "sagan", "loss": "hinge", "gradient_penalty": "r1"},
    "spectral": {"spectral_norm": "true", "gradient_penalty": "wgan_gp",
                 "discriminator_lr_ratio": "4"},
    "matching": {"feature_matching": "1", "conditional": "true"},
    "progan": {"architecture": "progan", "loss": "wasserstein", "gradient_penalty": "wgan_gp",
               "conditional": "true", "growth": "0.6"},
    "smooth": {"consistency": "1", "virtual_adversarial": "1", "mode_seeking": "0.1",
               "minibatch_deviation": "true"},
    "changes": {"diff_augment": "translation,cutout,color", "loss": "standard",
                "gradient_penalty": "r1"},
}  # fmt: skip
SMALL = {"filters": "4", "latent_dim": "6"}
REPORTED = ("loss", "generator_loss", "discriminator_loss")


def make(label_smoothing=0.0, **given):
    """Return a small task, its model, and batches of images of noise in three classes."""
    facts = ImageFacts(
        image_shape=(8, 8, 1), class_names=("a", "b", "c"), class_counts=(14, 13, 13)
    )
    options = resolve_options("gan", "image_generation", SMALL | given)
    task = ImageGeneration(facts, label_smoothing=label_smoothing, options=options)
    seed_everything(0)
    model, _ = build_model("gan", task, SMALL | given, "float32")
    return task, model


def make_images(count=STEPS * BATCH_SIZE) -> ArraySource:
    sample = np.random.default_rng(0)
    images = sample.integers(0, 256, (count, 8, 8, 1)).astype(np.float32)
    return Numbered(ArraySource({"image": images, "label": np.arange(count) % 3}), 0)


def compiled(task, model, **settings):
    from threefold.training.loop import compile_model

    settings = {"optimizer": "adam", "learning_rate": 1e-3, "schedule": "constant", "warmup": 0,
                "epochs": 1} | settings  # fmt: skip
    return compile_model(model, task, TrainingSettings(**settings), STEPS)


def play(task, setup, steps=STEPS):
    """Take some steps; return what each reported."""
    import keras

    from threefold.training.batches import Batches

    batches = Batches(make_images(), task, BATCH_SIZE, seed=0)
    rows = []

    def note(batch, logs):
        rows.append({name: float(keras.ops.convert_to_numpy(v)) for name, v in logs.items()})
        setup.reset_metrics()

    if BACKEND == "jax":  # an epoch of one step: within one, Keras holds the running means
        for step in range(steps):
            one = Batches(make_images(), task, BATCH_SIZE, seed=0, first_step=step)
            history = setup.fit(one, shuffle=False, verbose=0, steps_per_epoch=1).history
            rows.append({name: values[0] for name, values in history.items()})
    else:
        callback = keras.callbacks.LambdaCallback(on_train_batch_end=note)
        setup.fit(batches, shuffle=False, verbose=0, callbacks=[callback])
    return rows[:steps]


def values(variables) -> list[np.ndarray]:
    import keras

    return [np.array(keras.ops.convert_to_numpy(variable.value)) for variable in variables]


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_are_those_of_the_papers(loss):
    from keras import ops

    from threefold.training.adversarial.losses import discriminator_loss, generator_loss

    real, fake = np.array([[2.0], [-1.0]], np.float32), np.array([[0.5], [-3.0]], np.float32)
    scores = [ops.convert_to_tensor(array) for array in (real, fake)]
    sigmoid = [1 / (1 + np.exp(-array)) for array in (real, fake)]
    wanted = {
        "standard": (
            -np.log(sigmoid[0]).mean() - np.log(1 - sigmoid[1]).mean(),
            -np.log(sigmoid[1]).mean(),
        ),
        "least_squares": (
            ((real - 1) ** 2).mean() / 2 + (fake**2).mean() / 2,
            ((fake - 1) ** 2).mean() / 2,
        ),
        "hinge": (
            np.maximum(0, 1 - real).mean() + np.maximum(0, 1 + fake).mean(),
            -fake.mean(),
        ),
        "wasserstein": (fake.mean() - real.mean(), -fake.mean()),
    }[loss]
    assert float(discriminator_loss(loss, *scores)) == pytest.approx(wanted[0], rel=1e-5)
    assert float(generator_loss(loss, scores[1])) == pytest.approx(wanted[1], rel=1e-5)


def test_smoothed_labels_are_those_of_real_images_alone():
    from keras import ops

    from threefold.training.adversarial.losses import discriminator_loss

    def cross(logit, label):
        return np.log1p(np.exp(-logit)) * label + np.log1p(np.exp(logit)) * (1 - label)

    real, fake = (ops.convert_to_tensor([[score]], "float32") for score in (2.0, 0.5))
    found = float(discriminator_loss("standard", real, fake, 0.1))
    assert found == pytest.approx(cross(2.0, 0.9) + cross(0.5, 0.0), rel=1e-5)
    found = float(discriminator_loss("least_squares", real, fake, 0.1))
    assert found == pytest.approx((2.0 - 0.9) ** 2 / 2 + 0.5**2 / 2, rel=1e-5)


@pytest.mark.parametrize("kind", ["wgan_gp", "r1"])
def test_a_penalty_is_that_of_the_slope(kind):
    """Of a score of which the slope is known: at p it is 2 · factors · p."""
    from keras import ops

    from threefold.training.adversarial.losses import gradient_penalty

    sample = np.random.default_rng(0)
    real, fake = (sample.normal(size=(3, 2, 2, 1)).astype(np.float32) for _ in range(2))
    mix, factors = np.array([0.0, 0.3, 1.0]), sample.normal(size=(2, 2, 1)).astype(np.float32)
    mix = mix[:, None, None, None].astype(np.float32)
    tensors = [ops.convert_to_tensor(array) for array in (real, fake, mix)]
    explicit = ops.convert_to_tensor(factors)

    def score(points):
        return ops.sum(explicit * ops.square(points), axis=(1, 2, 3))[:, None]

    found = float(ops.stop_gradient(gradient_penalty(kind, score, *tensors)))
    points = real if kind == "r1" else mix * real + (1 - mix) * fake
    lengths = np.sqrt(((2 * factors * points) ** 2).sum(axis=(1, 2, 3)))
    wanted = (lengths**2).mean() / 2 if kind == "r1" else ((lengths - 1) ** 2).mean()
    assert found == pytest.approx(wanted, rel=1e-5)


def test_the_slope_of_a_penalty_is_right_itself():
    """The second derivative: of the penalty of the score ``w · p²`` by w, on every backend."""
    from keras import ops

    from threefold.training.adversarial.gradients import differentiate
    from threefold.training.adversarial.losses import gradient_penalty

    points = ops.convert_to_tensor(np.full((1, 1, 1, 1), 3.0, np.float32))
    weight = ops.convert_to_tensor(np.float32(0.5))

    def penalize(tensors):
        def score(places):
            return ops.reshape(tensors[0] * ops.square(places), (1, 1))

        return gradient_penalty("r1", score, points, points, 0.0), None

    value, _, (slope,) = differentiate(penalize, [weight])
    assert float(ops.stop_gradient(value)) == pytest.approx((2 * 0.5 * 3) ** 2 / 2)
    assert float(slope) == pytest.approx(4 * 0.5 * 9)  # of (2 w p)² / 2


def test_what_a_function_does_not_depend_on_has_no_slope():
    from keras import ops

    from threefold.training.adversarial.gradients import differentiate

    one, other = (ops.convert_to_tensor(np.float32(x)) for x in (2.0, 3.0))
    value, explicit, gradients_found = differentiate(lambda t: (t[0] ** 2, "told"), [one, other])
    assert (float(ops.stop_gradient(value)), explicit, [float(s) for s in gradients_found]) == (
        4.0,
        "told",
        [4.0, 0.0],
    )


def test_each_network_learns_by_its_own_loss_alone():
    """A step that is too short for the one changes the other only."""
    for still, ratio in (("generator", 1e9), ("discriminator", 1e-9)):
        task, model = make(architecture="dense", discriminator_lr_ratio=str(ratio))
        rate = 1e-12 if still == "generator" else 1e-3
        setup = compiled(task, model, learning_rate=rate)
        before = {name: values(model.get_layer(name).trainable_variables)
                  for name in ("generator", "discriminator")}  # fmt: skip
        play(task, setup, 2)
        for name, arrays in before.items():
            after = values(model.get_layer(name).trainable_variables)
            moved = max(np.abs(a - b).max() for a, b in zip(after, arrays, strict=True))
            assert (moved < 1e-7) == (name == still), (name, moved)


def test_an_unbounded_wasserstein_critic_is_clipped():
    task, model = make(loss="wasserstein", gradient_penalty="none")
    play(task, compiled(task, model), 2)
    largest = {
        name: max(np.abs(a).max() for a in values(model.get_layer(name).trainable_variables))
        for name in ("generator", "discriminator")
    }
    assert largest["discriminator"] <= 0.01 + 1e-8 < largest["generator"]
    for given in ({"gradient_penalty": "wgan_gp"}, {"spectral_norm": "true"}):
        given = {"gradient_penalty": "none"} | given
        assert make(loss="wasserstein", **given)[1].adversarial_config.weight_limit is None


def test_only_the_layers_of_the_size_at_hand_are_trained():
    """At first nothing of larger images moves; in the end what made smaller ones stands still."""
    for total_steps, moved, still in ((10**6, "0", "2"), (1, "2", "0")):
        task, model = make(architecture="progan", growth="1")
        setup = compiled(task, model, optimizer="sgd")  # without a memory
        setup.growth = setup.growth._replace(total_steps=total_steps)
        play(task, setup, 1)  # the very first step is at the smallest size in any case
        variables = {v.path: v for v in setup.trainable_variables}
        before = dict(zip(variables, values(variables.values()), strict=True))
        play(task, setup, 3)
        after = dict(zip(variables, values(variables.values()), strict=True))
        changed = {path for path in variables if not np.array_equal(before[path], after[path])}
        for network in ("generator", "discriminator"):
            assert f"{network}_image_{moved}/kernel" in changed
            assert f"{network}_0_conv/kernel" in changed
            assert f"{network}_image_{still}/kernel" not in changed
        assert ("generator_2_conv_1/kernel" in changed) == (moved == "2")


@pytest.mark.parametrize("architecture", ["dense", "dcgan", "sagan", "progan"][: 4 if TORCH else 1])
def test_the_last_batch_may_hold_one_image(architecture, request):
    if TORCH:  # whose other algorithm, of one thread, is the one that fails
        import torch

        request.addfinalizer(partial(torch.set_num_threads, torch.get_num_threads()))
        torch.set_num_threads(1)
    growth = {"growth": "0.1"} if architecture == "progan" else {}
    task, model = make(architecture=architecture, **growth)
    setup = compiled(task, model)
    before = values(setup.generator.trainable_variables)
    from threefold.training.batches import Batches

    batches = Batches(make_images(1), task, BATCH_SIZE, seed=0)
    for _ in range(2):
        setup.fit(batches, shuffle=False, verbose=0)
    after = values(setup.generator.trainable_variables)
    assert all(np.isfinite(array).all() for array in after)
    assert not np.array_equal(before[-1], after[-1])


def test_averages_are_kept_of_the_generator_alone():
    from threefold.training import state

    task, model = make()
    setup = compiled(task, model, ema=0.5)
    play(task, setup, 1)
    names = [variable.path for variable, _ in state.averaged(setup)]
    assert names == [v.path for v in model.get_layer("generator").trainable_variables]


def test_noise_hangs_on_seed_epoch_and_example_alone():
    task, _ = make(critic_steps="2", gradient_penalty="wgan_gp")
    one = task.random_arrays(0, 1, np.array([5, 7]))
    assert one["noise"].shape == (2, 3, 6) and one["random_numbers"].shape == (2, 3, RANDOM_NUMBERS)
    again = task.random_arrays(0, 1, np.array([7]))
    for name in one:
        np.testing.assert_array_equal(one[name][1:], again[name])
        for seed, epoch in ((1, 1), (0, 2)):
            assert not np.array_equal(
                task.random_arrays(seed, epoch, np.array([7]))[name], again[name]
            )
    noise = task.random_arrays(0, 0, np.arange(3000))["noise"]
    assert abs(noise.mean()) < 0.02 and abs(noise.std() - 1) < 0.02
    assert 0 <= one["random_numbers"].min() and one["random_numbers"].max() <= 1
    assert list(make()[0].random_arrays(0, 0, np.arange(2))) == ["noise"]  # which takes no others


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--label-smoothing 0.1 -o loss=hinge", "for -o loss=standard and least_squares; hinge"),
        ("--precision mixed_float16", "use mixed_bfloat16 or float32"),
        ("--layer-decay 0.9", "--layer-decay is for one network"),
        ("--augment mixup", "--augment mixup is of no use to image_generation"),
        ("--class-weights balanced", "--class-weights is of no use to image_generation"),
    ],
)
def test_what_would_spoil_it_is_refused_before_there_is_a_run(run_cli, words, message):
    code, _, err = run_cli("fit", "gan", "-o", "filters=4", *words.split())
    assert code == 2 and message in err
    assert not Path("runs").exists()


@pytest.mark.once
@pytest.mark.parametrize(
    ("given", "remedies"),
    [
        ("loss=least_squares gradient_penalty=none",
         "a lower --learning-rate, -o gradient_penalty=r1, -o spectral_norm=true or --clip-norm 1"),
        ("loss=wasserstein gradient_penalty=none spectral_norm=true",
         "a lower --learning-rate, -o gradient_penalty=wgan_gp or --clip-norm 1"),
        ("gradient_penalty=r1", "a lower --learning-rate, -o spectral_norm=true or --clip-norm 1"),
    ],
)  # fmt: skip
def test_a_game_that_explodes_names_what_it_has_not_tried(run_cli, given, remedies):
    words = [word for pair in given.split() for word in ("-o", pair)]
    fit = ("fit", "gan", "-o", "filters=2", *words, "--learning-rate", "1e30", "--epochs", "3")
    code, _, err = run_cli(*fit)
    last = err.splitlines()[-1]
    assert code == 1 and last.endswith(f"try {remedies}"), err


def test_spectral_norm_bounds_a_kernel_in_training_and_after():
    import keras
    from keras import ops

    from threefold.blueprints.parts.adversarial.layers import SpectralNormDense

    seed_everything(0)
    layer = SpectralNormDense(7)
    layer.build((None, 5))
    kernel = values([layer.kernel])[0]
    for _ in range(60):
        layer(np.ones((1, 5), np.float32), training=True)
    largest = np.linalg.svd(kernel, compute_uv=False)[0]
    np.testing.assert_array_equal(values([layer.kernel])[0], kernel)  # itself it stays as it is
    for training in (True, False):
        found = layer(np.eye(5, dtype=np.float32), training=training)
        found = ops.convert_to_numpy(ops.stop_gradient(found))
        np.testing.assert_allclose(found, kernel / largest, rtol=1e-3, atol=1e-5)
    assert isinstance(layer, keras.layers.Dense)


@pytest.mark.parametrize("name", SETUPS)
def test_the_first_losses_agree_across_backends(name, across):
    task, model = make(**SETUPS[name])
    setup = compiled(task, model)
    across.start_alike(f"game-{name}", setup.generator.weights + setup.discriminator.weights)
    rows = play(task, setup)
    assert len(rows) == STEPS
    found = [[row[key] for key in REPORTED] for row in rows]
    across.compare(f"game-{name}", found, rtol=1e-4, atol=1e-4)
