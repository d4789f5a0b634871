"""Errors that are said in one line. They live on the ground floor: every room raises them."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """A mistake that the person at the keyboard can fix: a wrong option, reference or file."""

    exit_code = 2


class Failure(RuntimeError):
    """Something that went wrong though the command was right: a full disk, a damaged file."""

    exit_code = 1


def suggest(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known word, or what there is.

    Args:
        word: str. What was typed.
        known: iterable of str. What could have been meant.

    Returns:
        str. A clause that continues an error message.
    """
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; there are: {', '.join(known)}" if known else ""
