"""Recordings and transcripts: the loss against all alignments, metrics by hand, answers."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from threefold.blueprints.ctc import NEVER
from threefold.datasets.facts import SpeechFacts
from threefold.tasks.speech_recognition import ctc_loss
from threefold.tasks.task import find_task

pytestmark = pytest.mark.each_backend

FACTS = SpeechFacts(rate=1000, max_length=100, alphabet=("a", "b"), max_transcript_length=3)
WORDS = FACTS.model_copy(update={"alphabet": ("a", "b", " ")})
TASK = find_task("speech_recognition")(FACTS)

# Transcripts, and how many of five frames are a recording's own.
CASES = [([1, 2], 5), ([1, 1], 4), ([2], 3), ([], 4), ([1, 2, 1], 5), ([2, 2], 3), ([1, 1, 1], 5)]


def make_logits(frames, seed=0):
    logits = np.random.default_rng(seed).normal(size=(len(frames), 5, 3)).astype(np.float32)
    for row, count in zip(logits, frames, strict=True):
        row[count:] = [0, NEVER, NEVER]
    return logits


def make_targets(transcripts):
    targets = np.zeros((len(transcripts), 3), np.float32)
    for row, transcript in zip(targets, transcripts, strict=True):
        row[: len(transcript)] = transcript
    return targets


def sum_over_alignments(logits, transcript):
    """Minus the log-probability of a transcript, by the definition of CTC."""
    logits = logits.astype(np.float64)
    log = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    total = 0.0
    for path in itertools.product(range(3), repeat=len(logits)):
        if [symbol for symbol, _ in itertools.groupby(path) if symbol] == transcript:
            total += np.exp(log[np.arange(len(logits)), path].sum())
    return -np.log(total)


def test_the_loss_is_that_of_all_alignments_of_the_true_frames():
    transcripts, frames = zip(*CASES, strict=True)
    logits = make_logits(frames)
    found = ops.convert_to_numpy(ctc_loss(make_targets(transcripts), ops.array(logits)))
    wanted = [sum_over_alignments(logits[i, :count], text) for i, (text, count) in enumerate(CASES)]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_the_loss_of_a_split_is_that_of_training():
    transcripts, frames = zip(*CASES, strict=True)
    logits, targets = make_logits(frames), make_targets(transcripts)
    trained = ops.convert_to_numpy(ctc_loss(targets, ops.array(logits))).mean()
    truth_found = TASK.compute_metrics(
        TASK.postprocess(logits), {"symbols": targets.astype(np.int64)}
    )["loss"]
    assert truth_found == pytest.approx(trained, rel=1e-5)


def test_a_transcript_that_cannot_be_written_does_not_spoil_the_others():
    transcripts, frames = [[1, 1, 1], [1, 2], [2, 2]], [4, 5, 2]
    logits = make_logits(frames)
    found = ops.convert_to_numpy(ctc_loss(make_targets(transcripts), ops.array(logits)))
    assert found[0] == found[2] == 0
    assert found[1] == pytest.approx(sum_over_alignments(logits[1], [1, 2]), rel=1e-5)


@pytest.mark.parametrize("frames", [[5, 5], [3, 1]])
def test_training_goes_on_with_transcripts_that_cannot_be_written(frames):
    model = keras.Sequential([keras.Input((5, 3)), keras.layers.Dense(3, use_bias=False)])
    model.layers[0].set_weights([np.eye(3)])
    # All that is forced stays so: the layer starts as one that changes nothing.
    model.compile(optimizer=keras.optimizers.SGD(0.1), **TASK.compile_arguments())
    targets = make_targets([[1, 1, 1], [1, 1]])
    loss = model.fit(make_logits(frames), targets, verbose=0).history["loss"][0]
    assert np.isfinite(loss) and np.isfinite(model.layers[0].get_weights()[0]).all()


def test_the_metric_of_training_is_the_share_written_without_an_error():
    transcripts, frames = zip(*CASES, strict=True)
    logits = make_logits(frames)
    model = keras.Sequential([keras.Input((5, 3)), keras.layers.Activation("linear")])
    model.compile(**TASK.compile_arguments())
    for rows in (transcripts, [[]] * len(CASES)):
        targets = make_targets(rows)
        found = model.evaluate(logits, targets, verbose=0, return_dict=True)
        explicit = TASK.compute_metrics(
            TASK.postprocess(logits), {"symbols": targets.astype(np.int64)}
        )
        assert found["sequence_accuracy"] == pytest.approx(explicit["sequence_accuracy"])


def objects(*arrays):
    found = np.empty(len(arrays), object)
    found[:] = [np.array(array) for array in arrays]
    return found


EXAMPLES = {
    "samples": objects(np.full(30, 0.5, np.float32), np.full(41, -0.5, np.float32)),
    "symbols": objects([1, 3, 2], [2]),  # the alphabet has no third
}


def test_recordings_are_filled_up_to_one_of_few_lengths():
    found = TASK.model_inputs(EXAMPLES)
    assert found["samples"].shape == (2, 64) and found["samples"].dtype == np.float32
    assert found["lengths"].tolist() == [30, 41] and found["lengths"].dtype == np.int32
    assert found["samples"][0, 29] == 0.5 and not found["samples"][0, 30:].any()
    raw = TASK.raw_inputs(EXAMPLES)
    assert raw["samples"].shape == (2, 41) and raw["lengths"].dtype == np.int64
    assert [len(samples) for samples in TASK.probes(EXAMPLES)["of another length"]["samples"]] == [
        15,
        21,
    ]


def test_a_symbol_that_the_model_lacks_is_not_learned_but_counts_as_an_error():
    assert TASK.targets(EXAMPLES).tolist() == [[1, 2, 0], [2, 0, 0]]
    assert TASK.truth(EXAMPLES)["symbols"].tolist() == [[1, 3, 2], [2, 0, 0]]
    found = TASK.compute_metrics(speak(TASK, ["ab", "b"]), TASK.truth(EXAMPLES))
    assert found["sequence_accuracy"] == 0.5
    assert found["character_error_rate"] == pytest.approx(1 / 4)
    assert TASK.write([1, 3, 2, 0]) == "a�b"


def speak(task, texts, certainty=0.9):
    """Answers that write some texts, a blank after each symbol."""
    count, frames = len(task.facts.alphabet) + 1, 2 * max(map(len, texts)) + 1
    scores = np.zeros((len(texts), frames, count))
    for row, text in zip(scores, texts, strict=True):
        path = [task.facts.alphabet.index(s) + 1 if s else 0 for c in text for s in (c, "")]
        path += [0] * (frames - len(path))
        row[np.arange(frames), path] = np.log(certainty / (1 - certainty) * (count - 1))
    return task.postprocess(scores)


def test_errors_are_counted_in_symbols_and_words():
    task = find_task("speech_recognition")(WORDS)
    true = [[1, 1, 3, 2], [2, 3, 1], [1]]  # "aa b", "b a", "a"
    truth = {"symbols": np.array([row + [0] * (4 - len(row)) for row in true])}
    found = task.compute_metrics(speak(task, ["aa b", "b b", "aa"]), truth)
    assert found["sequence_accuracy"] == pytest.approx(1 / 3)
    assert found["character_error_rate"] == pytest.approx(2 / 8)
    assert found["word_error_rate"] == pytest.approx(2 / 5)
    assert found["beam_sequence_accuracy"] == pytest.approx(1 / 3)
    assert found["beam_character_error_rate"] == pytest.approx(2 / 8)
    assert "word_error_rate" not in TASK.compute_metrics(
        speak(TASK, ["a"]), {"symbols": np.array([[1]])}
    )
    assert set(task.summary_metrics) <= set(found)


def test_a_prediction_tells_the_text_how_sure_it_is_and_what_else_it_could_be():
    first, second = TASK.describe(speak(TASK, ["ab", ""]), EXAMPLES)
    assert first["text"] == "ab" and first["confidence"] == pytest.approx(0.9)
    assert [other["text"] for other in first["alternatives"]][0] == "ab"
    assert len(first["alternatives"]) == 3
    probabilities = [other["probability"] for other in first["alternatives"]]
    assert 1 > probabilities[0] > probabilities[1] > probabilities[2] > 0
    assert (second["text"], second["confidence"]) == ("", 0.0)


def test_an_answer_near_a_tie_is_undecided():
    predictions = speak(TASK, ["a", "b"])
    assert not TASK.near_ties(predictions, 1e-3).any()
    predictions["probabilities"][1, 0] = [0.4995, 0.0, 0.5005]
    assert TASK.near_ties(predictions, 1e-3).tolist() == [False, True]


def test_an_exported_model_says_what_its_numbers_mean():
    samples, lengths = TASK.input_fields()
    assert "1,000 samples a second" in samples.meaning and lengths.dtype == "int64"
    predictions = speak(TASK, ["ab"])
    assert [field.name for field in TASK.output_fields()] == list(predictions)
    long = find_task("speech_recognition")(
        FACTS.model_copy(update={"alphabet": (" ", *map(chr, range(0x4E00, 0x4E00 + 3000)))})
    )
    explicit = long.output_fields()[2].meaning
    assert "space, 一" in explicit and "artifact.json" in explicit and len(explicit) < 400


@pytest.mark.once
def test_the_graph_answers_as_the_task_does():
    logits = make_logits([5, 4, 2])
    predictions = TASK.postprocess(logits)
    for name, tensor in TASK.postprocess_graph(ops.array(logits)).items():
        np.testing.assert_allclose(tensor.numpy(), predictions[name], rtol=1e-5)
