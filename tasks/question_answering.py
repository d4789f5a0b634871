"""Which words of a context answer a question? Asked of both, or that none do."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from scipy.special import log_softmax

from threefold.datasets.dataset import Source
from threefold.datasets.ragged import pad
from threefold.datasets.texts.questions.questions import cut_answer
from threefold.tasks.figure import Figure
from threefold.tasks.inputs.text_inputs import TextInputs
from threefold.tasks.metrics.answer_scores import score_answers
from threefold.tasks.metrics.question_baselines import fit_baselines
from threefold.tasks.signature import Output
from threefold.tasks.task import Arrays

LONGEST_ANSWER = 30  # tokens (BERT's code)
MASKED = -1e4  # the logit of a place that cannot be chosen
AROUND = 40  # characters of the context shown on either side of an answer
LEAST = 1e-7  # probability


class QuestionAnswering(TextInputs):
    """A question and a window of its context in; a span of that window out, and how much more
    probable it is than that there is no answer in it (Devlin et al. 2019, section 4.3).

    The model's outputs are logits of shape (batch, 2, 1 + context_time): where the answer starts
    and where it ends, at position 0 for no answer, or at a token of the window, from 1.
    """

    name = "question_answering"
    texts: ClassVar[dict[str, str]] = {"question": "question_time", "context": "context_time"}
    dynamic_axes = ("question", "context")
    losses = ("cross_entropy",)
    settings = ("label_smoothing",)
    figures = (
        Figure(
            "texts.answer_scores",
            "How surely questions were answered, by whether the answer was right. Where some have "
            "no answer, a score above 0 gives one all the same.",
        ),
    )
    summary_metrics = ("f1", "exact_match", "loss")
    primary_metric = "f1"

    def max_length_of(self, name: str) -> int:
        return self.facts.max_question_length if name == "question" else self.facts.max_length

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {"max_question_length": self.facts.max_question_length}

    def targets(self, examples: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.stack([examples["start"], examples["end"]], axis=1)  # (batch, 2), int64

    def sample_weights(self, targets: np.ndarray) -> None:
        return None

    def truth(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        """Return what metrics need, without objects: the text of the windows, and in it the
        characters of every token; the right answers as JSON.
        """
        texts, offsets = [], []
        rows = zip(examples["context_text"], examples["offsets"], strict=True)
        for context, places in rows:
            begin, end = (places[0, 0], places[-1, 1]) if len(places) else (0, 0)
            texts.append(context[begin:end])
            offsets.append(places - begin)
        length = max(1, *map(len, offsets))
        return {
            "question_id": examples["question_id"],
            "start": examples["start"],
            "end": examples["end"],
            "window_text": np.array(texts, np.str_),
            "offsets": pad(offsets, length, np.int32),
            "answers": np.array([json.dumps(a) for a in examples["answers"]], np.str_),
        }

    def compile_arguments(self) -> dict[str, Any]:
        import keras

        return {
            "loss": position_loss(self.label_smoothing),
            "metrics": [keras.metrics.SparseCategoricalAccuracy(name="position_accuracy")],
        }

    def postprocess(self, outputs: np.ndarray) -> Arrays:
        """Return of each window the best span and its log-odds over no answer, and the
        probabilities of all starts and ends.
        """
        log = log_softmax(np.asarray(outputs, np.float32), axis=-1)
        starts, ends = log[:, 0], log[:, 1]  # (batch, 1 + time)
        count = log.shape[-1] - 1
        spans = starts[:, 1:, None] + ends[:, None, 1:] + forbidden_spans(count)
        spans = spans.reshape(len(spans), -1)  # (batch, time × time)
        best = spans.argmax(axis=-1)
        return {
            "start": (best // count + 1).astype(np.int64),
            "end": (best % count + 1).astype(np.int64),
            "score": spans.max(axis=-1) - starts[:, 0] - ends[:, 0],
            "start_probabilities": np.exp(starts),
            "end_probabilities": np.exp(ends),
        }

    def postprocess_graph(self, outputs) -> dict[str, Any]:
        import tensorflow as tf

        log = tf.nn.log_softmax(outputs)
        starts, ends = log[:, 0], log[:, 1]
        count = tf.shape(log)[-1] - 1
        places = tf.range(count)
        steps = places[None, :] - places[:, None]
        allowed = tf.logical_and(steps >= 0, steps < LONGEST_ANSWER)
        first, last = starts[:, 1:], ends[:, 1:]
        spans = first[:, :, None] + last[:, None] + tf.where(allowed, 0.0, 2 * MASKED)
        spans = tf.reshape(spans, [-1, count * count])
        best = tf.argmax(spans, axis=-1, output_type=tf.int32)  # LiteRT divides no int64
        return {
            "start": tf.cast(best // count + 1, tf.int64),
            "end": tf.cast(best % count + 1, tf.int64),
            "score": tf.reduce_max(spans, axis=-1) - starts[:, 0] - ends[:, 0],
            "start_probabilities": tf.exp(starts),
            "end_probabilities": tf.exp(ends),
        }

    def output_fields(self) -> tuple[Output, ...]:
        def position(what: str) -> Output:
            return Output(
                name=what,
                dtype="int64",
                shape=("batch",),
                meaning=f"the {what} of the best answer, a token of the context counted from 1",
            )

        def probabilities(what: str) -> Output:
            return Output.probability(
                f"{what}_probabilities",
                ("batch", "time"),
                f"probability that there is no answer here, then of each token that it is "
                f"the {what} of the answer",
            )

        score = Output(
            name="score",
            dtype="float32",
            shape=("batch",),
            meaning="logarithm of how many times more probable the best answer is than none",
            limit=1e-4,
        )
        return (
            position("start"), position("end"), score, probabilities("start"), probabilities("end")
        )  # fmt: skip

    def near_ties(self, answers: Mapping[str, np.ndarray], limit: float) -> np.ndarray:
        starts = answers["start_probabilities"][:, 1:].astype(np.float64)
        ends = answers["end_probabilities"][:, 1:].astype(np.float64)
        rows = np.arange(len(starts))
        least = np.maximum(starts[rows, answers["start"] - 1] - limit, 0) * np.maximum(
            ends[rows, answers["end"] - 1] - limit, 0
        )
        most = (starts[:, :, None] + limit) * (ends[:, None] + limit)
        near = (most >= least[:, None, None]) & (forbidden_spans(starts.shape[1]) == 0)
        return near.sum(axis=(1, 2)) > 1

    def select(
        self, answers: Sequence[Mapping[str, np.ndarray]], examples: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        scores = np.concatenate([part["score"] for part in answers])
        return best_windows(examples["question_id"], scores)

    def describe(
        self, answers: Mapping[str, np.ndarray], examples: Mapping[str, np.ndarray]
    ) -> list[dict[str, Any]]:
        records = []
        for row, context in enumerate(examples["context_text"]):
            score = float(answers["score"][row])
            record = {
                "question": examples["question_text"][row],
                "answer": "",
                "score": float(1 / (1 + np.exp(-np.float64(score)))),
                "start_char": None,
                "end_char": None,
                "context": "",
            }
            if score > 0 or not self.facts.unanswerable:
                span = int(answers["start"][row]), int(answers["end"][row])
                begin, end = cut_answer(context, examples["offsets"][row], *span)
                around = context[max(0, begin - AROUND) : end + AROUND]
                record |= {
                    "answer": context[begin:end],
                    "start_char": begin,
                    "end_char": end,
                    "context": " ".join(around.split()),
                }
            records.append(record)
        return records

    def settle(
        self, answers: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]
    ) -> tuple[list[str], list[list[str]], np.ndarray]:
        """Return of each question the answer of its best window, all that are right, and the
        score of that window.
        """
        chosen = best_windows(truth["question_id"], answers["score"])
        found = []
        for row in chosen:
            text, offsets = str(truth["window_text"][row]), truth["offsets"][row]
            begin, end = cut_answer(text, offsets, answers["start"][row], answers["end"][row])
            none = self.facts.unanswerable and answers["score"][row] <= 0
            found.append("" if none else text[begin:end])
        wanted = [json.loads(str(truth["answers"][row])) for row in chosen]
        return found, wanted, answers["score"][chosen]

    def compute_metrics(
        self, answers: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """Return exact match and f1 of the answers to questions, and the log-loss of the starts
        and ends in windows under the name `loss`.
        """
        found, wanted, _ = self.settle(answers, truth)
        rows = np.arange(len(truth["start"]))
        chosen = np.concatenate([
            answers[f"{what}_probabilities"][rows, truth[what]] for what in ("start", "end")
        ])  # fmt: skip
        loss = -np.log(np.maximum(chosen, LEAST)).mean(dtype=np.float64)
        return score_answers(found, wanted) | {"loss": float(loss)}

    def baselines(self, train: Source) -> dict[str, Callable[[Source], dict[str, float]]]:
        return fit_baselines(train, self.facts.unanswerable)


def position_loss(label_smoothing: float):
    """Return the cross-entropy of two positions, for `keras.Model.compile`.

    Labels are smoothed over the positions that can be chosen, not over padding.
    """
    from keras import ops

    def cross_entropy(targets, outputs):
        log = ops.log_softmax(outputs, axis=-1)  # (batch, 2, positions)
        places = ops.cast(targets, "int32")[..., None]
        chosen = ops.squeeze(ops.take_along_axis(log, places, axis=-1), axis=-1)
        if not label_smoothing:
            return -chosen
        free = ops.cast(outputs > MASKED / 2, log.dtype)
        mean = ops.sum(log * free, axis=-1) / ops.sum(free, axis=-1)
        return -(1 - label_smoothing) * chosen - label_smoothing * mean

    return cross_entropy


def forbidden_spans(count: int) -> np.ndarray:
    """Return what is added to the scores of spans, float32 of shape (starts, ends): 0, or far
    below all others for those that end before they start or are too long.
    """
    steps = np.arange(count)[None, :] - np.arange(count)[:, None]
    allowed = (steps >= 0) & (steps < LONGEST_ANSWER)
    return np.where(allowed, 0.0, 2 * MASKED).astype(np.float32)


def best_windows(question_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the window of the highest score of each question, in the order of the questions."""
    order = np.lexsort((-scores, question_ids))  # stable: of equal scores, the first
    firsts = np.unique(question_ids[order], return_index=True)[1]
    return order[firsts]


TASK = QuestionAnswering
