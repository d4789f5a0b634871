"""Evaluations made by hand, so that a test knows what must be seen."""

import numpy as np

from threefold.datasets.dataset import ArraySource
from threefold.datasets.facts import ImageFacts, NumericTarget, TableFacts
from threefold.tasks.evaluation import Evaluation
from threefold.tasks.image_classification import ImageClassification
from threefold.tasks.image_regression import ImageRegression
from threefold.tasks.tabular_classification import TabularClassification
from threefold.tasks.tabular_regression import TabularRegression


def judge(task, source, answers, truth, split="test") -> Evaluation:
    return Evaluation(split, task, source, answers, truth, task.judge(answers, truth))


def classify(names, labels, predicted, confidence, *, images=None, split="test") -> Evaluation:
    """Pictures of classes `labels`, taken for `predicted` with probability `confidence`."""
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    size = len(labels)
    confidence = np.broadcast_to(np.asarray(confidence, np.float32), size)
    rest = np.repeat(((1 - confidence) / (len(names) - 1))[:, None], len(names), axis=1)
    rest[np.arange(size), predicted] = confidence
    images = np.zeros((size, 4, 4, 1), np.uint8) if images is None else images
    task = ImageClassification(ImageFacts(image_shape=images.shape[1:], class_names=tuple(names)))
    answers = {"probabilities": rest.astype(np.float32), "label_index": predicted}
    source = ArraySource({"image": images, "label": labels})
    return judge(task, source, answers, {"label": labels}, split)


def measure(true, predicted, *, names=("angle",), images=None) -> Evaluation:
    """Pictures of numbers `true`, shape (examples, targets), answered with `predicted`."""
    true, predicted = np.asarray(true, np.float32), np.asarray(predicted, np.float32)
    images = np.zeros((len(true), 4, 4, 1), np.uint8) if images is None else images
    targets = tuple(
        NumericTarget(name=name, mean=0.0, scale=float(column.std()) or 1.0)
        for name, column in zip(names, true.T, strict=True)
    )
    task = ImageRegression(ImageFacts(image_shape=images.shape[1:], targets=targets))
    source = ArraySource({"image": images, "target": true})
    return judge(task, source, {"predictions": predicted}, {"target": true})


def classify_rows(facts: TableFacts, arrays, labels, predicted, confidence) -> Evaluation:
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    size = len(labels)
    probabilities = np.zeros((size, len(facts.class_names)), np.float32)
    probabilities[np.arange(size), labels] = 1 - np.asarray(confidence)
    probabilities[np.arange(size), predicted] = confidence
    source = ArraySource(arrays | {"label": labels})
    answers = {"probabilities": probabilities, "label_index": predicted}
    return judge(TabularClassification(facts), source, answers, {"label": labels})


def measure_rows(facts: TableFacts, arrays, true, predicted) -> Evaluation:
    true, predicted = np.asarray(true, np.float32), np.asarray(predicted, np.float32)
    source = ArraySource(arrays | {"target": true})
    return judge(
        TabularRegression(facts), source, {"predictions": predicted}, {"target": true}
    )


def make_history(epochs: int, *, validation: bool = True, rate: bool = False) -> list[dict]:
    """The validation loss is lowest in the last epoch but one."""
    rows = []
    for epoch in range(1, epochs + 1):
        row = {"epoch": epoch, "accuracy": 1 - 0.5 / epoch, "loss": 1 / epoch}
        if validation:
            worse = 0.3 if epoch == epochs and epochs > 1 else 0.0
            row |= {"val_accuracy": 1 - 0.6 / epoch, "val_loss": 1.1 / epoch + worse}
        if rate:
            row["learning_rate"] = 0.001 * 0.5 ** (epoch // 3)
        rows.append(row)
    return rows
