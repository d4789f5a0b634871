import json
import shlex
import subprocess
import sys
from typing import Annotated, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from threefold.core.errors import UserError
from threefold.core.locks import hold_lock
from threefold.core.options import Option, as_typed, check_options, options_of
from threefold.tasks.task import find_task
from threefold.training.building import blueprint_names, find_blueprint
from threefold.training.inspection.description import (
    catalogue,
    describe_blueprint,
    describe_run,
    describe_type,
)
from threefold.training.run import Run, open_run

pytestmark = pytest.mark.once

CELLS = [(name, task) for name, (tasks, _) in blueprint_names().items() for task in tasks]


def test_list_answers_without_keras_or_a_backend():
    code = (
        "import sys; from threefold import cli; sys.argv = ['threefold', 'list']\n"
        "try: cli.main()\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'keras', 'tensorflow', 'jax', 'torch', 'sklearn', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    for word in ("cnn", "image_classification", "digits", "A residual network"):
        assert word in ended.stdout


def test_the_catalogue_names_data_that_exist_for_every_task():
    found = catalogue()
    for name, blueprint in found["blueprints"].items():
        assert list(blueprint["datasets"]) == blueprint["tasks"], name
        for task, dataset in blueprint["datasets"].items():
            served = found["datasets"][dataset]["tasks"]
            assert task in served or find_task(task).dataset_task in served


@pytest.mark.parametrize(("name", "task"), CELLS)
def test_every_cell_is_described_in_full(name, task):
    found = json.loads(json.dumps(describe_blueprint(name, task, None, {}, {})))
    assert found["task"] == task and found["about"]
    for part in (*found["options"], *found["arguments"]):
        start = part["help"].lstrip("`")  # a sentence, not the type in front of it
        assert (start[0].isupper() or start != part["help"]) and part["help"].endswith("."), part
    assert found["parameters"] == sum(layer["parameters"] for layer in found["layers"])
    assert found["megabytes"] == pytest.approx(found["parameters"] * 4e-6, rel=0.01)
    blueprint = find_blueprint(name)
    recipe = blueprint.TRAINING | getattr(blueprint, "TASK_TRAINING", {}).get(task, {})
    # As for a fit: small data get more epochs, in smaller batches.
    assert found["training"]["epochs"] >= recipe["epochs"]
    assert found["training"]["batch_size"] <= recipe["batch_size"]
    assert "steps" not in found["training"]


@pytest.mark.parametrize(("name", "task"), CELLS)
def test_every_default_can_be_typed_as_it_is_shown(name, task):
    options = options_of(find_blueprint(name).TASKS[task])
    for option in options.values():
        typed = {option.name: as_typed(option.default)}
        assert check_options(options, typed, flag="-o", owner=name) == {option.name: option.default}


def test_options_change_what_is_drawn():
    given = {"filters": "4,5", "stride": "2", "pooling": "none", "normalization": "none"}
    found = describe_blueprint("cnn", None, None, {"test_fraction": "0.2"}, given)
    options = {option["name"]: option for option in found["options"]}
    assert options["filters"]["value"] == (4, 5) and options["filters"]["default"] == (32, 64)
    layers = {layer["name"]: layer for layer in found["layers"]}
    assert layers["stage_1_conv_2"]["output_shape"] == [4, 4, 4]
    assert layers["stage_1_conv_2"]["parameters"] == 3 * 3 * 4 * 4 + 4
    assert layers["stage_1_conv_2"]["receptive_field"] == {
        "height": 5, "width": 5, "stride": [2, 2],
    }  # fmt: skip
    assert layers["head"]["receptive_field"] == {"height": 8, "width": 8, "stride": None}
    assert shlex.split(found["command"])[2:] == [
        "cnn", "--task", "image_classification", "--dataset", "digits", "-d", "test_fraction=0.2",
        "-o", "filters=4,5", "-o", "stride=2", "-o", "pooling=none", "-o", "normalization=none",
    ]  # fmt: skip


def test_a_table_has_no_receptive_fields():
    found = describe_blueprint("dnn", None, "diabetes", {}, {})
    assert found["task"] == "tabular_regression"
    assert {layer["receptive_field"] for layer in found["layers"]} == {None}


@pytest.mark.parametrize(
    ("task", "reference", "given", "words"),
    [
        ("image_clasification", None, {}, "did you mean 'image_classification'"),
        ("tabular_regression", None, {}, "dnn would"),
        (None, "wine", {}, "does not serve tabular_classification"),
        (None, "digitz", {}, "did you mean 'digits'"),
        (None, None, {"filter": "3"}, "did you mean 'filters'"),
        (None, None, {"padding": "valid", "kernel_size": "9"}, "too small"),
    ],
)
def test_mistakes_are_said_in_a_line(task, reference, given, words):
    with pytest.raises(UserError, match=words):
        describe_blueprint("cnn", task, reference, {}, given)


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (int, "whole number"),
        (bool, "true or false"),
        (Annotated[int, Field(ge=1)], "whole number from 1"),
        (Annotated[float, Field(ge=0, lt=1)], "number from 0 to less than 1"),
        (Annotated[float, Field(gt=0, le=2)], "number above 0 to 2"),
        (tuple[Annotated[int, Field(ge=1)], ...], "whole numbers from 1, with commas between"),
        (tuple[int, int], "2 whole numbers, with commas between"),
        (tuple[str, ...], "texts, with commas between"),
        (tuple[Literal["a", "b"], ...], "any of a or b, with commas between"),
        (Literal["max", "average", "none"], "max, average or none"),
        (str | None, "text or none"),
        (Literal["a", "b"] | None, "a or b or none"),
        (int | tuple[int, int], "whole number or 2 whole numbers, with commas between"),
    ],
)
def test_types_are_said_in_a_persons_words(annotation, words):
    assert describe_type(annotation) == words


VALUES = st.one_of(
    st.tuples(st.just(tuple[int, ...]), st.lists(st.integers()).map(tuple)),
    st.tuples(st.just(float), st.floats(allow_nan=False, allow_infinity=False)),
    st.tuples(st.just(bool), st.booleans()),
    st.tuples(st.just(int | None), st.none() | st.integers()),
)


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_what_is_shown_is_read_back_as_it_was(pair):
    annotation, value = pair
    options = {"x": Option("x", annotation, None, "")}
    read = check_options(options, {"x": as_typed(value)}, flag="-o", owner="it")
    assert read == {"x": value}


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A run of two epochs on the table of wines."""
    folder = tmp_path_factory.mktemp("runs") / "a run"
    words = "fit dnn --epochs 2 -d validation_fraction=0.2 -o widths=8 --clip-norm 1 --run"
    fit(*words.split(), str(folder))
    return folder


def fit(*words):
    subprocess.run([sys.executable, "-m", "threefold.cli", *words], check=True, capture_output=True)


def test_a_finished_run_tells_how_it_went(fitted):
    found = json.loads(json.dumps(describe_run(open_run(str(fitted)))))
    assert (found["status"], found["epochs_done"], found["epochs"]) == ("finished", 2, 2)
    losses = [row["val_loss"] for row in open_run(str(fitted)).read_history()]
    assert found["best_epoch"] == losses.index(min(losses)) + 1
    assert 0 <= found["metrics"]["test"]["accuracy"] <= 1
    assert found["options"]["widths"] == [8]
    assert found["settings"]["clip_norm"] == 1


def test_the_command_of_a_run_makes_the_same_run(fitted, tmp_path):
    command = describe_run(open_run(str(fitted)))["command"]
    fit(*shlex.split(command)[1:], "--run", str(tmp_path / "again"))
    first, second = (json.loads((p / "run.json").read_text()) for p in (fitted, tmp_path / "again"))
    assert {**first, "created": ""} == {**second, "created": ""}
    assert (fitted / "metrics.json").read_text() == (tmp_path / "again/metrics.json").read_text()


def test_a_run_that_is_being_fitted_is_told_from_a_cut_one(fitted):
    record = open_run(str(fitted)).record
    longer = record.settings.model_copy(update={"epochs": 5})
    run = Run(fitted, record.model_copy(update={"settings": longer}))
    assert describe_run(run)["status"] == "cut"
    patient = longer.model_copy(update={"patience": 1})
    best_first = Run(fitted, record.model_copy(update={"settings": patient}))
    with hold_lock(run.lock):
        assert describe_run(run)["status"] == "running"
    history = fitted / "history.csv"
    kept = history.read_text()
    history.write_text("epoch,loss,val_loss\n1,1.0,0.5\n2,0.9,0.6\n")
    assert describe_run(best_first)["status"] == "finished"  # it stopped early
    history.unlink()
    described = describe_run(run)
    assert (described["status"], described["best_epoch"]) == ("cut", None)
    history.write_text(kept)


def test_show_on_the_command_line(fitted, run_cli):
    code, out, _ = run_cli("show", str(fitted), "--json")
    assert code == 0 and json.loads(out)["status"] == "finished"
    code, out, _ = run_cli("show", "cnn", "-o", "filters=3", "--json")
    assert code == 0 and json.loads(out)["blueprint"] == "cnn"
    code, out, err = run_cli("show", "cn")
    assert code == 2 and "did you mean 'cnn'" in err and not out
    code, _, err = run_cli("show", str(fitted) + "x")
    assert code == 2 and "did you mean" in err


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({}, []),
        ({"cell": "simple"}, ["the simple cell has none"]),
        ({"recurrent_dropout": "0.1"}, ["recurrent_dropout forbids it"]),
    ],
)
def test_options_that_forbid_the_fused_kernels_of_a_gpu_are_named(options, why):
    task, words = "text_generation", {"units": "4,4"} | options
    notes = describe_blueprint("rnn", task, None, {}, words)["notes"]
    assert [note.partition("; ")[2] for note in notes] == why
    for note in notes:  # the layers within a layer, too
        assert note.startswith("without the fused kernel of a GPU: recurrent_1, recurrent_2; ")
