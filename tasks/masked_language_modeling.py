"""Which words are masked, and do the two parts follow one another? Asked of texts: pretraining."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.special import expit, log_softmax

from threefold.core.errors import UserError
from threefold.datasets.dataset import Source
from threefold.datasets.ragged import PAD, first_of, halve, pad, padded_length
from threefold.datasets.texts.documents import as_objects
from threefold.datasets.texts.masking import NO_PLACE, Masked, count_masks, mask_tokens
from threefold.datasets.texts.tokenizing import (
    decode,
    find_continuing,
    find_mask,
    find_ordinary,
    token_names,
)
from threefold.tasks.decoding import token_loss, token_weights
from threefold.tasks.figure import Figure
from threefold.tasks.inputs.text_inputs import TextInputs
from threefold.tasks.metrics.masked_baselines import Neighbours
from threefold.tasks.signature import Field, Output
from threefold.tasks.task import Arrays

CANDIDATES = 5
FOLLOWS, OTHER = 0, 1  # as BERT's code numbers them


class MaskedLanguageModeling(TextInputs):
    """Texts in of which some tokens are masked, the tokens out that stood there.

    With the option `next_sentence`, texts are pairs of parts: of half of them the second follows
    the first, of the others it comes from elsewhere.
    """

    name = "masked_language_modeling"
    losses = ("cross_entropy",)
    settings = ("label_smoothing",)
    figures = (
        Figure(
            "masked_tokens.filled_masks",
            "Texts with their masked tokens filled in: green where right, red where wrong, with "
            "the truth beneath.",
            ("candidates",),
        ),
    )
    summary_metrics = ("masked_accuracy", "next_accuracy", "perplexity", "loss")
    primary_metric = "masked_accuracy"
    dynamic_axes = ("tokens", "first", "second")

    def __init__(self, facts, **settings):
        super().__init__(facts, **settings)
        self.next_sentence = bool(self.options.get("next_sentence", True))
        self.texts = {"first": "first_time", "second": "second_time"}
        if not self.next_sentence:
            self.texts = {"tokens": "time"}
        elif not facts.paired:
            raise UserError(
                "no text has two sentences of which one could follow the other, or there are no "
                "others; give longer texts, or -o next_sentence=false"
            )

    @property
    def slots(self) -> int:
        """Tokens of a text that are predicted, at most."""
        return count_masks(2 * self.facts.max_length, self.facts.mask_rate)

    def model_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        masked, texts = self.mask(examples)
        return texts | {"masked": masked.places.astype(np.int32)}

    def targets(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        return self._only_asked({
            "masked": self.mask(examples)[0].wanted.astype(np.int32),
            "next": self._other(examples).astype(np.int32),
        })  # fmt: skip

    def sample_weights(self, targets: Arrays) -> Arrays:
        weights = {"masked": token_weights(targets["masked"])}
        return self._only_asked(weights | {"next": np.ones(len(weights["masked"]), np.float32)})

    def truth(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        wanted = self.mask(examples)[0].wanted
        return self._only_asked({"masked": wanted, "next": self._other(examples)})

    def arguments(self) -> dict[str, Any]:
        parts = 1 if self.next_sentence else 2
        return super().arguments() | {"max_length": parts * self.facts.max_length}

    def compile_arguments(self) -> dict[str, Any]:
        import keras

        def accuracy():
            return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

        loss = {
            "masked": token_loss(self.label_smoothing),
            "next": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        }
        return {
            "loss": self._only_asked(loss),
            "weighted_metrics": self._only_asked({"masked": accuracy(), "next": accuracy()}),
        }

    def inference_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        masked, texts = self.mask(examples)
        numbers = {"masked": masked.places, "wanted": masked.wanted}
        return texts | {name: array.astype(np.int32) for name, array in numbers.items()}

    def raw_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        return {
            name: array.astype(np.int64) for name, array in self.inference_inputs(examples).items()
        }

    def probes(self, examples: Mapping[str, np.ndarray]) -> dict[str, Arrays]:
        texts = ("first", "following", "other")
        return {
            "of another length": {**examples, **{name: halve(examples[name]) for name in texts}},
            "of one token": {**examples, **{name: first_of(examples[name]) for name in texts}},
        }

    def predict_fn(self, model) -> Callable[[Arrays], Arrays]:
        def respond(inputs: Arrays) -> Arrays:
            given = {name: array for name, array in inputs.items() if name != "wanted"}
            found = model.predict_on_batch(given)
            found = {name: np.asarray(array) for name, array in found.items()}
            return found | {"wanted": inputs["wanted"]}

        return respond

    def postprocess(self, outputs: Arrays) -> Arrays:
        """Return of each masked token the most probable `candidates`, their
        `candidate_probabilities`, that of the most probable other token as `runner_up`, and the
        `log_probability` of the token that was wanted; and with pairs the probability that one
        `follows` the other.
        """
        log = log_softmax(outputs["masked"].astype(np.float32), axis=-1)
        count = self._candidates + 1
        best = np.argpartition(-log, count - 1, axis=-1)[..., :count]
        best = np.sort(best, axis=-1)  # of equals, the first
        order = np.argsort(-np.take_along_axis(log, best, axis=-1), axis=-1, kind="stable")
        best = np.take_along_axis(best, order, axis=-1)
        probabilities = np.exp(np.take_along_axis(log, best, axis=-1))
        wanted = outputs["wanted"].astype(np.int64)[..., None]
        predictions = {
            "candidates": best[..., :-1].astype(np.int64),
            "candidate_probabilities": probabilities[..., :-1],
            "runner_up": probabilities[..., -1],
            "log_probability": np.take_along_axis(log, wanted, axis=-1)[..., 0],
        }
        if self.next_sentence:
            one, other = outputs["next"].astype(np.float32).T
            predictions["follows"] = expit(one - other)
        return predictions

    def input_fields(self) -> tuple[Field, ...]:
        size = self.facts.vocabulary_size
        meaning = "where the tokens to predict stand, counted from 0 over the true tokens"
        meaning += " of both parts" if self.next_sentence else ""
        places = (0, 2 * self.facts.max_length - 1)
        return (
            *super().input_fields(),
            Field(
                name="masked",
                dtype="int64",
                shape=("batch", "masks"),
                meaning=f"{meaning}, filled up with {NO_PLACE}",
                range=(NO_PLACE, places[1]),
            ),
            Field.index(
                "wanted",
                ("batch", "masks"),
                "ids from tokenizer.json to get the probability of, or 0",
                size,
            ),
        )

    def output_fields(self) -> tuple[Output, ...]:
        size, count = self.facts.vocabulary_size, self._candidates
        fields = (
            Output.index(
                "candidates",
                ("batch", "masks", count),
                "ids from tokenizer.json, the most probable first",
                size,
            ),
            Output.probability(
                "candidate_probabilities",
                ("batch", "masks", count),
                "probability of each candidate",
            ),
            Output.probability(
                "runner_up",
                ("batch", "masks"),
                "probability of the most probable token that is no candidate",
            ),
            Output(
                name="log_probability",
                dtype="float32",
                shape=("batch", "masks"),
                meaning="of the wanted token, in nats",
                limit=1e-4,
            ),
        )
        if not self.next_sentence:
            return fields
        follows = Output.probability(
            "follows", ("batch",), "probability that the second part follows the first"
        )
        return (*fields, follows)

    def preprocess_graph(self) -> tuple[Callable, list]:
        import tensorflow as tf

        names = [*self.texts, "masked", "wanted"]
        return lambda raw: {name: tf.cast(raw[name], tf.int32) for name in names}, []

    def postprocess_graph(self, outputs) -> dict[str, Any]:
        import tensorflow as tf

        log = tf.nn.log_softmax(outputs["masked"])
        best, candidates = tf.math.top_k(log, self._candidates + 1)
        probabilities = tf.exp(best)
        wanted = outputs["wanted"][..., None]
        predictions = {
            "candidates": tf.cast(candidates[..., :-1], tf.int64),
            "candidate_probabilities": probabilities[..., :-1],
            "runner_up": probabilities[..., -1],
            "log_probability": tf.gather(log, wanted, batch_dims=2)[..., 0],
        }
        if self.next_sentence:
            predictions["follows"] = tf.nn.softmax(outputs["next"])[:, FOLLOWS]
        return predictions

    def serving(self, model) -> tuple[Callable, list]:
        enter, tables = self.preprocess_graph()

        def answer(raw):
            given = enter(raw)
            wanted = given.pop("wanted")
            return self.postprocess_graph({**model(given, training=False), "wanted": wanted})

        return answer, [model, *tables]

    def near_ties(self, predictions: Mapping[str, np.ndarray], limit: float) -> np.ndarray:
        known = [predictions["candidate_probabilities"], predictions["runner_up"][..., None]]
        gaps = -np.diff(np.concatenate(known, axis=-1), axis=-1)
        return (gaps <= 2 * limit).any(axis=(1, 2))

    def baselines(self, train: Source) -> dict[str, Callable[[Source], dict[str, float]]]:
        """Count which tokens stand between which neighbours."""
        neighbours = Neighbours(train.parts, self.facts.vocabulary_size)

        def compute_baseline_metrics(source: Source) -> dict[str, float]:
            masked, texts = self.mask(source[np.arange(len(source))])
            whole = np.concatenate([texts[name] for name in self.texts], axis=1)
            # Places count true tokens, the rows have padding between.
            rows = pad([row[row != PAD] for row in whole], whole.shape[1], np.int64)
            found = neighbours.guess(rows, masked.places)
            asked = masked.wanted != PAD
            return {"masked_accuracy": float(np.mean((found == masked.wanted)[asked]))}

        return {"commonest token between the same neighbours": compute_baseline_metrics}

    def compute_metrics(
        self, predictions: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """Return of masked tokens the loss in nats, its exponential, the perplexity, and the share
        that was predicted, first or among the candidates; of pairs loss and accuracy; `loss` is the
        sum.
        """
        asked = truth["masked"] != PAD
        wanted = truth["masked"][asked]
        found = predictions["candidates"][asked]
        masked_loss = float(-predictions["log_probability"][asked].mean(dtype=np.float64))
        metrics = {
            "masked_loss": masked_loss,
            "perplexity": float(np.exp(masked_loss)),
            "masked_accuracy": float(np.mean(found[:, 0] == wanted)),
            f"masked_top_{self._candidates}": float(np.mean((found == wanted[:, None]).any(1))),
        }
        if not self.next_sentence:
            return metrics | {"loss": masked_loss}
        other, follows = truth["next"] == OTHER, predictions["follows"].astype(np.float64)
        right = np.maximum(np.where(other, 1 - follows, follows), 1e-7)
        next_loss = float(-np.log(right).mean())
        metrics |= {"next_loss": next_loss}
        metrics |= {"next_accuracy": float(np.mean((follows < 0.5) == other))}
        return metrics | {"loss": masked_loss + next_loss}

    def describe(
        self, predictions: Mapping[str, np.ndarray], examples: Mapping[str, np.ndarray]
    ) -> list[dict[str, Any]]:
        names, asked = token_names(self.facts.tokenizer), self.inference_inputs(examples)
        records = []
        for row, places in enumerate(asked["masked"]):
            tokens = np.concatenate([asked[name][row] for name in self.texts])
            tokens = tokens[tokens != PAD]
            masks = []
            for mask in np.flatnonzero(places != NO_PLACE):
                candidates = predictions["candidates"][row, mask]
                tokens[places[mask]] = candidates[0]
                found = zip(
                    candidates, predictions["candidate_probabilities"][row, mask], strict=True
                )
                masks.append({names[token]: round(float(odds), 4) for token, odds in found})
            (text,) = decode(self.facts.tokenizer, [tokens])
            records.append({"filled": text, "masks": masks})
        return records

    @property
    def _candidates(self) -> int:
        return min(CANDIDATES, self.facts.vocabulary_size - 1)

    def _only_asked(self, named: dict[str, Any]) -> dict[str, Any]:
        return named if self.next_sentence else {"masked": named["masked"]}

    def _other(self, examples: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return of each pair whether its second part comes from elsewhere."""
        alone = np.array([len(part) == 0 for part in examples["following"]])
        return np.where(alone | (examples["uniforms"][:, 0] < 0.5), OTHER, FOLLOWS)

    def mask(self, examples: Mapping[str, np.ndarray]) -> tuple[Masked, Arrays]:
        """Return what is masked, and the texts with masks, under the names of inputs."""
        if "masked" in examples:  # by a person, who may have masked any number
            return self._take_masked(examples)
        uniforms = examples["uniforms"][:, 1:]
        numbers = uniforms.reshape(len(uniforms), 2, 2, -1).swapaxes(0, 1)
        if self.next_sentence:
            other = self._other(examples) == OTHER
            second = np.where(other, examples["other"], examples["following"])
            parts = [self._pad(part) for part in (examples["first"], second)]
        else:
            pairs = zip(examples["first"], examples["following"], strict=True)
            parts = [self._pad(as_objects([np.concatenate(pair) for pair in pairs]))]
            numbers = numbers.reshape(2, len(uniforms), 1, -1)
        # A token's numbers hang on its place in its part alone, however far that is filled up.
        numbers = [numbers[:, :, n, : part.shape[1]] for n, part in enumerate(parts)]
        whole_words = self.facts.masking == "whole_word"
        masked = mask_tokens(
            np.concatenate(parts, axis=1),
            np.concatenate(numbers, axis=-1),
            rate=self.facts.mask_rate,
            mask_token=find_mask(self.facts.tokenizer),
            ordinary=find_ordinary(self.facts.tokenizer),
            slots=self.slots,
            continues=find_continuing(self.facts.tokenizer) if whole_words else None,
        )
        ends = np.cumsum([0, *(part.shape[1] for part in parts)])
        spans = zip(self.texts, ends[:-1], ends[1:], strict=True)
        return masked, {name: masked.tokens[:, start:stop] for name, start, stop in spans}

    def _take_masked(self, examples: Mapping[str, np.ndarray]) -> tuple[Masked, Arrays]:
        tokens, places = self._pad(examples["first"], 2), examples["masked"]
        texts = dict.fromkeys(self.texts, self._pad(as_objects([tokens[0, :0]] * len(tokens))))
        texts[next(iter(texts))] = tokens
        slots = max(self.slots, *map(len, places))
        places = pad(places, slots, np.int64, NO_PLACE)
        return Masked(tokens, places, np.zeros_like(places)), texts

    def _pad(self, part: np.ndarray, parts: int | None = None) -> np.ndarray:
        max_length = self.facts.max_length * (parts or (1 if self.next_sentence else 2))
        length = padded_length(max(map(len, part), default=1), max_length)
        return pad(part, length, np.int32)


TASK = MaskedLanguageModeling
