"""What a person sees in the terminal: progress, tables, panels.

Notes and progress go to stderr, results to stdout, so that output can be piped.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import (
    Console,
    ConsoleDimensions,
    ConsoleOptions,
    ConsoleRenderable,
    Group,
    RenderHook,
    RenderResult,
)
from rich.panel import Panel
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from threefold.core.visible import visible
from threefold.reporting.numbers import format_number

PARTS_SHOWN = 30  # classes or targets in a terminal; the report has them all


class _Console(Console):
    """A console that wraps nothing where no terminal sets a width: in files and pipes.

    So nothing that fills the whole width (a rule, a panel that expands) may be printed there.
    """

    ENDLESS = 100_000

    @property
    def size(self) -> ConsoleDimensions:
        """The terminal's size."""
        known = super().size
        return known if self.is_terminal else ConsoleDimensions(self.ENDLESS, known.height)


class _ShowAsText(RenderHook):
    """Writes out what would steer the terminal, in whatever is printed."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Return what is printed, each part with its characters visible."""
        return [_Visible(one) for one in renderables]


class _Visible:
    def __init__(self, inner: ConsoleRenderable):
        self.inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for part in console.render(self.inner, options):
            yield part if part.control else Segment(visible(part.text), part.style)


notes = _Console(stderr=True, highlight=False)
results = _Console(highlight=False)
for _console in (notes, results):
    _console.push_render_hook(_ShowAsText())


class FitDisplay:
    """Shows a fit: a row of metrics an epoch and, in a terminal, a bar with the running ones.

    Args:
        epochs: int. Epochs in all.
        steps: int. Steps in an epoch.
    """

    REFRESH_SECONDS = 0.1
    NUMBER_WIDTH = 8

    def __init__(self, epochs: int, steps: int):
        self.epochs, self.steps = epochs, steps
        self.plotted_at = 0.0
        self.headed = False
        self.progress = None
        if notes.is_terminal:
            self.progress = Progress(
                TextColumn("epoch {task.fields[shown]}"),
                BarColumn(bar_width=16),
                TaskProgressColumn(),
                TextColumn("{task.fields[metrics]}"),
                TimeRemainingColumn(compact=True),
                TextColumn("left"),
                console=notes,
                transient=True,
            )
            self.bar = self.progress.add_task(
                "", total=epochs * steps, shown=f"1/{epochs}", metrics=""
            )

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
        if self.progress and now - self.plotted_at > self.REFRESH_SECONDS:
            self.plotted_at = now
            running = (f"{name} {format_number(float(logs[name]))}" for name in _order(logs))
            self.progress.update(
                self.bar,
                shown=f"{epoch + 1}/{self.epochs}",
                completed=epoch * self.steps + step,
                metrics="  ".join(running),
            )

    def epoch(self, row: Mapping[str, float], improved: bool) -> None:
        """Print the metrics of a finished epoch; a star marks the best so far."""
        names = _order(row)
        widths = [max(len(name), self.NUMBER_WIDTH) for name in names]
        count = len(f"{self.epochs}/{self.epochs}")
        if not self.headed:
            self.headed = True
            heads = [name.rjust(width) for name, width in zip(names, widths, strict=True)]
            notes.print(Text("  ".join(["epoch".rjust(max(5, count)), *heads, "best"]), "bold"))
        cells = [
            format_number(float(row[name])).rjust(width)
            for name, width in zip(names, widths, strict=True)
        ]
        place = f"{row['epoch']:.0f}/{self.epochs}".rjust(max(5, count))
        star = ["[green]*[/]"] if improved else []
        notes.print("  ".join([place, *cells, *star]))


def _order(metrics: Mapping[str, float]) -> list[str]:
    """Return the metrics' names, losses first; the learning rate is left to the report."""
    names = [name for name in metrics if name not in ("epoch", "learning_rate")]
    return sorted(names, key=lambda name: (name.startswith("val_"), not name.endswith("loss")))


def metrics_table(by_split: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return one column a split, one row a metric, with its interval where it has one."""
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for split in by_split:
        table.add_column(Text(split), justify="right")
    names = dict.fromkeys(name for metrics in by_split.values() for name in metrics)
    for name in names:
        values = [metrics.get(name) for metrics in by_split.values()]
        if not any(isinstance(value, Mapping) for value in values):
            bounds = [m.get("intervals", {}).get(name) for m in by_split.values()]
            table.add_row(Text(name), *map(_cell, values, bounds))
    return table


def breakdown_table(split: str, name: str, parts: Mapping[str, Mapping[str, float]]) -> Group:
    """Return one row for each class or target of a split; of many, those that did worst."""
    title = f"{split}, {name.replace('_', ' ')}"
    rows = list(parts.items())
    columns = list(rows[0][1])
    if len(rows) > PARTS_SHOWN:
        rows = _worst(rows)
        title += f": the worst {PARTS_SHOWN} of {len(parts):,}, the report has all"
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for column in columns:
        table.add_column(Text(column), justify="right")
    for part, values in rows:
        table.add_row(_cell(part), *(_cell(values.get(column)) for column in columns))
    return Group(Text(f"\n{title}", "bold"), table)  # a table's own title breaks at its width


def _worst(rows: list[tuple[str, Mapping[str, float]]]) -> list[tuple[str, Mapping[str, float]]]:
    """Return the classes of lowest f1 that the split holds, or the targets of lowest R²."""
    held = [row for row in rows if row[1].get("count", 1)]
    return sorted(held, key=lambda row: row[1].get("f1", row[1].get("r2", 0)))[:PARTS_SHOWN]


def records_table(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Return plain records as a table; nested values are left to CSV and JSON."""
    rows = list(rows)
    # A row of a blank line has no values, from which to see what a column holds.
    first = min(rows, key=lambda row: sum(value is None for value in row.values()) / len(row))
    names = [name for name, value in first.items() if not isinstance(value, Mapping)]
    table = Table(box=None, pad_edge=False)
    for name in names:
        number = isinstance(first[name], int | float)
        table.add_column(_cell(name), justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in names))
    return table


def closing_panel(
    folder: str,
    metrics: Mapping[str, Mapping[str, Any]],
    next_: Sequence[str],
    remarks: Sequence[str] = (),
) -> Panel:
    """Return the end of a fit: results, remarks on it, and the commands to type next."""
    commands = Text("\n" + "\n".join(next_), style="cyan")
    said = [Text("\n" + "\n".join(remarks), style="yellow")] if remarks else []
    return Panel(
        Group(metrics_table(metrics), *said, commands),
        title=Text(folder),
        title_align="left",
        expand=False,
    )


def _cell(value: Any, bounds: Mapping[str, float] | None = None) -> Text:
    """Return a cell that rich shows as it is, brackets and all."""
    if value is None:
        return Text("")
    if bounds:
        low, high = (format_number(bounds[end]) for end in ("low", "high"))
        return Text(f"{format_number(value)} ({low} to {high})")
    return Text(format_number(value) if isinstance(value, int | float) else visible(str(value)))


def predict_command(task: str, folder: Path | str, part: str | None = None) -> str:
    """Return what one types to ask a model of a task, or a part of it that was exported alone."""
    from threefold.tasks.task import find_task  # and NumPy with it, which errors do without

    if find_task(task).generates == "images" and part != "discriminator":
        return f"threefold generate {folder} --count 64 --output grid.png"
    return f"threefold predict {folder} INPUT..."
