"""A function's signature is its configuration: its options, their types, defaults and help.

Blueprints and dataset loaders are plain functions. What a user may set (`-o filters=64,128`,
`-d image_size=96`) is read from their signatures and docstrings; nothing is written twice.
"""

import inspect
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

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
        found = [str(word) for member in members for word in get_args(member)]
        words = dict.fromkeys(found)  # of a union, each once
        return (*words, "none") if NoneType in members else tuple(words)


class OptionsOf(NamedTuple):
    """Says, in the annotation of `**name`, whose options a function passes on.

    Args:
        functions: tuple of function. An option that several have takes what any of them does.
        but: tuple of str. Options of theirs that are not passed on.

    Example:
        >>> def load(name, **reading: Annotated[Any, OptionsOf((read_table, read_texts))]): ...
    """

    functions: tuple[Callable, ...]
    but: tuple[str, ...] = ()


def options_of(function: Callable, *, reserved: tuple[str, ...] = ()) -> dict[str, Option]:
    """Read a function's options: the parameters with a default, less those in `reserved`.

    A parameter whose type is a dataclass stands for its fields: options that several functions
    share, defined and explained once. The default that it has in a function gives theirs.
    """
    written = _written(function)
    hints = get_type_hints(written, include_extras=True)
    helps = _helps(written)
    found: dict[str, Option] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        annotation, default = hints.get(name), parameter.default
        if parameter.kind is parameter.VAR_KEYWORD:
            for extra in get_args(annotation)[1:]:
                found |= _passed_on(extra, [*found, *reserved])
        elif default is parameter.empty or name in reserved:
            continue
        elif is_dataclass(annotation):
            found |= _options_of_group(annotation, default, helps)
        else:
            found[name] = Option(name, annotation, default, helps.get(name, ""))
    return found


def arguments_of(function: Callable, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a function's arguments for some of its options: those of a group put together.

    Args:
        function: function. As for `options_of`.
        options: mapping of str to value. Checked, from `check_options`.

    Returns:
        dict of str to value. To call the function with.
    """
    hints, arguments = get_type_hints(_written(function)), dict(options)
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.default is not parameter.empty and is_dataclass(hints.get(name)):
            own = [field.name for field in fields(hints[name]) if field.name in arguments]
            given = {field: arguments.pop(field) for field in own}
            arguments[name] = replace(parameter.default, **given)
    return arguments


def _written(function: Callable) -> Callable:
    return function.func if isinstance(function, partial) else function


def _helps(documented: Any) -> dict[str, str]:
    """Return what a docstring says of each parameter."""
    return {
        parameter.arg_name: (parameter.description or "").replace("\n", " ")
        for parameter in docstring_parser.parse(documented.__doc__ or "").params
    }


def _options_of_group(group: type, default: Any, helps: Mapping[str, str]) -> dict[str, Option]:
    """Return the fields of a dataclass as options; a function may explain one in its own words."""
    hints = get_type_hints(group, include_extras=True)
    for base in group.__mro__:
        helps = _helps(base) | helps
    return {
        field.name: Option(
            field.name, hints[field.name], getattr(default, field.name), helps.get(field.name, "")
        )
        for field in fields(group)
    }


def _passed_on(others: OptionsOf, taken: Sequence[str]) -> dict[str, Option]:
    """Return the options of other functions, without a default: it is theirs."""
    found: dict[str, Option] = {}
    for function in others.functions:
        for name, option in options_of(function).items():
            if name in taken or name in others.but:
                continue
            before = found.setdefault(name, replace(option, default=None))
            either = Union[before.annotation, option.annotation]  # noqa: UP007  types of run time
            found[name] = replace(before, annotation=either)
    return found


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
