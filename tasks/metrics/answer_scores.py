"""Exact match and F1 of answers, as SQuAD's evaluation counts them.

Sources: Rajpurkar et al. 2016, "SQuAD: 100,000+ questions for machine comprehension of text";
Rajpurkar et al. 2018, "Know what you don't know", for questions without an answer.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence

import numpy as np

_ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(text: str) -> str:
    """Return a text in small letters, without punctuation, articles and needless spaces."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(found: str, wanted: str) -> float:
    """Return 1.0 where two answers are the same by and large, else 0.0."""
    return float(normalise(found) == normalise(wanted))


def word_f1(found: str, wanted: str) -> float:
    """Return the harmonic mean of the precision and recall of words.

    Where either has no words, it is 1.0 if neither has, else 0.0.
    """
    one, other = normalise(found).split(), normalise(wanted).split()
    if not (one and other):
        return float(one == other)
    common = sum((Counter(one) & Counter(other)).values())
    return 2 * common / (len(one) + len(other))


def drop_empty(texts: Sequence[str]) -> list[str]:
    """Return the answers that say something; one of articles and punctuation alone is none."""
    return [text for text in texts if normalise(text)]


def score_answers(found: Sequence[str], wanted: Sequence[Sequence[str]]) -> dict[str, float]:
    """Evaluate the answers to questions.

    Args:
        found: sequence of str. One for each question; empty where it has none.
        wanted: sequence of sequences of str. All that count as right; empty for a question without
            an answer.

    Returns:
        dict of str to float. `exact_match` and `f1`, 0 to 1, the mean over questions of the best
        by any right answer; where some questions have no answer, also `has_answer_f1`, the f1 of
        the others, and `no_answer_accuracy`, how many of them were left without.
    """
    right = [drop_empty(texts) or [""] for texts in wanted]
    pairs = list(zip(found, right, strict=True))
    exact = np.array([max(exact_match(text, one) for one in texts) for text, texts in pairs])
    f1 = np.array([max(word_f1(text, one) for one in texts) for text, texts in pairs])
    metrics = {"f1": float(f1.mean()), "exact_match": float(exact.mean())}
    answered = np.array([texts != [""] for texts in right])
    if not answered.all():
        if answered.any():
            metrics["has_answer_f1"] = float(f1[answered].mean())
        metrics["no_answer_accuracy"] = float(f1[~answered].mean())
    return metrics
