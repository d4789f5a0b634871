import io
import re

import pytest
from rich.progress import Progress
from rich.text import Text

from threefold.reporting import console
from threefold.reporting.numbers import format_number


@pytest.fixture
def terminal(monkeypatch):
    """Make both consoles terminals of 80 columns; return what was written to them."""
    written = io.StringIO()
    monkeypatch.setenv("TERM", "xterm-256color")  # "dumb" ones get no bar
    for name in ("notes", "results"):
        known = getattr(console, name)
        monkeypatch.setattr(known, "_file", written)
        monkeypatch.setattr(known, "_force_terminal", True)
        monkeypatch.setattr(known, "is_interactive", True)
        monkeypatch.setattr(known, "_width", 80)
        monkeypatch.setattr(known, "_height", 24)
    return written


def fit(epochs=3, steps=4):
    with console.FitDisplay(epochs, steps) as display:
        display.REFRESH_SECONDS = 0
        for epoch in range(epochs):
            for step in range(1, steps + 1):
                display.batch(epoch, step, {"accuracy": 0.5, "loss": 1.25 / (epoch + 1)})
            row = {"epoch": epoch + 1, "accuracy": 0.9, "loss": 12.5 / (epoch + 1)}
            row |= {"val_accuracy": 0.8, "val_loss": 100.0 if epoch else 0.00012}
            display.epoch(row | {"learning_rate": 0.1}, improved=epoch == 0)


def test_an_epoch_is_one_line_where_there_is_no_terminal(capsys):
    fit(epochs=120, steps=1)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 121
    assert lines[0].split() == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "best"]
    assert lines[1].split() == ["1/120", "12.500", "0.9000", "1.20e-04", "0.8000", "*"]
    assert lines[2].split() == ["2/120", "6.2500", "0.9000", "100.00", "0.8000"]


def test_numbers_stand_under_their_names(capsys):
    fit(epochs=12)
    heads, *lines = capsys.readouterr().err.splitlines()
    ends = [match.end() for match in re.finditer(r"\S+", heads)][:-1]
    for line in lines:
        assert [match.end() for match in re.finditer(r"[^\s*]+", line)] == ends


def test_a_terminal_shows_a_bar_that_goes_away(terminal, capsys):
    fit(epochs=2)
    text = terminal.getvalue()
    assert capsys.readouterr().err == ""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert "epoch 2/2" in plain and "100%" in plain and "left" in plain
    assert "loss 0.6250  accuracy 0.5000" in plain
    assert "  2/2    6.2500" in plain
    assert text.rindex("\x1b[2K") > text.rindex("left")  # the bar's line is erased


def test_the_bar_fits_eighty_columns(terminal):
    with console.FitDisplay(300, 10_000) as display:
        display.batch(122, 10, {"accuracy": 0.123456, "loss": 1.25})
        (line,) = terminal_lines(display.progress)
    assert len(line) <= 80 and line.rstrip().endswith("left") and "accuracy 0.1235" in line


def terminal_lines(progress: Progress) -> list[str]:
    lines = console.notes.render_lines(progress.get_renderable(), pad=False)
    return ["".join(segment.text for segment in line) for line in lines]


def test_long_lines_are_not_wrapped_in_a_pipe(capsys):
    path = "a long name/" * 30 + "x.png"
    console.notes.print(path)
    console.results.print(console.records_table([{"input": path, "label": "cat", "p": 0.5}]))
    out, err = capsys.readouterr()
    assert err.splitlines() == [path]
    assert out.splitlines()[1].split("  ")[0] == path
    assert max(map(len, out.splitlines())) < len(path) + 40  # and nothing is padded to the moon


def test_names_with_brackets_are_shown_as_they_are(capsys):
    name = "[bold]x[/] [red]"
    console.results.print(console.records_table([{"input": name, "label": name}]))
    console.results.print(console.breakdown_table(name, "by_class", {name: {"f1": 0.5}}))
    console.results.print(console.metrics_table({name: {name: 0.5}}))
    console.results.print(console.closing_panel(name, {"test": {"f1": 0.5}}, [name]))
    assert capsys.readouterr().out.count(name) == 8


def test_tables_hold_the_numbers(capsys):
    metrics = {
        "validation": {"accuracy": 0.98765, "by_class": {"a": {"f1": 1.0}}},
        "test": {"accuracy": 0.5, "r2": -0.25},
    }
    console.results.print(console.metrics_table(metrics))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["validation", "test"], ["accuracy", "0.9877", "0.5000"], ["r2", "-0.2500"]]


def test_of_many_classes_the_worst_are_shown(capsys):
    parts = {f"c{i}": {"f1": i / 100, "count": 10} for i in range(100)}
    parts["absent"] = {"f1": 0.0, "count": 0}
    console.results.print(console.breakdown_table("test", "by_class", parts))
    _, head, _, *lines = capsys.readouterr().out.splitlines()
    assert "the worst 30 of 101" in head
    assert [line.split()[0] for line in lines] == [f"c{i}" for i in range(30)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.98765, "0.9877"), (1.0, "1.0000"), (0.0, "0.0000"), (12.3456, "12.346"),
        (-123.456, "-123.46"), (53210.1, "53210"), (1234567.0, "1.23e+06"), (1.234e-5, "1.23e-05"),
        (1234, "1,234"), (float("nan"), "nan"), (float("inf"), "inf"),
    ],
)  # fmt: skip
def test_numbers(value, text):
    assert format_number(value) == text


@pytest.mark.parametrize("text", ["\x1b[31m", "\x1b]0;t\x07", "\x9b31m", "\u202e", "\udce9"])
def test_nothing_that_is_printed_steers_the_terminal(capsys, text):
    for print_ in (console.notes.print, console.results.print):
        print_(f"a{text}b")
        print_(Text(f"[a{text}b"))
        print_(console.records_table([{f"a{text}b": f"a{text}b"}]))
        print_(console.breakdown_table("test", "by_class", {f"a{text}b": {"f1": 0.5}}))
        print_(console.closing_panel(f"a{text}b", {"test": {"f1": 0.5}}, [f"a{text}b"]))
    for out in capsys.readouterr():
        assert text not in out and out.count("a\\") >= 6
        assert all(char.isprintable() or char == "\n" for char in out)


def test_an_interval_stands_beside_its_metric():
    found = {"precision": 0.75, "images": 90, "intervals": {"precision": {"low": 0.5, "high": 1}}}
    table = console.metrics_table({"test": found, "all": {"precision": 0.5, "images": 99}})
    assert [cell.plain for cell in table.columns[0]._cells] == ["precision", "images"]
    assert [cell.plain for cell in table.columns[1]._cells] == ["0.7500 (0.5000 to 1)", "90"]
    assert [cell.plain for cell in table.columns[2]._cells] == ["0.5000", "99"]
