"""A recording says what the one that sounds most alike does: any length, loudness, silence."""

import numpy as np
import pytest

from threefold.datasets.dataset import ArraySource
from threefold.datasets.facts import SpeechFacts
from threefold.datasets.ragged import Ragged
from threefold.tasks.metrics import nearest_recording
from threefold.tasks.metrics.nearest_recording import describe_sound, hear
from threefold.tasks.task import find_task

RATE = 4000
TONES = {1: 400, 2: 900, 3: 1600}  # Hz of each symbol
FACTS = SpeechFacts(rate=RATE, max_length=8000, alphabet=("a", "b", " "), max_transcript_length=3)
NEAREST, COMMONEST = "nearest recording", "commonest transcript"


def say(symbols, seed):
    """A recording of some symbols, each a tone: fast or slow, loud or not, in noise."""
    random = np.random.default_rng(seed)
    length, loudness = random.integers(400, 700), random.uniform(0.1, 0.9)
    tones = [np.sin(2 * np.pi * TONES[s] / RATE * np.arange(length)) for s in symbols]
    samples = np.concatenate([np.zeros(200), *tones, np.zeros(200)])
    noise = random.normal(0, 0.01, len(samples))
    return (loudness * (samples + noise)).astype(np.float32)


def recordings(transcripts, seed=0, samples=None):
    samples = samples or [say(row, seed + place) for place, row in enumerate(transcripts)]
    return ArraySource({
        "samples": Ragged.join(samples, np.float32),
        "symbols": Ragged.join([np.array(row, np.int64) for row in transcripts], np.int64),
    })  # fmt: skip


SAID = [[1], [2], [1, 2], [2, 1], [1, 3, 2], [2, 3, 1], []]
TRAIN = recordings(3 * [[1]] + 10 * SAID)
TASK = find_task("speech_recognition")(FACTS)


def test_what_was_heard_before_is_said_again_and_counted_as_a_model_s_answers_are():
    found = TASK.baselines(TRAIN)
    test = recordings(SAID, seed=1000)
    assert found[NEAREST](test) == {
        "sequence_accuracy": 1.0, "character_error_rate": 0.0, "word_error_rate": 0.0,
    }  # fmt: skip
    scores = found[COMMONEST](recordings([[1], [1], [1, 3, 2]]))
    assert scores["sequence_accuracy"] == pytest.approx(2 / 3)
    assert scores["character_error_rate"] == pytest.approx(2 / 5)


def test_a_symbol_that_was_never_heard_is_an_error():
    test = recordings([[1, 4]], samples=[say([1], 5)])
    scores = TASK.baselines(TRAIN)[NEAREST](test)
    assert (scores["sequence_accuracy"], scores["character_error_rate"]) == (0, 0.5)


@pytest.mark.parametrize(
    "samples",
    [np.zeros(0), np.zeros(1), np.ones(1), np.zeros(50), np.zeros(9000), np.ones(99)],
    ids=lambda samples: f"{len(samples)} of {samples.sum():.0f}",
)
def test_silence_and_a_recording_of_one_frame_are_answered(samples):
    samples = samples.astype(np.float32)
    assert np.isfinite(describe_sound(samples, RATE)).all()
    odd = recordings([[1], []], samples=[samples, samples])
    for source in (TRAIN, odd):
        scores = TASK.baselines(source)[NEAREST](odd)
        assert 0 <= scores["sequence_accuracy"] <= 1


def test_loudness_is_not_compared():
    samples = say([1, 2], 0)
    same = describe_sound(0.1 * samples, RATE) - describe_sound(samples, RATE)
    other = describe_sound(say([2, 1], 0), RATE) - describe_sound(samples, RATE)
    assert np.abs(same).max() < 0.1 < 1 < np.abs(other).max()


def test_what_is_read_to_compare_with_is_bounded_and_from_all_of_the_split(monkeypatch):
    monkeypatch.setattr(nearest_recording, "MOST_ROWS", 50)
    monkeypatch.setattr(nearest_recording, "READ", 4)
    known = nearest_recording.NearestRecording(TRAIN, RATE)
    assert len(known.symbols) == 50
    monkeypatch.setattr(nearest_recording, "MOST_SAMPLES", 12_000)
    # One symbol in the first half of the split, another in the second.
    halves = recordings(60 * [[1]] + 60 * [[2]])
    few = nearest_recording.NearestRecording(halves, RATE).symbols
    assert len(few) < 20 and {int(row[0]) for row in few} == {1, 2}


def test_recordings_are_decoded_once_for_both_methods():
    asked = []

    class Counting(ArraySource):
        def __getitem__(self, indices):
            asked.append(len(indices))
            return super().__getitem__(indices)

    test = Counting(recordings(SAID, seed=1000).arrays)
    for compute in TASK.baselines(TRAIN).values():
        compute(test)
    assert sum(asked) == len(SAID)
    assert hear(test, np.arange(2), RATE).features.shape[0] == 2
