"""What can be done with a run: go on, repeat, start another; and what when it is damaged."""

import json
from pathlib import Path

import pytest

from threefold.reporting import session
from threefold.training.run import open_run

pytestmark = pytest.mark.each_backend


@pytest.fixture(autouse=True)
def no_report(monkeypatch):
    """Draw no figures: they would take most of the time here, and have tests of their own."""
    monkeypatch.setattr(session, "report_on", lambda *parts: None)


def history(run) -> list[dict[str, float]]:
    return open_run(str(run)).read_history()


def test_a_finished_run_is_judged_again_and_not_trained(run_cli, copy_of, digits_fit):
    run = copy_of(digits_fit["run"])
    (run / "metrics.json").unlink()
    checkpoints = sorted(path.name for path in (run / "checkpoints").iterdir())
    code, out, err = run_cli("fit", "--resume", str(run), "--json")
    again = json.loads(out)
    assert (code, again["epochs"]) == (0, 2)
    assert again["metrics"] == digits_fit["metrics"]
    assert json.loads((run / "metrics.json").read_text()) == digits_fit["metrics"]
    assert "1/2" not in err and "2/2" not in err
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == checkpoints


def test_more_epochs_go_on_where_the_run_ended(run_cli, copy_of, digits_run):
    run = copy_of(digits_run)
    code, out, err = run_cli("fit", "--resume", str(run), "--epochs", "3", "--json")
    assert (code, json.loads(out)["epochs"]) == (0, 3)
    assert history(run)[:2] == history(digits_run)
    assert [row["epoch"] for row in history(run)] == [1, 2, 3]
    assert "3/3" in err and "2/3" not in err
    assert open_run(str(run)).record.settings.epochs == 3


@pytest.mark.parametrize(
    "words",
    [
        ("--patience", "3"), ("-o", "filters=3"), ("-d", "split_seed=1"), ("--dataset", "digits"),
        ("--run", "elsewhere"), ("--task", "image_classification"), ("--init", "x"),
        ("--target", "y"), ("--epochs", "3", "--seed", "1"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_resumed_run_takes_no_other_options(run_cli, copy_of, digits_run, words):
    run = copy_of(digits_run)
    code, out, err = run_cli("fit", "--resume", str(run), *words)
    assert (code, out) == (2, "")
    assert err == "error: --resume goes on as the run was begun; only --epochs may be given\n"
    assert history(run) == history(digits_run)


def test_a_run_whose_data_changed_is_not_resumed(run_cli, in_tmp):
    Path("t.csv").write_text("a,b,y\n" + "1,2,no\n3,4,yes\n" * 20)
    assert run_cli("fit", "dnn", "--dataset", "t.csv", "--epochs", "1", "-o", "widths=4")[0] == 0
    Path("t.csv").write_text("a,b,y\n" + "1,2,no\n3,5,yes\n" * 20)
    code, _, err = run_cli("fit", "--resume", "runs/dnn-t-001")
    assert (code, err.count("\n")) == (2, 1)
    assert "t.csv has changed since runs/dnn-t-001 was fitted on it" in err


def test_again_repeats_a_run(run_cli, digits_run):
    code, out, _ = run_cli("fit", "--again", digits_run, "--run", "again", "--json")
    assert (code, json.loads(out)["run"]) == (0, "again")
    assert history("again") == history(digits_run)
    one, other = open_run(digits_run), open_run("again")
    assert one.read_metrics() == other.read_metrics()
    assert one.record.model_dump(exclude={"created"}) == other.record.model_dump(
        exclude={"created"}
    )


def test_again_with_a_change_keeps_the_rest(run_cli, people_run):
    words = ("--epochs", "1", "-o", "activation=tanh", "--run", "again", "--json")
    assert run_cli("fit", "--again", people_run, *words)[0] == 0
    one, other = open_run(people_run).record, open_run("again").record
    assert other.options == one.options | {"activation": "tanh"}
    assert other.settings == one.settings.model_copy(update={"epochs": 1})
    assert other.dataset == one.dataset


def test_init_starts_from_the_weights_of_another_run(run_cli, small_digits, digits_run):
    words = (*small_digits, "--epochs", "1", "--init", digits_run, "--run", "more", "--json")
    code, _, err = run_cli("fit", "cnn", *words)
    assert (code, "warning" in err) == (0, False)
    assert history("more")[0]["loss"] < history(digits_run)[0]["loss"]
    assert open_run("more").record.init == digits_run


@pytest.mark.filterwarnings("default:--init")
def test_init_says_what_did_not_fit(run_cli, small_cnn, digits_run, photos):
    """The stages are those of the other run, the head has three classes instead of ten."""
    words = ("--dataset", str(photos), *small_cnn, "--epochs", "1", "--init", digits_run)
    code, _, err = run_cli("fit", "cnn", *words)
    assert code == 0
    weights = open_run(digits_run)
    assert f"warning: --init {weights.folder}: " in err
    assert "weights fit; the others start at random\n" in err


def test_init_from_a_run_of_another_kind_is_refused(run_cli, people_run):
    code, _, err = run_cli("fit", "cnn", "--init", people_run)
    assert code == 2
    assert err.endswith(f"--init {people_run}: no weight of it fits this model\n")


@pytest.mark.parametrize("content", ['{"format": 1, "bluepr', "[]", "{}", ""])
def test_a_damaged_record(run_cli, copy_of, digits_run, content):
    run = copy_of(digits_run)
    (run / "run.json").write_text(content)
    for words in (("evaluate", "copy"), ("predict", "copy", "x.png"), ("fit", "--resume", "copy")):
        code, out, err = run_cli(*words)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert "copy/run.json is damaged" in err


def test_a_run_of_a_newer_version(run_cli, copy_of, digits_run):
    run = copy_of(digits_run)
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | {"format": 2, "new": "things"}))
    code, _, err = run_cli("evaluate", "copy")
    assert (code, err.count("\n")) == (1, 1)
    assert "format 2" in err and "pip install -U threefold" in err


def damage(run: Path, kind: str) -> list[Path]:
    """Flip one byte in the middle of each checkpoint of a kind."""
    found = sorted((run / "checkpoints").glob(f"{kind}-*/arrays.npz"))
    for path in found:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    return found


@pytest.mark.filterwarnings("always:the checkpoint")
def test_damaged_weights_are_never_used(run_cli, copy_of, digits_run):
    damaged = damage(copy_of(digits_run), "best")
    code, out, err = run_cli("evaluate", "copy")
    assert (code, out) == (1, "")
    assert err.count("warning: the checkpoint") == len(damaged)
    assert "error: every best checkpoint in copy/checkpoints is damaged" in err.splitlines()[-1]


@pytest.mark.filterwarnings("always:the checkpoint")
def test_a_damaged_state_gives_way_to_the_one_before_it(run_cli, copy_of, digits_run):
    """The run then goes on from the epoch before, and ends as it did."""
    run = copy_of(digits_run)
    newest = max((run / "checkpoints").glob("state-*"))
    (newest / "state.json").write_bytes(b"{}")
    code, out, err = run_cli("fit", "--resume", str(run), "--json")
    assert (code, json.loads(out)["epochs"]) == (0, 2)
    assert f"warning: the checkpoint {newest} is damaged" in err
    assert "2/2" in err and "1/2" not in err
    assert history(run) == history(digits_run)


def test_a_run_that_never_finished_an_epoch(run_cli, copy_of, digits_run):
    run = copy_of(digits_run)
    for path in (run / "checkpoints").iterdir():
        path.rename(run / path.name)
    code, _, err = run_cli("evaluate", "copy")
    assert (code, err.count("\n")) == (1, 1)
    assert "no best checkpoint in copy/checkpoints" in err
