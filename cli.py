"""The command line: each command parses its options and calls one function.

Nothing here imports Keras, NumPy or a backend at the top: the backend is chosen first, and help,
version, completion and wrong options answer at once.
"""

import json
import os
import sys
import warnings
from typing import Any

import rich_click as click
from click.exceptions import NoArgsIsHelpError

from threefold.datasets.errors import UserError
from threefold.training.settings import TrainingSettings

EXIT_FAILURE, EXIT_ABORTED = 1, 130


class KeyValue(click.ParamType):
    """A word of the form KEY=VALUE."""

    name = "key=value"

    def convert(self, value, param, ctx):
        """Return the key and the value."""
        key, equals, rest = value.partition("=")
        if not equals or not key.strip():
            self.fail(f"expected KEY=VALUE, got '{value}'", param, ctx)
        return key.strip(), rest


def _settings_options(function):
    """Add one option for each training setting; values are checked where they are defined."""
    for name, option in reversed(TrainingSettings.options().items()):
        kind = click.Choice(option.choices) if option.choices else None
        shown = "" if option.default is None else f" [default: {option.default}]"
        flag = "--" + name.replace("_", "-")
        function = click.option(
            flag, name, type=kind, default=None, help=option.help + shown, metavar=None
        )(function)
    return function


def _backend_option(function):
    return click.option(
        "--backend",
        metavar="NAME",
        help="tensorflow, jax or torch; KERAS_BACKEND says it too",
    )(function)


_json_option = click.option("--json", "as_json", is_flag=True, help="print one JSON object")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="threefold", prog_name="threefold")
@click.option("--debug", is_flag=True, help="show tracebacks")
def cli(debug: bool) -> None:
    """Keras 3 application templates: one blueprint, three backends, one command."""


@cli.command(options_metavar="[OPTIONS]")
@click.argument("blueprint", required=False)
@click.option("--task", metavar="NAME", help="what to learn, where the data allow several")
@click.option("--dataset", metavar="REF", help="a bundled name, a path, tfds:NAME or hf:NAME")
@click.option("-d", "data_options", type=KeyValue(), multiple=True, help="option of the dataset")
@click.option("--target", metavar="COLUMN", help="short for -d target=COLUMN")
@click.option("-o", "options", type=KeyValue(), multiple=True, help="option of the blueprint")
@_settings_options
@_backend_option
@click.option("--run", "folder", metavar="DIR", help="the run folder; runs/... by default")
@click.option("--resume", metavar="RUN", help="go on with a run that was cut")
@click.option("--init", metavar="RUN", help="start from the weights of another run")
@click.option("--again", metavar="RUN", help="repeat a run, with the options given here changed")
@_json_option
def fit(
    blueprint, task, dataset, data_options, target, options, backend, folder, resume, init, again,
    as_json, **settings,
):  # fmt: skip
    """Fit BLUEPRINT to data, and judge it.

    `threefold list` names the blueprints, `threefold show BLUEPRINT` their options.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    if sum(word is not None for word in (blueprint, resume, again)) != 1:
        raise click.UsageError("give one of: a blueprint, --resume RUN, --again RUN")
    parsed = TrainingSettings.parse(given)
    if blueprint is not None:
        from threefold.training.building import check_blueprint

        check_blueprint(blueprint)
    data_options = dict(data_options) | ({"target": target} if target else {})
    _choose_backend(backend, resume or again)
    from threefold.training import fit as fitting

    if resume is not None:
        changes = {**given, **data_options, **dict(options)}
        if changes.keys() - {"epochs"} or task or dataset or init or folder:
            raise UserError("--resume goes on as the run was begun; only --epochs may be given")
        fitted = fitting.resume(resume, parsed.epochs, _announce)
    else:
        wanted = fitting.Command(
            blueprint, task, dataset, data_options, dict(options), parsed, folder, init
        )
        if again is not None:
            wanted = fitting.repeat(again, wanted)
        fitted = fitting.start(wanted, _announce)
    _close(fitted, as_json)


def _choose_backend(asked: str | None, run: str | None) -> str:
    """Choose the backend: the option, then KERAS_BACKEND, then that of the run at hand."""
    from threefold.training.backend import choose_backend

    if asked is None and run is not None and not os.environ.get("KERAS_BACKEND"):
        from threefold.training.run import open_run

        asked = open_run(run).record.backend
    return choose_backend(asked)


def _announce(run, dataset, model):
    """Say what is fitted to what; return the display to fit under."""
    from threefold.reporting.console import FitDisplay, notes

    record = run.record
    sizes = ", ".join(f"{len(source):,} {name}" for name, source in dataset.splits.items())
    reference, described = _escape(record.dataset.reference), _escape(dataset.facts.describe())
    notes.print(f"[bold]{reference}[/]: {described}; {sizes}")
    for note in dataset.notes:
        notes.print(f"  [dim]{_escape(note)}[/]")
    notes.print(
        f"[bold]{record.blueprint}[/]: {model.count_params():,} parameters, {record.backend} on "
        f"{record.device}; run folder {_escape(str(run.folder))}"
    )
    settings = record.settings
    steps = -(-len(dataset.splits["train"]) // settings.batch_size)
    return FitDisplay(settings.epochs, steps)


def _close(fitted, as_json: bool) -> None:
    """Write the report; print the results and what to type next."""
    from threefold.reporting.console import closing_panel, results

    run, record = fitted.run, fitted.run.record
    metrics = {found.split: found.metrics for found in fitted.evaluations}
    history = fitted.progress.history
    _report(run.report, record, record.dataset.reference, history, fitted.evaluations)
    if as_json:
        _print_json(
            {
                "run": str(run.folder),
                "backend": record.backend,
                "seconds": fitted.progress.seconds,
                "epochs": fitted.progress.epoch,
                "metrics": metrics,
            }
        )
        return
    next_ = [
        f"threefold evaluate {run.folder}",
        f"threefold predict {run.folder} INPUT...",
        f"open {run.report / 'index.html'}",
    ]
    results.print(closing_panel(str(run.folder), metrics, next_))


def _report(folder, record, reference: str, history, evaluations) -> None:
    """Write the figures and the page that holds them."""
    from threefold.reporting.report import write_report

    title = f"{record.blueprint} on {reference}"
    write_report(folder, title, record.model_dump(mode="json"), history, evaluations)


@cli.command()
@click.argument("run")
@click.option("--dataset", metavar="REF", help="other data than the run's own")
@click.option("-d", "data_options", type=KeyValue(), multiple=True, help="option of the dataset")
@click.option("--split", metavar="NAME", help="train, validation, test or all")
@_backend_option
@_json_option
def evaluate(run, dataset, data_options, split, backend, as_json):
    """Judge RUN: all metrics, by split, with figures."""
    chosen = _choose_backend(backend, run)
    from threefold.training.evaluate import evaluate_run
    from threefold.training.run import open_run

    opened = open_run(run)
    found = evaluate_run(opened, dataset, dict(data_options), split)
    own = dataset is None and not data_options
    folder = opened.report if own else opened.folder / "report-other"
    record = opened.record
    _report(folder, record, dataset or record.dataset.reference, opened.read_history(), found)
    metrics = {one.split: one.metrics for one in found}
    if as_json:
        _print_json({"run": run, "backend": chosen, "metrics": metrics})
        return
    from threefold.reporting.console import breakdown_table, metrics_table, results

    results.print(metrics_table(metrics))
    for name, values in metrics.items():
        for key, parts in values.items():
            if isinstance(parts, dict):
                results.print(breakdown_table(name, key, parts))
    results.print(f"figures: {folder / 'index.html'}")


@cli.command()
@click.argument("run")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("-d", "data_options", type=KeyValue(), multiple=True, help="how to read the inputs")
@click.option("--output", metavar="FILE", help="write a .csv or .jsonl file")
@_backend_option
@_json_option
def predict(run, inputs, data_options, output, backend, as_json):
    """Ask RUN for answers: files, folders, globs, tables, or - for standard input."""
    from threefold.reporting.records import check_output, write_records

    if output:
        check_output(output)
    chosen = _choose_backend(backend, run)
    from threefold.training.evaluate import predict_run
    from threefold.training.run import open_run

    found = predict_run(open_run(run), inputs, dict(data_options), sys.stdin.buffer)
    from threefold.reporting.console import notes, records_table, results

    for error in found.errors:
        notes.print(f"[yellow]skipped:[/] {_escape(str(error))}", soft_wrap=True)
    if output:
        write_records(output, found.records)
        notes.print(f"{len(found.records)} predictions in {output}")
    if as_json:
        _print_json(
            {
                "run": run,
                "backend": chosen,
                "predictions": found.records,
                "skipped": [str(error) for error in found.errors],
            }  # fmt: skip
        )
    elif not output and found.records:
        results.print(records_table(found.records))
    if found.errors:
        notes.print(f"{len(found.errors)} of {len(found.errors) + len(found.records)} skipped")
        sys.exit(EXIT_FAILURE)


@cli.command(name="list")
@_json_option
def list_(as_json):
    """List blueprints, tasks and bundled data."""
    from threefold.training.description import catalogue

    found = catalogue()
    if as_json:
        _print_json(found)
        return
    from threefold.reporting.catalogue import catalogue_tables
    from threefold.reporting.console import results

    results.print(catalogue_tables(found), crop=False)


@cli.command()
@click.argument("name")
@click.option("--task", metavar="NAME", help="one of the blueprint's tasks")
@click.option("--dataset", metavar="REF", help="draw the model for these data")
@click.option("-d", "data_options", type=KeyValue(), multiple=True, help="option of the dataset")
@click.option("-o", "options", type=KeyValue(), multiple=True, help="option of the blueprint")
@_backend_option
@_json_option
def show(name, task, dataset, data_options, options, backend, as_json):
    """Show a blueprint (options, layers, sizes) or a run."""
    from threefold.training.building import blueprint_names, check_blueprint
    from threefold.training.description import describe_blueprint, describe_run

    if name not in blueprint_names() and (os.path.isdir(name) or os.sep in name):
        from threefold.training.run import open_run

        described = describe_run(open_run(name))
    else:
        check_blueprint(name)
        _choose_backend(backend, None)
        described = describe_blueprint(name, task, dataset, dict(data_options), dict(options))
    if as_json:
        _print_json(described)
        return
    from threefold.reporting.catalogue import description_tables
    from threefold.reporting.console import results

    results.print(description_tables(described), crop=False)


@cli.command()
@_backend_option
@_json_option
def doctor(backend, as_json):
    """Say which backends and devices there are, and what to install."""
    from threefold.reporting.console import notes, results
    from threefold.training.doctor import examine

    with notes.status("trying the backends, each in a process of its own"):
        found = examine(backend)
    if as_json:
        _print_json(found)
    else:
        from threefold.reporting.catalogue import doctor_tables

        results.print(doctor_tables(found), crop=False)
    sys.exit(0 if found["healthy"] else EXIT_FAILURE)


def main() -> None:
    """Run the command line; errors are one line, with a traceback only under `--debug`."""
    warnings.showwarning = _warn
    try:
        sys.exit(cli.main(prog_name="threefold", standalone_mode=False) or 0)
    except NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(EXIT_ABORTED)
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        sys.exit(_explain(error))


def _explain(error: Exception) -> int:
    """Say what went wrong in one line; return the exit code."""
    from threefold.reporting.console import notes

    text = error.format_message() if isinstance(error, click.ClickException) else str(error)
    text = " ".join(text.split()) or type(error).__name__
    if isinstance(error, click.UsageError) and error.ctx:
        text += f" ({error.ctx.command_path} --help)"
    elif not hasattr(error, "exit_code") and not isinstance(error, OSError):
        text = f"{type(error).__name__}: {text} (threefold --debug ... shows where)"
    notes.print(f"[red]error:[/] {_escape(text)}", soft_wrap=True)
    return getattr(error, "exit_code", 1)


def _warn(message, category, filename, lineno, file=None, line=None) -> None:
    """Say a warning in one line; where in the code it arose helps nobody."""
    from threefold.reporting.console import notes

    text = " ".join(str(message).split())
    notes.print(f"[yellow]warning:[/] {_escape(text)}", soft_wrap=True)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _print_json(content: dict[str, Any]) -> None:
    print(json.dumps(content, ensure_ascii=False))


if __name__ == "__main__":
    main()
