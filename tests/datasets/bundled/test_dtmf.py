"""Dial tones: what was dialled can be found in the sound."""

import numpy as np
import pytest
from scipy.ndimage import maximum_filter1d

from threefold.core.errors import UserError
from threefold.datasets import loading
from threefold.datasets.bundled import dtmf


@pytest.fixture(scope="module")
def dataset():
    return loading.load("dtmf")


def test_recordings_and_keys_are_as_the_facts_say(dataset):
    facts = dataset.facts
    assert dataset.task == "speech_recognition" and facts.rate == 8000
    assert facts.alphabet == tuple("0123456789*#")
    assert {name: len(source) for name, source in dataset.splits.items()} == {
        "train": 1820, "validation": 260, "test": 520,
    }  # fmt: skip
    source = dataset.splits["test"]
    examples = source[np.arange(len(source))]
    lengths = np.array([len(samples) for samples in examples["samples"]])
    assert lengths.tolist() == source.lengths.tolist()
    assert 2000 < lengths.min() < lengths.max() <= facts.max_length
    counts = {len(symbols) for symbols in examples["symbols"]}
    assert counts == {3, 4, 5, 6, 7} and max(counts) == facts.max_transcript_length
    assert {symbol for symbols in examples["symbols"] for symbol in symbols} == set(range(1, 13))
    samples = np.concatenate(list(examples["samples"]))
    assert samples.dtype == np.float32 and np.abs(samples).max() <= 1
    np.testing.assert_array_equal(samples * 32768, np.rint(samples * 32768))


@pytest.fixture
def few(monkeypatch):
    """Fewer recordings, where that is enough."""
    monkeypatch.setattr(dtmf, "SIZE", 80)


def test_two_tones_of_the_key_sound_over_the_noise(few):
    source = loading.load("dtmf", {"snr": "40"}).splits["train"]
    examples = source[np.arange(20)]
    for samples, symbols in zip(examples["samples"], examples["symbols"], strict=True):
        power = np.abs(np.fft.rfft(samples)) ** 2
        frequencies = np.fft.rfftfreq(len(samples), 1 / 8000)
        tones = {tone for symbol in symbols for tone in dtmf._tones(symbol)}
        near = np.any([np.abs(frequencies / tone - 1) < 0.05 for tone in tones], axis=0)
        assert power[near].sum() > 0.9 * power.sum()


def test_the_noise_is_as_loud_as_told(few):
    quiet, loud = (
        loading.load("dtmf", {"snr": snr}).splits["train"][np.arange(50)]["samples"]
        for snr in ("60", "10")
    )
    # Tones sound for a part of the time only: the noise is measured against them alone.
    ratios = []
    for clean, noisy in zip(quiet, loud, strict=True):
        tone = maximum_filter1d(np.abs(clean), 41) > 0.2 * np.abs(clean).max()
        ratios.append(np.mean(clean[tone] ** 2) / np.mean((noisy - clean) ** 2))
    assert 10 * np.log10(np.median(ratios)) == pytest.approx(10, abs=0.7)


def test_the_same_is_dialled_every_time_and_the_noise_changes_the_fingerprint(few):
    one, again, other = (loading.load("dtmf", {"snr": snr}) for snr in ("10", "10", "-5"))
    assert one.fingerprint == again.fingerprint != other.fingerprint
    rows = np.arange(16)
    loudest = max(np.abs(samples).max() for samples in other.splits["test"][rows]["samples"])
    assert 0.5 < loudest <= 1


def test_the_shares_of_the_splits_can_be_told(few):
    found = loading.load("dtmf", {"validation_fraction": "0", "test_fraction": "0.5"})
    assert {name: len(source) for name, source in found.splits.items()} == {
        "train": 40, "test": 40,
    }  # fmt: skip


def test_noise_that_is_no_noise_is_refused():
    with pytest.raises(UserError, match="-d snr=1000 does not fit"):
        loading.load("dtmf", {"snr": "1000"})
