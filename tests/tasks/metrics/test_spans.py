"""From tags to spans, and how well spans were found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threefold.tasks.metrics.spans import find_spans, score_spans

TAGS = ("O", "B-x", "I-x", "B-y", "I-y")


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("O O O", []),
        ("B-x I-x O B-y", [("x", 0, 2), ("y", 3, 4)]),
        ("B-x B-x I-x", [("x", 0, 1), ("x", 1, 3)]),
        # What continues nothing of its kind begins something.
        ("I-x I-x O I-y", [("x", 0, 2), ("y", 3, 4)]),
        ("B-x I-y I-y", [("x", 0, 1), ("y", 1, 3)]),
        ("", []),
    ],
)
def test_spans_begin_and_end_where_tags_say(tags, spans):
    assert find_spans(tags.split()) == spans


@given(st.lists(st.tuples(st.sampled_from("xy"), st.integers(1, 3), st.integers(1, 2))))
def test_spans_that_are_written_as_tags_are_found(parts):
    tags, spans = [], []
    for kind, length, gap in parts:
        spans.append((kind, len(tags), len(tags) + length))
        tags += [f"B-{kind}", *[f"I-{kind}"] * (length - 1), *["O"] * gap]
    assert find_spans(tags) == spans


@given(st.lists(st.lists(st.sampled_from(TAGS)), min_size=1))
def test_perfect_tags_score_one_where_there_are_spans(sentences):
    scores = score_spans([(tags, tags) for tags in sentences])
    assert scores["f1"] == (1.0 if any(map(find_spans, sentences)) else 0.0)


def test_a_span_counts_only_with_the_right_kind_beginning_and_end():
    true = "B-x I-x O B-y O B-x".split()
    found = "B-x O O B-y O B-y".split()
    scores = score_spans([(true, found)])
    assert (scores["precision"], scores["recall"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert scores["by_class"]["y"] == {
        "precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "count": 1,
    }  # fmt: skip
    assert scores["by_class"]["x"]["f1"] == 0
