"""What is said? Asked of a recording."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import softmax

from threefold.datasets.dataset import Source
from threefold.datasets.ragged import fill_up, first_of, halve, pad, padded_length
from threefold.tasks.decoding import error_rate
from threefold.tasks.figure import Figure
from threefold.tasks.metrics.ctc_decoding import collapse, log_likelihood, search_prefixes
from threefold.tasks.metrics.nearest_recording import NearestRecording, Sounds, hear
from threefold.tasks.signature import Field, Output
from threefold.tasks.task import Arrays, Task

ALTERNATIVES = 3  # texts in a record, the most probable first
SYMBOLS_SHOWN = 60  # of an alphabet, in the signature of an exported model
LOWEST = -700.0  # logarithm of a probability that counts as 0: a mean of losses stays a number


class SpeechRecognition(Task):
    """Samples in, the probability of every symbol in every frame out; 0 is CTC's blank."""

    name = "speech_recognition"
    losses = ("ctc",)
    figures = (
        Figure(
            "recordings.spectrogram",
            "Recordings with what was written of them and what is true: those with most errors "
            "first, then those written least surely.",
            ("probabilities", "symbols", "symbol_index"),
            ("symbols",),
        ),
    )
    summary_metrics = ("sequence_accuracy", "character_error_rate", "loss")
    primary_metric = "sequence_accuracy"
    dynamic_axes = ("samples", "targets")

    def model_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        samples = examples["samples"]
        length = padded_length(max(map(len, samples), default=1), self.facts.max_length)
        return self._pack(samples, length, np.int32)

    def arguments(self) -> dict[str, Any]:
        return {"rate": self.facts.rate, "num_symbols": len(self.facts.alphabet)}

    def input_fields(self) -> tuple[Field, ...]:
        return (
            Field(
                name="samples",
                dtype="float32",
                shape=("batch", "samples"),
                meaning=f"a recording of one channel, {self.facts.rate:,} samples a second; the "
                "shorter filled up at the end",
                range=(-1, 1),
            ),
            Field(
                name="lengths",
                dtype="int64",
                shape=("batch",),
                meaning="samples of each recording that are not filled up",
            ),
        )

    def raw_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        samples = examples["samples"]
        return self._pack(samples, max(1, *map(len, samples)), np.int64)

    def probes(self, examples: Mapping[str, np.ndarray]) -> dict[str, Arrays]:
        samples = examples["samples"]
        silence = fill_up([np.zeros(1, np.float32) for _ in samples], max(map(len, samples)))
        found = {
            "of another length": halve(samples),
            "of one sample": first_of(samples),
            "of silence": silence,
        }
        return {name: {**examples, "samples": array} for name, array in found.items()}

    def preprocess_graph(self) -> tuple[Callable, list]:
        import tensorflow as tf

        return lambda raw: {**raw, "lengths": tf.cast(raw["lengths"], tf.int32)}, []

    def targets(self, examples: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the transcripts, filled up with 0, without symbols that the model lacks."""
        known = [row[row <= len(self.facts.alphabet)] for row in examples["symbols"]]
        # Of one width: compiled backends make a program for each that they meet.
        width = max(self.facts.max_transcript_length, *map(len, known))
        return pad(known, width, np.float32)

    def sample_weights(self, targets: np.ndarray) -> np.ndarray | None:
        return None

    def truth(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        symbols = examples["symbols"]
        return {"symbols": pad(symbols, max(1, *map(len, symbols)), np.int64)}

    def compile_arguments(self) -> dict[str, Any]:
        import keras

        return {
            "loss": ctc_loss,
            "metrics": [keras.metrics.MeanMetricWrapper(_is_right, name="sequence_accuracy")],
        }

    def postprocess(self, outputs: np.ndarray) -> Arrays:
        """Return `probabilities` (batch, time, symbols + 1), `symbol_index` (batch, time), the most
        probable of each frame, and `symbols` (batch, time): what those write, filled up with 0.
        """
        scores = np.asarray(outputs, np.float32)
        probabilities = softmax(scores, axis=-1)
        index = probabilities.argmax(axis=-1)
        return {
            "probabilities": probabilities,
            "symbol_index": index,
            "symbols": collapse(index),
        }

    def output_fields(self) -> tuple[Output, ...]:
        count = len(self.facts.alphabet)
        stated = self._format_symbols()
        return (
            Output(
                name="probabilities",
                dtype="float32",
                shape=("batch", "time", count + 1),
                meaning="probability in each frame of the blank, then of each symbol",
                range=(0, 1),
                limit=1e-4,  # logarithms of powers make much of the last digits of samples
            ),
            Output(
                name="symbol_index",
                dtype="int64",
                shape=("batch", "time"),
                meaning=f"most probable symbol of each frame, 0 the blank; from 1: {stated}",
                range=(0, count),
            ),
            Output(
                name="symbols",
                dtype="int64",
                shape=("batch", "time"),
                meaning=f"what is said, filled up with 0 at the end; from 1: {stated}",
                range=(0, count),
            ),
        )

    def postprocess_graph(self, outputs) -> dict[str, Any]:
        import tensorflow as tf
        from keras import ops

        probabilities = tf.nn.softmax(outputs)
        index = tf.argmax(probabilities, axis=-1)
        return {
            "probabilities": probabilities,
            "symbol_index": index,
            "symbols": collapse(index, ops),
        }

    def near_ties(self, predictions: Mapping[str, np.ndarray], limit: float) -> np.ndarray:
        best = np.sort(predictions["probabilities"], axis=-1)[..., -2:]
        return (best[..., 1] - best[..., 0] <= 2 * limit).any(axis=-1)

    def describe(
        self, predictions: Mapping[str, np.ndarray], examples: Mapping[str, np.ndarray]
    ) -> list[dict[str, Any]]:
        """Return the text that the most probable symbol of each frame writes, how sure its symbols
        are in the mean, and the texts that are the most probable in all ways to write them.
        """
        records = []
        for symbols, index, probabilities in zip(
            predictions["symbols"],
            predictions["symbol_index"],
            predictions["probabilities"],
            strict=True,
        ):
            sounding = probabilities.max(axis=-1)[index > 0]
            found = search_prefixes(probabilities)[:ALTERNATIVES]
            records.append(
                {
                    "text": self.write(symbols),
                    "confidence": float(sounding.mean()) if len(sounding) else 0.0,
                    "alternatives": [
                        {"text": self.write(other), "probability": float(np.exp(likelihood))}
                        for other, likelihood in found
                    ],
                }
            )
        return records

    def write(self, symbols: Sequence[int]) -> str:
        """Return the text of symbols, filled up with 0; for one that the model lacks, a box."""
        letters = [*self.facts.alphabet, "\N{REPLACEMENT CHARACTER}"]
        return "".join(letters[symbol - 1] for symbol in symbols if symbol)

    def baselines(self, train: Source) -> dict[str, Callable[[Source], dict[str, float]]]:
        """Take the transcript of the recording that sounds most alike, and the commonest of all."""
        known = NearestRecording(train, self.facts.rate)

        @lru_cache(maxsize=1)  # recordings are decoded once for both methods
        def read(source: Source) -> Sounds:
            return hear(source, np.arange(len(source)), self.facts.rate)

        def evaluated(answer: Callable[[Sounds], Sequence[np.ndarray]]):
            def compute_baseline_metrics(source: Source) -> dict[str, float]:
                sounds = read(source)
                texts = (map(self.write, rows) for rows in (answer(sounds), sounds.symbols))
                return self._count_errors(*map(list, texts))

            return compute_baseline_metrics

        return {
            "nearest recording": evaluated(lambda sounds: known.answer(sounds.features)),
            "commonest transcript": evaluated(lambda s: [known.commonest] * len(s.symbols)),
        }

    def compute_metrics(
        self, predictions: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """Return the share of transcripts without an error; edits a true symbol, and a true word
        where there are spaces; CTC's loss; and the first two for the texts that are the most
        probable in all ways to write them (a search of `ctc.BEAM_WIDTH` prefixes).
        """
        true = [self.write(row) for row in truth["symbols"]]
        written = [self.write(row) for row in predictions["symbols"]]
        searched = [self.write(search_prefixes(p)[0][0]) for p in predictions["probabilities"]]
        metrics = self._count_errors(written, true)
        likelihoods = log_likelihood(predictions["probabilities"], truth["symbols"])
        metrics |= {
            "loss": -np.maximum(likelihoods, LOWEST).mean(),
            "beam_sequence_accuracy": np.mean(
                [a == b for a, b in zip(true, searched, strict=True)]
            ),
            "beam_character_error_rate": error_rate(searched, true),
        }
        return {name: float(value) for name, value in metrics.items()}

    def _count_errors(self, written: Sequence[str], true: Sequence[str]) -> dict[str, float]:
        metrics = {
            "sequence_accuracy": _share_same(written, true),
            "character_error_rate": error_rate(written, true),
        }
        if " " in self.facts.alphabet:
            words = [[text.split() for text in texts] for texts in (written, true)]
            metrics["word_error_rate"] = error_rate(*words)
        return metrics

    def _format_symbols(self) -> str:
        alphabet = self.facts.alphabet
        names = ["space" if symbol == " " else symbol for symbol in alphabet[:SYMBOLS_SHOWN]]
        more = ", ... (`run.facts.alphabet` in artifact.json)"
        return ", ".join(names) + (more if len(alphabet) > SYMBOLS_SHOWN else "")

    def _pack(self, samples: np.ndarray, length: int, dtype) -> Arrays:
        lengths = np.array([len(recording) for recording in samples], dtype)
        return {"samples": pad(samples, length, np.float32), "lengths": lengths}


TASK = SpeechRecognition


def _share_same(found: Sequence[str], wanted: Sequence[str]) -> float:
    return float(np.mean([one == other for one, other in zip(found, wanted, strict=True)]))


def ctc_loss(targets, logits):
    """Return minus the log-probability of each transcript, as Keras computes a loss.

    Args:
        targets: tensor of shape (batch, longest). Symbols from 1, filled up with 0.
        logits: tensor of shape (batch, frames, symbols + 1). Frames after a recording's end are
            surely blank, so that all count.

    Returns:
        tensor of shape (batch,). 0 for a transcript that the frames of its recording are too few
        for: backends answer with other numbers, and one without a gradient.
    """
    from keras import ops

    targets = ops.cast(targets, "int32")
    true = ops.cast(logits[:, :, 1] > -500.0, "int32")  # which no logit but a forced one is below
    repeated = ops.logical_and(targets[:, 1:] == targets[:, :-1], targets[:, 1:] > 0)
    lengths = ops.sum(ops.cast(targets > 0, "int32"), axis=1)
    needed = lengths + ops.sum(ops.cast(repeated, "int32"), axis=1)
    fits = needed <= ops.sum(true, axis=1)
    targets = ops.where(fits[:, None], targets, ops.zeros_like(targets))
    lengths = ops.where(fits, lengths, ops.zeros_like(lengths))
    frames = ops.sum(ops.ones_like(true), axis=1)
    return ops.ctc_loss(targets, logits, lengths, frames) * ops.cast(fits, logits.dtype)


def _is_right(targets, logits):
    """Return whether each transcript is written without an error, as Keras computes a metric."""
    from keras import ops

    written = collapse(ops.argmax(logits, axis=-1), ops)
    targets = ops.cast(targets, written.dtype)
    written, targets = _widen(written, targets), _widen(targets, written)
    return ops.all(written == targets, axis=-1)


def _widen(symbols, other):
    """Fill symbols up to be as wide as others, too."""
    from keras import ops

    return ops.concatenate([symbols, ops.zeros_like(other)], axis=1)
