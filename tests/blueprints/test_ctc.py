"""The network that listens: spectra, lengths, padding."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from threefold.blueprints.parts.log_mel import FLOOR, LogMel, mel_weights
from threefold.core.errors import UserError
from threefold.datasets.facts import SpeechFacts
from threefold.tasks.task import find_task
from threefold.training.building import build_model

pytestmark = pytest.mark.each_backend

FACTS = SpeechFacts(rate=1000, max_length=700, alphabet=tuple("abc"), max_transcript_length=4)
TASK = find_task("speech_recognition")(FACTS)
SMALL = {"window": "64", "mel_bands": "6", "filters": "4,4", "kernel_size": "3", "units": "3"}


def build(precision="float32", **options):
    keras.utils.set_random_seed(0)
    return build_model("ctc", TASK, SMALL | options, precision)[0]


def listen(model, recordings, length=None, behind=0.0):
    """What the network puts out for recordings, filled up with anything to some length."""
    length = length or max(map(len, recordings))
    samples = np.full((len(recordings), length), behind, np.float32)
    for row, recording in zip(samples, recordings, strict=True):
        row[: len(recording)] = recording
    lengths = np.array([len(recording) for recording in recordings], np.int32)
    return np.asarray(model.predict_on_batch({"samples": samples, "lengths": lengths}))


def record(*lengths):
    generator = np.random.default_rng(0)
    return [generator.normal(0, 0.1, length).astype(np.float32) for length in lengths]


def frames_of(length):
    for factor in (10, 2, 2):  # samples a hop, and the strides
        length = math.ceil(length / factor)
    return length


@pytest.fixture(scope="module")
def model():
    return build()


@pytest.mark.parametrize("length", [1, 10, 11, 338, 700])  # each is a program of its own for jax
def test_padding_does_not_change_an_answer(model, length):
    recordings = record(length, 400, 650)
    alone = listen(model, recordings[:1])
    together = listen(model, recordings, length=777, behind=0.5)
    assert alone.shape == (1, frames_of(length), 4)
    np.testing.assert_allclose(together[0, : frames_of(length)], alone[0], rtol=1e-4, atol=2e-5)


def test_behind_the_end_the_blank_is_certain(model):
    outputs = listen(model, record(330, 700), length=900)
    for row, length in zip(outputs, (330, 700), strict=True):
        probabilities = np.exp(row) / np.exp(row).sum(axis=-1, keepdims=True)
        ended = probabilities[frames_of(length) :]
        np.testing.assert_array_equal(ended, np.tile([1.0, 0, 0, 0], (len(ended), 1)))
        assert (probabilities[: frames_of(length), 1:] > 0).all()


@pytest.mark.parametrize("recording", [np.zeros(300), np.zeros(0), np.ones(1), np.ones(5)])
def test_silence_and_next_to_nothing_get_an_answer(model, recording):
    assert np.isfinite(listen(model, [recording], length=300)).all()


def test_silence_is_the_same_however_numbers_are_rounded(model):
    silence = np.zeros(300)
    spectra = ops.convert_to_numpy(
        model.get_layer("log_mel")([silence[None].astype("float32"), np.array([300], "int32")])
    )
    assert not spectra.any()


def test_loudness_does_not_change_an_answer(model):
    (recording,) = record(600)
    quiet, loud = (listen(model, [recording * volume]) for volume in (0.3, 3.0))
    np.testing.assert_allclose(quiet, loud, atol=0.02)


def test_spectra_are_those_of_a_fourier_transform():
    layer = LogMel(rate=1000, window=64, hop=10, bands=6)
    (recording,) = record(95)
    found = ops.convert_to_numpy(layer([recording[None], np.array([95], np.int32)]))[0]
    padded = np.pad(recording, (27, 64))  # half of what a window is longer than a hop
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(64) / 64)
    windows = np.stack([padded[start : start + 64] * hann for start in range(0, 95, 10)])
    powers = np.abs(np.fft.rfft(windows)) ** 2
    wanted = np.log(1 + powers @ mel_weights(1000, 64, 6)[:33] / FLOOR)
    wanted -= wanted.mean(axis=0)
    wanted /= np.sqrt(wanted.var() + 0.01)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)


def test_a_tone_is_loudest_in_the_band_of_its_pitch():
    weights = mel_weights(8000, 256, 40)
    assert weights.shape == (2 * 129, 40)
    middles = weights[:129].argmax(axis=0) * 8000 / 256
    assert (np.diff(middles) > 0).all()
    assert middles[0] < 100 and middles[-1] > 3500


def test_the_front_end_is_not_trained(model):
    assert not model.get_layer("log_mel").weights
    assert {weight.path.split("/")[0] for weight in model.trainable_weights} == {
        "convolution_1", "convolution_1_norm", "convolution_2", "convolution_2_norm",
        "recurrent_1_forwards", "recurrent_1_backwards", "head",
    }  # fmt: skip


@pytest.mark.parametrize("cell", ["simple", "lstm"])
def test_every_cell_answers_the_same_under_padding(cell):
    model = build(cell=cell, units="3,2", bidirectional="false")
    assert not any("backwards" in layer.name for layer in model.layers)
    recordings = record(300, 650)
    alone, together = listen(model, recordings[:1]), listen(model, recordings)
    np.testing.assert_allclose(together[0, : frames_of(300)], alone[0], rtol=1e-4, atol=2e-5)


def test_half_precision_hears_as_well():
    try:
        halved = listen(build(precision="mixed_bfloat16"), record(500))
        assert halved.dtype == np.float32
        np.testing.assert_allclose(halved, listen(build(), record(500)), atol=0.1)
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"window": "5"}, "windows of 5 ms leave gaps at hops of 10 ms"),
        (
            {"mel_bands": "90"},
            "90 mel_bands are more than windows of 64 ms distinguish at 1,000 Hz",
        ),
    ],
)
def test_spectra_that_cannot_be_are_refused(options, reason):
    with pytest.raises(UserError, match=reason):
        build(**options)
