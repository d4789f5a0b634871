"""What tasks share that make one text of another: the search for it, and how it is shipped."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from threefold.datasets.dataset import Source
from threefold.datasets.ragged import PAD, fill_up, first_of, halve, pad, padded_length
from threefold.datasets.texts.tokenizing import END, START, decode
from threefold.tasks.decoding import token_loss, token_weights, until_end
from threefold.tasks.figure import Figure
from threefold.tasks.signature import Field, Output
from threefold.tasks.task import Arrays, Task

WIDTH = 4  # beams
LENGTH_PENALTY = 1.0
SHOWN = 4  # answers in a record, the best first
EXPLAINED = 4  # texts whose attention is drawn

ATTENTION = Figure(
    "texts.attention",
    "Where the decoder looks while it writes each token of the true answer: the darker, the more.",
)


class SequenceToSequence(Task):
    """Texts in, the most probable texts out."""

    losses = ("cross_entropy",)
    settings = ("label_smoothing",)
    dynamic_axes = ("source", "target", "targets", "weights")

    def model_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        """Return what is read, and of what is written the tokens before each."""
        found = {"source": self._pad(examples["source"], self.facts.max_source_length)}
        if "target" in examples:
            before = [np.append(START, target) for target in examples["target"]]
            found["target"] = self._pad(before, self.facts.max_target_length + 1)
        return found

    def targets(self, examples: Mapping[str, np.ndarray]) -> np.ndarray:
        behind = [np.append(target, END) for target in examples["target"]]
        return self._pad(behind, self.facts.max_target_length + 1)

    def sample_weights(self, targets: np.ndarray) -> np.ndarray:
        return token_weights(targets)

    def arguments(self) -> dict[str, Any]:
        return {
            "source_vocabulary_size": self.facts.source_vocabulary_size,
            "target_vocabulary_size": self.facts.target_vocabulary_size,
            "shared_vocabulary": self.facts.source_tokenizer == self.facts.target_tokenizer,
            "max_source_length": self.facts.max_source_length,
            "max_target_length": self.facts.max_target_length,
        }

    def compile_arguments(self) -> dict[str, Any]:
        import keras

        return {
            "loss": token_loss(self.label_smoothing),
            "weighted_metrics": [keras.metrics.SparseCategoricalAccuracy(name="token_accuracy")],
        }

    def predict_fn(self, model) -> Callable[[Arrays], Arrays]:
        """Return the search for the best answers."""
        search = self._search(model)

        def respond(inputs: Arrays) -> Arrays:
            found = search.predict_on_batch({"source": inputs["source"]})
            return {name: np.asarray(array) for name, array in found.items()}

        return respond

    def postprocess(self, outputs: Arrays) -> Arrays:
        """Return `tokens` (batch, beams, steps), the best first, and their `scores`."""
        return {"tokens": outputs["tokens"].astype(np.int64), "scores": outputs["scores"]}

    def explain(self, model, source: Source) -> Arrays:
        """Return `attention` (texts, steps, time): where the decoder looks for each true token."""
        from threefold.blueprints.parts.attention_maps import align

        examples = source[np.arange(min(EXPLAINED, len(source)))]
        return {"attention": align(model, self.model_inputs(examples))}

    def truth(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        return {"target": pad(examples["target"], self.facts.max_target_length + 1, np.int64)}

    def describe(
        self, predictions: Mapping[str, np.ndarray], examples: Mapping[str, np.ndarray]
    ) -> list[dict[str, Any]]:
        records = []
        for beams, scores in zip(predictions["tokens"], predictions["scores"], strict=True):
            texts = decode(self.facts.target_tokenizer, list(beams[:SHOWN]))
            best = [
                {"text": text, "score": float(score)}
                for text, score in zip(texts, scores, strict=False)
            ]
            records.append({**best[0], "alternatives": best[1:]})
        return records

    def input_fields(self) -> tuple[Field, ...]:
        return (
            Field.index(
                "source",
                ("batch", "time"),
                "ids from source_tokenizer.json, filled up with 0 at the end",
                self.facts.source_vocabulary_size,
            ),
        )

    def output_fields(self) -> tuple[Output, ...]:
        steps = self.facts.max_target_length + 1
        return (
            Output.index(
                "tokens",
                ("batch", WIDTH, steps),
                "ids from target_tokenizer.json of the best answers, the best first; each "
                f"ends with {END} and is filled up with {PAD}",
                self.facts.target_vocabulary_size,
            ),
            Output(
                name="scores",
                dtype="float32",
                shape=("batch", WIDTH),
                meaning="log-probability of each answer, by its length",
                limit=1e-4,
            ),
        )

    def raw_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        source = examples["source"]
        return {"source": pad(source, max(1, *map(len, source)), np.int64)}

    def probes(self, examples: Mapping[str, np.ndarray]) -> dict[str, Arrays]:
        source = examples["source"]
        found = {
            "of another length": halve(source),
            "of one token": first_of(source),
            "of the most tokens": fill_up(source, self.facts.max_source_length),
        }
        return {name: {**examples, "source": array} for name, array in found.items()}

    def preprocess_graph(self) -> tuple[Callable, list]:
        import tensorflow as tf

        return lambda raw: {"source": tf.cast(raw["source"], tf.int32)}, []

    def postprocess_graph(self, outputs) -> dict[str, Any]:
        import tensorflow as tf

        return {**outputs, "tokens": tf.cast(outputs["tokens"], tf.int64)}

    def serving(self, model) -> tuple[Callable, list]:
        enter, tables = self.preprocess_graph()
        search = self._search(model)
        return lambda raw: self.postprocess_graph(search(enter(raw))), [model, *tables]

    def near_ties(self, predictions: Mapping[str, np.ndarray], limit: float) -> np.ndarray:
        gaps = -np.diff(predictions["scores"], axis=1)
        return (gaps <= 2 * limit).any(axis=1)

    def _search(self, model):
        from threefold.blueprints.parts.decoding import BeamSearch

        return BeamSearch(model, self.facts.max_target_length + 1, WIDTH, LENGTH_PENALTY)

    def _pad(self, texts, max_length: int) -> np.ndarray:
        length = padded_length(max(map(len, texts)), max_length)
        return pad(texts, length, np.int32)


def take_best(
    predictions: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the tokens of the best answers and of the true ones, without their ends."""
    found = [until_end(row) for row in predictions["tokens"][:, 0]]
    return found, [until_end(row) for row in truth["target"]]


def exact_match(found: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> float:
    """Return the share of texts that are right to the last token."""
    same = [np.array_equal(one, other) for one, other in zip(found, wanted, strict=True)]
    return float(np.mean(same))
