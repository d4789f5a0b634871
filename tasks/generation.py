"""Texts that a model writes, pictures that it makes: what is asked for, and the asking."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from threefold.datasets.errors import UserError
from threefold.datasets.tokenizing import START, encode
from threefold.tasks.evaluation import Answerer
from threefold.tasks.task import Task

BATCH_SIZE = 64  # pictures that are made at once
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
    """

    prompt: str = ""
    count: int = 1
    length: int = 200
    temperature: float = 1.0
    top_k: int = 50
    top_p: float = 1.0
    seed: int = 0
    class_name: str | None = None


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
    prompt = encode(task.facts.tokenizer, [wish.prompt])[np.array([0])][0]
    tokens = np.tile(np.append(START, prompt), (wish.count, 1))
    chance = np.random.default_rng(wish.seed).random((wish.count, wish.length), np.float32)
    settings = {"temperature": wish.temperature, "top_k": wish.top_k, "top_p": wish.top_p}
    examples = {"tokens": tokens, "uniforms": chance} | {
        name: np.full(wish.count, value, np.float32) for name, value in settings.items()
    }
    records = task.describe(answer(examples), examples)
    return [{"prompt": wish.prompt} | record for record in records]


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
