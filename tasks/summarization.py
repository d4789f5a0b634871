"""What does it say, in short? Asked of a document."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from threefold.datasets.dataset import Source
from threefold.datasets.texts.tokenizing import decode, encode
from threefold.tasks.figure import Figure
from threefold.tasks.sequence_to_sequence import (
    ATTENTION,
    SequenceToSequence,
    exact_match,
    take_best,
)
from threefold.tasks.task import Arrays

ROUGE = ("rouge1", "rouge2", "rougeL")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s|(?<=[。！？])|\n")
_LOGOGRAM = r"[\p{Han}\p{Hiragana}\p{Katakana}]"


class Summarization(SequenceToSequence):
    """Documents in, their summaries out."""

    name = "summarization"
    figures = (
        Figure(
            "texts.summaries",
            "Some documents with their true summary and the one that was written, from the nearest "
            "to the truth (ROUGE-L 1) to the farthest (0).",
            ("tokens",),
            ("text",),
        ),
        ATTENTION,
    )
    summary_metrics = ROUGE
    primary_metric = "rougeL"

    def truth(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        """Return the tokens, and the whole texts: no summary is evaluated by a part of the
        truth.
        """
        return super().truth(examples) | {"text": np.array(list(examples["target_text"]), str)}

    def compute_metrics(
        self, predictions: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """Return ROUGE of the whole split, how many summaries are right to the letter, and how
        long they are by the true ones.
        """
        found, wanted = take_best(predictions, truth)
        texts = decode(self.facts.target_tokenizer, found)
        return _compute_text_metrics(texts, truth["text"]) | {
            "exact_match": exact_match(found, wanted)
        }

    def baselines(self, train: Source) -> dict[str, Callable[[Source], dict[str, float]]]:
        """Return the lead: a document's first sentence, or line, cut to the longest summary."""

        def compute_baseline_metrics(source: Source) -> dict[str, float]:
            examples = source[np.arange(len(source))]
            leads = [_SENTENCE_END.split(text.strip(), 1)[0] for text in examples["source_text"]]
            content = self.facts.target_tokenizer
            tokens = encode(content, leads, self.facts.max_target_length)
            leads = decode(content, tokens[np.arange(len(tokens))])
            metrics = _compute_text_metrics(leads, examples["target_text"])
            return {name: metrics[name] for name in self.summary_metrics}

        return {"lead-1": compute_baseline_metrics}


def rouge(found: Sequence[str], wanted: Sequence[str]) -> dict[str, np.ndarray]:
    """Return how near each text is to the true one.

    Args:
        found: sequence of str. What was written.
        wanted: sequence of str. What is true.

    Returns:
        dict of str to float array of shape (texts,). ROUGE (Lin 2004) of words, of pairs of words
        and of the longest common subsequence: F-measures from 0 to 1, without stemming, as Google's
        `rouge-score` has them; papers report their means times 100.
    """
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(ROUGE, tokenizer=_Words())
    scores = [scorer.score(one, other) for one, other in zip(wanted, found, strict=True)]
    return {name: np.array([score[name].fmeasure for score in scores]) for name in ROUGE}


def _compute_text_metrics(found: Sequence[str], wanted: Sequence[str]) -> dict[str, float]:
    words = _Words()
    lengths = [sum(len(words.tokenize(text)) for text in texts) for texts in (found, wanted)]
    means = {name: float(scores.mean()) for name, scores in rouge(found, wanted).items()}
    return means | {"length_ratio": lengths[0] / max(1, lengths[1])}


class _Words:
    """How texts become words: in small letters, without punctuation.

    As in `rouge-score`, whose own words are those of the letters a to z; there is nothing left of
    other scripts. One that puts no spaces between its words is counted by its characters.
    """

    def tokenize(self, text: str) -> list[str]:
        """Return the words of a text."""
        return [word for word, _ in _splitter().pre_tokenize_str(text.lower())]


@cache
def _splitter():
    from tokenizers import Regex, pre_tokenizers

    words = rf"{_LOGOGRAM}|[\p{{L}}\p{{M}}\p{{N}}&&[^\p{{Han}}\p{{Hiragana}}\p{{Katakana}}]]+"
    return pre_tokenizers.Split(Regex(words), "removed", invert=True)


TASK = Summarization
