"""What a finished fit asks for: more steps, or another look at a simpler method."""

from collections.abc import Mapping, Sequence

from threefold.tasks.evaluation import Evaluation

FEW_STEPS = 200  # of which hardly anything is learned
TAIL = 0.1  # the last share of the epochs,
STILL_FALLING = 0.02  # in which the loss made at least such a share of its whole way down


def advise(
    folder: str,
    steps: int,
    history: Sequence[Mapping[str, float]],
    evaluations: Sequence[Evaluation],
) -> list[str]:
    """Return remarks on a fit, each with what to type where there is something to type.

    A fresh fit is advised, not one that goes on: the learning rate has come to its end, and a
    schedule that begins anew from there would first undo what was learned.

    Args:
        folder: str. The run's.
        steps: int. Optimizer steps that were made.
        history: sequence of mapping. One row an epoch.
        evaluations: sequence of Evaluation. The last one's baselines are compared with the model.

    Returns:
        list of str. Empty where there is nothing to say.
    """
    remarks, again = [], f"threefold fit --again {folder}"
    if steps < FEW_STEPS:
        remarks.append(f"only {steps} optimizer steps were made: {again} --steps 1000")
    elif evaluations[-1].task.training_loop == "supervised" and (split := _falling(history)):
        remarks.append(f"the {split} loss was still falling: {again} --epochs {2 * len(history)}")
    return remarks + _lost(evaluations[-1])


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
    if evaluation.task.training_loop == "adversarial":  # real images are no method
        return []
    own = evaluation.metrics.get(name)
    return [
        f"the simple method '{method}' does better: {name} {found[name]:.4g}, this model {own:.4g}"
        for method, found in evaluation.metrics.get("baselines", {}).items()
        if own is not None and name in found and found[name] > own
    ]
