"""Evaluations made by hand, so that a test knows what must be seen."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from threefold.datasets.dataset import ArraySource
from threefold.datasets.facts import ImageFacts, TableFacts
from threefold.datasets.facts_base import NumericTarget
from threefold.tasks.evaluation import Evaluation
from threefold.tasks.image_classification import ImageClassification
from threefold.tasks.image_regression import ImageRegression
from threefold.tasks.tabular_classification import TabularClassification
from threefold.tasks.tabular_regression import TabularRegression
from threefold.training.run import DatasetRecord, RunRecord
from threefold.training.settings import TrainingSettings


def _evaluate(task, source, predictions, truth, split="test") -> Evaluation:
    return Evaluation(
        split, task, source, predictions, truth, task.compute_metrics(predictions, truth)
    )


def classify(names, labels, predicted, confidence, *, images=None, split="test") -> Evaluation:
    """Images of classes `labels`, taken for `predicted` with probability `confidence`."""
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    size = len(labels)
    confidence = np.broadcast_to(np.asarray(confidence, np.float32), size)
    rest = np.repeat(((1 - confidence) / (len(names) - 1))[:, None], len(names), axis=1)
    rest[np.arange(size), predicted] = confidence
    images = np.zeros((size, 4, 4, 1), np.uint8) if images is None else images
    task = ImageClassification(ImageFacts(image_shape=images.shape[1:], class_names=tuple(names)))
    predictions = {"probabilities": rest.astype(np.float32), "label_index": predicted}
    source = ArraySource({"image": images, "label": labels})
    return _evaluate(task, source, predictions, {"label": labels}, split)


def measure(true, predicted, *, names=("angle",), images=None, split="test") -> Evaluation:
    """Images of numbers `true`, shape (examples, targets), answered with `predicted`."""
    true, predicted = np.asarray(true, np.float32), np.asarray(predicted, np.float32)
    images = np.zeros((len(true), 4, 4, 1), np.uint8) if images is None else images
    targets = tuple(
        NumericTarget(name=name, mean=0.0, scale=float(column.std()) or 1.0)
        for name, column in zip(names, true.T, strict=True)
    )
    task = ImageRegression(ImageFacts(image_shape=images.shape[1:], targets=targets))
    source = ArraySource({"image": images, "target": true})
    return _evaluate(task, source, {"predictions": predicted}, {"target": true}, split)


def classify_rows(facts: TableFacts, arrays, labels, predicted, confidence) -> Evaluation:
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    size = len(labels)
    probabilities = np.zeros((size, len(facts.class_names)), np.float32)
    probabilities[np.arange(size), labels] = 1 - np.asarray(confidence)
    probabilities[np.arange(size), predicted] = confidence
    source = ArraySource(arrays | {"label": labels})
    predictions = {"probabilities": probabilities, "label_index": predicted}
    return _evaluate(TabularClassification(facts), source, predictions, {"label": labels})


def measure_rows(facts: TableFacts, arrays, true, predicted) -> Evaluation:
    true, predicted = np.asarray(true, np.float32), np.asarray(predicted, np.float32)
    source = ArraySource(arrays | {"target": true})
    return _evaluate(TabularRegression(facts), source, {"predictions": predicted}, {"target": true})


def make_history(epochs: int, *, validation: bool = True, rate: bool = False) -> list[dict]:
    """The validation loss is lowest in the last epoch but one."""
    rows = []
    for epoch in range(1, epochs + 1):
        row = {"epoch": epoch, "accuracy": 1 - 0.5 / epoch, "loss": 1 / epoch}
        if validation:
            worse = 1.0 if epoch == epochs and epochs > 1 else 0.0
            row |= {"val_accuracy": 1 - 0.6 / epoch, "val_loss": 1.1 / epoch + worse}
        if rate:
            row["learning_rate"] = 0.001 * 0.5 ** (epoch // 3)
        rows.append(row)
    return rows


def make_record(**changes) -> dict[str, Any]:
    """What `run.json` would hold of a small run."""
    settings = TrainingSettings(
        epochs=3, batch_size=32, optimizer="adamw", learning_rate=0.002, loss="cross_entropy",
        augment=(), patience=4,
    )  # fmt: skip
    data = DatasetRecord(
        reference="./my photos",
        options={"image_size": "32"},
        fingerprint="f1d2d2f924e986ac",
        sizes={"train": 100, "test": 20},
        notes=["split by seed 0"],
    )
    record = RunRecord(
        blueprint="cnn",
        task="image_classification",
        options={"filters": [32, 64], "dropout": 0.3, "dense_units": []},
        settings=settings,
        dataset=data,
        facts=ImageFacts(image_shape=(4, 4, 1), class_names=("cat", "dog")),
        backend="jax",
        device="cpu",
        versions={"python": "3.11.7", "keras": "3.15.1"},
        created="2026-01-02T03:04:05+00:00",
    )
    return record.model_dump(mode="json") | changes


@pytest.fixture(scope="session")
def examples() -> SimpleNamespace:
    return SimpleNamespace(
        classify=classify,
        measure=measure,
        classify_rows=classify_rows,
        measure_rows=measure_rows,
        make_history=make_history,
        make_record=make_record,
    )
