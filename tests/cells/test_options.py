"""Every option of every blueprint changes the model, or is refused in one line."""

import re
from typing import Literal, get_args, get_origin

import pytest

from threefold.core.errors import UserError
from threefold.core.options import Option

# Options are read the same way everywhere: one backend is enough.
pytestmark = [pytest.mark.each_backend, pytest.mark.variant]


def test_every_option_is_honoured_or_refused(cell):
    """A value changes the model, or is refused in one line; none is ignored."""
    default = schema(cell.build())
    for name, option in cell.options.items():
        same = []
        for value in other_values(option):
            if value == cell.cell.options.get(name):
                continue
            try:
                model = cell.build(**{name: value})
            except UserError as error:
                assert not option.choices, f"{name}={value}: {error}"
                assert_one_line(error, name)
            else:
                same += [value] if schema(model) == default else []
        # What follows from others where it is not given is then one of the words.
        follows = option.choices and option.default is None
        assert len(same) <= bool(follows), f"{name}={', '.join(same)} changes nothing"


def test_a_value_that_does_not_fit_names_the_option_and_what_it_takes(cell):
    for name, option in cell.options.items():
        for value, expected in bad_values(option):
            with pytest.raises(UserError) as error:
                cell.build(**{name: value})
            assert_one_line(error.value, f"{name}={value}", expected)


def test_an_unknown_option_suggests_the_closest(cell):
    for name in cell.options:
        with pytest.raises(UserError, match=f"'{name}_'; did you mean '{name}'"):
            cell.build(**{f"{name}_": "1"})


def schema(model) -> str:
    """Return all that a model is made of, but for the random seeds."""
    layers = [(layer.name, type(layer).__name__, layer.get_config()) for layer in model.layers]
    shapes = [weight.shape for weight in model.weights]
    adversarial_config = getattr(
        model, "adversarial_config", None
    )  # of a model that is not trained by one loss
    return re.sub(r"'seed': \d+", "", repr((layers, shapes, adversarial_config)))


def other_values(option: Option) -> list[str]:
    """Return values that differ from the default, as they are typed."""
    kinds = kinds_of(option)
    if option.choices:
        default = "none" if option.default is None else str(option.default)
        return [word for word in option.choices if word != default]
    if bool in kinds:
        return [str(not option.default).lower()]
    if tuple in kinds and words_of(option):
        return [",".join(words) for words in (words_of(option)[:1], words_of(option)[1:])]
    if tuple in kinds:
        return ["3", "3,5,2"]
    if int in kinds:
        default = option.default or 0  # of those that are off, or follow from others
        return [str(default + 1), str(default + 6)]
    if float in kinds:
        return ["0.37"]
    return []  # a word of any kind, such as a preset's name: its own file tests it


def bad_values(option: Option) -> list[tuple[str, str]]:
    """Return values that cannot be, each with a part of the message that is wanted."""
    kinds = kinds_of(option)
    if option.choices:
        return [(f"{option.choices[0]}x", f"did you mean '{option.choices[0]}'")]
    if tuple in kinds and words_of(option):
        return [("3,x", f"'{words_of(option)[0]}'")]
    if tuple in kinds:
        return [("3,x", "integer"), ("0", "greater than")]
    if int in kinds:
        least = "-1" if option.default == 0 else "0"
        return [("many", "integer"), ("1.5", "integer"), (least, "greater than")]
    if float in kinds:
        return [("much", "number"), ("nan", "number"), ("-0.1", "greater than")]
    return []


def words_of(option: Option) -> list[str]:
    """Return the words that an option's list may hold."""
    member = get_args(option.annotation)[0]
    return list(get_args(member)) if get_origin(member) is Literal else []


def kinds_of(option: Option) -> set[type]:
    """Return the plain types of an annotation."""
    found, left = set(), [option.annotation]
    while left:
        annotation = left.pop()
        origin = get_origin(annotation)
        if origin is Literal:
            continue
        if origin in (tuple, list):
            found.add(tuple)
        elif origin is None:
            found.add(annotation)
        else:
            parts = get_args(annotation)
            left += [part for part in parts if isinstance(part, type) or get_origin(part)]
    return found


def assert_one_line(error: Exception, *words: str) -> None:
    text = str(error)
    assert "\n" not in text and len(text) < 400, text
    for word in words:
        assert word in text, f"'{word}' is not in: {text}"
