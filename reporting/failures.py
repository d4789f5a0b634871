"""What went wrong, in one line; what prints it is imported when something did."""

import click


def explain(error: Exception) -> int:
    """Say what went wrong in one line; return the exit code."""
    text = error.format_message() if isinstance(error, click.ClickException) else str(error)
    text = " ".join(text.split()) or type(error).__name__
    if isinstance(error, click.UsageError) and error.ctx:
        text += f" ({error.ctx.command_path} --help)"
    elif not hasattr(error, "exit_code") and not isinstance(error, OSError):
        text = f"{type(error).__name__}: {text} (threefold --debug ... shows where)"
    _print("[red]error:[/]", text)
    return getattr(error, "exit_code", 1)


def warn(message, category, filename, lineno, file=None, line=None) -> None:
    """Say a warning in one line; where in the code it arose helps nobody."""
    _print("[yellow]warning:[/]", " ".join(str(message).split()))


def _print(kind: str, text: str) -> None:
    from rich.markup import escape

    from threefold.reporting.console import notes

    notes.print(f"{kind} {escape(text)}", soft_wrap=True)
