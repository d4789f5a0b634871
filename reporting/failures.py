"""What went wrong, in one line."""

import click

from threefold.reporting.console import notes


def explain(error: Exception) -> int:
    """Say what went wrong in one line; return the exit code."""
    text = error.format_message() if isinstance(error, click.ClickException) else str(error)
    text = " ".join(text.split()) or type(error).__name__
    if isinstance(error, click.UsageError) and error.ctx:
        text += f" ({error.ctx.command_path} --help)"
    elif not hasattr(error, "exit_code") and not isinstance(error, OSError):
        text = f"{type(error).__name__}: {text} (threefold --debug ... shows where)"
    notes.print(f"[red]error:[/] {_escape(text)}", soft_wrap=True)
    return getattr(error, "exit_code", 1)


def warn(message, category, filename, lineno, file=None, line=None) -> None:
    """Say a warning in one line; where in the code it arose helps nobody."""
    text = " ".join(str(message).split())
    notes.print(f"[yellow]warning:[/] {_escape(text)}", soft_wrap=True)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)
