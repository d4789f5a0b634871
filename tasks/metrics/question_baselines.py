"""What a network that answers questions must beat: sentences with the words of the question."""

import re
from collections.abc import Callable

import numpy as np

from threefold.datasets.dataset import Source
from threefold.tasks.metrics.answer_scores import score_answers

_SENTENCES = re.compile(r"[^\n.!?]*(?:[.!?](?!\s)[^\n.!?]*)*[.!?\n]?")
_WORD = re.compile(r"\w+")
MOST_READ = 20_000  # questions of the training split
MOST_TRIED = 1000  # of them, to choose the length of answers by
MOST_WORDS = 1000  # of an answer


def fit_baselines(
    train: Source, unanswerable: bool
) -> dict[str, Callable[[Source], dict[str, float]]]:
    """Fit simple methods.

    Args:
        train: Source. `QuestionWindows`, or some of them.
        unanswerable: bool. Whether some questions have no answer.

    Returns:
        dict of str to function. From another split to metrics, under the name of the method.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    examples = read_questions(train, MOST_READ)
    words = TfidfVectorizer(token_pattern=r"\w+", sublinear_tf=True)
    words.fit([part for text in dict.fromkeys(examples["context_text"]) for part in split(text)])
    lengths = [len(_WORD.findall(texts[0])) for texts in examples["answers"] if texts]

    def find(asked: dict[str, np.ndarray], length: int) -> dict[str, float]:
        kept, found = {}, []
        questions = words.transform(list(asked["question_text"]))
        for row, context in enumerate(asked["context_text"]):
            if context not in kept:
                kept[context] = split(context), words.transform(split(context))
            sentences, vectors = kept[context]
            best = int(np.asarray((vectors @ questions[row].T).todense()).ravel().argmax())
            found.append(cut(sentences[best], asked["question_text"][row], length))
        return score_answers(found, asked["answers"])

    # As many words as answers mostly have, or all that are left of the sentence.
    tried = {name: column[:MOST_TRIED] for name, column in examples.items()}
    length = max((max(1, int(np.median(lengths))), MOST_WORDS), key=lambda n: find(tried, n)["f1"])

    def answer_none(source: Source) -> dict[str, float]:
        asked = read_questions(source)
        return score_answers([""] * len(asked["answers"]), asked["answers"])

    methods = {
        "words after those of the question, by TF-IDF": lambda source: find(
            read_questions(source), length
        )
    }
    return methods | ({"no answer to any": answer_none} if unanswerable else {})


def read_questions(source: Source, most: int | None = None) -> dict[str, np.ndarray]:
    """Return the first window of each question."""
    examples = source[np.arange(len(source))]
    _, firsts = np.unique(examples["question_id"], return_index=True)
    names = ("question_text", "context_text", "answers")
    return {name: examples[name][firsts[:most]] for name in names}


def split(context: str) -> list[str]:
    """Return the sentences of a context, lines for themselves; at least one."""
    found = [part.strip() for part in _SENTENCES.findall(context)]
    return [part for part in found if part] or [context]


def cut(sentence: str, question: str, length: int) -> str:
    """Return so many words of a sentence, after the last that the question has, too; from the
    start where that is the end.
    """
    known = {word.lower() for word in _WORD.findall(question)}
    places = list(_WORD.finditer(sentence))
    shared = [number for number, word in enumerate(places) if word[0].lower() in known]
    first = shared[-1] + 1 if shared and shared[-1] + 1 < len(places) else 0
    chosen = places[first : first + length]
    return sentence[chosen[0].start() : chosen[-1].end()] if chosen else ""
