"""The command line: each command parses its options and calls one function.

Nothing here imports Keras, NumPy or a backend at the top: the backend is chosen first, and help,
version, completion and wrong options answer at once.
"""

import os
import sys
import warnings

import rich_click as click
from click.exceptions import NoArgsIsHelpError

from threefold.core.errors import UserError
from threefold.core.visible import to_json
from threefold.training.flags import (
    KeyValue,
    SettingsCommand,
    backend_option,
    json_option,
    raw_cells_option,
    tta_option,
)

EXIT_FAILURE, EXIT_ABORTED = 1, 130
FORMATS = ("savedmodel", "onnx", "litert")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="threefold", prog_name="threefold")
@click.option("--debug", is_flag=True, help="show tracebacks")
def cli(debug: bool) -> None:
    """Keras 3 application templates: one blueprint, three backends, one command."""


@cli.command(cls=SettingsCommand, options_metavar="[OPTIONS]")
@click.argument("blueprint", required=False)
@click.option("--task", metavar="NAME", help="what to learn, where the data allow several")
@click.option("--dataset", metavar="REF", help="a bundled name, a path, tfds:NAME or hf:NAME")
@click.option("-d", "data_options", type=KeyValue(), multiple=True, help="option of the dataset")
@click.option("--target", metavar="COLUMN", help="short for -d target=COLUMN")
@click.option("-o", "options", type=KeyValue(), multiple=True, help="option of the blueprint")
@backend_option
@click.option("--run", "folder", metavar="DIR", help="the run folder; runs/... by default")
@click.option("--resume", metavar="RUN", help="go on with a run that was cut")
@click.option("--init", metavar="RUN", help="start from the weights of another run")
@click.option("--again", metavar="RUN", help="repeat a run, with the options given here changed")
@click.option("--export", "formats", type=click.Choice(FORMATS), multiple=True,
              help="also export; said before the training if it cannot be")  # fmt: skip
@json_option
def fit(
    blueprint, task, dataset, data_options, target, options, backend, folder, resume, init, again,
    formats, as_json, **settings,
):  # fmt: skip
    """Fit BLUEPRINT to data, and evaluate it.

    `threefold list` names the blueprints, `threefold show BLUEPRINT` their options.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    if sum(word is not None for word in (blueprint, resume, again)) != 1:
        raise click.UsageError("give one of: a blueprint, --resume RUN, --again RUN")
    from threefold.training.settings import TrainingSettings

    parsed = TrainingSettings.parse(given)
    if blueprint is not None:
        from threefold.training.building import check_blueprint

        check_blueprint(blueprint)
    data_options = dict(data_options) | ({"target": target} if target else {})
    _choose_backend(backend, resume or again)
    from threefold.reporting import session
    from threefold.training import fit as fitting

    def announce(run, dataset, model):
        for format in formats:
            from threefold.exporting.trial import try_export

            if reason := try_export(run.record, format):
                warnings.warn(f"this model cannot become {format}: {reason}", stacklevel=2)
        return session.announce(run, dataset, model)

    def export_all():
        from threefold.exporting.export import Request, export_run

        return {format: export_run(fitted.run, Request(format, force=True)) for format in formats}

    if resume is not None:
        changes = {**given, **data_options, **dict(options)}
        if changes.keys() - {"epochs"} or task or dataset or init or folder:
            raise UserError("--resume goes on as the run was begun; only --epochs may be given")
        fitted = fitting.resume(resume, parsed.epochs, announce)
    else:
        from threefold.training.plan import Command

        wanted = Command(
            blueprint, task, dataset, data_options, dict(options), parsed, folder, init
        )
        if again is not None:
            wanted = fitting.repeat(again, wanted)
        fitted = fitting.start(wanted, announce)
    session.close_fit(fitted, export_all, as_json)


def _choose_backend(asked: str | None, run: str | None) -> str:
    """Choose the backend: the option, then KERAS_BACKEND, then that of the run at hand."""
    from threefold.training.backend import choose_backend

    if asked is None and run is not None and not os.environ.get("KERAS_BACKEND"):
        from threefold.training.run import open_run

        asked = open_run(run).record.backend
    return choose_backend(asked)


@cli.command()
@click.argument("run")
@click.option("--dataset", metavar="REF", help="other data than the run's own")
@click.option("-d", "data_options", type=KeyValue(), multiple=True, help="option of the dataset")
@click.option("--split", metavar="NAME", help="train, validation, test or all")
@tta_option
@click.option("--inception", metavar="FILE",
              help="weights of Keras's InceptionV3, to measure FID and KID with")  # fmt: skip
@backend_option
@json_option
def evaluate(run, dataset, data_options, split, tta, inception, backend, as_json):
    """Evaluate RUN, a run or an artifact: all metrics, by split, with figures."""
    from threefold.exporting.artifact import is_artifact

    if is_artifact(run):
        from threefold.exporting.answering import evaluate_artifact

        artifact = _open_artifact(run, backend, {"--tta": tta, "--inception": inception})
        found = evaluate_artifact(artifact, dataset, dict(data_options), split)
        record, history = artifact.record.run, []
        folder = artifact.folder.with_name(artifact.folder.name + "-report")
        who = {"artifact": run, "format": artifact.record.format}
    else:
        who = {"run": run, "backend": _choose_backend(backend, run)}
        from threefold.training.evaluate import evaluate_run
        from threefold.training.run import open_run

        opened = open_run(run)
        options = dict(data_options)
        found = evaluate_run(opened, dataset, options, split, tta=tta, inception=inception)
        record, history = opened.record, opened.read_history()
        own = dataset is None and not data_options and not tta
        folder = opened.report if own else opened.folder / "report-other"
    from threefold.reporting.session import close_evaluation

    reference = dataset or record.dataset.reference
    close_evaluation(who, folder, record, reference, history, found, as_json)


@cli.command()
@click.argument("run")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("-d", "data_options", type=KeyValue(), multiple=True, help="how to read the inputs")
@click.option("--output", metavar="FILE", help="write a .csv or .jsonl file")
@click.option("--explain", is_flag=True, help="of images write class activation maps, too")
@tta_option
@raw_cells_option
@backend_option
@json_option
def predict(run, inputs, data_options, output, explain, tta, raw_cells, backend, as_json):
    """Ask RUN for answers: files, folders, globs, tables, or - for standard input."""
    from threefold.reporting.records import check_output

    if output:
        check_output(output)
    elif explain:
        raise UserError("--explain writes images beside the answers: add --output FILE.csv")
    from threefold.exporting.artifact import is_artifact

    if is_artifact(run):
        from threefold.exporting.answering import predict_artifact

        artifact = _open_artifact(run, backend, {"--explain": explain, "--tta": tta})
        found = predict_artifact(artifact, inputs, dict(data_options), sys.stdin.buffer)
        who = {"artifact": run, "format": artifact.record.format}
    else:
        who = {"run": run, "backend": _choose_backend(backend, run)}
        from threefold.training.evaluate import predict_run
        from threefold.training.run import open_run

        opened, options = open_run(run), dict(data_options)
        found = predict_run(opened, inputs, options, sys.stdin.buffer, explain=explain, tta=tta)
    from threefold.reporting.session import show_predictions

    show_predictions(who, found, output, as_json, raw_cells=raw_cells)
    if found.errors:
        sys.exit(EXIT_FAILURE)


@cli.command()
@click.argument("run")
@click.option("--prompt", default="", help="what to go on with")
@click.option("--count", type=click.IntRange(1), default=1, show_default=True,
              help="texts or images")  # fmt: skip
@click.option("--class", "class_name", metavar="NAME", help="of the images; all in turn if not")
@click.option("--per-class", type=click.IntRange(1), metavar="N", help="images of each class")
@click.option("--interpolate", type=click.IntRange(2), metavar="N",
              help="images on the way from one noise to another")  # fmt: skip
@click.option("--length", type=click.IntRange(1), default=200, show_default=True, help="tokens")
@click.option("--temperature", type=click.FloatRange(0), default=1.0, show_default=True,
              help="above 1 more chance, below 1 less; 0 for the most probable tokens")  # fmt: skip
@click.option("--top-k", type=click.IntRange(1), default=50, show_default=True,
              help="so many of the most probable tokens may be written")  # fmt: skip
@click.option("--top-p", type=click.FloatRange(0, 1, min_open=True), default=1.0,
              show_default=True, help="such a share of the probability may be written")  # fmt: skip
@click.option("--beams", type=click.IntRange(1), default=1, show_default=True,
              help="search for the most probable texts, so many at a time")  # fmt: skip
@click.option("--penalty-alpha", type=click.FloatRange(0, 1), metavar="NUMBER",
              help="contrastive search: 0 for probable tokens, 1 for new ones")  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="of random numbers"
)
@click.option("--output", metavar="PATH",
              help="of texts a .csv or .jsonl file; of images a .png, or a folder")  # fmt: skip
@raw_cells_option
@backend_option
@json_option
def generate(run, output, raw_cells, backend, as_json, **options):
    """Let RUN, a run or an artifact, write texts or make images."""
    from threefold.exporting.artifact import is_artifact
    from threefold.reporting.generated import check_generated, show_generated

    if is_artifact(run):
        from threefold.exporting.answering import generate_artifact
        from threefold.tasks.generation import GenerationConfig

        artifact = _open_artifact(run, backend)
        check_generated(artifact.record.task, output, options["class_name"])
        records = generate_artifact(artifact, GenerationConfig(**options))
        who = {"artifact": run, "format": artifact.record.format}
    else:
        from threefold.training.run import open_run

        opened = open_run(run)
        check_generated(opened.record.task, output, options["class_name"])
        who = {"run": run, "backend": _choose_backend(backend, run)}
        from threefold.tasks.generation import GenerationConfig
        from threefold.training.evaluate import generate_run

        records = generate_run(opened, GenerationConfig(**options))
    columns = options["interpolate"] or options["per_class"]
    show_generated(who, records, output, as_json, raw_cells=raw_cells, columns=columns)


def _open_artifact(path: str, backend: str | None, run_options: dict | None = None):
    """Open an artifact; refuse options that only a run can follow."""
    from threefold.exporting.artifact import open_artifact

    given = {"--backend": backend, **(run_options or {})}
    for option in (name for name, value in given.items() if value):
        raise UserError(f"{option} is for runs; the artifact {path} has a runtime of its own")
    return open_artifact(path)


@cli.command()
@click.argument("run")
@click.option("--format", type=click.Choice(FORMATS), required=True, help="of the model file")
@click.option("--part", type=click.Choice(["generator", "discriminator"]),
              help="which of two networks; the generator by default")  # fmt: skip
@click.option("--output", metavar="DIR", help="the artifact's folder; artifacts/... by default")
@click.option("--force", is_flag=True, help="replace a folder that is there")
@click.option(
    "--atol",
    type=click.FloatRange(0, min_open=True),
    metavar="NUMBER",
    help="largest difference; 1e-5 of probabilities, 1e-4 of other numbers by default",
)
@click.option("--opset", type=int, metavar="N",
              help="version of ONNX's operators, 17 or 18; 18 by default")  # fmt: skip
@click.option("--precision", type=click.Choice(["float32", "float16"]), default="float32",
              show_default=True, help="of the network's weights and numbers; float16 for onnx",
              )  # fmt: skip
@click.option("--quantize", type=click.Choice(["int8"]), help="8-bit integers, for onnx")
@click.option(
    "--max-metric-drop",
    type=click.FloatRange(0),
    default=0.01,
    show_default=True,
    metavar="NUMBER",
    help="what 8-bit integers may cost of accuracy or r2",
)
@click.option("--force-quantize", is_flag=True, help="even if the file is larger or slower by it")
@json_option
def export(run, as_json, **options):
    """Ship RUN as a file that is proven to answer as the trained model does, or not at all."""
    from threefold.training.backend import choose_backend
    from threefold.training.run import open_run

    opened = open_run(run)
    choose_backend(opened.record.backend)  # what the file must agree with
    from threefold.exporting.export import Request, export_run
    from threefold.reporting.console import notes
    from threefold.reporting.session import show_export

    request = Request(**options)
    with notes.status(f"writing {request.format} and proving it, each in a process of its own"):
        artifact = export_run(opened, request)
    show_export(artifact, as_json)


@cli.command(name="list")
@json_option
def list_(as_json):
    """List blueprints, tasks and bundled data."""
    from threefold.training.inspection.description import catalogue

    found = catalogue()
    if as_json:
        print(to_json(found))
        return
    from threefold.reporting.catalogue import catalogue_tables
    from threefold.reporting.console import results

    results.print(catalogue_tables(found), crop=False)


@cli.command()
@click.argument("name")
@click.option("--task", metavar="NAME", help="one of the blueprint's tasks")
@click.option("--dataset", metavar="REF", help="build the model for these data")
@click.option("-d", "data_options", type=KeyValue(), multiple=True, help="option of the dataset")
@click.option("-o", "options", type=KeyValue(), multiple=True, help="option of the blueprint")
@backend_option
@json_option
def show(name, task, dataset, data_options, options, backend, as_json):
    """Show a blueprint (options, layers, sizes, exports), a run or an artifact."""
    from threefold.exporting.artifact import is_artifact, open_artifact
    from threefold.training.building import blueprint_names, check_blueprint
    from threefold.training.inspection.description import describe_blueprint, describe_run

    if is_artifact(name):
        described = {"artifact": name, **open_artifact(name).record.model_dump(mode="json")}
    elif name not in blueprint_names() and (os.path.isdir(name) or os.sep in name):
        from threefold.training.run import open_run

        described = describe_run(open_run(name))
    else:
        check_blueprint(name)
        _choose_backend(backend, None)
        described = describe_blueprint(name, task, dataset, dict(data_options), dict(options))
        from threefold.exporting.proven import describe_exports

        described["exports"] = describe_exports(name)
    if as_json:
        print(to_json(described))
        return
    from threefold.reporting.catalogue import description_tables
    from threefold.reporting.console import results

    results.print(description_tables(described), crop=False)


@cli.command()
@backend_option
@json_option
def doctor(backend, as_json):
    """Say which backends and devices there are, and what to install."""
    from threefold.reporting.console import notes, results
    from threefold.training.inspection.doctor import examine

    with notes.status("trying the backends, each in a process of its own"):
        found = examine(backend)
    if as_json:
        print(to_json(found))
    else:
        from threefold.reporting.catalogue import doctor_tables

        results.print(doctor_tables(found), crop=False)
    sys.exit(0 if found["healthy"] else EXIT_FAILURE)


def main() -> None:
    """Run the command line; errors are one line, with a traceback only under `--debug`."""
    from threefold.reporting.failures import explain, warn

    warnings.showwarning = warn
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
        sys.exit(explain(error))


if __name__ == "__main__":
    main()
