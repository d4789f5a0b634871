"""How does it go on? Asked of a text."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from threefold.datasets.dataset import Source
from threefold.datasets.texts.tokenizing import decode, kind_of
from threefold.tasks.decoding import token_loss, token_weights
from threefold.tasks.figure import Figure
from threefold.tasks.metrics.ngrams import KneserNey
from threefold.tasks.signature import Field, Output
from threefold.tasks.task import Arrays, Task

MOST_COUNTED = 10_000_000  # tokens, which take a gigabyte while they are counted
PROVEN_STEPS = 8  # tokens written for each row while an export is proven
PROBED_SETTINGS = (("temperature", 0.0), ("temperature", 0.5), ("temperature", 2.0),
                   ("top_k", 1.0), ("top_p", 0.5))  # fmt: skip
SETTINGS = {"temperature": 1.0, "top_k": 50.0, "top_p": 1.0}


class TextGeneration(Task):
    """Texts in, their next tokens out."""

    name = "text_generation"
    losses = ("cross_entropy",)
    settings = ("label_smoothing",)
    generates = "texts"
    figures = (
        Figure(
            "texts.loss_by_position",
            "How well a token is predicted by how much of the text is before it.",
            ("log_probabilities",),
        ),
    )
    summary_metrics = ("perplexity", "bits_per_character", "loss")
    primary_metric = "token_probability"
    dynamic_axes = ()

    def model_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        return {"tokens": examples["tokens"][:, :-1]}

    def targets(self, examples: Mapping[str, np.ndarray]) -> np.ndarray:
        return examples["tokens"][:, 1:]

    def sample_weights(self, targets: np.ndarray) -> np.ndarray:
        return token_weights(targets)

    def arguments(self) -> dict[str, Any]:
        return {"vocabulary_size": self.facts.vocabulary_size, "max_length": self.facts.max_length}

    def compile_arguments(self) -> dict[str, Any]:
        import keras

        return {
            "loss": token_loss(self.label_smoothing),
            "weighted_metrics": [keras.metrics.SparseCategoricalAccuracy(name="token_accuracy")],
        }

    def inference_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        """Return prompts with the settings and random numbers of a sampler."""
        return self._sampler_inputs(examples, np.int32)

    def predict_fn(self, model) -> Callable[[Arrays], Arrays]:
        """Return the sampler."""
        from threefold.blueprints.parts.sampling import Sampler

        sampler = Sampler(model)

        def respond(inputs: Arrays) -> Arrays:
            found = sampler.predict_on_batch(inputs)
            return {name: np.asarray(array) for name, array in found.items()}

        return respond

    def postprocess(self, outputs: Arrays) -> Arrays:
        """Return `log_probabilities` (batch, time - 1) of the tokens but the first,
        `next_probabilities` (batch, tokens) and what was `written` (batch, steps).
        """
        return {**outputs, "written": outputs["written"].astype(np.int64)}

    def truth(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        tokens = examples["tokens"]
        return {"characters": self._count_characters(tokens[:, 1:])}

    def baselines(self, train: Source) -> dict[str, Callable[[Source], dict[str, float]]]:
        """Count runs of tokens."""
        tokens = train[np.arange(min(len(train), MOST_COUNTED // self.facts.max_length))]["tokens"]
        order = min(5, tokens.shape[1])
        model = KneserNey(tokens, self.facts.vocabulary_size, order)

        def compute_baseline_metrics(source: Source) -> dict[str, float]:
            examples = source[np.arange(len(source))]
            predictions = {
                "log_probabilities": np.log(model.token_probabilities(examples["tokens"]))
            }
            return self.compute_metrics(predictions, self.truth(examples))

        return {f"{order}-grams, Kneser-Ney": compute_baseline_metrics}

    def compute_metrics(
        self, predictions: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """Return the loss in nats a token, its exponential, the perplexity, the inverse of that,
        the (geometric) mean probability of a token, and bits a character of the text.
        """
        log = predictions["log_probabilities"].astype(np.float64)
        return {
            "loss": float(-log.mean()),
            "perplexity": float(np.exp(-log.mean())),
            "token_probability": float(np.exp(log.mean())),
            "bits_per_character": float(-log.sum() / np.log(2) / truth["characters"].sum()),
        }

    def describe(
        self, predictions: Mapping[str, np.ndarray], examples: Mapping[str, np.ndarray]
    ) -> list[dict[str, Any]]:
        return [
            {"text": text} for text in decode(self.facts.tokenizer, list(predictions["written"]))
        ]

    def input_fields(self) -> tuple[Field, ...]:
        settings = {
            "temperature": "above 1 more chance, below 1 less, 0 none",
            "top_k": "how many of the most probable tokens may be written",
            "top_p": "which share of the probability may be written, the most probable first",
        }
        return (
            Field.index(
                "tokens",
                ("batch", "time"),
                "ids from tokenizer.json, at least one, without padding",
                self.facts.vocabulary_size,
            ),
            Field(
                name="uniforms",
                dtype="float32",
                shape=("batch", "steps"),
                meaning="chance: one number for each token to write",
                range=(0, 1),
            ),
            *(
                Field(name=name, dtype="float32", shape=("batch",), meaning=meaning)
                for name, meaning in settings.items()
            ),
        )

    def output_fields(self) -> tuple[Output, ...]:
        return (
            Output(
                name="log_probabilities",
                dtype="float32",
                shape=("batch", "time"),
                meaning="of each token but the first, from those before it",
                limit=1e-4,
            ),
            Output.probability(
                "next_probabilities",
                ("batch", self.facts.vocabulary_size),
                "of each token of tokenizer.json, after the last",
            ),
            Output.index(
                "written",
                ("batch", "steps"),
                "ids from tokenizer.json of the tokens that follow",
                self.facts.vocabulary_size,
            ),
        )

    def raw_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        return self._sampler_inputs(examples, np.int64)

    def probes(self, examples: Mapping[str, np.ndarray]) -> dict[str, Arrays]:
        tokens = examples["tokens"]
        length = tokens.shape[1]
        one = np.full(len(tokens), 1, np.float32)
        found = {
            "of another length": {"tokens": tokens[:, : (length + 1) // 2]},
            "of one token": {"tokens": tokens[:, :1]},
            "of more than the context": {"tokens": np.tile(tokens, 2)},
            "with one token to write": {"uniforms": 0.5 * one[:, None]},
        }
        for name, value in PROBED_SETTINGS:
            found[f"with {name} {value:g}"] = {name: value * one}
        return {name: {**examples, **changed} for name, changed in found.items()}

    def preprocess_graph(self) -> tuple[Callable, list]:
        import tensorflow as tf

        return lambda raw: {**raw, "tokens": tf.cast(raw["tokens"], tf.int32)}, []

    def postprocess_graph(self, outputs) -> dict[str, Any]:
        import tensorflow as tf

        return {**outputs, "written": tf.cast(outputs["written"], tf.int64)}

    def serving(self, model) -> tuple[Callable, list]:
        from threefold.blueprints.parts.sampling import Sampler

        enter, tables = self.preprocess_graph()
        sampler = Sampler(model)
        return lambda raw: self.postprocess_graph(sampler(enter(raw))), [model, *tables]

    def _sampler_inputs(self, examples: Mapping[str, np.ndarray], dtype) -> Arrays:
        tokens = examples["tokens"].astype(dtype)
        # Where nothing is to be written, a little is, to prove it; the same whenever it is proven.
        places = tokens.sum(axis=1, keepdims=True) + np.arange(PROVEN_STEPS)
        inputs = {"uniforms": (places * 0.6180339887 % 1).astype(np.float32)}
        for name, value in SETTINGS.items():
            inputs[name] = np.full(len(tokens), value, np.float32)
        inputs |= {name: examples[name] for name in inputs if name in examples}
        return {"tokens": tokens, **inputs}

    def _count_characters(self, tokens: np.ndarray) -> np.ndarray:
        if kind_of(self.facts.tokenizer) == "character":
            return np.full(len(tokens), tokens.shape[1])
        return np.array([len(text) for text in decode(self.facts.tokenizer, list(tokens))])


TASK = TextGeneration
