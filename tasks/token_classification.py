"""Which tag has each word? Asked of a text."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from scipy.special import softmax

from threefold.datasets.dataset import Source
from threefold.datasets.ragged import pad
from threefold.tasks.figure import Figure
from threefold.tasks.inputs.text_inputs import TextInputs
from threefold.tasks.metrics.spans import find_spans, score_spans
from threefold.tasks.signature import Output
from threefold.tasks.task import Arrays

NO_TAG = -1  # of padding, and of the further tokens of a word


class TokenClassification(TextInputs):
    """Words in, the probability of every tag out; names of several words are spans (BIO)."""

    name = "token_classification"
    losses = ("cross_entropy",)
    settings = ("label_smoothing", "class_weights")
    figures = (
        Figure(
            "texts.tagged_text",
            "Sentences with every span in the colour of its kind; beneath a mistake, what is true.",
            ("tag_index",),
        ),
    )
    summary_metrics = ("f1", "accuracy", "loss")
    primary_metric = "f1"
    dynamic_axes = ("tokens", "targets", "weights")

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {"num_outputs": len(self.facts.class_names)}

    def targets(self, examples: Mapping[str, np.ndarray]) -> np.ndarray:
        length = self.model_inputs(examples)["tokens"].shape[1]
        tags = pad(examples["tags"], length, np.int64, NO_TAG)
        one_hot = np.eye(len(self.facts.class_names), dtype=np.float32)[np.maximum(tags, 0)]
        return one_hot * (tags != NO_TAG)[..., None]  # (batch, time, tags)

    def sample_weights(self, targets: np.ndarray) -> np.ndarray:
        weights = targets.sum(axis=-1)
        if self.class_weights == "balanced":
            counts = np.array(self.facts.class_counts, np.float64)
            weights = targets @ (counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1)))
        # Keras divides by the number of all tokens: so the mean is over those that have a tag.
        return (weights * (weights.size / max(weights.sum(), 1e-6))).astype(np.float32)

    def truth(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        # From 1, as 0 fills the shorter batches up: 0 is no tag.
        length = self.model_inputs(examples)["tokens"].shape[1]
        return {"tag": pad(examples["tags"], length, np.int64, NO_TAG) + 1}

    def compile_arguments(self) -> dict[str, Any]:
        import keras

        return {
            "loss": keras.losses.CategoricalCrossentropy(
                from_logits=True, label_smoothing=self.label_smoothing
            ),
            "weighted_metrics": [keras.metrics.CategoricalAccuracy(name="accuracy")],
        }

    def postprocess(self, outputs: np.ndarray) -> Arrays:
        """Return `probabilities` (batch, time, tags) and `tag_index` (batch, time)."""
        scores = np.asarray(outputs, np.float32)
        probabilities = softmax(scores, axis=-1)
        return {"probabilities": probabilities, "tag_index": probabilities.argmax(axis=-1)}

    def output_fields(self) -> tuple[Output, ...]:
        names = self.facts.class_names
        return (
            Output.probability(
                "probabilities",
                ("batch", "time", len(names)),
                "probability of each tag, in the order of labels.txt; a word has that of "
                "its first token",
            ),
            Output.index(
                "tag_index",
                ("batch", "time"),
                "position of the most probable tag in labels.txt, from 0",
                len(names),
            ),
        )

    def postprocess_graph(self, outputs) -> dict[str, Any]:
        import tensorflow as tf

        probabilities = tf.nn.softmax(outputs)
        return {"probabilities": probabilities, "tag_index": tf.argmax(probabilities, axis=-1)}

    def near_ties(self, predictions: Mapping[str, np.ndarray], limit: float) -> np.ndarray:
        best = np.sort(predictions["probabilities"], axis=-1)[..., -2:]
        return (best[..., -1] - best[..., 0] <= 2 * limit).any(axis=-1)

    def describe(
        self, predictions: Mapping[str, np.ndarray], examples: Mapping[str, np.ndarray]
    ) -> list[dict[str, Any]]:
        names = self.facts.class_names
        records = []
        for row, (words, tags) in enumerate(zip(examples["words"], examples["tags"], strict=True)):
            chosen = predictions["tag_index"][row][: len(tags)][tags != NO_TAG]
            found = [names[tag] for tag in chosen]
            spans = [
                {"text": " ".join(words[start:stop]), "tag": kind, "start": start, "stop": stop}
                for kind, start, stop in find_spans(found)
            ]
            if "places" in examples:  # of a text that is no list of words
                places, text = examples["places"][row], examples["text"][row]
                for span in spans:
                    begin, end = places[span["start"]][0], places[span["stop"] - 1][1]
                    span |= {"text": text[begin:end], "start_char": begin, "end_char": end}
            # A text over the limit has words that no tag was asked for.
            tagged = list(zip(words, found, strict=False))
            records.append({"tagged": [f"{word}/{tag}" for word, tag in tagged], "spans": spans})
        return records

    def baselines(self, train: Source) -> dict[str, Callable[[Source], dict[str, float]]]:
        """Count the tags of every word; one that was never seen gets those of all words."""
        size = len(self.facts.class_names)
        counts: dict[str, np.ndarray] = {}
        for _, word, tag in _tagged_words(train):
            counts.setdefault(word, np.zeros(size))[tag] += 1
        all_words = sum(counts.values(), np.zeros(size))

        def compute_baseline_metrics(source: Source) -> dict[str, float]:
            examples = source[np.arange(len(source))]
            truth = self.truth(examples)
            found = np.zeros((*truth["tag"].shape, size))
            for place, word, _ in _tagged_words(source):
                own = counts.get(word, all_words)
                found[place] = own / own.sum()
            predictions = {"probabilities": found, "tag_index": found.argmax(axis=-1)}
            metrics = self.compute_metrics(predictions, truth)
            return {name: metrics[name] for name in self.summary_metrics}

        return {"commonest tag of a word": compute_baseline_metrics}

    def compute_metrics(
        self, predictions: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """Return precision, recall and f1 of whole spans (Tjong Kim Sang and De Meulder 2003), in
        all and by kind, and accuracy and log-loss of single tags.
        """
        names, true = self.facts.class_names, truth["tag"] - 1
        # Filled up to different lengths, both hold all that is asked.
        length = min(true.shape[1], predictions["tag_index"].shape[1])
        true, found = true[:, :length], predictions["tag_index"][:, :length]
        asked = true != NO_TAG
        rows = [
            ([names[tag] for tag in true[row][asked[row]]],
             [names[tag] for tag in found[row][asked[row]]])
            for row in range(len(true))
        ]  # fmt: skip
        probabilities = predictions["probabilities"][:, :length][asked]
        chosen = probabilities[np.arange(len(probabilities)), true[asked]]
        predicted = found[asked]
        return score_spans(rows) | {
            "accuracy": float(np.mean(predicted == true[asked])),
            "loss": float(-np.log(np.maximum(chosen, 1e-7)).mean(dtype=np.float64)),
        }


def _tagged_words(source: Source) -> Iterator[tuple[tuple[int, int], str, int]]:
    """Yield of every word that has a tag its example and token, itself, and its tag."""
    examples = source[np.arange(len(source))]
    for row, (words, tags) in enumerate(zip(examples["words"], examples["tags"], strict=True)):
        # A text over the limit has words without a tag, at its end.
        for token, word in zip(np.flatnonzero(tags != NO_TAG), words, strict=False):
            yield (row, int(token)), word, int(tags[token])


TASK = TokenClassification
