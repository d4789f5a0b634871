"""Texts that a model writes, pictures that it makes: what is asked for, and the asking."""

import warnings
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.texts.tokenizing import START, encode
from threefold.tasks.evaluation import Answerer
from threefold.tasks.task import Task

BATCH_SIZE = 64  # pictures that are made at once
LENGTH_PENALTY = 1.0  # of beams
TEXTS, PICTURES = "text_generation", "image_generation"


@dataclass(frozen=True)
class Wish:
    """What is to be written, or made.

    Args:
        prompt: str. What to go on with; may be empty.
        count: int. How many texts or pictures, at least 1.
        length: int. Tokens to write, at least 1.
        temperature: float. Above 1 more chance, below 1 less; 0 for the most probable tokens.
        top_k: int. How many of the most probable tokens may be written, at least 1.
        top_p: float. Which share of the probability may be written, above 0.
        seed: int. Of chance.
        class_name: str. Which pictures; `None` for all classes in turn.
        beams: int. Above 1, the most probable texts are searched for, so many at a time, and
            nothing is drawn.
        penalty_alpha: float. If told, contrastive search: from 0, the most probable of the `top_k`
            next tokens, to 1, that most unlike what was said.
    """

    prompt: str = ""
    count: int = 1
    length: int = 200
    temperature: float = 1.0
    top_k: int = 50
    top_p: float = 1.0
    seed: int = 0
    class_name: str | None = None
    beams: int = 1
    penalty_alpha: float | None = None

    @property
    def searches(self) -> bool:
        """Whether texts are searched for, and not drawn."""
        return self.beams > 1 or self.penalty_alpha is not None


def generate(answer: Answerer, task: Task, wish: Wish) -> list[dict[str, Any]]:
    """Let a model write, or make pictures.

    Args:
        answer: Answerer. The model, for batches of `batch_size(task, wish)`.
        task: Task. Of text or image generation.
        wish: Wish. What is to be made.

    Returns:
        list of dict. The `prompt` and the `text` that follows it, one for each text; the `image`
        and its `class`, one for each picture. The same seed makes the same on every backend, as far
        as their numbers agree.

    Raises:
        UserError: where the task makes neither, or the wish is one for the other.
    """
    require_maker(task, wish)
    if task.name == PICTURES:
        return _make_pictures(answer, task, wish)
    tokens = np.tile(_begin(task, wish), (wish.count, 1))
    chance = np.random.default_rng(wish.seed).random((wish.count, wish.length), np.float32)
    settings = {"temperature": wish.temperature, "top_k": wish.top_k, "top_p": wish.top_p}
    examples = {"tokens": tokens, "uniforms": chance} | {
        name: np.full(wish.count, value, np.float32) for name, value in settings.items()
    }
    records = task.describe(answer(examples), examples)
    return [{"prompt": wish.prompt} | record for record in records]


def search(model, task: Task, wish: Wish) -> list[dict[str, Any]]:
    """Let a model write what is most probable, or probable and new.

    Args:
        model: keras.Model. Of text generation.
        task: Task. Its task.
        wish: Wish. With `beams` or `penalty_alpha`.

    Returns:
        list of dict. As from `generate`; of several beams the best first, each with its `score`,
        the log-probability by its length.

    Raises:
        UserError: for wishes that exclude each other, and more tokens than the model can see.
    """
    from threefold.blueprints.parts.decoding import BeamSearch
    from threefold.blueprints.parts.sampling import ContrastiveSearch

    _check_search(wish)
    tokens, context = _begin(task, wish)[None].astype(np.int32), context_of(model)
    if context and tokens.shape[1] + wish.length > context:
        raise UserError(
            f"this model sees {context} tokens: a search can write {context - tokens.shape[1]} "
            f"behind this prompt, not {wish.length}; give --length, or draw without "
            "--beams and --penalty-alpha"
        )
    if wish.penalty_alpha is not None:
        count = min(wish.top_k, task.facts.vocabulary_size)
        contrast = ContrastiveSearch(model, wish.length, count, wish.penalty_alpha)
        written, scores = np.asarray(contrast.predict_on_batch({"tokens": tokens})), [None]
    else:
        beams = BeamSearch(model, wish.length, wish.beams, LENGTH_PENALTY)
        found = beams.predict_on_batch({"tokens": tokens})
        written, scores = (np.asarray(found[name])[0] for name in ("tokens", "scores"))
        written, scores = written[: wish.count], scores[: wish.count].tolist()
    records = task.describe({"written": written}, {})
    return [
        {"prompt": wish.prompt} | record | ({} if score is None else {"score": score})
        for record, score in zip(records, scores, strict=True)
    ]


def warn_of_long_prompt(model, task: Task, wish: Wish) -> None:
    """Say it where a model cannot see all of a prompt."""
    size, context = len(_begin(task, wish)), context_of(model)
    if context and size > context:
        warnings.warn(
            f"the prompt has {size} tokens; the model sees the last {context} of them", stacklevel=2
        )


def context_of(model) -> int | None:
    """Return how many tokens a model that writes can see, `None` for any number."""
    return getattr(model.get_layer("first_state"), "context", None)


def _check_search(wish: Wish) -> None:
    beams = wish.penalty_alpha is None
    if not beams and wish.beams > 1:
        raise UserError("--beams and --penalty-alpha are two ways to search; give one of them")
    drawn = ("temperature", "top_p", "seed", *(("top_k",) if beams else ()))
    for field in fields(Wish):
        if field.name in drawn and getattr(wish, field.name) != field.default:
            flag, way = field.name.replace("_", "-"), "beams" if beams else "penalty-alpha"
            raise UserError(f"--{flag} is for texts that are drawn, and --{way} draws none")
    most = wish.beams if beams else 1
    if wish.count > most:
        raise UserError(
            f"--count {wish.count} is more than there are: {most} "
            + ("beams" if beams else "text, always the same, with --penalty-alpha")
        )


def _begin(task: Task, wish: Wish) -> np.ndarray:
    """Return the tokens of the prompt behind a start, int (time,)."""
    return np.append(START, encode(task.facts.tokenizer, [wish.prompt])[np.array([0])][0])


def batch_size(task: Task, wish: Wish) -> int:
    """Return how many are made at once."""
    return min(wish.count, BATCH_SIZE) if task.name == PICTURES else wish.count


def require_maker(task: Task, wish: Wish) -> None:
    """Refuse a task that makes nothing, and wishes that it cannot grant."""
    if task.name not in (TEXTS, PICTURES):
        raise UserError(
            f"a run of {task.name} writes no texts and makes no pictures: ask it with threefold "
            "predict"
        )
    for field in fields(Wish):
        other = PICTURES if field.name == "class_name" else TEXTS
        own = field.name in ("count", "seed") or task.name == other
        if not own and getattr(wish, field.name) != field.default:
            flag = field.name.removesuffix("_name").replace("_", "-")
            raise UserError(f"--{flag} is not for a run of {task.name}")


def _make_pictures(answer: Answerer, task: Task, wish: Wish) -> list[dict[str, Any]]:
    examples = task.examples_for(wish.count, wish.class_name, wish.seed)
    records = []
    for start in range(0, wish.count, BATCH_SIZE):
        part = {name: array[start : start + BATCH_SIZE] for name, array in examples.items()}
        records += task.describe(answer(part), part)
    return records
