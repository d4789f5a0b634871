"""What every task answers: how data enter a model, what it learns, and how it is evaluated.

A task joins two halves: what comes in (`inputs/`) and what is asked
(`classification.py`, `regression.py`). One file per task names the pair.

Only `compile_arguments` touches Keras and only `preprocess_graph` and `postprocess_graph`
TensorFlow; both are imported there: an exported model is evaluated by the same task in a process
that has no Keras.
"""

import ast
import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from threefold.core.errors import UserError, suggest
from threefold.datasets.dataset import Dataset, Source
from threefold.datasets.facts import Facts
from threefold.tasks.figure import Figure
from threefold.tasks.metrics.simple_methods import SimpleMethod
from threefold.tasks.signature import Field, Output

Arrays = dict[str, np.ndarray]
Setting = Literal["label_smoothing", "class_weights", "augment", "mixup", "mosaic"]
TrainingLoop = Literal["supervised", "adversarial"]


class Task(ABC):
    """What is learned and how it is evaluated, bound to the facts of one dataset.

    Args:
        facts: Facts. Shapes, class names, columns.
        loss: str. One of `losses`; `None` for the first.
        label_smoothing: float. Share of a label's weight that is spread over all classes.
        class_weights: str. `none`, or `balanced`: every class weighs the same in the loss.
        options: mapping. The blueprint's, in full, for tasks that must know some of them.
    """

    name: ClassVar[str]
    losses: ClassVar[tuple[str, ...]]
    # Of the settings of a fit that only some tasks can use, those that this one can.
    settings: ClassVar[tuple[Setting, ...]] = ()
    augmentation: ClassVar[tuple[str, ...]] = ()  # what suits it, where nothing is said
    training_loop: ClassVar[TrainingLoop] = "supervised"
    # How far above the lowest loss an epoch is no worse than that: what chance does to the loss.
    loss_tolerance: ClassVar[float] = 0.0
    # Another task whose data serve this one, as `adapt` changes them, and whose networks do.
    dataset_task: ClassVar[str | None] = None
    builder_task: ClassVar[str | None] = None
    # Whether answers for changed views of an image have a mean: of those that name no places.
    averages_views: ClassVar[bool] = False
    # The module of `datasets` that reads what is given to `predict`, where the data's kind does not
    # say it all.
    input_reader: ClassVar[str | None] = None
    # The function of `reporting/image_output.py` that writes what was found into images, if any.
    image_output: ClassVar[str | None] = None
    # Whether class activation maps explain its answers: those of images, one number or class each.
    activation_maps: ClassVar[bool] = False
    # What `threefold generate` makes with its models, if it can.
    generates: ClassVar[Literal["texts", "images"] | None] = None
    figures: ClassVar[tuple[Figure, ...]]
    prediction_figure: ClassVar[Figure | None] = None  # of what `predict` answers
    summary_metrics: ClassVar[tuple[str, ...]]
    primary_metric: ClassVar[str]  # the metric to hold on to: one of which more is better
    # Of batches, the arrays whose second axis, time, is longer in some than in others: inputs by
    # their names, `targets`, `weights`.
    dynamic_axes: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        facts: Facts,
        *,
        loss: str | None = None,
        label_smoothing: float = 0.0,
        class_weights: str = "none",
        options: Mapping[str, Any] | None = None,
    ):
        self.facts = facts
        self.loss = loss or self.losses[0]
        self.require_loss(self.loss)
        self.label_smoothing = label_smoothing
        self.class_weights = class_weights
        self.options = options or {}

    @classmethod
    def require_loss(cls, loss: str) -> None:
        """Refuse a loss that the task does not have."""
        if loss not in cls.losses:
            raise UserError(f"{cls.name} has no loss '{loss}'{suggest(loss, cls.losses)}")

    @classmethod
    def adapt(cls, dataset: Dataset) -> Dataset:
        """Return a dataset of `dataset_task` as one of this task.

        Raises:
            UserError: where it cannot be one.
        """
        if dataset.task not in (cls.name, cls.dataset_task):
            raise UserError(
                f"dataset '{dataset.reference}' serves the task {dataset.task}; {cls.name} takes "
                f"data of {cls.dataset_task}"
            )
        return replace(dataset, task=cls.name)

    @abstractmethod
    def model_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        """Pick what enters the model out of a batch of examples, under the model's input names."""

    def random_arrays(self, seed: int, epoch: int, indices: np.ndarray) -> Arrays:
        """Draw what a batch of training takes from random numbers: further columns of its examples.

        Args:
            seed: int. The run's seed.
            epoch: int. Which epoch.
            indices: int array of shape (batch,). Which examples; with the others, all that the
                numbers depend on.
        """
        return {}

    def inference_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        """Pick what is given to a model's responder: what `model_inputs` picks, but for tasks that
        train on something else than what they are asked for.
        """
        return self.model_inputs(examples)

    @abstractmethod
    def input_fields(self) -> tuple[Field, ...]:
        """Return what an exported model takes: pixels, columns, as they are before
        `model_inputs`.
        """

    @abstractmethod
    def output_fields(self) -> tuple[Output, ...]:
        """Return what an exported model answers: what `postprocess` returns."""

    @abstractmethod
    def raw_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        """Pick what enters an exported model out of examples that were read with `facts.raw()`."""

    @abstractmethod
    def probes(self, examples: Mapping[str, np.ndarray]) -> dict[str, Arrays]:
        """Return what the signature allows and real rows may not hold.

        An exported model must not have frozen what it was tried with: sizes that are free,
        settings, numbers and words that are missing, extreme, or were never seen. It answers for
        them, too, as the trained model does, before it is shipped.

        Args:
            examples: dict of str to array. Some rows, read with `facts.raw()`.

        Returns:
            dict of str to examples. Of any number of rows each, by what they are: `of one token`.
        """

    @abstractmethod
    def preprocess_graph(self) -> tuple[Callable, list]:
        """Return `model_inputs` as a TensorFlow function from raw tensors, and the tables it
        uses.
        """

    @abstractmethod
    def postprocess_graph(self, outputs) -> dict[str, Any]:
        """Return `postprocess` as TensorFlow operations on a model's raw outputs."""

    def serving(self, model) -> tuple[Callable, list]:
        """Return what an exported model computes, and what it must hold on to.

        Args:
            model: keras.Model. On TensorFlow.

        Returns:
            (function from raw tensors by name to answers by name, list of trackables).
        """
        enter, tables = self.preprocess_graph()
        return lambda raw: self.postprocess_graph(model(enter(raw), training=False)), [
            model,
            *tables,
        ]

    def part(self, name: str) -> "Task":
        """Return what a part of the model answers, to be exported alone.

        Raises:
            UserError: where models of this task have no such parts.
        """
        raise UserError(
            f"--part {name} is for models of two networks, those of image_generation; one of "
            f"{self.name} is exported whole"
        )

    def near_ties(self, predictions: Mapping[str, np.ndarray], limit: float) -> np.ndarray:
        """Return of each answer whether a difference of `limit` could change what it says."""
        return np.zeros(len(next(iter(predictions.values()))), bool)

    @abstractmethod
    def arguments(self) -> dict[str, Any]:
        """Return what a blueprint must know of the data: its parameters without a default."""

    @abstractmethod
    def targets(self, examples: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return what the loss compares the model's outputs with, float32 with the batch first."""

    @abstractmethod
    def sample_weights(self, targets: np.ndarray) -> np.ndarray | None:
        """Return the weight of every example in the loss, or None where all weigh 1."""

    @abstractmethod
    def truth(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        """Pick what an evaluation compares answers with."""

    @abstractmethod
    def compile_arguments(self) -> dict[str, Any]:
        """Return `loss` and `metrics` for `keras.Model.compile`."""

    @property
    def keeps_sizes(self) -> bool:
        """Whether answers are in pixels of images as they are: predictions then read them so."""
        return False

    def answer_inputs(
        self, answer: Callable[[Arrays], Arrays], examples: Arrays, batch_size: int
    ) -> Arrays:
        """Return named answers for raw inputs: those of the model, but for tasks that cut them.

        Args:
            answer: function. The model: from at most `batch_size` examples to named answers.
            examples: dict of str to array. Raw inputs, at most `batch_size`.
            batch_size: int. Examples in a batch.
        """
        return answer(examples)

    def predict_fn(self, model) -> Callable[[Arrays], Any]:
        """Return how a Keras model predicts: a function from its inputs to raw outputs."""
        return lambda inputs: np.asarray(model.predict_on_batch(inputs))

    def explain(self, model, source: Source) -> Arrays:
        """Return what figures show of a model's way to some answers: attention, say."""
        return {}

    def calibrate(self, model, splits: Mapping[str, Source], batch_size: int) -> str | None:
        """Adjust what a trained model says of its own certainty; called once its training ended.

        Whatever it did to the model before, it does anew: a run that is cut here does it twice.

        Args:
            model: keras.Model. With its best weights; those that are not trained may be changed.
            splits: mapping of str to Source. All that the data have; the test is not looked at.
            batch_size: int. Examples in a batch.

        Returns:
            str. What was done, or why it was not, in a line for the user; None if there is nothing
            to do.
        """
        return None

    @abstractmethod
    def postprocess(self, outputs: Any) -> Arrays:
        """Turn raw outputs, an array or several by name, into named answers, in units that a
        person reads.
        """

    def select(
        self, predictions: Sequence[Mapping[str, np.ndarray]], examples: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Return which rows are reported: all, or, of inputs that take several, one each.

        Args:
            predictions: sequence of mapping of str to array. Of some examples, batch by batch.
            examples: mapping of str to array. All of them: whole inputs.
        """
        return np.arange(len(next(iter(examples.values()))))

    @abstractmethod
    def describe(
        self, predictions: Mapping[str, np.ndarray], examples: Mapping[str, np.ndarray]
    ) -> list[dict[str, Any]]:
        """Turn answers for examples into one plain record each, for tables, CSV and JSON."""

    def found_images(self, predictions: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Return of each answer the mask, uint8 (height, width), or the image, uint8 (height,
        width, channels), of a task that finds such.
        """
        return []

    def explained_outputs(self, predictions: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return which of a model's outputs `activation_maps` explain, an index of each answer:
        the first, but of classes that which is predicted.
        """
        return np.zeros(len(next(iter(predictions.values()))), np.intp)

    def fit_evaluator(self, train: Source) -> None:
        """Learn from the training split what evaluating takes; called before anything is
        evaluated.
        """
        return None

    def choose_evaluated(self, splits: Mapping[str, Source], name: str) -> Source:
        """Return the examples by which a split is evaluated: its own, but for tasks that need more.

        Args:
            splits: mapping of str to Source. All that the data have.
            name: str. The split.
        """
        return splits[name]

    def simple_methods(self) -> dict[str, SimpleMethod]:
        """Return methods on features of the inputs that `baselines` fits, by name: those of what
        comes in.
        """
        return {}

    def baselines(self, train: Source) -> dict[str, Callable[[Source], dict[str, float]]]:
        """Fit what a model must beat to be worth its cost.

        Args:
            train: Source. The training split.

        Returns:
            dict of str to function. From another split to metrics, under the name of the method.
        """
        return {}

    def evaluate_method(
        self, predict: Callable[[Arrays], Mapping[str, np.ndarray]]
    ) -> Callable[[Source], dict[str, float]]:
        """Return how well a method of `baselines` does.

        Args:
            predict: function. From examples to answers as `postprocess` returns them.

        Returns:
            function. From a split to its metrics, of those that are summed up.
        """

        def compute_baseline_metrics(source: Source) -> dict[str, float]:
            examples = source[np.arange(len(source))]
            metrics = self.compute_metrics(predict(examples), self.truth(examples))
            return {name: metrics[name] for name in self.summary_metrics if name in metrics}

        return compute_baseline_metrics

    @abstractmethod
    def compute_metrics(
        self, predictions: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """Return all metrics of answers against the truth, as plain numbers."""

    def find_trouble(self, history: Sequence[Mapping[str, float]]) -> dict[str, str]:
        """Return what goes wrong in a training, by its kind, each with what to try.

        Args:
            history: sequence of mapping. One row an epoch.
        """
        return {}


def find_task(name: str) -> type[Task]:
    """Return the class of a task by its name; its file is imported when it is asked for."""
    if name not in task_names():
        raise UserError(f"no task '{name}'{suggest(name, task_names())}")
    return importlib.import_module(f"threefold.tasks.{name}").TASK


def task_names() -> tuple[str, ...]:
    """Return the names of all tasks: the files of this room that define `TASK`."""
    return tuple(_read_builder_tasks())


def tasks_built_as(name: str) -> tuple[str, ...]:
    """Return the tasks whose models are those of another, by its name.

    The files are parsed, not imported: listing must answer at once.
    """
    return tuple(task for task, other in _read_builder_tasks().items() if other == name)


@cache
def _read_builder_tasks() -> dict[str, str | None]:
    """Return every task, with the `builder_task` that its class names."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "\nTASK = " not in text:
            continue
        found[path.stem] = None
        for node in ast.walk(ast.parse(text)) if "builder_task = " in text else ():
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "builder_task":
                found[path.stem] = ast.literal_eval(node.value)
    return found
