import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field
from refusals import refused

from threefold.core.errors import UserError
from threefold.core.options import (
    RENAMED,
    Option,
    OptionsOf,
    arguments_of,
    check_options,
    options_of,
)

ROOT = Path(__file__).parents[2]


def build(
    shape,
    *,
    widths: tuple[int, ...] = (64, 64),
    rate: float = 0.1,
    count: int = 3,
    bounded: Annotated[float, Field(ge=0, lt=1)] = 0.5,
    kernel: int | tuple[int, int] = 3,
    shuffle: bool = True,
    activation: Literal["relu", "tanh"] = "relu",
    pooling: Literal["max", "average"] | None = None,
    size: Literal[1, 2] = 1,
    limit: Annotated[int | None, Field(ge=1)] = None,
    name: str = "x",
    columns: tuple[str, ...] = (),
):
    """Build a thing.

    Args:
        shape: tuple of int. Not an option.
        widths: tuple of int. Units of each layer,
            from the first to the last.
        rate: float. A rate.
    """


OPTIONS = options_of(build)


def check(**given):
    return check_options(OPTIONS, given, flag="-o", owner="blueprint 'thing'")


def test_options_are_the_parameters_with_a_default():
    assert "shape" not in OPTIONS
    assert OPTIONS["widths"].default == (64, 64)
    assert (
        OPTIONS["widths"].help == "tuple of int. Units of each layer, from the first to the last."
    )
    assert OPTIONS["count"].help == ""
    assert "rate" not in options_of(build, reserved=("rate",))


def test_choices_are_words():
    assert OPTIONS["activation"].choices == ("relu", "tanh")
    assert OPTIONS["pooling"].choices == ("max", "average", "none")
    assert OPTIONS["size"].choices == ("1", "2")
    assert OPTIONS["kernel"].choices == ()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("widths", "32, 16,8", (32, 16, 8)),
        ("widths", "32", (32,)),
        ("widths", "", ()),
        ("rate", "1e-3", 0.001),
        ("kernel", "5", 5),
        ("kernel", "5,3", (5, 3)),
        ("shuffle", "no", False),
        ("activation", "tanh", "tanh"),
        ("pooling", "None", None),
        ("pooling", "max", "max"),
        ("size", "2", 2),
        ("limit", "none", None),
        ("limit", "7", 7),
        ("name", "none", "none"),
        ("name", "a,b", "a,b"),
        ("columns", "price,sale date", ("price", "sale date")),
    ],
)
def test_text_is_converted(name, text, value):
    assert check(**{name: text}) == {name: value}


def test_plain_data_of_a_file_pass_as_they_are():
    data = {"widths": [1, 2], "kernel": [3, 3], "pooling": None, "shuffle": False}
    assert check(**data) == {"widths": (1, 2), "kernel": (3, 3), "pooling": None, "shuffle": False}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("wdiths", "3", ["blueprint 'thing' has no option 'wdiths'", "did you mean 'widths'?"]),
        ("widths", "3,x", ["-o widths=3,x does not fit", "integer"]),
        ("count", "2.5", ["-o count=2.5", "integer"]),
        ("rate", "nan", ["-o rate=nan", "finite"]),
        ("rate", "inf", ["finite"]),
        ("bounded", "1.5", ["-o bounded=1.5", "less than 1"]),
        ("shuffle", "maybe", ["-o shuffle=maybe", "boolean"]),
        ("activation", "tanhh", ["-o activation=tanhh", "did you mean 'tanh'?"]),
        ("activation", "zzz", ["there are: relu, tanh"]),
        ("activation", 5, ["there are: relu, tanh"]),
        ("size", "3", ["there are: 1, 2"]),
        ("limit", "0", ["greater than or equal to 1"]),
        ("kernel", "1,2,3", ["-o kernel=1,2,3 does not fit"]),
        ("count", "1\n2", ["-o count=1 2 does not fit"]),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(name, value, words):
    with refused() as error:
        check(**{name: value})
    for word in words:
        assert word in str(error.value)


def test_an_owner_without_options_says_so():
    with pytest.raises(UserError, match="takes none"):
        check_options({}, {"x": "1"}, flag="-d", owner="dataset 'd'")


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(OPTIONS)), st.text())
def test_any_text_is_taken_or_refused_in_one_line(name, text):
    try:
        check(**{name: text})
    except UserError as error:
        assert len(str(error).splitlines()) == 1


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_any_name_is_refused_in_one_line(name):
    if name not in OPTIONS:
        with pytest.raises(UserError) as error:
            check(**{name: "1"})
        assert len(str(error.value).splitlines()) == 1


@settings(max_examples=100, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "widths": st.lists(st.integers()).map(tuple),
            "rate": st.floats(allow_nan=False, allow_infinity=False),
            "count": st.integers(),
            "kernel": st.integers() | st.tuples(st.integers(), st.integers()),
            "shuffle": st.booleans(),
            "activation": st.sampled_from(["relu", "tanh"]),
            "pooling": st.sampled_from(["max", "average", None]),
            "limit": st.none() | st.integers(1),
        },
    )
)
def test_values_written_as_text_come_back(values):
    text = {
        name: ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        for name, value in values.items()
    }
    assert check(**text) == values
    assert check(**values) == values


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_an_option_that_was_renamed_is_found_by_its_old_name(old, new):
    known = {name: Option(name, int, 1, "") for name in ("zebra", new)}
    with pytest.raises(UserError, match=f"no option '{old}'; did you mean '{new}'"):
        check_options(known, {old: "1"}, flag="-o", owner="rnn")


def test_renamed_options_are_those_of_a_family_or_a_reader():
    found = set()
    for path in (*ROOT.glob("blueprints/*.py"), *ROOT.glob("datasets/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                found |= {argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)}
    assert set(RENAMED.values()) <= found


@dataclass(frozen=True)
class Fractions:
    """Shares.

    Args:
        test: float. Share for the test.
        seed: int. Which division.
    """

    test: Annotated[float, Field(ge=0, lt=1)] = 0.2
    seed: int = 0


@dataclass(frozen=True)
class NamedFractions(Fractions):
    """The same, with a name.

    Args:
        name: str. What it is called.
    """

    name: str = "x"


def read(path, *, size: int = 3, fractions: NamedFractions = NamedFractions(test=0.5)):  # noqa: B008
    """Read.

    Args:
        size: int. A size.
        seed: int. Of the files.
    """
    return path, size, fractions


def read_other(path, *, size: Literal["small"] = "small", speed: float = 1.0):
    """Read otherwise."""


def pass_on(
    path, *, size: int = 0, **rest: Annotated[Any, OptionsOf((read, read_other), ("name",))]
):
    """Read by another."""


def test_a_dataclass_stands_for_its_fields():
    found = options_of(read)
    assert list(found) == ["size", "test", "seed", "name"]
    assert found["test"].default == 0.5 and found["test"].help == "float. Share for the test."
    assert found["seed"].help == "int. Of the files."  # in the function's own words
    assert found["name"].help == "str. What it is called."
    checked = check_options(found, {"test": "0.25", "size": "4"}, flag="-d", owner="it")
    assert read("p", **arguments_of(read, checked)) == ("p", 4, NamedFractions(test=0.25))
    assert read("p", **arguments_of(read, {})) == ("p", 3, NamedFractions(test=0.5))
    with pytest.raises(UserError, match="-d test=2 does not fit"):
        check_options(found, {"test": "2"}, flag="-d", owner="it")


def test_options_of_others_are_passed_on_without_a_default():
    found = options_of(pass_on)
    assert list(found) == ["size", "test", "seed", "speed"]
    assert found["size"].default == 0 and found["test"].default is None
    both = OptionsOf((read, read_other))

    def any_size(**rest: Annotated[Any, both]):
        """Read."""

    size = options_of(any_size)
    assert check_options(size, {"size": "small"}, flag="-d", owner="it") == {"size": "small"}
    assert check_options(size, {"size": "7"}, flag="-d", owner="it") == {"size": 7}
