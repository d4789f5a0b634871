"""Raw inputs for a prediction, as those hand them over that read one kind of data."""

from typing import NamedTuple

import numpy as np

from threefold.core.errors import UserError

STDIN = "-"


class Inputs(NamedTuple):
    """Some inputs, in the order in which they were given.

    Args:
        names: list of str. What each is called: a file, or a file and a line of it.
        examples: dict of str to array. The readable ones, the batch first.
        errors: list of UserError. One for each that cannot be read.
    """

    names: list[str]
    examples: dict[str, np.ndarray]
    errors: list[UserError]
