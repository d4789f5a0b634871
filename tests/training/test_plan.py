"""A command is looked up once, and refused before data are read wherever it can be."""

from pathlib import Path

import pytest

from threefold.core.errors import UserError
from threefold.training import plan as planning
from threefold.training.plan import Command, make_plan
from threefold.training.settings import TrainingSettings

pytestmark = pytest.mark.once


def command(blueprint, *, task=None, dataset=None, options=None, **settings):
    parsed = TrainingSettings.parse(settings)
    return Command(blueprint, task, dataset, {}, options or {}, parsed)


@pytest.mark.parametrize(
    ("given", "message"),
    {
        "option of no task": ({"options": {"filtrs": "8"}}, "no option 'filtrs'.*'filters'"),
        "value of an option": ({"options": {"filters": "many"}}, "-o filters=many does not fit"),
        "class weights of numbers": (
            {"task": "image_regression", "class_weights": "balanced"},
            "--class-weights is of no use to image_regression; it is for image_classification, ",
        ),
        "smoothing of numbers": (
            {"task": "image_regression", "label_smoothing": "0.1"}, "--label-smoothing is of no",
        ),
        "loss": ({"task": "image_regression", "loss": "focal"}, "has no loss 'focal'"),
        "recipe": ({"recipe": "resnet50"}, "blueprint 'cnn' has no recipe 'resnet50'"),
        "task of others": ({"task": "forecasting"}, "'cnn' does not serve forecasting"),
    }.values(),
    ids=lambda value: "",
)  # fmt: skip
def test_what_suits_no_task_is_refused_before_the_data_are_looked_for(given, message):
    with pytest.raises(UserError, match=message):
        make_plan(command("cnn", dataset="./nowhere", **given))


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("rnn", {"augment": "flip"}, "--augment is of no use to "),
        ("cnn", {"augment": "shift,mosaic"}, "mosaic is of no use to image_classification; it is"),
        ("unet", {"augment": "mixup"}, "--augment mixup is of no use to image_segmentation"),
        ("gan", {"augment": "mixup"}, "--augment mixup is of no use to image_generation"),
        ("gan", {"class_weights": "balanced"}, "--class-weights is of no use to image_generation"),
        ("dnn", {"dataset": "diabetes", "class_weights": "balanced"}, "to tabular_regression"),
    ],
)
def test_settings_that_a_task_cannot_use_are_refused(name, given, message):
    with pytest.raises(UserError, match=message):
        make_plan(command(name, **given))


def test_what_suits_one_of_several_tasks_waits_for_the_data():
    plan = make_plan(command("cnn", dataset="./nowhere", class_weights="balanced"))
    assert plan.task is None
    assert plan.settle("image_classification").settings.class_weights == "balanced"
    with pytest.raises(UserError, match="--class-weights is of no use to image_regression"):
        plan.settle("image_regression")


def test_a_seed_beyond_64_bits_is_one_line():
    for seed in ("-1", str(2**63)):
        with pytest.raises(UserError, match=f"--seed {seed} does not fit"):
            command("cnn", seed=seed)
    assert command("cnn", seed=str(2**63 - 1)).settings.seed == 2**63 - 1


def test_a_family_without_data_of_its_own_asks_for_some(monkeypatch):
    blueprint = planning.find_blueprint("cnn")
    monkeypatch.setattr(blueprint, "DATASETS", {})
    with pytest.raises(UserError, match="'cnn' has no data of its own .*; give --dataset"):
        make_plan(command("cnn"))


def test_what_is_refused_leaves_no_run_folder(run_cli):
    code, _, err = run_cli("fit", "dnn", "--dataset", "diabetes", "--label-smoothing", "0.1")
    assert code == 2 and "--label-smoothing is of no use to tabular_regression" in err
    assert not Path("runs").exists()


def test_epochs_and_steps_are_refused_together_at_once(run_cli):
    code, _, err = run_cli("fit", "cnn", "--dataset", "./nowhere", "--epochs", "1", "--steps", "9")
    assert code == 2 and "--epochs and --steps both say how long to train" in err


def test_a_cell_is_settled_once():
    plan = make_plan(command("cnn"))
    assert plan.settle("image_classification") is plan.settle("image_classification")


def write_table(folder, header, *rows):
    path = folder / "series.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return str(path)


DAYS = [f"2024-01-{day:02d}" for day in range(1, 31)]


@pytest.mark.parametrize("blueprint", ["rnn", "transformer"])
@pytest.mark.parametrize(
    ("header", "stamps", "options", "time"),
    [
        ("sold,date", DAYS, {}, "date"),
        ("sold,opened", DAYS, {}, "opened"),  # by what it holds
        ("sold,year", [*map(str, range(1990, 2020))], {}, "year"),
        ("sold,n", [*map(str, range(0, 60, 2))], {"time": "n"}, "n"),
    ],
)
def test_a_table_with_time_stamps_is_forecast_by_who_serves_no_other(
    tmp_path, blueprint, header, stamps, options, time
):
    path = write_table(tmp_path, header, *(f"{n % 7}.5,{stamp}" for n, stamp in enumerate(stamps)))
    plan = make_plan(Command(blueprint, None, path, options, {}, TrainingSettings.parse({})))
    assert plan.task == "forecasting"
    assert plan.note.startswith(f"taken for forecasting: '{time}' holds time stamps, and ")


def test_what_others_serve_or_is_named_is_taken_as_it_is(tmp_path, monkeypatch):
    path = write_table(tmp_path, "date,sold", *(f"{day},1" for day in DAYS))
    assert (make_plan(command("dnn", dataset=path)).task, make_plan(command("dnn")).note) == (
        None, "",
    )  # fmt: skip
    plan = make_plan(command("rnn", dataset=path, task="text_classification"))
    assert (plan.task, plan.note) == ("text_classification", "")
    assert make_plan(command("rnn", dataset="stdlib_docstrings")).task is None
    assert make_plan(command("rnn", dataset=str(tmp_path))).task is None
    both = ("forecasting", "tabular_regression")
    monkeypatch.setattr(planning, "served_tasks", lambda blueprint: both)
    assert make_plan(command("rnn", dataset=path)).task is None


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("size,sold", [f"{n % 5},{n % 3}" for n in range(30)]),
        ("year,sold", [f"{2000 + n % 4},{n}" for n in range(30)]),  # a year of each row, no clock
    ],
)
def test_of_a_table_without_time_stamps_what_is_missing_is_said(tmp_path, header, rows):
    path = write_table(tmp_path, header, *rows)
    with pytest.raises(UserError) as error:
        make_plan(command("rnn", dataset=path))
    for part in ("'rnn' takes a table for --task forecasting, but ", "series.csv has no column of",
                 "-d time=COLUMN", "text_classification", "dnn would"):  # fmt: skip
        assert part in str(error.value)


def test_a_fit_says_that_it_forecasts(run_cli, tmp_path):
    path = write_table(tmp_path, "date,sold", *(f"{day},{n % 7}" for n, day in enumerate(DAYS)))
    words = ("-d", "horizon=2", "-d", "season_length=1", "-o", "units=2", "--steps", "1")
    said = "taken for forecasting: 'date' holds time stamps, and rnn "
    code, out, err = run_cli("fit", "rnn", "--dataset", path, "-d", "context=3", *words)
    assert code == 0 and err.count(said) == 1 and "mase" in out
    code, _, err = run_cli("fit", "rnn", "--dataset", path, "-d", "context=99", *words)
    assert code == 2 and "series 'sold' h" in err and err.count(said) == 1


@pytest.mark.parametrize(
    ("blueprint", "inside", "task"),
    [
        ("unet", ("images", "annotations.json"), "image_segmentation"),
        ("unet", ("images", "masks"), None),
        ("detector", ("images", "annotations.json"), None),
        ("detector", ("images", "masks"), "object_detection"),
        ("cnn", ("images", "annotations.json"), None),
    ],
)
def test_of_images_with_annotations_a_family_asks_for_its_own(tmp_path, blueprint, inside, task):
    for name in inside:
        (tmp_path / name).mkdir()
    assert make_plan(command(blueprint, dataset=str(tmp_path))).task == task
