"""Names of several words: from BIO tags to spans, and how well they were found."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

OUTSIDE = "O"


def find_spans(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """Return the spans that BIO tags mark.

    A span begins with `B-KIND` and goes on with `I-KIND`. As CoNLL's own script has it, an
    `I-KIND` that continues nothing of its kind begins a span, too.

    Args:
        tags: sequence of str. One a word.

    Returns:
        list of (kind, first word, word after the last).
    """
    spans: list[tuple[str, int, int]] = []
    kind, start = "", 0
    for place, tag in enumerate([*tags, OUTSIDE]):
        prefix, _, found = tag.partition("-")
        if kind and (prefix != "I" or found != kind):
            spans.append((kind, start, place))
            kind = ""
        if prefix in ("B", "I") and not kind:
            kind, start = found, place
    return spans


def score_spans(rows: Sequence[tuple[Sequence[str], Sequence[str]]]) -> dict[str, Any]:
    """Compare spans: one counts where its kind, its beginning and its end are right.

    Args:
        rows: sequence of (true tags, predicted tags). One pair a text.

    Returns:
        dict. `precision`, `recall`, `f1` over all spans, and under `by_class` for each kind.
    """
    true, found, right = Counter(), Counter(), Counter()
    for wanted, given in rows:
        expected, predicted = set(find_spans(wanted)), set(find_spans(given))
        true.update(kind for kind, _, _ in expected)
        found.update(kind for kind, _, _ in predicted)
        right.update(kind for kind, _, _ in expected & predicted)
    by_class = {
        kind: _rates(right[kind], found[kind], true[kind]) | {"count": true[kind]}
        for kind in sorted(true | found)
    }
    return _rates(right.total(), found.total(), true.total()) | {"by_class": by_class}


def _rates(right: int, found: int, true: int) -> dict[str, float]:
    precision, recall = right / max(found, 1), right / max(true, 1)
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2 * right / max(found + true, 1),
    }
