"""Names that a graph takes, whatever the columns of a table are called."""

import keyword
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from threefold.tasks.signature import Field, Output, Signature, plain_names

COLUMNS = st.lists(
    st.text(max_size=12) | st.sampled_from(["a", "A", "a_2", "a 2", "class", "self", "ä", "1"])
)


@settings(max_examples=300, deadline=None)
@given(names=COLUMNS, reserved=st.lists(st.sampled_from(["a", "B", "label_index"])))
def test_any_names_become_plain_ones_each_once(names, reserved):
    plain = plain_names(names, reserved)
    assert len(plain) == len(names)
    for name in plain:
        assert re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name)
        assert not keyword.iskeyword(name.lower()) and name.lower() != "self"
    # TensorFlow writes them in small letters, and file systems do not tell letters apart.
    lower = [name.lower() for name in plain]
    assert len(set(lower)) == len(lower)
    assert not set(lower) & {word.lower() for word in reserved}
    assert plain_names(names, reserved) == plain


@settings(max_examples=100, deadline=None)
@given(names=COLUMNS, more=COLUMNS)
def test_a_name_does_not_depend_on_the_columns_after_it(names, more):
    assert plain_names([*names, *more])[: len(names)] == plain_names(names)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("age", "age"),
        ("Size", "Size"),
        ("größe (cm)", "gr_e_cm"),
        ("  spaces  ", "spaces"),
        ("1st", "column_1st"),
        ("", "column"),
        ("日本", "column"),
        ("class", "column_class"),
        ("None", "column_None"),
        ("Self", "column_Self"),
        ("__init__", "init"),
    ],
)
def test_a_name_is_changed_as_little_as_can_be(name, plain):
    assert plain_names([name]) == [plain]


def test_names_that_fall_together_are_numbered():
    assert plain_names(["a b", "a-b", "A B", "a_b_2"]) == ["a_b", "a_b_2", "A_B_3", "a_b_2_2"]
    assert plain_names(["x", "column x"], ["X"]) == ["column_x", "column_x_2"]


def test_many_columns_are_named_at_once():
    names = plain_names(["column"] * 2000)
    assert names[-1] == "column_2000" and len(set(names)) == 2000


def test_a_signature_is_kept_as_json():
    signature = Signature(
        inputs=(
            Field(name="image", dtype="uint8", shape=("batch", "height", 3), meaning="x"),
            Field(name="w", dtype="string", shape=("batch",), meaning="", column="ü", words=("a",)),
        ),
        outputs=(
            Output(name="p", dtype="float32", shape=("batch", 2), meaning="z", limit=1e-5,
                   range=(0, 1), scale=(1.0, 2.0)),
        ),
    )  # fmt: skip
    assert Signature.model_validate_json(signature.model_dump_json()) == signature
    with pytest.raises(ValidationError):
        Field(name="x", dtype="complex64", shape=(), meaning="")
