"""Texts that a model writes: what is asked for, and the asking."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from threefold.datasets.errors import UserError
from threefold.datasets.tokenizing import START, encode
from threefold.tasks.evaluation import Answerer
from threefold.tasks.task import Task


@dataclass(frozen=True)
class Wish:
    """What is to be written.

    Args:
        prompt: str. What to go on with; may be empty.
        count: int. How many texts, at least 1.
        length: int. Tokens to write, at least 1.
        temperature: float. Above 1 more chance, below 1 less; 0 for the most probable tokens.
        top_k: int. How many of the most probable tokens may be written, at least 1.
        top_p: float. Which share of the probability may be written, above 0.
        seed: int. Of chance.
    """

    prompt: str = ""
    count: int = 1
    length: int = 200
    temperature: float = 1.0
    top_k: int = 50
    top_p: float = 1.0
    seed: int = 0


def generate(answer: Answerer, task: Task, wish: Wish) -> list[dict[str, Any]]:
    """Let a model write.

    Args:
        answer: Answerer. The model, for batches of `wish.count`.
        task: Task. Of text generation.
        wish: Wish. What is to be written.

    Returns:
        list of dict. The `prompt` and the `text` that follows it, one for each text. The same seed
        writes the same on every backend, as far as their numbers agree.

    Raises:
        UserError: where the task writes no texts.
    """
    require_writer(task)
    prompt = encode(task.facts.tokenizer, [wish.prompt])[np.array([0])][0]
    tokens = np.tile(np.append(START, prompt), (wish.count, 1))
    chance = np.random.default_rng(wish.seed).random((wish.count, wish.length), np.float32)
    settings = {"temperature": wish.temperature, "top_k": wish.top_k, "top_p": wish.top_p}
    examples = {"tokens": tokens, "uniforms": chance} | {
        name: np.full(wish.count, value, np.float32) for name, value in settings.items()
    }
    records = task.describe(answer(examples), examples)
    return [{"prompt": wish.prompt} | record for record in records]


def require_writer(task: Task) -> None:
    """Refuse a task that writes no texts."""
    if task.name != "text_generation":
        raise UserError(f"a run of {task.name} writes no texts: ask it with threefold predict")
