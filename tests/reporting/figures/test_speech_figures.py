"""Spectrograms: what is written above them, where, and in which order."""

import io

import numpy as np
import pytest
from matplotlib.colors import same_color
from plots import plot

from threefold.datasets.dataset import ArraySource
from threefold.datasets.facts import SpeechFacts
from threefold.datasets.ragged import Ragged
from threefold.reporting.figures.style import BLUE, VERMILION
from threefold.tasks.evaluation import Evaluation
from threefold.tasks.task import find_task

FACTS = SpeechFacts(rate=1000, max_length=2000, alphabet=tuple("ab$ "), max_transcript_length=9)
TASK = find_task("speech_recognition")(FACTS)


def heard(true, written, *, samples=None, frames=20, certainty=0.9) -> Evaluation:
    """Recordings of two seconds in which symbols sound for a frame each, every other frame."""
    if samples is None:
        samples = [np.sin(np.arange(2000) * 0.9).astype(np.float32)] * len(true)
    scores = np.zeros((len(true), frames, len(FACTS.alphabet) + 1))
    for row, text in zip(scores, written, strict=True):
        path = np.zeros(frames, int)
        path[: 2 * len(text) : 2] = [FACTS.alphabet.index(symbol) + 1 for symbol in text]
        row[np.arange(frames), path] = np.log(certainty / (1 - certainty) * len(FACTS.alphabet))
    symbols = [np.array([FACTS.alphabet.index(s) + 1 if s in FACTS.alphabet else 5 for s in text])
               for text in true]  # fmt: skip
    source = ArraySource(
        {"samples": Ragged.join(samples, np.float32), "symbols": Ragged.join(symbols, np.int64)}
    )
    predictions = TASK.postprocess(scores)
    truth = TASK.truth(source[np.arange(len(source))])
    return Evaluation(
        "test", TASK, source, predictions, truth, TASK.compute_metrics(predictions, truth)
    )


def texts_of(axes, colour=None) -> list[tuple[float, str]]:
    """The symbols above a panel, with their times in seconds."""
    found = [t for t in axes.texts if t.get_text() not in ("true", "written")]
    if colour:
        found = [text for text in found if same_color(text.get_color(), colour)]
    return [(round(float(text.get_position()[0]), 3), text.get_text()) for text in found]


def assert_plottable(figure):
    figure.savefig(io.BytesIO(), format="png", dpi=40)


def test_symbols_stand_where_they_sound():
    figure = plot("spectrogram", heard(["ab"], ["ab"]))
    (axes,) = figure.axes
    times = [0.05, 0.25]  # the middle of the first and of the third frame
    assert texts_of(axes, BLUE) == list(zip(times, "ab", strict=True))
    assert texts_of(axes, "#222222") == list(zip(times, "ab", strict=True))
    assert figure.get_suptitle() == "Spectrograms, test: 1 of 1 recordings written without an error"
    assert axes.get_xlim() == (0, 2) and axes.get_ylim() == (0, 0.5)
    (image,) = axes.images
    loudest = np.asarray(image.get_array()).mean(axis=1).argmax() / image.get_array().shape[0]
    assert loudest == pytest.approx(0.9 / np.pi, abs=0.05)
    assert_plottable(figure)


def test_mistakes_come_first_in_their_own_colour_then_the_least_sure():
    evaluation = heard(["a", "ab", "b", "a", "b"], ["a", "bbb", "b", "b", "b"])
    evaluation.predictions["probabilities"][4] = heard(["b"], ["b"], certainty=0.6).predictions[
        "probabilities"
    ][0]
    panels = plot("spectrogram", evaluation).axes
    explicit = ["".join(text for _, text in texts_of(axes, VERMILION)) for axes in panels]
    assert explicit == ["bbb", "b", "", ""]
    explicit = ["".join(text for _, text in texts_of(axes, BLUE)) for axes in panels]
    assert explicit == ["", "", "b", "a"]


@pytest.mark.parametrize(
    "samples", [np.zeros(2000), np.zeros(1), np.ones(7), np.random.default_rng(0).normal(size=9000)]
)
def test_recordings_of_every_kind_can_be_drawn(samples):
    evaluation = heard(["ab"], ["ab"], samples=[samples])
    figure = plot("spectrogram", evaluation)
    assert figure.axes[0].get_xlim()[1] == pytest.approx(min(6, len(samples) / 1000))
    assert_plottable(figure)


def test_silence_is_dark():
    figure = plot("spectrogram", heard(["ab"], ["ab"], samples=[np.zeros(2000)]))
    (image,) = figure.axes[0].images
    assert image.norm(image.get_array()).max() < 1e-3


def test_transcripts_of_every_kind_can_be_drawn():
    true, written = ["", "a$ b", "azb", "ab" * 12], ["ab", "a$ b", "ab", ""]
    figure = plot("spectrogram", heard(true, written))
    symbols = {text for axes in figure.axes for _, text in texts_of(axes)}
    assert symbols == {"a", "b", r"\$", "␣"}
    assert_plottable(figure)


def test_symbols_behind_the_part_that_is_drawn_are_left_out():
    samples = [np.zeros(20_000, np.float32)]  # a frame a second
    axes = plot("spectrogram", heard(["abababab"], ["abababab"], samples=samples)).axes[0]
    assert texts_of(axes, BLUE) == [(0.5, "a"), (2.5, "b"), (4.5, "a")]
