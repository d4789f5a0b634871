"""Dial tones in noise: 2,600 synthesised recordings of three to seven telephone keys (ITU-T Q.23).

Each key sounds as one low and one high tone. Recordings differ in what is dialled, how fast, how
loud and in how much louder one tone is than the other; the tones are off by up to 1.5 per cent,
as ITU-T Q.24 allows.
"""

from typing import Annotated

import numpy as np
from pydantic import Field

from threefold.datasets.dataset import ArraySource, Dataset, SubsetSource, fingerprint_arrays
from threefold.datasets.facts import SpeechFacts
from threefold.datasets.ragged import Ragged
from threefold.datasets.splitting import SplitFractions

TASK = "speech_recognition"
RATE = 8000  # samples a second: that of a telephone
KEYS = "0123456789*#"
PAD_OF_KEYS = ("123", "456", "789", "*0#")  # as they lie on a telephone
LOW, HIGH = (697, 770, 852, 941), (1209, 1336, 1477)  # Hz, of each row and column of the pad
SIZE, SEED = 2600, 4

FEWEST, MOST = 3, 7  # keys in a recording
SOUND = (0.050, 0.110)  # seconds that a key sounds
PAUSE = (0.050, 0.110)  # seconds of silence between two keys
MARGIN = (0.020, 0.100)  # seconds of silence before the first and after the last
LEVEL = (0.03, 0.3)  # amplitude of the low tone
TWIST = (-4.0, 4.0)  # dB by which the high tone is louder
DRIFT = 0.015  # share by which a tone may be off


def load(
    *,
    snr: Annotated[float, Field(ge=-30, le=100)] = 10.0,
    split_fractions: SplitFractions = SplitFractions(0.1, 0.2),
) -> Dataset:
    """Dial.

    Args:
        snr: float. Power of the tones, while they sound, over that of the white noise, in dB.
        split_fractions: SplitFractions. How recordings are divided where nothing says so.

    Returns:
        Dataset. Recordings `samples` float32 (time,), -1 to 1 at 8,000 a second, in steps of 16
        bits, and `symbols` int64 (keys,): the position of each key in the alphabet, from 1.
    """
    samples, symbols = _dial(snr)
    arrays = {"samples": samples, "symbols": symbols}
    source = ArraySource(arrays)
    rows = split_fractions.split(SIZE)
    return Dataset(
        reference="dtmf",
        task=TASK,
        facts=SpeechFacts(
            rate=RATE,
            max_length=int(samples.lengths.max()),
            alphabet=tuple(KEYS),
            max_transcript_length=MOST,
        ),
        splits={name: SubsetSource(source, found) for name, found in rows.items()},
        fingerprint=fingerprint_arrays(arrays),
    )


def _dial(snr: float) -> tuple[Ragged, Ragged]:
    generator = np.random.default_rng(SEED)
    recordings, dialled = [], []
    for _ in range(SIZE):
        keys = generator.integers(1, len(KEYS) + 1, generator.integers(FEWEST, MOST + 1))
        recordings.append(_record(generator, keys, snr))
        dialled.append(keys)
    return Ragged.join(recordings, np.float32), Ragged.join(dialled, np.int64)


def _record(generator: np.random.Generator, keys: np.ndarray, snr: float) -> np.ndarray:
    sounds = _sample_images(generator, SOUND, len(keys))
    pauses = _sample_images(generator, PAUSE, len(keys) - 1)
    before, after = _sample_images(generator, MARGIN, 2)
    low = np.exp(generator.uniform(*np.log(LEVEL)))
    high = low * 10 ** (generator.uniform(*TWIST) / 20)
    waves = np.zeros(before + sounds.sum() + pauses.sum() + after)
    start = before
    for key, length, pause in zip(keys, sounds, [*pauses, after], strict=True):
        time = 2 * np.pi / RATE * np.arange(length)
        drifts, phases = generator.uniform(-DRIFT, DRIFT, 2), generator.uniform(0, 2 * np.pi, 2)
        lower, higher = np.multiply(_tones(key), 1 + drifts)
        tone = low * np.sin(lower * time + phases[0]) + high * np.sin(higher * time + phases[1])
        waves[start : start + length] = tone
        start += length + pause
    noise = np.sqrt((low**2 + high**2) / 2) * 10 ** (-snr / 20)
    waves += noise * generator.standard_normal(len(waves))
    waves /= max(1.0, np.abs(waves).max())
    # In steps of 16 bits: the last bits of a sine are not the same on every machine.
    return (np.rint(waves * 32767) / 32768).astype(np.float32)


def _sample_images(
    generator: np.random.Generator, seconds: tuple[float, float], count: int
) -> np.ndarray:
    return np.rint(generator.uniform(*seconds, count) * RATE).astype(np.int64)


def _tones(key: int) -> tuple[int, int]:
    """Return the frequencies of a key, in Hz."""
    row = next(i for i, keys in enumerate(PAD_OF_KEYS) if KEYS[key - 1] in keys)
    return LOW[row], HIGH[PAD_OF_KEYS[row].index(KEYS[key - 1])]
