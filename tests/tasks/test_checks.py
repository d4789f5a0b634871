"""A task that does not hold together is refused when it is bound, with what is wrong."""

import numpy as np
import pytest

from threefold.core.errors import UserError
from threefold.datasets.dataset import ArraySource
from threefold.datasets.facts import ImageFacts
from threefold.tasks import figure
from threefold.tasks.checks import check_examples, check_task
from threefold.tasks.figure import Figure, plotters
from threefold.tasks.image_classification import ImageClassification
from threefold.tasks.task import find_task, task_names

FACTS = ImageFacts(image_shape=(4, 4, 1), class_names=("a", "b"), class_counts=(1, 1))
SOURCE = ArraySource({"image": np.zeros((2, 4, 4, 1), np.uint8), "label": np.array([0, 1])})


def bound(**declared):
    return type("Planted", (ImageClassification,), {"name": "planted", **declared})(FACTS)


@pytest.mark.parametrize(
    ("declared", "message"),
    {
        "mistyped figure": (
            {"figures": (Figure("classes.confusion_matrx", ""),)},
            "nobody plots 'classes.confusion_matrx': .*did you mean 'confusion_matrix'",
        ),
        "figure of no file": ({"figures": (Figure("clases.reliability", ""),)}, "nobody plots"),
        "figure of an answer that is not given": (
            {"figures": (Figure("numbers.residuals", "", ("predictions",)),)},
            "numbers.residuals shows the answer 'predictions' is not there",
        ),
        "mistyped figure of predictions": (
            {"prediction_figure": Figure("forecasts.predictd", "")}, "did you mean 'predicted'",
        ),
        "setting": ({"settings": ("augmentation",)}, "setting 'augmentation' is not there"),
        "training loop": ({"training_loop": "adverserial"}, "did you mean 'adversarial'"),
        "data of a task": ({"dataset_task": "image_clasification"}, "image_classification"),
        "networks of a task": ({"builder_task": "imaging"}, "other task 'imaging' is not there"),
    }.values(),
    ids=lambda value: "",
)  # fmt: skip
def test_what_a_task_says_of_itself_must_be_there(declared, message):
    with pytest.raises(UserError, match=f"task planted: .*{message}"):
        check_task(bound(**declared))


def test_a_figure_of_a_truth_that_is_not_given_is_refused_by_the_first_example():
    task = bound(figures=(Figure("numbers.residuals", "", (), ("target",)),))
    check_task(task)
    with pytest.raises(UserError, match="numbers.residuals shows the truth 'target' is not there"):
        check_examples(task, SOURCE)


def test_data_without_what_a_task_compares_with_are_refused_by_the_first_example():
    task = bound(truth=lambda self, examples: {"label": examples["grade"]})
    with pytest.raises(UserError, match="needs 'grade' of each example; the data have 'image', "):
        check_examples(task, SOURCE)


def test_the_tasks_there_are_hold_together():
    check_task(bound())
    check_examples(bound(), SOURCE)
    for name in task_names():
        for one in find_task(name).figures:
            module, _, function = one.plotter.rpartition(".")
            assert function in plotters(module), (name, one.plotter)
            assert one.caption.endswith(".") and one.name == function
    assert figure.ROOM.is_dir()
