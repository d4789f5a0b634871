"""Networks that grow: when each size is due, what it sees, and what is left of the others."""

import numpy as np
import pytest
from displays import quiet
from hypothesis import given, settings
from hypothesis import strategies as st
from resuming import assert_same_run, cut_at

from threefold.training.backend import choose_backend

pytestmark = pytest.mark.each_backend

BACKEND = choose_backend()


@settings(deadline=None)
@given(total=st.integers(8, 10_000), growth=st.floats(0.05, 1), top=st.integers(1, 6))
def test_sizes_follow_each_other_and_the_last_is_whole_before_the_end(total, growth, top):
    from keras import ops

    from threefold.training.adversarial.levels import Growth

    steps, growing = np.unique(np.linspace(0, total, 100).astype(int)), Growth(total, growth, top)
    level = np.array([growing.find_level(int(step)) for step in steps])
    fade = [growing.find_fade(step, due) for step, due in zip(steps, level, strict=True)]
    fade = np.array([float(ops.convert_to_numpy(one)) for one in fade])
    assert level[0] == 0 and fade[0] == 1
    assert level[-1] == top and fade[-1] == pytest.approx(1, abs=1e-3)
    assert (np.diff(level) >= 0).all()
    assert ((fade >= 0) & (fade <= 1)).all() and (fade[level == 0] == 1).all()
    for one in range(1, top + 1):  # within a size it only grows
        assert (np.diff(fade[level == one]) >= -1e-6).all()


def test_a_fade_begins_with_the_enlarged_image_of_the_size_below():
    from keras import ops

    from threefold.training.adversarial.levels import bring_to

    images = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    halves = images.reshape(2, 4, 2, 4, 2, 3).mean(axis=(2, 4))
    enlarged = halves.repeat(2, axis=1).repeat(2, axis=2)
    for fade, wanted in ((0.0, enlarged), (1.0, images), (0.25, 0.75 * enlarged + 0.25 * images)):
        found = ops.convert_to_numpy(bring_to(ops.convert_to_tensor(images), 0, fade))
        np.testing.assert_allclose(found, wanted, atol=1e-5)
    found = ops.convert_to_numpy(bring_to(ops.convert_to_tensor(images), 1))
    np.testing.assert_allclose(found, halves, atol=1e-5)


def test_the_whole_generator_is_the_last_size_faded_in():
    import keras
    from keras import ops

    from threefold.blueprints import gan

    keras.utils.set_random_seed(0)
    model = gan.build((8, 8, 1), 2, architecture="progan", filters=4, latent_dim=5)
    noise = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    whole = ops.convert_to_numpy(model.get_layer("generator")({"noise": noise}))
    last = model.adversarial_config.levels[-1].generator
    faded = ops.convert_to_numpy(last({"noise": noise, "fade": np.ones((3, 1), np.float32)}))
    np.testing.assert_allclose(faded, whole, atol=1e-5)
    started = ops.convert_to_numpy(last({"noise": noise, "fade": np.zeros((3, 1), np.float32)}))
    below = model.adversarial_config.levels[-2].generator
    small = ops.convert_to_numpy(below({"noise": noise, "fade": np.ones((3, 1), np.float32)}))
    np.testing.assert_allclose(started, small.repeat(2, axis=1).repeat(2, axis=2), atol=1e-5)


def test_alike_images_are_seen_in_a_batch():
    from keras import ops

    from threefold.blueprints.parts.adversarial.layers import MinibatchDeviation

    sample = np.random.default_rng(0).normal(size=(4, 2, 2, 3)).astype(np.float32)
    found = ops.convert_to_numpy(MinibatchDeviation()(sample))
    assert found.shape == (4, 2, 2, 4)
    np.testing.assert_allclose(found[..., -1], sample.std(axis=0).mean(), rtol=1e-4)
    same = ops.convert_to_numpy(MinibatchDeviation()(np.repeat(sample[:1], 4, axis=0)))
    assert np.abs(same[..., -1]).max() < 1e-3


def test_a_run_cut_in_the_middle_of_a_fade_ends_with_the_same_bits(tmp_path, monkeypatch):
    from threefold.training import fit as fitting
    from threefold.training.callbacks import Interrupted
    from threefold.training.settings import TrainingSettings

    def command(name):
        options = {"architecture": "progan", "filters": "2", "latent_dim": "4", "growth": "0.6"}
        settings = TrainingSettings.parse({"epochs": "2", "batch_size": "256"})
        return fitting.Command(
            "gan", "image_generation", "digits", {}, options, settings, str(tmp_path / name)
        )

    fitting.start(command("whole"), quiet)
    with monkeypatch.context() as patch:
        cut_at(patch, epoch=1, step=0)
        with pytest.raises(Interrupted):
            fitting.start(command("cut"), quiet)
    fitting.resume(str(tmp_path / "cut"), None, quiet)
    assert_same_run(tmp_path / "whole", str(tmp_path / "cut"))
