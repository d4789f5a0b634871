"""A fit as a user does it, beside the simple methods that it compares itself with."""

from kept import run_command


def fit_beside(family: str, reference: str, backend: str, metric: str, *words: str) -> dict:
    """Fit, and return what was reached on the test split, and the best of the simple methods.

    Args:
        family: str. The blueprint.
        reference: str. The data.
        backend: str. Where.
        metric: str. What is compared; more is better.
        words: str. Further ones of the command.

    Returns:
        dict of str to str. `result`, `method` and `other`, and the training's `seconds`.
    """
    found = run_command("fit", family, "--dataset", reference, *words, backend=backend)
    metrics = found["metrics"]["test"]
    beside = {name: each[metric] for name, each in metrics.get("baselines", {}).items()}
    best = max(beside, key=beside.get)
    return {
        "result": f"{metrics[metric]:.4f}",
        "method": best,
        "other": f"{beside[best]:.4f}",
        "seconds": f"{found['seconds']:.0f}",
    }
