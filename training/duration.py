"""How long a fit is: batches and epochs that suit the number of examples.

What an optimizer needs is steps. With constant epochs and batches, 50 examples make 15 of them, and
nothing is learned; so small data get smaller batches, and as many epochs as make enough steps.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from threefold.core.errors import UserError

MIN_STEPS = 1000  # where a family's recipe says nothing else
SHARE_OF_BATCH = 20  # a batch is no larger than one part of so many of the training split,
SMALLEST_BATCH = 8  # but no smaller than this: statistics of fewer examples are noise


class Duration(NamedTuple):
    """How long a fit is, and why.

    Args:
        epochs: int. Passes over the training split.
        batch_size: int. Examples in a step.
        note: str. In a person's words.
    """

    epochs: int
    batch_size: int
    note: str


def require_one(epochs: int | None, steps: int | None) -> None:
    """Refuse epochs and steps together."""
    if epochs is not None and steps is not None:
        raise UserError("--epochs and --steps both say how long to train; give one of them")


def choose_duration(
    recipe: Mapping[str, Any],
    examples: int,
    *,
    epochs: int | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
) -> Duration:
    """Choose epochs and batches.

    Args:
        recipe: mapping. `epochs` and `batch_size` for data of a usual size, and `min_steps`, the
            fewest optimizer steps that suffice for small data.
        examples: int. In the training split.
        epochs: int. Given by the user, who then rules.
        steps: int. Given by the user: at least so many, in whole epochs.
        batch_size: int. Given by the user.

    Returns:
        Duration.

    Raises:
        UserError: where both epochs and steps are given.

    Example:
        >>> choose_duration({"epochs": 15, "batch_size": 64, "min_steps": 600}, 35)[:2]
        (120, 8)
    """
    require_one(epochs, steps)
    notes = []
    size = batch_size or recipe["batch_size"]
    if batch_size is None:
        largest = max(SMALLEST_BATCH, 2 ** max(0, (examples // SHARE_OF_BATCH).bit_length() - 1))
        if largest < size:
            size = largest
            notes.append(f"batches of {size}, not {recipe['batch_size']}")
    a_pass = -(-examples // size)
    wanted = steps or recipe.get("min_steps", MIN_STEPS)
    count = epochs or -(-wanted // a_pass)
    if epochs is None and steps is None:
        if count > recipe["epochs"]:
            notes.append(f"{count} epochs, not {recipe['epochs']}, for {wanted:,} steps")
        count = max(count, recipe["epochs"])
    chosen = f"{count * a_pass:,} steps of {size} examples in {count} epochs"
    if notes:
        chosen += f" ({'; '.join(notes)}: {examples:,} examples are few)"
    return Duration(count, size, chosen)
