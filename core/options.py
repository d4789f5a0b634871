"""A function's signature is its configuration: its options, their types, defaults and help.

Blueprints and dataset loaders are plain functions. What a user may set (`-o filters=64,128`,
`-d image_size=96`) is read from their signatures and docstrings; nothing is written twice.
"""

import inspect
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import docstring_parser
from pydantic import ConfigDict, TypeAdapter, ValidationError

from threefold.core.errors import UserError, suggest

# What options were once called, where the letters alone would not lead to the new name.
RENAMED = {
    "changes": "diff_augment",
    "joint": "shared_vocabulary",
    "known": "future_covariates",
    "max_length": "max_positions",
    "past": "past_covariates",
    "rate_ratio": "discriminator_lr_ratio",
    "season": "season_length",
    "shortcut": "skip_connection",
}


@dataclass(frozen=True)
class Option:
    """One parameter that has a default: something a user may set."""

    name: str
    annotation: Any
    default: Any
    help: str

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that the option takes, empty if it takes more than words."""
        members = _members(self.annotation)
        if not all(get_origin(member) is Literal or member is NoneType for member in members):
            return ()
        words = [str(word) for member in members for word in get_args(member)]
        return (*words, "none") if NoneType in members else tuple(words)


def options_of(function: Callable, *, reserved: tuple[str, ...] = ()) -> dict[str, Option]:
    """Read a function's options: the parameters with a default, less those in `reserved`."""
    written = function.func if isinstance(function, partial) else function
    hints = get_type_hints(written, include_extras=True)
    helps = {
        parameter.arg_name: (parameter.description or "").replace("\n", " ")
        for parameter in docstring_parser.parse(written.__doc__ or "").params
    }
    return {
        name: Option(name, hints[name], parameter.default, helps.get(name, ""))
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is not inspect.Parameter.empty and name not in reserved
    }


def check_options(
    options: Mapping[str, Option], given: Mapping[str, Any], *, flag: str, owner: str
) -> dict[str, Any]:
    """Check and convert what a user gave.

    Args:
        options: mapping of str to Option. What there is, from `options_of`.
        given: mapping of str to value. Text from the command line, or plain data from a file.
        flag: str. How the user gives one, for messages: `-o`, `-d`, or `--` for `--name`.
        owner: str. Whose options they are, for messages.

    Returns:
        dict of str to value. Only the options that were given, converted to their types.

    Raises:
        UserError: for an unknown option or a value that does not fit, with what was expected.
    """
    checked = {}
    for name, value in given.items():
        if name not in options:
            hint = suggest(name, options) if options else "; it takes none"
            if (renamed := RENAMED.get(name)) in options:
                hint = f"; did you mean '{renamed}'?"
            raise UserError(f"{owner} has no option '{_in_one_line(name)}'{hint}")
        checked[name] = _convert(options[name], value, flag)
    return checked


def as_typed(value: Any) -> str:
    """Return an option's value as one types it: `32,64`, `true`, `none`."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(map(as_typed, value))
    return str(value)


def _convert(option: Option, value: Any, flag: str) -> Any:
    adapter = TypeAdapter(
        option.annotation, config=ConfigDict(arbitrary_types_allowed=True, allow_inf_nan=False)
    )
    try:
        return adapter.validate_python(_parse(option, value) if isinstance(value, str) else value)
    except ValidationError as error:
        shown = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        # A union reports one failure for each of its members; the first is the main type's.
        reason = error.errors()[0]["msg"]
        hint = suggest(shown, option.choices) if option.choices else f": {reason}"
        shown = _in_one_line(shown)
        given = f"{flag} {option.name}={shown}"
        if flag == "--":  # an option of the command itself
            given = f"--{option.name.replace('_', '-')} {shown}"
        raise UserError(f"{given} does not fit{hint}") from None


def _parse(option: Option, text: str) -> Any:
    """Turn command-line text into what pydantic can take: a list where one is meant, or None."""
    members = _members(option.annotation)
    if NoneType in members and text.lower() == "none":
        return None
    for member in members:
        for word in get_args(member) if get_origin(member) is Literal else ():
            if str(word) == text:
                return word
    lists = [member for member in members if (get_origin(member) or member) in (tuple, list)]
    # `3` for an `int | tuple[int, int]` is the number, `3,` a list of one.
    if lists and ("," in text or set(members) <= {*lists, NoneType}):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _members(annotation: Any) -> list[Any]:
    """Return the types that an annotation allows, without what is said about them."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [member for part in get_args(annotation) for member in _members(part)]
    return [annotation]


def _in_one_line(text: str) -> str:
    return textwrap.shorten(text, 100, placeholder=" ...")
