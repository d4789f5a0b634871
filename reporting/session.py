"""What a command says before, while and after it works: the words around tables and figures."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.text import Text

from threefold.core.visible import to_json
from threefold.reporting.advice import advise, compare, repeat_in
from threefold.reporting.card import describe_cost
from threefold.reporting.console import (
    FitDisplay,
    breakdown_table,
    closing_panel,
    metrics_table,
    notes,
    predict_command,
    records_table,
    results,
)
from threefold.reporting.records import unfold, write_records
from threefold.tasks.evaluation import Evaluation
from threefold.tasks.prediction import Predictions


def announce(run, dataset, model) -> FitDisplay:
    """Say what is fitted to what; return the display to fit under."""
    record = run.record
    sizes = ", ".join(f"{len(source):,} {name}" for name, source in dataset.splits.items())
    reference, described = escape(record.dataset.reference), escape(dataset.facts.describe())
    notes.print(f"[bold]{reference}[/]: {described}; {sizes}")
    for note in dataset.notes:
        notes.print(f"  [dim]{escape(note)}[/]")
    notes.print(
        f"[bold]{record.blueprint}[/]: {model.count_params():,} parameters, {record.backend} on "
        f"{record.device}; run folder {escape(str(run.folder))}"
    )
    settings = record.settings
    steps = -(-len(dataset.splits["train"]) // settings.batch_size)
    return FitDisplay(settings.epochs, steps)


def close_fit(fitted, export: Callable[[], dict[str, Any]], as_json: bool) -> None:
    """Write the report; print the results and what to type next; export what was asked for.

    Args:
        fitted: Fitted. The finished run.
        export: function. Makes artifacts; returns them by format.
        as_json: bool. Whether to print one JSON object.
    """
    run, record = fitted.run, fitted.run.record
    metrics = {found.split: found.metrics for found in fitted.evaluations}
    history, last = fitted.progress.history, fitted.evaluations[-1:]  # none if all is for training
    report_on(run.report, record, record.dataset.reference, history, fitted.evaluations)
    if fitted.calibrated:
        notes.print(f"[dim]{escape(fitted.calibrated)}[/]")
    if as_json:
        print_json(
            {
                "run": str(run.folder),
                "backend": record.backend,
                "seconds": fitted.progress.seconds,
                "epochs": fitted.progress.epoch,
                "summary_metrics": [name for one in last for name in one.task.summary_metrics],
                "metrics": metrics,
                "artifacts": {name: str(made.folder) for name, made in export().items()},
            }
        )
        return
    again, plain = repeat_in(str(run.folder)), record.model_dump(mode="json")
    remarks = [remark for one in last for remark in advise(again, plain, history, one)]
    next_ = [
        f"threefold evaluate {run.folder}{'' if last else ' --split train'}",
        predict_command(run.record.task, run.folder),
        f"threefold export {run.folder} --format onnx",
        f"open {run.report / 'index.html'}",
    ]
    results.print(closing_panel(str(run.folder), metrics, next_, remarks))
    for artifact in export().values():
        show_export(artifact, as_json=False)


def report_on(
    folder: Path, record, reference: str, history: list, found: Sequence[Evaluation]
) -> dict[str, list[str]]:
    """Write the figures and the page that holds them.

    Args:
        folder: Path. The report's.
        record: RunRecord. What was evaluated.
        reference: str. The data that it was evaluated on.
        history: list of mapping. One row an epoch.
        found: sequence of Evaluation. One a split.

    Returns:
        dict of str to list of str. Of each split, where a simple method did better; nothing of
        data that the model was not fitted to.
    """
    from threefold.reporting.report import write_report  # which brings matplotlib

    title, plain = f"{record.blueprint} on {reference}", record.model_dump(mode="json")
    run = folder.parent if (folder.parent / "run.json").is_file() else "RUN"
    again = repeat_in(str(run))
    own = [one for one in found if reference == record.dataset.reference]
    remarks = {one.split: compare(again, plain, history, one) for one in own}
    write_report(folder, title, plain, history, found, remarks)
    return remarks


def close_evaluation(
    who: dict[str, str],
    folder: Path,
    record,
    reference: str,
    history: list,
    found: Sequence[Evaluation],
    as_json: bool,
) -> None:
    """Write the report; print the metrics of every split.

    Args:
        who: dict of str to str. What was evaluated, for JSON.
        folder: Path. Where the report goes.
        record: RunRecord. What was evaluated.
        reference: str. The data that it was evaluated on.
        history: list of mapping. One row an epoch.
        found: sequence of Evaluation. One a split.
        as_json: bool. Whether to print one JSON object.
    """
    remarks = report_on(folder, record, reference, history, found)
    metrics = {one.split: one.metrics for one in found}
    if as_json:
        print_json(who | {"metrics": metrics})
        return
    results.print(metrics_table(metrics))
    for name, values in metrics.items():
        for key, parts in values.items():
            if isinstance(parts, dict) and key != "intervals":  # which stand beside the metrics
                results.print(breakdown_table(name, key, parts))
    for remark in remarks.get(found[-1].split, ()):
        results.print(Text(remark, style="yellow"))
    results.print(f"figures: {escape(str(folder / 'index.html'))}")


def show_predictions(
    who: dict[str, str],
    found: Predictions,
    output: str | None,
    as_json: bool,
    *,
    raw_cells: bool = False,
) -> None:
    """Print answers, or write them to a file; name what was skipped.

    Args:
        who: dict of str to str. What was asked, for JSON.
        found: Predictions. The answers.
        output: str. A file, or `None`.
        as_json: bool. Whether to print one JSON object.
        raw_cells: bool. As for `write_records`.
    """
    for error in found.errors:
        notes.print(f"[yellow]skipped:[/] {escape(str(error))}", soft_wrap=True)
    for remark in found.remarks:
        notes.print(f"[yellow]note:[/] {escape(remark)}", soft_wrap=True)
    if output:
        write_records(output, found.records, raw_cells=raw_cells)
        notes.print(f"{len(found.records)} predictions in {escape(output)}")
        if found.first_batch:
            from threefold.reporting.figures.plotting import plotter_of
            from threefold.reporting.report import save_figure

            place, task = Path(output).with_suffix(".png"), found.first_batch[0]
            save_figure(place, plotter_of(task.prediction_figure)(*found.first_batch))
            notes.print(f"the first of them in {escape(str(place))}")
            if task.image_output:
                from threefold.reporting import image_output

                folder = getattr(image_output, task.image_output)(Path(output), found)
                notes.print(f"images of what was found in {escape(str(folder))}")
        if found.activation_maps:
            from threefold.reporting.image_output import write_activation_maps

            folder = write_activation_maps(Path(output), found)
            notes.print(f"class activation maps in {escape(str(folder))}")
    if as_json:
        skipped = [str(error) for error in found.errors]
        others = {"skipped": skipped, "notes": found.remarks}
        print_json(who | {"predictions": found.records} | others)
    elif not output and found.records:
        results.print(records_table(unfold(found.records)))
    if found.errors:
        notes.print(f"{len(found.errors)} of {len(found.errors) + len(found.records)} skipped")


def show_export(artifact, as_json: bool) -> None:
    """Print what was proven, and what to type next."""
    record, folder = artifact.record, artifact.folder
    parity = record.parity
    if as_json:
        print_json(
            {
                "artifact": str(folder),
                "format": record.format,
                "parity": parity.model_dump(mode="json"),
            }
        )
        return
    verdict = f"limit {parity.limit:g}"
    if parity.quantized:
        verdict = "8-bit integers: evaluated by the metrics"
    results.print(
        f"{parity.rows:,} rows of the {parity.split} split, in batches of "
        f"{', '.join(map(str, parity.batch_sizes))}: largest difference "
        f"{parity.max_abs_diff:.2g} ({verdict}), same answer for {100 * parity.agreement:.4g} %"
    )
    if parity.cost:
        results.print(describe_cost(parity.cost.model_dump(), parity.rows))
    next_ = [
        f"threefold evaluate {folder}",
        predict_command(record.task, folder, record.part),
        f"python {folder / 'example.py'}",
    ]
    results.print(closing_panel(str(folder), parity.metrics, next_))


def print_json(content: dict[str, Any]) -> None:
    """Print one JSON object on standard output."""
    print(to_json(content))
