"""Series of a user's own: `.ts` files; and the bundled ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threefold.core.errors import UserError
from threefold.datasets import loading
from threefold.datasets.bundled.cylinder_bell_funnel import MAX_LENGTH, SHORTEST
from threefold.datasets.inference_inputs import read_inputs

HEAD = "# a remark\n@problemName small\n@classLabel true a b\n@data\n"


def write(folder, text, name="series.ts"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def rows(count, label="a"):
    return "".join(f"{n},{n + 1},{n + 2}:{label}\n" for n in range(count))


def test_series_keep_their_lengths_channels_and_missing_values(tmp_path):
    text = HEAD + "1,2,?:4,5,6:a\n" + "7,8:9,10:b\n" * 9
    data = loading.load(write(tmp_path, text), {"validation_fraction": "0", "test_fraction": "0"})
    examples = data.splits["train"][np.arange(2)]
    np.testing.assert_array_equal(examples["values"][0], [[1, 4], [2, 5], [np.nan, 6]])
    np.testing.assert_array_equal(examples["values"][1], [[7, 9], [8, 10]])
    assert data.facts.class_names == ("a", "b") and list(examples["label"]) == [0, 1]
    assert [column.name for column in data.facts.channels] == ["channel_1", "channel_2"]
    assert data.facts.max_length == 3
    # A missing value counts for nothing in the statistics.
    assert data.facts.channels[0].mean == pytest.approx((1 + 2 + 9 * 15) / 20)


def test_words_of_the_head_are_of_any_case_and_comments_stand_anywhere(tmp_path):
    head = "% a study\n  # of two\n@ProblemName x % y\n@CLASSLABEL True a b # 2\n\t% z\n@DATA %\n"
    body = (
        "  # first\n" + rows(6) + "% second\n" + rows(5, "b") + "7,8,9:b  # odd\n7,8,9:b\t% odd\n"
    )
    data = loading.load(write(tmp_path, head + body))
    assert data.facts.class_names == ("a", "b")
    assert sum(map(len, data.splits.values())) == 13


def test_a_pair_of_files_is_train_and_test(tmp_path):
    write(tmp_path, HEAD + rows(6) + rows(6, "b"), "Name_TRAIN.ts")
    test = write(tmp_path, HEAD + rows(2) + rows(3, "b"), "Name_TEST.ts")
    sizes = {name: len(split) for name, split in loading.load(test).splits.items()}
    assert sizes == {"train": 10, "validation": 2, "test": 5}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("@data\n1,2:a\n1,x:b\n", "line 3: 'x' is not a number"),
        ("@data\n1,2:a\n1,inf:b\n", "line 3: a value is infinite"),
        ("@data\n1,2:3:a\n", "line 2: the channels are of different lengths"),
        ("@data\n1,2:a\n1,2:3,4:b\n", "line 3: 2 channels; expected 1"),
        ("@data\n1,2\n", "line 2: expected channels and a class"),
        ("@data\n1,2:\n", "line 2: expected channels and a class"),
        ("@data\n\n", "holds no series after @data"),
        ("1,2:a\n", "line 1: expected a line that begins with @"),
        ("@problemName x\n", "has no line @data"),
        ("@timestamps true\n@data\n1:a\n", "line 1: series with time stamps"),
        ("@classLabel false\n@data\n1,2\n", "its series have no class: nothing to learn"),
        ("@targetLabel false\n@data\n1,2\n", "its series have no class: nothing to learn"),
        ("@TargetLabel TRUE\n@data\n1,2:0.5\n", "line 1: '@targetLabel true' gives each series a"),
        ("@data\n1,2:a\n3,4:a\n", "all of one class, 'a'"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(tmp_path, text, said):
    with pytest.raises(UserError, match=said.replace("(", "\\(")):
        loading.load(write(tmp_path, text))


def test_series_to_be_classified_need_no_class(tmp_path):
    facts = loading.load(write(tmp_path, HEAD + rows(9) + rows(9, "b"))).facts
    bare = write(tmp_path, "@classLabel false\n@data\n1,2\n\n5,6,7\n", "bare.ts")
    wide = write(tmp_path, "@classLabel false\n@data\n1,2:3,4\n", "wide.ts")
    first, second = read_inputs([bare, wide], facts, None, 8)
    assert first.names == [f"{bare} line 3", f"{bare} line 5"]
    assert [series[:, 0].tolist() for series in first.examples["values"]] == [[1, 2], [5, 6, 7]]
    assert "has 2 channels; the run was fitted on 1" in str(second.errors[0])


def test_the_class_of_other_data_must_be_one_of_the_run(tmp_path):
    facts = loading.load(write(tmp_path, HEAD + rows(9) + rows(9, "b"))).facts
    other = write(tmp_path, HEAD + rows(9) + rows(9, "c"), "other.ts")
    with pytest.raises(UserError, match="line 14: the class 'c' is not one of the run's"):
        loading.load(other, facts=facts)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.tuples(
            st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=9),
            st.sampled_from("ab"),
        ),
        min_size=2,
        max_size=20,
    ).filter(lambda rows: {label for _, label in rows} == {"a", "b"})
)
def test_what_is_written_is_read_back(tmp_path_factory, series):
    lines = [",".join(map(repr, values)) + ":" + label for values, label in series]
    path = write(tmp_path_factory.mktemp("ts"), "@data\n" + "\n".join(lines))
    data = loading.load(path, {"validation_fraction": "0", "test_fraction": "0"})
    found = data.splits["train"][np.arange(len(series))]
    for (values, label), read, number in zip(series, found["values"], found["label"], strict=True):
        np.testing.assert_array_equal(read[:, 0], np.array(values, np.float32))
        assert "ab"[number] == label


def test_the_bundled_series_are_of_many_lengths_and_the_shapes_that_they_are_named_after():
    data = loading.load("cylinder_bell_funnel", {"noise": "0"})
    whole = [split[np.arange(len(split))] for split in data.splits.values()]
    lengths = {len(series) for part in whole for series in part["values"]}
    assert min(lengths) >= SHORTEST and max(lengths) <= MAX_LENGTH and len(lengths) > 30
    for part in whole:
        for series, label in zip(part["values"], part["label"], strict=True):
            inside = series[:, 0][series[:, 0] != 0]
            slope = np.sign(np.round(np.diff(inside).mean(), 6))
            assert {"bell": 1, "cylinder": 0, "funnel": -1}[data.facts.class_names[label]] == slope
