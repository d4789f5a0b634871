"""How tests list cases, and expect something to be refused."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from threefold.core.errors import UserError


@contextlib.contextmanager
def refused(match=None):
    """Expect an error of the user's in one line that the pattern is found in; yield it."""
    with pytest.raises(UserError, match=match) as error:
        yield error
    assert "\n" not in str(error.value)


def refusal_of(call: Callable[[], Any]) -> str:
    """Return the one line in which a call is refused."""
    with refused() as error:
        call()
    return str(error.value)


def flatten(cases: dict[str, dict[str, Any]]) -> list[tuple[str, str, Any]]:
    """Return each case with the name of its group, its own, and what is expected of it."""
    return [(group, case, wanted) for group, rest in cases.items() for case, wanted in rest.items()]
