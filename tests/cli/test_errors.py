"""What a user gets wrong is said in one line, with what was meant; exit code 2."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from threefold import cli
from threefold.core.errors import UserError
from threefold.training import backend as switch

pytestmark = pytest.mark.once


def assert_refused(answer, *parts, code=2):
    """Check that an answer is one line that says these things, and nothing else."""
    found, out, err = answer
    assert (found, out) == (code, "")
    assert err.startswith("error: ") and err.count("\n") == 1, err
    for part in parts:
        assert part in err


def some(fit: str) -> tuple[str, ...]:
    return ("fit", *fit.split())


@pytest.mark.parametrize(
    ("words", "parts"),
    {
        "blueprint": ("cn", ["no blueprint 'cn'; did you mean 'cnn'?"]),
        "blueprint far off": (
            "zebra",
            ["no blueprint 'zebra'; there are: bert, cnn, ctc, detector"],
        ),
        "dataset": ("cnn --dataset digit", ["no dataset 'digit'", "did you mean 'digits'?"]),
        "prefix": ("cnn --dataset tdfs:mnist", ["'tdfs:' is not known; did you mean 'tfds'?"]),
        "option": ("cnn -o filtrs=3", ["blueprint 'cnn' has no option 'filtrs'", "'filters'?"]),
        "value": ("cnn -o pooling=mx", ["-o pooling=mx does not fit; did you mean 'max'?"]),
        "number": ("cnn -o filters=0", ["-o filters=0 does not fit", "greater than or equal to 1"]),
        "data option": ("cnn -d split_sed=1", ["no option 'split_sed'", "'split_seed'?"]),
        "no key": ("cnn -o filters", ["expected KEY=VALUE, got 'filters'", "threefold fit --help"]),
        "backend": ("cnn --backend touch", ["no backend 'touch'; did you mean 'torch'?"]),
        "task": ("cnn --task image_regresion", ["no task", "did you mean 'image_regression'?"]),
        "task of others": (
            "cnn --task tabular_regression",
            ["'cnn' does not serve tabular_regression, but image_classification", "dnn would"],
        ),
        "task of other data": (
            "cnn --task image_regression --dataset digits",
            ["dataset 'digits' serves the task image_classification, not image_regression"],
        ),
        "data of others": ("cnn --dataset wine", ["'cnn' does not serve tabular_classification"]),
        "loss": ("cnn --loss crossentropy", ["no loss 'crossentropy'", "'cross_entropy'?"]),
        "optimizer": ("cnn --optimizer adm", ["'adm' is not one of", "'adam'"]),
        "schedule": ("cnn --schedule cosin", ["'cosin' is not one of", "'cosine'"]),
        "epochs": ("cnn --epochs 0", ["--epochs 0 does not fit", "greater than or equal to 1"]),
        "rate": ("cnn --learning-rate nan", ["--learning-rate nan does not fit", "finite"]),
        "augment": ("cnn --augment flap", ["--augment flap does not fit"]),
        "augmented table": ("dnn --augment flip", ["--augment is of no use to tabular_classif"]),
        "flag": ("cnn --epoks 3", ["No such option '--epoks'", "'--epochs'"]),
        "nothing": ("", ["give one of: a blueprint, --resume RUN, --again RUN"]),
        "too much": ("cnn --again runs/x", ["give one of: a blueprint, --resume RUN"]),
        "no run": ("--resume runs/x", ["no run 'runs/x'"]),
        "too small": ("cnn -o filters=8,8,8,8,8", ["images of 8 × 8 pixels are too small"]),
    }.values(),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_fit_is_one_line(run_cli, words, parts):
    assert_refused(run_cli(*some(words)), *parts)
    assert not os.path.exists("runs")


def test_a_wrong_command_is_one_line(run_cli):
    assert_refused(run_cli("fitt"), "No such command 'fitt'. Did you mean 'fit'?")
    assert_refused(run_cli("show", "cn"), "no blueprint 'cn'; did you mean 'cnn'?")


ROWS = "a,b,y\n" + "1,2,no\n3,4,yes\n" * 10
TABLES = {
    "no target": (ROWS, "--target z", "bad.csv has no column 'z'; there are: a, b, y"),
    "ragged": (ROWS + "1,2\n", "", "bad.csv line 22: 2 cells where the header names 3 columns"),
    "NUL": (ROWS + "1,\0,no\n", "", "bad.csv line 22: NUL byte"),
    "Latin-1": (ROWS + "1,2,für\n", "", "line 22: byte 0xfc is not utf-8; save the file as"),
    "one class": (ROWS.replace("no", "yes"), "", "target 'y' is 'yes' in every row"),
    "no label": (ROWS + "1,2,\n", "", "line 22: target 'y' is missing, as in 1 of 21 rows"),
    "empty": ("", "", "bad.csv is empty; expected a line of column names, then rows"),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_bad_table_is_one_line(run_cli, kind):
    content, words, part = TABLES[kind]
    Path("bad.csv").write_text(content, "latin-1")
    assert_refused(run_cli("fit", "dnn", "--dataset", "bad.csv", *words.split()), part)
    assert not os.path.exists("runs")


IMAGES = {
    "text": (lambda path: path.write_text("words"), "one/00.png': not a JPEG, PNG"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-30]), "one/00.png': "),
    "200 megapixels": (
        lambda path: Image.new("1", (20_000, 10_000)).save(path), "more than 89,478,485 pixels"
    ),
    "class without images": (
        lambda path: [other.unlink() for other in path.parent.iterdir()],
        "class folder 'one' of 'shots' holds no images",
    ),
    "empty": (lambda path: [shutil.rmtree(f) for f in Path("shots").iterdir()], "is empty"),
}  # fmt: skip


@pytest.mark.parametrize("kind", IMAGES)
def test_a_bad_folder_is_one_line(run_cli, photos, kind):
    spoil, part = IMAGES[kind]
    shutil.copytree(photos, "shots")
    spoil(Path("shots/one/00.png"))
    assert_refused(run_cli("fit", "cnn", "--dataset", "shots"), part)
    assert not os.path.exists("runs")


def test_a_split_that_is_not_there(run_cli, digits_run):
    assert_refused(run_cli("evaluate", digits_run, "--split", "tset"),
                   "digits has no split 'tset'; did you mean 'test'?")  # fmt: skip


def test_data_of_another_shape(run_cli, digits_run, people_run, photos, people):
    other_task = run_cli("evaluate", digits_run, "--dataset", "wine")
    assert_refused(other_task, "'wine' serves the task tabular_classification, not image_classif")
    other_classes = run_cli("evaluate", digits_run, "--dataset", str(photos))
    assert_refused(other_classes, f"class folder '{photos}/naught' is none of the run's")
    table = people.read_text("latin-1").replace("income", "incoming")
    Path("other.csv").write_text(table, "utf-8")
    other_columns = run_cli("evaluate", people_run, "--dataset", "other.csv")
    assert_refused(other_columns, "other.csv has no column 'income'; did you mean 'incoming'?")


def test_inputs_that_are_not_there(run_cli, digits_run):
    assert_refused(run_cli("predict", digits_run, "gone.png"), "no file, folder or match")
    assert_refused(run_cli("predict", digits_run), "Missing argument 'INPUT...'")


def test_a_run_that_is_not_there(run_cli, digits_run):
    place = Path(digits_run)
    assert_refused(run_cli("evaluate", f"{place}s"), f"did you mean '{place}'?")
    assert_refused(run_cli("predict", str(place.parent), "x.png"), "is not a run: it holds no run")
    assert_refused(run_cli("fit", "cnn", "--run", digits_run), "exists and is not empty")


def test_a_traceback_is_shown_only_under_debug(in_tmp, monkeypatch, run_cli):
    code, out, err = run_cli("fit", "cn")
    assert "Traceback" not in out + err
    monkeypatch.setattr(sys, "argv", ["threefold", "--debug", "fit", "cn"])
    with pytest.raises(UserError, match="no blueprint 'cn'"):
        cli.main()


def test_a_bug_is_one_line_that_says_how_to_see_more(run_cli, monkeypatch):
    def fail():
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr("threefold.training.inspection.description.catalogue", fail)
    answer = run_cli("list")
    assert_refused(answer, "ZeroDivisionError: division by zero", "threefold --debug", code=1)


def test_a_missing_backend_names_the_extra(run_cli, monkeypatch):
    monkeypatch.setattr(switch.importlib.util, "find_spec", lambda name: None)
    for name, extra in (("jax", "threefold[jax]"), ("torch", "threefold[torch]"),
                        ("tensorflow", "threefold")):  # fmt: skip
        assert_refused(run_cli("fit", "cnn", "--backend", name),
                       f"the backend {name} is not installed: pip install '{extra}'")  # fmt: skip


@pytest.fixture
def others(backend) -> list[str]:
    """The backends that this process does not run on."""
    return [name for name in switch.BACKENDS if name != backend]


def test_the_option_rules_over_the_environment(run_cli, others, digits_run):
    # The process runs on its backend already: what it refuses to change to tells the choice.
    for name in others:
        assert_refused(run_cli("evaluate", digits_run, "--backend", name), f"a new one for {name}")


def test_the_environment_rules_over_the_run(run_cli, monkeypatch, others, copy_of, people_run):
    change_backend(copy_of(people_run), others[0])
    code, out, _ = run_cli("evaluate", "copy", "--json")
    assert code == 0
    assert json.loads(out)["backend"] == os.environ["KERAS_BACKEND"]
    monkeypatch.setenv("KERAS_BACKEND", others[1])
    assert_refused(run_cli("evaluate", "copy"), f"start a new one for {others[1]}")


def test_a_run_keeps_its_backend_where_nothing_else_is_said(
    run_cli, monkeypatch, others, copy_of, people_run
):
    monkeypatch.delenv("KERAS_BACKEND")
    change_backend(copy_of(people_run), others[0])
    refused = f"start a new one for {others[0]}"
    assert_refused(run_cli("evaluate", "copy"), refused)
    assert_refused(run_cli("predict", "copy", "x.csv"), refused)
    assert_refused(run_cli("fit", "--resume", "copy"), refused)
    assert_refused(run_cli("fit", "--again", "copy"), refused)


def change_backend(run: Path, name: str) -> None:
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | {"backend": name}))
