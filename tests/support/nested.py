"""Cases of a test that are grouped by what they have in common."""

from typing import Any


def flatten(cases: dict[str, dict[str, Any]]) -> list[tuple[str, str, Any]]:
    """Return each case with the name of its group, its own, and what is expected of it."""
    return [(group, case, wanted) for group, rest in cases.items() for case, wanted in rest.items()]
