"""A fit that had too few steps, or lost to a simple method, says so with what to type."""

from types import SimpleNamespace

import pytest

from threefold.reporting.advice import advise, compare, repeat_in

AGAIN = "threefold fit --again runs/x"
SHOW = "more examples; threefold show cnn for what else can be set"
SIMPLE = "or the simple method, which costs less"


def evaluation(accuracy=0.9, **baselines):
    task = SimpleNamespace(
        primary_metric="accuracy", training_loop="supervised", settings=("augment",),
        generates=None, find_trouble=lambda history: {},
    )  # fmt: skip
    found = {name: {"accuracy": value} for name, value in baselines.items()}
    return SimpleNamespace(task=task, metrics={"accuracy": accuracy, "baselines": found})


def history(*losses):
    return [{"epoch": number, "loss": 1.0, "val_loss": loss} for number, loss in enumerate(losses)]


def record(augment=(), **options):
    """A run of 100 steps an epoch."""
    settings = {"batch_size": 8, "augment": list(augment)}
    sizes = {"train": 793, "test": 20}
    return {"blueprint": "cnn", "options": options, "settings": settings,
            "dataset": {"sizes": sizes}}  # fmt: skip


def test_few_steps_are_said_with_what_to_type():
    (remark,) = advise(AGAIN, record(), history(1), evaluation())
    assert remark == f"only 100 optimizer steps were made: {AGAIN} --steps 1000"


@pytest.mark.parametrize(
    ("losses", "falling"),
    [
        ([1 - 0.04 * n for n in range(20)], True),
        ([1.0] * 10 + [0.5] * 10, False),
        ([1 - 0.04 * n for n in range(10)] + [2.0] * 10, False),
        ([1.2, 0.4, 0.1, *(0.01 - 0.0005 * n for n in range(17))], False),  # as good as nothing
        ([0.5, 0.5], False),
    ],
)
def test_a_loss_that_was_still_falling_is_said(losses, falling):
    remarks = advise(AGAIN, record(), history(*losses), evaluation())
    wanted = f"the validation loss was still falling: {AGAIN} --epochs 40"
    assert remarks == ([wanted] if falling else [])


def test_a_simple_method_that_does_better_is_named():
    lost = evaluation(0.73, linear=0.85, nearest=0.5)
    first, tried = advise(AGAIN, record(), history(1.2, 0.41, 0.4, 0.399), lost)
    assert first == "the simple method 'linear' does better: accuracy 0.85, this model 0.73"
    assert tried == f"to try: {AGAIN} --steps 800; {SHOW}; {SIMPLE}"


def test_what_was_too_short_is_said_to_who_lost_and_nothing_more_of_steps():
    lost = evaluation(0.73, linear=0.85)
    _, longer, tried = compare(AGAIN, record(dropout=0.1), history(1), lost)
    assert longer == f"only 100 optimizer steps were made: {AGAIN} --steps 1000"
    assert tried == f"to try: {SHOW}; {SIMPLE}"
    assert compare(AGAIN, record(), history(1), evaluation(0.9, linear=0.85)) == []


@pytest.mark.parametrize(
    ("given", "changes"),
    [
        (record(dropout=0.3), "--augment shift -o dropout=0.5"),
        (record(["shift"], dropout=0.1), "-o dropout=0.3"),
        (record(["shift"], dropout=0.5), "-o dropout=0.6"),
        (record(["shift"], dropout=0.6), None),
        (record(["shift"], dropout=None), None),  # of gpt, by its size
        (record(["shift"]), None),
    ],
)
@pytest.mark.parametrize("course", [history(1, 0.5, 0.7, 0.8, 0.9), []], ids=["run", "artifact"])
def test_to_who_learned_by_heart_what_is_against_it(given, changes, course):
    *_, tried = compare(AGAIN, given, course, evaluation(0.7, linear=0.8))
    first = f"{AGAIN} {changes}; " if changes else ""
    assert tried == f"to try: {first}{SHOW}; {SIMPLE}"


def test_real_images_are_no_simple_method():
    made = evaluation(0.1, real=0.8)
    made.task.training_loop, made.task.generates = "adversarial", "images"
    assert compare(AGAIN, record(), history(1, 1), made) == []


def test_a_folder_with_a_space_is_quoted():
    assert repeat_in("my runs/x") == "threefold fit --again 'my runs/x'"
