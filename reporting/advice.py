"""What a finished fit asks for: more steps, or another look at a simpler method."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from threefold.tasks.evaluation import Evaluation

FEW_STEPS = 200  # of which hardly anything is learned
TAIL = 0.1  # the last share of the epochs,
STILL_FALLING = 0.02  # in which the loss made at least such a share of its whole way down
EARLY = 0.75  # share of the epochs: what was best before it has learned by heart since
MORE_DROPOUT, MOST_DROPOUT = 0.2, 0.6


def advise(
    again: str,
    record: Mapping[str, Any],
    history: Sequence[Mapping[str, float]],
    evaluation: Evaluation,
) -> list[str]:
    """Return remarks on a fit, each with what to type where there is something to type.

    A fresh fit is advised, not one that goes on: the learning rate has come to its end, and a
    schedule that begins anew from there would first undo what was learned. Takes what `compare`
    takes.

    Returns:
        list of str. Empty where there is nothing to say.
    """
    remarks = compare(again, record, history, evaluation) or _suggest_longer(
        again, record, history, evaluation
    )
    return [*evaluation.task.find_trouble(history).values(), *remarks]


def compare(
    again: str,
    record: Mapping[str, Any],
    history: Sequence[Mapping[str, float]],
    evaluation: Evaluation,
) -> list[str]:
    """Return which simple methods did better than the model, and what to try then.

    Args:
        again: str. The command that repeats the run.
        record: mapping. What `run.json` holds.
        history: sequence of mapping. One row an epoch; empty of an artifact.
        evaluation: Evaluation. Its baselines are compared with the model.

    Returns:
        list of str. Empty where none did.
    """
    lost = _lost(evaluation)
    if not lost:
        return []
    longer = _suggest_longer(again, record, history, evaluation)
    changes = [] if longer else _change(record, history, evaluation)
    tried = [" ".join([again, *changes])] if changes else []
    tried += ["more examples", f"threefold show {record['blueprint']} for what else can be set"]
    return [*lost, *longer, f"to try: {'; '.join(tried)}; or the simple method, which costs less"]


def repeat_in(folder: str) -> str:
    """Return the command that repeats the run of a folder."""
    return shlex.join(["threefold", "fit", "--again", folder])


def _suggest_longer(
    again: str,
    record: Mapping[str, Any],
    history: Sequence[Mapping[str, float]],
    evaluation: Evaluation,
) -> list[str]:
    """Return whether the training was too short, and how to make it longer."""
    if not history:
        return []
    steps = _count_steps(record, history)
    if steps < FEW_STEPS:
        return [f"only {steps} optimizer steps were made: {again} --steps 1000"]
    if evaluation.task.training_loop == "supervised" and (split := _falling(history)):
        return [f"the {split} loss was still falling: {again} --epochs {2 * len(history)}"]
    return []


def _count_steps(record: Mapping[str, Any], history: Sequence[Mapping[str, float]]) -> int:
    rows, batch_size = record["dataset"]["sizes"]["train"], record["settings"]["batch_size"]
    return len(history) * -(-rows // batch_size)


def _falling(history: Sequence[Mapping[str, float]]) -> str | None:
    """Return the split whose loss was still falling at the end."""
    split, name = ("validation", "val_loss") if "val_loss" in history[-1] else ("training", "loss")
    losses = [row[name] for row in history]
    tail = max(1, round(TAIL * len(losses)))
    before, end = losses[:-tail], losses[-tail:]
    whole = losses[0] - min(end)
    if not before or whole <= 0 or min(before) - min(end) < STILL_FALLING * whole:
        return None
    return split


def _lost(evaluation: Evaluation) -> list[str]:
    """Return which simple methods did better than the model, by the metric to hold on to."""
    name = evaluation.task.primary_metric
    if evaluation.task.generates == "images":  # real images are no method
        return []
    own = evaluation.metrics.get(name)
    return [
        f"the simple method '{method}' does better: {name} {found[name]:.4g}, this model {own:.4g}"
        for method, found in evaluation.metrics.get("baselines", {}).items()
        if own is not None and name in found and found[name] > own
    ]


def _change(
    record: Mapping[str, Any], history: Sequence[Mapping[str, float]], evaluation: Evaluation
) -> list[str]:
    """Return options to add: against learning by heart if that was seen, else for more steps."""
    if history and not _learned_by_heart(history):
        return ["--steps", str(2 * _count_steps(record, history))]
    changes = []
    if "augment" in evaluation.task.settings and not record["settings"]["augment"]:
        changes += ["--augment", "shift"]
    dropout = record["options"].get("dropout")
    if dropout is not None and dropout < MOST_DROPOUT:
        more = round(min(MOST_DROPOUT, dropout + MORE_DROPOUT), 2)
        changes += ["-o", f"dropout={more}"]
    return changes


def _learned_by_heart(history: Sequence[Mapping[str, float]]) -> bool:
    """Return whether the validation loss was lowest long before the end."""
    losses = [row["val_loss"] for row in history if "val_loss" in row]
    return bool(losses) and losses.index(min(losses)) + 1 < EARLY * len(losses)
