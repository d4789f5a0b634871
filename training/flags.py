"""Options that several commands share, and how they are read; nothing here imports Keras."""

import rich_click as click


class KeyValue(click.ParamType):
    """A word of the form KEY=VALUE."""

    name = "key=value"

    def convert(self, value, param, ctx):
        """Return the key and the value."""
        key, equals, rest = value.partition("=")
        if not equals or not key.strip():
            self.fail(f"expected KEY=VALUE, got '{value}'", param, ctx)
        return key.strip(), rest


class SettingsCommand(click.RichCommand):
    """A command with one option for each training setting, after the options called `-o`.

    They are made when somebody first looks at them: what defines and checks them takes longer to
    import than all that the help of the other commands needs.
    """

    @property
    def params(self) -> list[click.Parameter]:
        """All parameters, in the order of the help; one list, to which click adds its own."""
        if self._waiting:
            self._waiting = False
            place = 1 + [parameter.name for parameter in self._all].index("options")
            self._all[place:place] = _settings_options()
        return self._all

    @params.setter
    def params(self, own: list[click.Parameter]) -> None:
        self._all, self._waiting = own, True


def _settings_options() -> list[click.Option]:
    from threefold.training.settings import TrainingSettings

    found = []
    for name, option in TrainingSettings.options().items():
        kind = click.Choice(option.choices) if option.choices else None
        shown = "" if option.default is None else f" [default: {option.default}]"
        flag = "--" + name.replace("_", "-")
        found.append(click.Option([flag, name], type=kind, help=option.help + shown))
    return found


def backend_option(function):
    """Add the option that chooses the backend."""
    return click.option(
        "--backend",
        metavar="NAME",
        help="tensorflow, jax or torch; KERAS_BACKEND says it too",
    )(function)


json_option = click.option("--json", "as_json", is_flag=True, help="print one JSON object")
tta_option = click.option(
    "--tta", is_flag=True, help="answer by the mean over images that are changed as in training"
)
raw_cells_option = click.option(
    "--raw-cells",
    is_flag=True,
    help="in a .csv, put no apostrophe before words that begin as formulas do",
)
