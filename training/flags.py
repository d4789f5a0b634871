"""Options that several commands share, and how they are read; nothing here imports Keras."""

import rich_click as click

from threefold.training.settings import TrainingSettings


class KeyValue(click.ParamType):
    """A word of the form KEY=VALUE."""

    name = "key=value"

    def convert(self, value, param, ctx):
        """Return the key and the value."""
        key, equals, rest = value.partition("=")
        if not equals or not key.strip():
            self.fail(f"expected KEY=VALUE, got '{value}'", param, ctx)
        return key.strip(), rest


def settings_options(function):
    """Add one option for each training setting; values are checked where they are defined."""
    for name, option in reversed(TrainingSettings.options().items()):
        kind = click.Choice(option.choices) if option.choices else None
        shown = "" if option.default is None else f" [default: {option.default}]"
        flag = "--" + name.replace("_", "-")
        function = click.option(
            flag, name, type=kind, default=None, help=option.help + shown, metavar=None
        )(function)
    return function


def backend_option(function):
    """Add the option that chooses the backend."""
    return click.option(
        "--backend",
        metavar="NAME",
        help="tensorflow, jax or torch; KERAS_BACKEND says it too",
    )(function)


json_option = click.option("--json", "as_json", is_flag=True, help="print one JSON object")
