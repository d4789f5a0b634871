"""Texts that a model writes, images that it makes: what is asked for, and the asking."""

import warnings
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.texts.tokenizing import START, encode
from threefold.tasks.evaluation import PredictFn
from threefold.tasks.task import Arrays, Task

BATCH_SIZE = 64  # images that are made at once
LENGTH_PENALTY = 1.0  # of beams
NO_ARC = 1e-6  # sine of an angle from which on two directions are one, or opposite
OF_IMAGES = ("class_name", "per_class", "interpolate")  # wishes that texts know nothing of


@dataclass(frozen=True)
class GenerationConfig:
    """What is to be written, or made.

    Args:
        prompt: str. What to go on with; may be empty.
        count: int. How many texts or images, at least 1.
        length: int. Tokens to write, at least 1.
        temperature: float. Above 1 more chance, below 1 less; 0 for the most probable tokens.
        top_k: int. How many of the most probable tokens may be written, at least 1.
        top_p: float. Which share of the probability may be written, above 0.
        seed: int. Of chance.
        class_name: str. Which images; `None` for all classes in turn.
        per_class: int. If given, how many images of each class, at least 1.
        interpolate: int. If given, how many images on the way from one noise to another, at least
            2, with both ends.
        beams: int. Above 1, the most probable texts are searched for, so many at a time, and
            nothing is sampled.
        penalty_alpha: float. If given, contrastive search: from 0, the most probable of the `top_k`
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
    per_class: int | None = None
    interpolate: int | None = None
    beams: int = 1
    penalty_alpha: float | None = None

    @property
    def searches(self) -> bool:
        """Whether texts are searched for, and not sampled."""
        return self.beams > 1 or self.penalty_alpha is not None


def generate(answer: PredictFn, task: Task, config: GenerationConfig) -> list[dict[str, Any]]:
    """Let a model write, or make images.

    Args:
        answer: PredictFn. The model, for batches of `batch_size(task, config)`.
        task: Task. Of text or image generation.
        config: GenerationConfig. What is to be made.

    Returns:
        list of dict. The `prompt` and the `text` that follows it, one for each text; the `image`
        and its `class`, one for each image. The same seed makes the same on every backend, as far
        as their numbers agree.

    Raises:
        UserError: where the task makes neither, or the config is one for the other.
    """
    require_maker(task, config)
    if task.generates == "images":
        return _make_images(answer, task, config)
    tokens = np.tile(_begin(task, config), (config.count, 1))
    random_numbers = np.random.default_rng(config.seed).random(
        (config.count, config.length), np.float32
    )
    settings = {"temperature": config.temperature, "top_k": config.top_k, "top_p": config.top_p}
    examples = {"tokens": tokens, "uniforms": random_numbers} | {
        name: np.full(config.count, value, np.float32) for name, value in settings.items()
    }
    records = task.describe(answer(examples), examples)
    return [{"prompt": config.prompt} | record for record in records]


def search(model, task: Task, config: GenerationConfig) -> list[dict[str, Any]]:
    """Let a model write what is most probable, or probable and new.

    Args:
        model: keras.Model. Of text generation.
        task: Task. Its task.
        config: GenerationConfig. With `beams` or `penalty_alpha`.

    Returns:
        list of dict. As from `generate`; of several beams the best first, each with its `score`,
        the log-probability by its length.

    Raises:
        UserError: for wishes that exclude each other, and more tokens than the model can see.
    """
    from threefold.blueprints.parts.decoding import BeamSearch
    from threefold.blueprints.parts.sampling import ContrastiveSearch

    _check_search(config)
    tokens, context = _begin(task, config)[None].astype(np.int32), context_of(model)
    if context and tokens.shape[1] + config.length > context:
        raise UserError(
            f"this model sees {context} tokens: a search can write {context - tokens.shape[1]} "
            f"after this prompt, not {config.length}; give --length, or sample without "
            "--beams and --penalty-alpha"
        )
    if config.penalty_alpha is not None:
        count = min(config.top_k, task.facts.vocabulary_size)
        contrast = ContrastiveSearch(model, config.length, count, config.penalty_alpha)
        written, scores = np.asarray(contrast.predict_on_batch({"tokens": tokens})), [None]
    else:
        beams = BeamSearch(model, config.length, config.beams, LENGTH_PENALTY)
        found = beams.predict_on_batch({"tokens": tokens})
        written, scores = (np.asarray(found[name])[0] for name in ("tokens", "scores"))
        written, scores = written[: config.count], scores[: config.count].tolist()
    records = task.describe({"written": written}, {})
    return [
        {"prompt": config.prompt} | record | ({} if score is None else {"score": score})
        for record, score in zip(records, scores, strict=True)
    ]


def warn_of_long_prompt(model, task: Task, config: GenerationConfig) -> None:
    """Say it where a model cannot see all of a prompt."""
    size, context = len(_begin(task, config)), context_of(model)
    if context and size > context:
        warnings.warn(
            f"the prompt has {size} tokens; the model sees the last {context} of them", stacklevel=2
        )


def context_of(model) -> int | None:
    """Return how many tokens a model that writes can see, `None` for any number."""
    return getattr(model.get_layer("first_state"), "context", None)


def _check_search(config: GenerationConfig) -> None:
    beams = config.penalty_alpha is None
    if not beams and config.beams > 1:
        raise UserError("--beams and --penalty-alpha are two ways to search; give one of them")
    sampled = ("temperature", "top_p", "seed", *(("top_k",) if beams else ()))
    for field in fields(GenerationConfig):
        if field.name in sampled and getattr(config, field.name) != field.default:
            flag, way = field.name.replace("_", "-"), "beams" if beams else "penalty-alpha"
            raise UserError(f"--{flag} is for texts that are sampled, and --{way} samples none")
    most = config.beams if beams else 1
    if config.count > most:
        raise UserError(
            f"--count {config.count} is more than there are: {most} "
            + ("beams" if beams else "text, always the same, with --penalty-alpha")
        )


def _begin(task: Task, config: GenerationConfig) -> np.ndarray:
    """Return the tokens of the prompt after a start, int (time,)."""
    return np.append(START, encode(task.facts.tokenizer, [config.prompt])[np.array([0])][0])


def batch_size(task: Task, config: GenerationConfig) -> int:
    """Return how many are made at once."""
    if task.generates != "images":
        return config.count
    images = config.per_class and config.per_class * len(task.facts.class_names)
    return min(images or config.interpolate or config.count, BATCH_SIZE)


def require_maker(task: Task, config: GenerationConfig) -> None:
    """Refuse a task that makes nothing, and wishes that it cannot grant."""
    if task.generates is None:
        raise UserError(
            f"a run of {task.name} writes no texts and makes no images: ask it with threefold "
            "predict"
        )
    for field in fields(GenerationConfig):
        kind = "images" if field.name in OF_IMAGES else "texts"
        own = field.name in ("count", "seed") or task.generates == kind
        if not own and getattr(config, field.name) != field.default:
            flag = field.name.removesuffix("_name").replace("_", "-")
            raise UserError(f"--{flag} is not for a run of {task.name}")


def require_inputs(task: Task) -> None:
    """Refuse a task that takes no inputs of a person's."""
    if task.generates == "images":
        raise UserError(f"a run of {task.name} takes no inputs: ask it with threefold generate")


def _make_images(answer: PredictFn, task: Task, config: GenerationConfig) -> list[dict[str, Any]]:
    examples = _choose_examples(task, config)
    records = []
    for start in range(0, len(examples["noise"]), BATCH_SIZE):
        part = {name: array[start : start + BATCH_SIZE] for name, array in examples.items()}
        records += task.describe(answer(part), part)
    return records


def _choose_examples(task: Task, config: GenerationConfig) -> Arrays:
    """Return the noise and the class of each image that was asked for."""
    given = {"--per-class": config.per_class, "--interpolate": config.interpolate}
    given["--count"] = config.count if config.count > 1 else None
    chosen = [flag for flag, value in given.items() if value is not None]
    if len(chosen) > 1:
        raise UserError(f"{' and '.join(chosen)} each say how many images; give one of them")
    names, conditional = task.facts.class_names, task.options["conditional"]
    if config.per_class is not None:
        if not conditional or config.class_name is not None:
            remedy = "give --count for one class" if conditional else "this model knows none"
            raise UserError(f"--per-class makes images of each class: {remedy}")
        examples = task.examples_for(config.per_class * len(names), None, config.seed)
        order = np.argsort(examples["label"], kind="stable")
        return {name: array[order] for name, array in examples.items()}
    if config.interpolate is None:
        return task.examples_for(config.count, config.class_name, config.seed)
    if conditional and config.class_name is None:
        raise UserError("--interpolate is for images of one class: give --class too")
    ends = task.examples_for(2, config.class_name, config.seed)
    return {
        "noise": interpolate(*ends["noise"], config.interpolate),
        "label": np.repeat(ends["label"][:1], config.interpolate),
    }


def interpolate(start: np.ndarray, end: np.ndarray, count: int) -> np.ndarray:
    """Return points on the way from one noise to another, along an arc (Shoemake 1985).

    A straight way would lead through noise shorter than any that a generator was trained with.

    Args:
        start: float array of shape (latent_dim,).
        end: float array of shape (latent_dim,).
        count: int. How many points, with both ends; at least 2.

    Returns:
        float32 array of shape (count, latent_dim).
    """
    share = np.linspace(0, 1, count)[:, None]
    lengths = np.linalg.norm(start) * np.linalg.norm(end)
    angle = np.arccos(np.clip(start @ end / lengths, -1, 1)) if lengths else 0.0
    if np.sin(angle) < NO_ARC:
        return ((1 - share) * start + share * end).astype(np.float32)
    weights = np.sin((1 - share) * angle), np.sin(share * angle)
    return ((weights[0] * start + weights[1] * end) / np.sin(angle)).astype(np.float32)
