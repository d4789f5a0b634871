"""A simple method for recordings: say what was said in the one that sounds most alike."""

from collections import Counter
from typing import NamedTuple

import numpy as np

from threefold.datasets.dataset import Source

MOST_ROWS = 10_000  # of the training split, taken evenly
MOST_SAMPLES = 60_000_000  # of them: files take some ten seconds to be decoded
READ = 64  # recordings in memory at once
FRAME = 0.025  # seconds of one spectrum
BANDS = 20  # of frequencies, each as wide as the ear distinguishes
SEGMENTS = 8  # of a recording, whose mean spectra are compared
FLOOR = 1e-10  # power of a band in silence, whose logarithm is a number then


class Sounds(NamedTuple):
    """What recordings sound like, and what is said in them.

    Args:
        features: float32 array of shape (recordings, features).
        symbols: list of int array of shape (symbols,). The transcripts.
    """

    features: np.ndarray
    symbols: list[np.ndarray]


class NearestRecording:
    """Recordings to compare others with.

    Args:
        train: Source. The training split, with the columns `samples` and `symbols`.
        rate: int. Samples a second.
    """

    def __init__(self, train: Source, rate: int):
        from sklearn.neighbors import NearestNeighbors

        rows = np.linspace(0, len(train) - 1, min(len(train), MOST_ROWS)).astype(np.int64)
        # Shuffled: those that are read before the samples are too many are from the whole split.
        rows = np.random.default_rng(0).permutation(rows)
        known = hear(train, rows, rate, MOST_SAMPLES)
        self.symbols = known.symbols
        self.neighbors = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(known.features)
        counts = Counter(tuple(row.tolist()) for row in known.symbols)
        self.commonest = np.array(counts.most_common(1)[0][0], np.int64)

    def answer(self, features: np.ndarray) -> list[np.ndarray]:
        """Return for each recording the transcript of the one that sounds most alike."""
        nearest = self.neighbors.kneighbors(features, return_distance=False)
        return [self.symbols[row] for row in nearest[:, 0]]


def hear(source: Source, rows: np.ndarray, rate: int, most_samples: int | None = None) -> Sounds:
    """Read recordings, some at a time.

    Args:
        source: Source. With the columns `samples` and `symbols`.
        rows: int array. Which recordings, in this order.
        rate: int. Samples a second.
        most_samples: int. After so many no more are read; no bound if None.

    Returns:
        Sounds. Those of at least one recording.
    """
    features, symbols, count = [], [], 0
    for start in range(0, len(rows), READ):
        examples = source[rows[start : start + READ]]
        features += [describe_sound(samples, rate) for samples in examples["samples"]]
        symbols += list(examples["symbols"])
        count += sum(map(len, examples["samples"]))
        if most_samples is not None and count >= most_samples:
            break
    return Sounds(np.stack(features), symbols)


def describe_sound(samples: np.ndarray, rate: int) -> np.ndarray:
    """Return the spectrum of each segment of a recording, however loud, and how long it is.

    Args:
        samples: float array of shape (time,).
        rate: int. Samples a second.

    Returns:
        float32 array of shape (features,): as many for a recording of any length.
    """
    size = max(2, round(FRAME * rate))
    count = max(1, -(-len(samples) // size))
    frames = np.zeros(count * size, np.float32)
    frames[: len(samples)] = samples
    power = np.abs(np.fft.rfft(frames.reshape(count, size) * np.hanning(size))) ** 2
    bands = np.log(np.add.reduceat(power, _find_edges(size, rate), axis=1) + FLOOR)
    starts = np.arange(SEGMENTS) * count // SEGMENTS
    stops = np.maximum(starts + 1, np.arange(1, SEGMENTS + 1) * count // SEGMENTS)
    means = np.stack([bands[a:b].mean(axis=0) for a, b in zip(starts, stops, strict=True)])
    length = SEGMENTS * np.log(count)  # weighs as much as the segments of a band
    return np.append(means - means.mean(), length).astype(np.float32)


def _find_edges(size: int, rate: int) -> np.ndarray:
    """Return the first bin of every band, equally wide on the mel scale (O'Shaughnessy 1987)."""
    mels = np.linspace(0, 2595 * np.log10(1 + rate / 2 / 700), BANDS + 1)[:-1]
    return np.unique(np.rint(700 * (10 ** (mels / 2595) - 1) * size / rate).astype(np.int64))
