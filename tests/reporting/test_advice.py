"""A fit that had too few steps, or lost to a simple method, says so with what to type."""

from types import SimpleNamespace

import pytest

from threefold.reporting.advice import advise


def evaluation(accuracy=0.9, **baselines):
    task = SimpleNamespace(primary_metric="accuracy", training_loop="supervised")
    found = {name: {"accuracy": value} for name, value in baselines.items()}
    return SimpleNamespace(task=task, metrics={"accuracy": accuracy, "baselines": found})


def history(*losses):
    return [{"epoch": number, "loss": 1.0, "val_loss": loss} for number, loss in enumerate(losses)]


def test_few_steps_are_said_with_what_to_type():
    (remark,) = advise("runs/x", 15, history(3, 2, 1), [evaluation()])
    assert remark == (
        "only 15 optimizer steps were made: threefold fit --again runs/x --steps 1000"
    )


@pytest.mark.parametrize(
    ("losses", "falling"),
    [
        ([1 - 0.04 * n for n in range(20)], True),
        ([1.0] * 10 + [0.5] * 10, False),
        ([1 - 0.04 * n for n in range(10)] + [2.0] * 10, False),
        ([1.2, 0.4, 0.1, *(0.01 - 0.0005 * n for n in range(17))], False),  # as good as nothing
        ([0.5], False),
    ],
)
def test_a_loss_that_was_still_falling_is_said(losses, falling):
    remarks = advise("runs/x", 1000, history(*losses), [evaluation()])
    wanted = "the validation loss was still falling: threefold fit --again runs/x --epochs 40"
    assert remarks == ([wanted] if falling else [])


def test_a_simple_method_that_does_better_is_named():
    remarks = advise("runs/x", 1000, history(1, 1), [evaluation(0.73, linear=0.85, nearest=0.5)])
    assert remarks == ["the simple method 'linear' does better: accuracy 0.85, this model 0.73"]
