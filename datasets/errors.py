"""The one exception for mistakes that the person at the keyboard can mend."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """A wrong option, reference or file: said in one line, exit code 2.

    It lives on the ground floor because every room raises it.
    """


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
