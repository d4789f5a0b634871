"""Figures of recordings: what was heard in them, and when."""

import math

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rapidfuzz.distance import Levenshtein

from threefold.reporting.figures.style import BLUE, STYLE, VERMILION, head, new_figure, plain
from threefold.tasks.evaluation import Evaluation
from threefold.tasks.metrics.ctc_decoding import align, count_frames

SHOWN = 4  # recordings
MAX_LENGTH = 6.0  # seconds of one
WINDOW = 0.032  # seconds that a spectrum is made of
DEPTH = 50  # dB below the loudest that are distinguished


@matplotlib.rc_context(STYLE)
def spectrogram(evaluation: Evaluation) -> Figure:
    """Plot recordings with what was written of them and what is true, over time.

    Returns:
        Figure. One panel a recording: those with most errors first, then those written least
        surely.
    """
    chosen = _choose(evaluation)
    examples = evaluation.source[chosen]
    figure = new_figure(9.5, 2.3 * len(chosen) + 0.5)
    right = evaluation.metrics["sequence_accuracy"] * len(evaluation.source)
    head(
        figure,
        f"Spectrograms, {plain(evaluation.split)}: {right:,.0f} of {len(evaluation.source):,} "
        "recordings written without an error",
    )
    panels = figure.subplots(len(chosen), 1, squeeze=False)[:, 0]
    for axes, position, samples in zip(panels, chosen, examples["samples"], strict=True):
        _plot_spectrum(axes, samples, evaluation.task.facts.rate)
        _plot_symbols(axes, evaluation, position, len(samples))
    panels[-1].set_xlabel("seconds")
    return figure


def _choose(evaluation: Evaluation) -> np.ndarray:
    """Return the positions of the recordings to show."""
    task, predictions = evaluation.task, evaluation.predictions
    pairs = zip(evaluation.truth["symbols"], predictions["symbols"], strict=True)
    errors = [Levenshtein.distance(task.write(a), task.write(b)) for a, b in pairs]
    surest = predictions["probabilities"].max(axis=-1)  # (batch, time)
    least = np.where(predictions["probabilities"].any(axis=-1), surest, 1.0).min(axis=1)
    return np.lexsort((least, -np.array(errors)))[:SHOWN]


def _plot_spectrum(axes: Axes, samples: np.ndarray, rate: int) -> None:
    from scipy.signal import spectrogram as transform

    samples = samples[: math.ceil(MAX_LENGTH * rate)]
    size = max(2, min(int(WINDOW * rate), len(samples)))
    _, _, powers = transform(
        np.pad(samples, size // 2), rate, "hann", nperseg=size, noverlap=size - max(1, size // 8)
    )
    levels = 10 * np.log10(powers + 1e-12)  # silence is 120 dB below full scale
    loudest = max(levels.max(), DEPTH - 120)
    axes.imshow(
        levels, cmap="magma", aspect="auto", origin="lower", vmin=loudest - DEPTH, vmax=loudest,
        extent=(0, len(samples) / rate, 0, rate / 2000),
    )  # fmt: skip
    axes.set_ylabel("kHz")
    axes.grid(False)


def _plot_symbols(axes: Axes, evaluation: Evaluation, position: int, length: int) -> None:
    """Write above a spectrum what was heard, and above that what is true, each in its place."""
    task, predictions = evaluation.task, evaluation.predictions
    probabilities = predictions["probabilities"][position]
    frames = count_frames(probabilities)
    true, written = evaluation.truth["symbols"][position], predictions["symbols"][position]
    true, written = true[true > 0], written[written > 0]
    same = np.array_equal(true, written)
    known = true <= len(task.facts.alphabet)
    index = predictions["symbol_index"][position, :frames]
    starts = np.flatnonzero((index > 0) & (index != np.append(0, index[:-1])))
    rows = (
        ("true", true[known], align(probabilities[:frames], true[known]), "#222222"),
        ("written", written, starts, BLUE if same else VERMILION),
    )
    seconds = length / task.facts.rate / frames  # of a frame
    for row, (label, symbols, places, colour) in enumerate(rows):
        height = 1.16 - 0.13 * row
        axes.text(-0.012, height, label, transform=axes.transAxes, ha="right", va="bottom",
                  fontsize=8.5, color=colour)  # fmt: skip
        for symbol, place in zip(symbols, places, strict=False):
            time = (place + 0.5) * seconds
            if time < MAX_LENGTH:
                axes.text(time, height, plain(task.write([symbol]).replace(" ", "␣")),
                          transform=axes.get_xaxis_transform(), ha="center", va="bottom",
                          fontsize=10, color=colour)  # fmt: skip
    axes.set_title(" ", pad=22)
