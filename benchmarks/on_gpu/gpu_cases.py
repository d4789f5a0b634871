"""What `gpu.py` trains: one model of each family with data made in memory, small and at full size.

The data mean nothing and are of one length, so that a model is compiled once. Nothing here needs
tokenizers, sound files or packages with data sets.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from threefold.datasets.dataset import ArraySource, SubsetSource
from threefold.datasets.facts import (
    Facts,
    ImageFacts,
    NumericColumn,
    PairFacts,
    SpeechFacts,
    TableFacts,
    TextFacts,
)
from threefold.datasets.ragged import Ragged

FAMILIES = ("dnn", "cnn", "ctc", "rnn", "transformer", "gpt", "gan")
LARGE = ("cnn", "rnn", "transformer", "gpt", "gan")
CLASSES = tuple("abcdefghij")
STORED = 4  # batches that are made; longer epochs go round


@dataclass(frozen=True)
class Case:
    """A blueprint, its task, data and options.

    Args:
        blueprint: str. Its name.
        task_name: str. What it learns.
        facts: Facts. Of the data.
        arrays: dict. The examples.
        batch_size: int. Examples in a step.
        options: dict. Of the blueprint.
        steps: int. Tokens or steps of an example, for counting operations; 1 where it has none.
        augment: tuple of str. Names of augmentations, in the real pipeline.
    """

    blueprint: str
    task_name: str
    facts: Facts
    arrays: dict[str, Any]
    batch_size: int
    options: dict[str, Any] = field(default_factory=dict)
    steps: int = 1
    augment: tuple[str, ...] = ()

    def task(self):
        """Return the task, bound to the facts."""
        from threefold.tasks.task import find_task
        from threefold.training.building import resolve_options

        given = resolve_options(self.blueprint, self.task_name, self.options)
        return find_task(self.task_name)(self.facts, options=given)

    def build(self, precision: str, total_steps: int, *, dropout: bool = True):
        """Return the model, built and compiled as `fit` does it, with one learning rate."""
        from threefold.core.options import options_of
        from threefold.training.backend import seed_everything
        from threefold.training.building import build_model, find_blueprint
        from threefold.training.loop import compile_model
        from threefold.training.settings import TrainingSettings

        blueprint = find_blueprint(self.blueprint)
        options = dict(self.options)
        if not dropout:
            future_covariates = options_of(blueprint.TASKS[self.task_name])
            options |= {name: "0" for name in future_covariates if "dropout" in name}
        settings = TrainingSettings.parse({"schedule": "constant", "warmup": "0"})
        settings = settings.resolve(blueprint, self.task_name, ())
        settings = settings.model_copy(update={"ema": None, "precision": precision})
        task = self.task()
        seed_everything(0)
        model, _ = build_model(self.blueprint, task, options, precision)
        return compile_model(model, task, settings, total_steps)

    def batches(self, steps: int, first: int = 0, *, real: bool = False):
        """Return so many batches; `real`: shuffled and augmented as `fit` does it."""
        from threefold.training.batches import Batches

        source = ArraySource(self.arrays)
        rows = (first * self.batch_size + np.arange(steps * self.batch_size)) % len(source)
        changes = {"seed": 0, "augment": self.augment} if real else {}
        return Batches(SubsetSource(source, rows), self.task(), self.batch_size, **changes)


def small_case(family: str, tiny: bool) -> Case:
    """Return a family's small model: `tiny` for a trial on a CPU, else with its default options."""
    batch_size = 4 if tiny else 32
    if family == "cnn":
        options = {"filters": "2,2", "dense_units": "4"} if tiny else {}
        return _images("image_classification", family, 8, 1, batch_size, options)
    if family == "gan":
        options = {"filters": "2", "latent_dim": "4"} if tiny else {}
        return _images("image_generation", family, 8, 1, batch_size, options)
    if family == "rnn":
        return _texts(family, 8 if tiny else 64, batch_size, {"units": "4"} if tiny else {})
    if family == "transformer":
        return _pairs(8 if tiny else 64, batch_size, _narrow(tiny, feed_forward_dim="8"))
    if family == "gpt":
        return _windows(8 if tiny else 64, batch_size, _narrow(tiny))
    if family == "ctc":
        options = {"filters": "2", "units": "3", "mel_bands": "4"} if tiny else {}
        return _recordings(batch_size, options)
    return _table(batch_size, {"widths": "4"} if tiny else {})


def large_case(name: str, tiny: bool) -> Case:
    """Return a family's model at full size; `tiny`: the small one, of the same task."""
    if tiny:
        return small_case(name, tiny)
    if name == "cnn":
        options = {"filters": "64,128,256,512"}
        return _images("image_classification", name, 224, 3, 64, options, ("flip", "shift"))
    if name == "gan":
        options = {"architecture": "dcgan", "gradient_penalty": "none", "latent_dim": "100"}
        return _images("image_generation", name, 64, 3, 128, {**options, "filters": "64"})
    if name == "rnn":
        options = {"units": "512,512", "cell": "lstm", "embedding_dim": "256"}
        return _texts(name, 256, 64, options, vocabulary=8192)
    if name == "transformer":
        return _pairs(128, 128, {"preset": "base"}, vocabulary=8192)
    return _windows(256, 64, {"preset": "nanogpt"}, vocabulary=65)


def _narrow(tiny: bool, **more: str) -> dict[str, str]:
    return {"num_layers": "1", "num_heads": "2", "model_dim": "8", **more} if tiny else {}


def _labels(count: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, len(CLASSES), count)


def _images(task, blueprint, side, channels, batch_size, options, augment=()) -> Case:
    count = STORED * batch_size
    shape = (side, side, channels)
    images = np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)
    facts = ImageFacts(image_shape=shape, class_names=CLASSES, class_counts=(1,) * len(CLASSES))
    arrays = {"image": images, "label": _labels(count)}
    return Case(blueprint, task, facts, arrays, batch_size, options, augment=augment)


def _tokens(count: int, length: int, vocabulary: int, seed: int = 0) -> Ragged:
    values = np.random.default_rng(seed).integers(4, vocabulary, count * length).astype(np.int32)
    return Ragged(values, np.arange(count + 1) * length)


def _texts(blueprint, length, batch_size, options, vocabulary=100) -> Case:
    count = STORED * batch_size
    facts = TextFacts(
        tokenizer="{}", vocabulary_size=vocabulary, max_length=length,
        class_names=CLASSES, class_counts=(1,) * len(CLASSES),
    )  # fmt: skip
    arrays = {"tokens": _tokens(count, length, vocabulary), "label": _labels(count)}
    return Case(blueprint, "text_classification", facts, arrays, batch_size, options, length)


def _pairs(length, batch_size, options, vocabulary=100) -> Case:
    count, written = STORED * batch_size, length - 1  # what begins a text makes one more
    facts = PairFacts(
        source_tokenizer="{}", target_tokenizer="{}", source_vocabulary_size=vocabulary,
        target_vocabulary_size=vocabulary, max_source_length=length, max_target_length=written,
    )  # fmt: skip
    arrays = {
        "source": _tokens(count, length, vocabulary),
        "target": _tokens(count, written, vocabulary, seed=1),
    }
    return Case("transformer", "translation", facts, arrays, batch_size, options, length)


def _windows(context, batch_size, options, vocabulary=100) -> Case:
    count = STORED * batch_size
    facts = TextFacts(tokenizer="{}", vocabulary_size=vocabulary, max_length=context)
    windows = _tokens(count, context + 1, vocabulary).values.reshape(count, context + 1)
    arrays = {"tokens": windows}
    return Case("gpt", "text_generation", facts, arrays, batch_size, options, context)


def _recordings(batch_size, options) -> Case:
    count, length, rate = STORED * batch_size, 4096, 8000
    samples = np.random.default_rng(0).normal(0, 0.1, count * length).astype(np.float32)
    symbols = np.random.default_rng(1).integers(1, 4, count * 3)
    facts = SpeechFacts(
        rate=rate, max_length=length, alphabet=tuple("abc"), max_transcript_length=3
    )
    arrays = {
        "samples": Ragged(samples, np.arange(count + 1) * length),
        "symbols": Ragged(symbols, np.arange(count + 1) * 3),
    }
    return Case("ctc", "speech_recognition", facts, arrays, batch_size, options)


def _table(batch_size, options) -> Case:
    count, columns = STORED * batch_size, 20
    facts = TableFacts(
        numeric=tuple(NumericColumn(name=f"c{i}", mean=0.0, scale=1.0) for i in range(columns)),
        target_name="class", class_names=CLASSES, class_counts=(1,) * len(CLASSES),
    )  # fmt: skip
    values = np.random.default_rng(0).normal(size=(count, columns)).astype(np.float32)
    arrays = {"numeric": values, "label": _labels(count)}
    return Case("dnn", "tabular_classification", facts, arrays, batch_size, options)
