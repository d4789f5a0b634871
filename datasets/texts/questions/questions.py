"""Questions about contexts, as examples: contexts in windows, answers as tokens of a window."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.dataset import Dataset, SubsetSource, fingerprint_arrays
from threefold.datasets.facts import Facts, QuestionFacts
from threefold.datasets.ragged import Ragged
from threefold.datasets.splitting import SplitFractions
from threefold.datasets.texts.documents import as_objects, known_facts
from threefold.datasets.texts.tokenizer_config import QuestionTokenizerConfig
from threefold.datasets.texts.tokenizing import encode, encode_with_offsets, token_names
from threefold.datasets.texts.truncation import Parts

NOWHERE = -1  # the token of an answer that is not in the context


class Question(NamedTuple):
    """A question about a context.

    Args:
        text: str. What is asked.
        context: int. Position of the context among all.
        answers: tuple of str. All that count as right; empty where the context does not say.
        place: pair of int. The characters of the context from and to which the first answer that
            is found there stands; `None` without answers.
    """

    text: str
    context: int
    answers: tuple[str, ...] = ()
    place: tuple[int, int] | None = None


def build_question_dataset(
    reference: str,
    contexts: Sequence[str],
    questions: Sequence[Question],
    rows: Mapping[str, np.ndarray],
    tokenizer_config: QuestionTokenizerConfig,
    *,
    facts: Facts | None = None,
    notes: Sequence[str] = (),
) -> Dataset:
    """Make a dataset of questions about contexts.

    Args:
        reference: str. The dataset's.
        contexts: sequence of str. Each once.
        questions: sequence of Question. About those.
        rows: mapping of str to int array. The questions of each split.
        tokenizer_config: QuestionTokenizerConfig. How they become tokens; `facts` know better.
        facts: Facts. Those of a run.
        notes: sequence of str. What was decided before.

    Returns:
        Dataset. Of `QuestionWindows`.

    Raises:
        UserError: for a stride that is too long, and where no question to train on has an answer.
    """
    known = known_facts(facts, QuestionFacts)
    if known is None:
        tokenizer_config.check()
        known = _learn(
            reference, contexts, [questions[row] for row in rows["train"]], tokenizer_config
        )
    source = QuestionWindows(contexts, questions, known)
    splits = {
        name: SubsetSource(source, np.flatnonzero(np.isin(source.owners, found)))
        for name, found in rows.items()
    }
    raw = {
        "question": as_objects([question.text for question in questions]),
        "context": as_objects([contexts[question.context] for question in questions]),
        "answers": as_objects([f"{question[2:]}" for question in questions]),
    }
    said = [*notes, *source.notes]
    return Dataset(reference, "question_answering", known, splits, fingerprint_arrays(raw), said)


def _learn(
    reference: str,
    contexts: Sequence[str],
    train: Sequence[Question],
    tokenizer_config: QuestionTokenizerConfig,
) -> QuestionFacts:
    answered = sum(bool(question.answers) for question in train)
    if not answered:
        raise UserError(
            f"{reference}: none of the {len(train)} questions to train on has an answer in its "
            "context"
        )
    used = dict.fromkeys(question.context for question in train)
    texts = [contexts[number] for number in used] + [question.text for question in train]
    content = tokenizer_config.learn(texts)
    return QuestionFacts(
        tokenizer=content,
        vocabulary_size=len(token_names(content)),
        max_length=tokenizer_config.max_tokens,
        max_question_length=tokenizer_config.max_question_tokens,
        stride=tokenizer_config.stride,
        unanswerable=answered < len(train),
    )


def split_questions(
    questions: Sequence[Question], split_fractions: SplitFractions
) -> dict[str, np.ndarray]:
    """Divide questions into splits by their contexts: none is in two."""
    contexts = [question.context for question in questions]
    return split_fractions.fill_in(len(contexts), noun="questions", groups=contexts).rows


class QuestionWindows:
    """An example for each question and each window of its context.

    Args:
        contexts: sequence of str. Each once.
        questions: sequence of Question. About those.
        facts: QuestionFacts. How they are read.
    """

    def __init__(
        self, contexts: Sequence[str], questions: Sequence[Question], facts: QuestionFacts
    ):
        self.contexts, self.questions = contexts, questions
        self.tokens, self.offsets = encode_with_offsets(facts.tokenizer, contexts)
        self.asked = encode(facts.tokenizer, [question.text for question in questions])
        self.max_question_length = facts.max_question_length
        self.parts = cut_windows(self.tokens, facts.max_length, facts.stride)
        self.within = self.parts.starts - self.tokens.offsets[self.parts.owners]
        places = np.array([question.context for question in questions], np.int64)
        self.windows = self.parts.rows(places)  # which window each example is of
        counts = np.bincount(self.parts.owners, minlength=len(contexts))[places]
        self.owners = np.repeat(np.arange(len(questions)), counts)  # which question
        self.spans = self._find_spans()
        self.lengths = self.parts.lengths[self.windows]
        self.notes = self._remark(facts)

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """Return windows with their questions.

        Returns:
            dict of str to array. As objects `context` and `question`, int32 tokens; `offsets`, the
            characters of the whole context from and to which each token of the window stands, of
            shape (time, 2); `context_text`, `question_text`, and `answers`, tuples of str. As
            int64 `start` and `end`, the first and the last token of the answer in the window,
            counted from 1, or 0 where it is not there; and `question_id`, which question.
        """
        windows, owners = self.windows[indices], self.owners[indices]
        questions = [self.questions[owner] for owner in owners]
        spans = self._move(self.spans[owners], windows)
        begins = self.parts.starts[windows]
        places = list(zip(begins, begins + self.parts.lengths[windows], strict=True))
        return {
            "context": as_objects([self.tokens.values[begin:end] for begin, end in places]),
            "question": as_objects([ids[: self.max_question_length] for ids in self.asked[owners]]),
            "start": spans[:, 0],
            "end": spans[:, 1],
            "offsets": as_objects([self.offsets.values[begin:end] for begin, end in places]),
            "context_text": as_objects([self.contexts[q.context] for q in questions]),
            "question_text": as_objects([question.text for question in questions]),
            "question_id": owners.astype(np.int64),
            "answers": as_objects([question.answers for question in questions]),
        }

    def _find_spans(self) -> np.ndarray:
        """Return the first and the last token of each answer in its whole context."""
        spans = np.full((len(self.questions), 2), NOWHERE, np.int64)
        for row, question in enumerate(self.questions):
            if question.place is not None:
                begin, end = self.tokens.offsets[question.context : question.context + 2]
                spans[row] = find_tokens(self.offsets.values[begin:end], question.place)
        return spans

    def _move(self, spans: np.ndarray, windows: np.ndarray) -> np.ndarray:
        """Return spans by the tokens of windows, from 1; 0 where one is not whole in its window."""
        before = self.within[windows][:, None]
        inside = (spans[:, 0] >= before[:, 0]) & (
            spans[:, 1] < before[:, 0] + self.parts.lengths[windows]
        )
        return np.where(inside[:, None] & (spans[:, :1] != NOWHERE), spans - before + 1, 0)

    def _remark(self, facts: QuestionFacts) -> list[str]:
        notes = []
        long = int(np.count_nonzero(self.asked.lengths > facts.max_question_length))
        if long:
            notes.append(
                f"{long} of {len(self.questions)} questions are longer than "
                f"{facts.max_question_length} tokens and cut there (more: -d max_question_tokens=N)"
            )
        several = int(np.count_nonzero(self.tokens.lengths > facts.max_length))
        if several:
            notes.append(
                f"{several} of {len(self.contexts)} contexts are longer than {facts.max_length} "
                f"tokens: {len(self.parts.owners)} windows, {facts.stride} tokens shared "
                "(longer: -d max_tokens=N)"
            )
        found = np.zeros(len(self.questions), bool)
        found[self.owners[self._move(self.spans[self.owners], self.windows)[:, 0] > 0]] = True
        lost = int(np.count_nonzero(~found & (self.spans[:, 0] != NOWHERE)))
        if lost:
            notes.append(
                f"{lost} of {len(self.questions)} questions have an answer that no window holds "
                "whole, and are trained as if they had none (longer: -d stride=N)"
            )
        return notes


def cut_windows(tokens: Ragged, max_length: int, stride: int) -> Parts:
    """Cut texts into windows of at most `max_length` tokens, each of which begins with the last
    `stride` of the one before.
    """
    step = max_length - stride
    counts = np.maximum(0, -(-(tokens.lengths - max_length) // step)) + 1
    owners = np.repeat(np.arange(len(tokens)), counts)
    before = step * (np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts))
    lengths = np.minimum(tokens.lengths[owners] - before, max_length)
    return Parts(owners, tokens.offsets[:-1][owners] + before, lengths)


def find_tokens(offsets: np.ndarray, place: tuple[int, int]) -> tuple[int, int]:
    """Return the first and the last token that share a character with a part of a text.

    Args:
        offsets: int array of shape (tokens, 2). Where each token stands.
        place: pair of int. The characters from and to which the part stands.

    Returns:
        pair of int. Both `NOWHERE` for a part of which no token is, such as one of spaces.
    """
    first = int(np.searchsorted(offsets[:, 1], place[0], side="right"))
    last = int(np.searchsorted(offsets[:, 0], place[1], side="left")) - 1
    return (first, last) if first <= last else (NOWHERE, NOWHERE)


def cut_answer(context: str, offsets: np.ndarray, start: int, end: int) -> tuple[int, int]:
    """Return the characters from and to which an answer stands, without spaces around it.

    Args:
        context: str. The whole.
        offsets: int array of shape (time, 2). Where the tokens of a window stand in it.
        start: int. The first token, from 1.
        end: int. The last token, from 1.
    """
    if not 1 <= start <= end <= len(offsets):  # of a window without tokens
        return 0, 0
    begin, stop = int(offsets[start - 1, 0]), int(offsets[end - 1, 1])
    text = context[begin:stop]
    return begin + len(text) - len(text.lstrip()), stop - len(text) + len(text.rstrip())
