"""Run folders: names that are never shared, and damage that is said in one line."""

import json
import os
import subprocess
import sys

import pytest

from threefold.core.errors import UserError
from threefold.core.locks import hold_lock
from threefold.datasets.facts import ImageFacts
from threefold.training.checkpoints import CheckpointError, save_checkpoint
from threefold.training.run import DatasetRecord, RunRecord, create_run, open_run
from threefold.training.settings import TrainingSettings

pytestmark = pytest.mark.once


def record_of(reference="digits", blueprint="cnn"):
    data = DatasetRecord(reference=reference, options={}, fingerprint="f", sizes={}, notes=[])
    return RunRecord(
        blueprint=blueprint,
        task="image_classification",
        options={},
        settings=TrainingSettings(epochs=1, batch_size=8, optimizer="adam", learning_rate=0.1),
        dataset=data,
        facts=ImageFacts(image_shape=(8, 8, 1), class_names=("a", "b"), class_counts=(1, 1)),
        backend="jax",
        device="cpu",
        versions={},
        created="2025-01-01T00:00:00+00:00",
    )


def test_a_run_is_read_back_as_it_was_made(in_tmp):
    run = create_run(record_of())
    assert str(run.folder) == "runs/cnn-digits-001"
    assert open_run("runs/cnn-digits-001").record == run.record
    rows = [{"epoch": 1.0, "loss": 1 / 3}, {"epoch": 2.0, "loss": 1e-300}]
    run.write_history(rows)
    assert run.read_history() == rows
    run.write_metrics({"test": {"accuracy": 1 / 3}})
    assert run.read_metrics() == {"test": {"accuracy": 1 / 3}}


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("digits", "cnn-digits"),
        ("tfds:mnist", "cnn-tfds-mnist"),
        ("hf:someone/flowers:small", "cnn-flowers-small"),
        ("./my photos (2)/", "cnn-my-photos-2"),
        ("/data/Tulips.v2.csv", "cnn-tulips-v2"),
        ("..", "cnn"),
        ("/", "cnn-data"),
        ("./写真", "cnn"),
        ("[a-z]*?", "cnn-a-z"),
        ("-rf ~;$(reboot)\n", "cnn-rf-reboot"),
        ("x" * 300, "cnn-" + "x" * 76),
    ],
)
def test_names_of_runs_are_plain_and_stay_in_runs(in_tmp, reference, name):
    for number in (1, 2):
        assert str(create_run(record_of(reference)).folder) == f"runs/{name}-00{number}"


def test_numbers_go_on_after_the_largest(in_tmp):
    for name in ("cnn-digits-007", "cnn-digits-1000", "cnn-digits-mine", "cnn-digits-2-003"):
        (in_tmp / "runs" / name).mkdir(parents=True)
    assert create_run(record_of()).folder.name == "cnn-digits-1001"


RACER = """
import json, pathlib, sys, time
from threefold.training.run import RunRecord, create_run
from threefold.core.errors import UserError
record = RunRecord.model_validate_json(sys.stdin.readline())
print("ready", flush=True)
sys.stdin.readline()
names = [str(create_run(record).folder) for _ in range(20)]
own = []
for k in range(20):
    try:
        own.append(str(create_run(record, f"own-{k}").folder))
    except UserError as error:
        assert "exists and is not empty" in str(error)
print(json.dumps([names, own]))
"""


def test_fits_that_start_at_the_same_instant_get_folders_of_their_own(in_tmp):
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for racer in racers:
        racer.stdin.write(record_of().model_dump_json() + "\n")
        racer.stdin.flush()
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    explicit = [json.loads(racer.communicate()[0]) for racer in racers]
    names = [name for numbered, _ in explicit for name in numbered]
    assert len(set(names)) == len(names) == 60
    own = [name for _, named in explicit for name in named]
    assert sorted(own) == sorted(f"own-{k}" for k in range(20))  # one of the three got each


def test_a_folder_of_ones_own_must_be_new_or_empty(in_tmp):
    (in_tmp / "empty").mkdir()
    assert create_run(record_of(), "empty").folder.name == "empty"
    assert create_run(record_of(), "new/deep").record == open_run("new/deep").record
    (in_tmp / "file").touch()
    for taken in ("empty", "file"):
        with pytest.raises(UserError, match=f"{taken} exists and is not empty: give another --run"):
            create_run(record_of(), taken)
    with pytest.raises(CheckpointError, match="cannot make a run folder: .*Not a directory"):
        create_run(record_of(), "file/below")


def test_an_unknown_run_is_told_with_the_closest(in_tmp):
    create_run(record_of())
    with pytest.raises(UserError, match="did you mean 'runs/cnn-digits-001'"):
        open_run("runs/cnn-digit-001")
    with pytest.raises(UserError, match="no run 'cnn-digits'.*'runs/cnn-digits-001'"):
        open_run("cnn-digits")
    with pytest.raises(UserError, match="runs is not a run: it holds no run.json"):
        open_run("runs")


@pytest.fixture
def made(in_tmp):
    """A run whose record may be damaged: its path, and the content."""
    path = create_run(record_of(), "run").folder / "run.json"
    return path, json.loads(path.read_text())


@pytest.mark.parametrize("size", [0, 1, 100, -3])
def test_a_record_that_was_cut_off(made, size):
    path, _ = made
    path.write_text(path.read_text()[:size])
    with pytest.raises(CheckpointError, match="^run/run.json is damaged: "):
        open_run("run")


@pytest.mark.parametrize("text", ["[]", "null", '"run"', "{}", "3", "\x00", "{not json"])
def test_a_record_that_is_something_else(made, text):
    made[0].write_text(text)
    with pytest.raises(CheckpointError, match="^run/run.json is damaged: "):
        open_run("run")


@pytest.mark.parametrize("start", ["[", '{"format":', '{"facts": [', '{"options": {"a":'])
def test_a_record_that_is_nested_without_end(made, run_cli, start):
    made[0].write_text(start * 100_000)
    with pytest.raises(CheckpointError, match="^run/run.json is damaged: nested too deeply"):
        open_run("run")
    code, _, err = run_cli("evaluate", "run")
    assert code == 1 and err.startswith("error: ") and err.count("\n") == 1


def test_a_record_that_is_nested_within_what_json_reads(made):
    path, content = made
    nested = "[" * 700 + "]" * 700
    path.write_text(json.dumps(content)[:-1] + f', "options": {{"a": {nested}}}}}')
    assert open_run("run").record.options["a"]


def test_a_record_without_end_is_not_read(made):
    with open(made[0], "r+b") as file:
        file.truncate(2**40)  # holes, which cost no disk
    with pytest.raises(
        CheckpointError, match="has 1,099,511,627,776 bytes, and no run writes more"
    ):
        open_run("run")


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "\x00"])
def test_metrics_that_are_damaged(made, text):
    (made[0].parent / "metrics.json").write_text(text)
    with pytest.raises(CheckpointError, match="metrics.json is damaged: "):
        open_run("run").read_metrics()


def test_a_record_that_is_no_text(made):
    made[0].write_bytes(b"\xff\xfe{}")
    with pytest.raises(CheckpointError, match="^run/run.json is damaged: "):
        open_run("run")


@pytest.mark.parametrize("key", ["blueprint", "settings", "dataset", "facts", "backend"])
def test_a_record_without_a_key_names_it(made, key):
    path, content = made
    del content[key]
    path.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=f"is damaged: {key}: Field required"):
        open_run("run")


def test_a_value_of_the_wrong_kind_is_named_with_its_place(made):
    path, content = made
    content["settings"]["epochs"] = "many"
    path.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="settings.epochs: .*valid integer"):
        open_run("run")


def test_a_newer_format_says_to_upgrade(made):
    path, content = made
    path.write_text(json.dumps(content | {"format": 2, "what_we_do_not_know": 1}))
    with pytest.raises(CheckpointError, match="format 2, .* up to 1: upgrade with pip install -U"):
        open_run("run")


@pytest.mark.parametrize("command", [["evaluate", "run"], ["fit", "--resume", "run"]])
def test_damage_is_one_line_and_a_failure_on_the_command_line(made, run_cli, command):
    made[0].write_text("{")
    code, out, err = run_cli(*command)
    assert (code, out) == (1, "")
    assert err.startswith("error: run/run.json is damaged") and err.count("\n") == 1


def test_a_run_without_its_record_or_without_a_checkpoint(run_cli, in_tmp):
    (in_tmp / "half" / "checkpoints").mkdir(parents=True)
    code, _, err = run_cli("fit", "--resume", "half")
    assert (code, err) == (2, "error: half is not a run: it holds no run.json\n")
    create_run(fitted_record(), "begun")
    code, _, err = run_cli("fit", "--resume", "begun")
    assert code == 1
    assert "no state checkpoint in begun/checkpoints" in err
    assert err.endswith("begin anew: threefold fit --again begun\n")
    code, _, err = run_cli("evaluate", "begun")
    assert code == 1
    assert "no best checkpoint in begun/checkpoints" in err


def test_a_state_of_another_model_is_refused(run_cli, in_tmp):
    run = create_run(fitted_record(), "other")
    save_checkpoint(run.checkpoints, "state", {}, {"backend": os.environ["KERAS_BACKEND"]})
    code, _, err = run_cli("fit", "--resume", "other")
    assert code == 1
    assert "error: other cannot go on: the checkpoint holds no weights/" in err


def test_a_second_process_may_not_go_on_with_a_run(run_cli, in_tmp):
    run = create_run(fitted_record(), "busy")
    with hold_lock(run.lock):
        code, _, err = run_cli("fit", "--resume", "busy")
    assert (code, err) == (2, "error: busy is being fitted by another process\n")
    assert open_run("busy").record == run.record


def fitted_record():
    """Return a record that a fit could go on with, were there a state."""
    from threefold.datasets.loading import load

    dataset = load("wine", {})
    data = DatasetRecord(
        reference="wine", options={}, fingerprint=dataset.fingerprint, sizes={}, notes=[]
    )
    changes = {"task": "tabular_classification", "dataset": data, "facts": dataset.facts}
    record = record_of(blueprint="dnn").model_copy(update=changes)
    settings = record.settings.model_copy(update={"augment": (), "loss": "cross_entropy"})
    return record.model_copy(update={"settings": settings})
