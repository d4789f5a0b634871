"""How tests expect something to be refused."""

import contextlib

import pytest

from threefold.core.errors import UserError


@contextlib.contextmanager
def refused(match=None):
    """Expect an error of the user's in one line that the pattern is found in; yield it."""
    with pytest.raises(UserError, match=match) as error:
        yield error
    assert "\n" not in str(error.value)
