"""What a person sees in the terminal: progress, tables, panels.

Notes and progress go to stderr, results to stdout, so that output can be piped.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

notes = Console(stderr=True, highlight=False)
results = Console(highlight=False)


class FitDisplay:
    """Shows a fit: a bar with the running metrics in a terminal, a line an epoch elsewhere.

    Args:
        epochs: int. Epochs in all.
        steps: int. Steps in an epoch.
    """

    REFRESH_SECONDS = 0.1

    def __init__(self, epochs: int, steps: int):
        self.epochs, self.steps = epochs, steps
        self.drawn = 0.0
        self.progress = None
        if notes.is_terminal:
            self.progress = Progress(
                TextColumn("[bold]{task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TextColumn("{task.fields[metrics]}"),
                TimeRemainingColumn(),
                console=notes,
                transient=True,
            )
            self.bar = self.progress.add_task("", total=epochs * steps, metrics="")

    def __enter__(self):
        if self.progress:
            self.progress.start()
        return self

    def __exit__(self, *error):
        if self.progress:
            self.progress.stop()

    def batch(self, epoch: int, step: int, logs: Mapping[str, float]) -> None:
        """Show the running metrics, some times a second."""
        now = time.monotonic()
        if self.progress and now - self.drawn > self.REFRESH_SECONDS:
            self.drawn = now
            self.progress.update(
                self.bar,
                description=f"epoch {epoch + 1}/{self.epochs}",
                completed=epoch * self.steps + step,
                metrics=format_metrics(logs),
            )

    def epoch(self, row: Mapping[str, float], improved: bool) -> None:
        """Print the metrics of a finished epoch; a star marks the best so far."""
        star = " [green]*[/]" if improved else ""
        metrics = {name: value for name, value in row.items() if name != "epoch"}
        notes.print(f"epoch {row['epoch']:>3}/{self.epochs}  {format_metrics(metrics)}{star}")


def format_metrics(metrics: Mapping[str, float]) -> str:
    """Return metrics as one line; the learning rate is left to the report."""
    return "  ".join(
        f"{name} {value:.4g}" if abs(value) >= 1000 or 0 < abs(value) < 0.001 else
        f"{name} {value:.4f}"
        for name, value in metrics.items()
        if name != "learning_rate"
    )  # fmt: skip


def metrics_table(by_split: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return one column a split, one row a metric."""
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for split in by_split:
        table.add_column(split, justify="right")
    names = dict.fromkeys(name for metrics in by_split.values() for name in metrics)
    for name in names:
        values = [metrics.get(name) for metrics in by_split.values()]
        if not any(isinstance(value, Mapping) for value in values):
            table.add_row(name, *("" if v is None else f"{v:.4f}" for v in values))
    return table


def breakdown_table(split: str, name: str, parts: Mapping[str, Mapping[str, float]]) -> Table:
    """Return one row for each class or target of a split."""
    table = Table(title=f"{split}, {name.replace('_', ' ')}", box=None, title_justify="left")
    columns = list(next(iter(parts.values())))
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right")
    for part, values in parts.items():
        cells = [f"{v:.4f}" if isinstance(v, float) else str(v) for v in values.values()]
        table.add_row(part, *cells)
    return table


def records_table(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Return plain records as a table; nested values are left to CSV and JSON."""
    rows = list(rows)
    names = [name for name, value in rows[0].items() if not isinstance(value, Mapping)]
    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(name)
    for row in rows:
        cells = [row.get(name) for name in names]
        table.add_row(*(f"{c:.4f}" if isinstance(c, float) else str(c) for c in cells))
    return table


def closing_panel(folder: str, metrics: Mapping[str, Mapping[str, Any]], next_: list[str]) -> Panel:
    """Return the end of a fit: results, and the commands to type next."""
    from rich.console import Group
    from rich.text import Text

    commands = Text("\n" + "\n".join(next_), style="cyan")
    return Panel(
        Group(metrics_table(metrics), commands), title=folder, title_align="left", expand=False
    )
