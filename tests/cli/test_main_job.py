"""Fit, evaluate, predict: the whole path, as a user types it."""

import csv
import json
import math
from pathlib import Path

import pytest

pytestmark = pytest.mark.each_backend


def the_only_object(out: str) -> dict:
    """Return the one JSON object that `--json` may print."""
    found = json.loads(out)
    assert isinstance(found, dict)
    assert out.count("\n") == 1
    return found


@pytest.fixture(scope="session")
def digit_files(photos) -> list[str]:
    return [str(photos / name) for name in ("two/03.png", "naught/00.png", "one/11.png")]


def test_fit_prints_one_object(digits_fit, backend):
    assert set(digits_fit) == {
        "run", "backend", "seconds", "epochs", "summary_metrics", "metrics", "artifacts",
    }  # fmt: skip
    assert digits_fit["artifacts"] == {} and digits_fit["summary_metrics"][0] == "accuracy"
    assert digits_fit["backend"] == backend
    assert (digits_fit["epochs"], digits_fit["seconds"] > 0) == (2, True)
    assert list(digits_fit["metrics"]) == ["validation", "test"]
    for metrics in digits_fit["metrics"].values():
        for name in ("accuracy", "precision", "recall", "f1", "loss"):
            assert math.isfinite(metrics[name]), name
        assert list(metrics["by_class"]) == [str(digit) for digit in range(10)]


def test_a_run_folder_holds_all_that_a_user_may_want(digits_fit):
    run = Path(digits_fit["run"])
    names = {path.name for path in run.iterdir() if not path.name.startswith(".")}
    files = {"run.json", "history.csv", "metrics.json", "labels.txt"}
    assert names == files | {"checkpoints", "report"}
    assert (run / "labels.txt").read_text().split() == list("0123456789")
    assert json.loads((run / "metrics.json").read_text()) == digits_fit["metrics"]
    with open(run / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    page = (run / "report" / "index.html").read_text()
    assert "confusion_matrix" in page or "Confusion matrix" in page


def test_fit_tells_a_person_what_happens_and_what_to_type_next(run_cli, people):
    code, out, err = run_cli(
        "fit", "dnn", "--dataset", str(people), "-d", "encoding=latin-1", "-o", "widths=4",
        "--epochs", "1",
    )  # fmt: skip
    assert code == 0
    assert "60 rows; predicts 'answer' (2 classes), the last column" in err
    assert "1/1" in err and "val_loss" in err
    assert "threefold evaluate runs/dnn-people-001" in out
    assert "accuracy" in out
    assert Path("runs/dnn-people-001/run.json").is_file()


def test_evaluate_says_again_what_fit_said(run_cli, digits_fit):
    code, out, _ = run_cli("evaluate", digits_fit["run"], "--json")
    found = the_only_object(out)
    assert code == 0
    assert set(found) == {"run", "backend", "metrics"}
    assert found["metrics"] == digits_fit["metrics"]


def test_evaluate_prints_tables_and_names_the_figures(run_cli, digits_run):
    code, out, _ = run_cli("evaluate", digits_run, "--split", "test")
    assert code == 0
    assert "test, by class" in out and "f1" in out and "validation" not in out
    page = Path(out.rpartition("figures: ")[2].strip())
    assert page.is_file()
    assert (page.parent / "test_confusion_matrix.png").is_file()


def test_evaluate_says_that_a_simple_method_does_better_and_what_to_try(run_cli, digits_fit):
    run, found = digits_fit["run"], digits_fit["metrics"]["test"]
    ((name, beside),) = found["baselines"].items()
    assert beside["accuracy"] > found["accuracy"]  # after two epochs
    code, out, _ = run_cli("evaluate", run, "--split", "test")
    assert code == 0 and f"the simple method '{name}' does better: accuracy " in out
    assert f"optimizer steps were made: threefold fit --again {run} --steps 1000\n" in out
    page = (Path(run) / "report" / "index.html").read_text()
    assert f"threefold fit --again {run} --steps 1000</p>" in page
    assert "threefold show cnn for what else can be set" in out and "threefold show cnn" in page


def test_evaluate_judges_each_split_that_is_asked_for(run_cli, people_run):
    _, out, _ = run_cli("evaluate", people_run, "--split", "all", "--json")
    metrics = the_only_object(out)["metrics"]
    assert list(metrics) == ["train", "validation", "test"]
    counts = [sum(part["count"] for part in one["by_class"].values()) for one in metrics.values()]
    assert sum(counts) == 60


def test_other_data_are_judged_as_one(run_cli, photo_run, photos, in_tmp):
    (in_tmp / "new" / "one").mkdir(parents=True)
    for number in range(5):
        name = f"{number:02d}.png"
        (in_tmp / "new" / "one" / name).write_bytes((photos / "one" / name).read_bytes())
    code, out, _ = run_cli("evaluate", photo_run, "--dataset", "new", "--json")
    metrics = the_only_object(out)["metrics"]
    assert (code, list(metrics)) == (0, ["all"])
    assert metrics["all"]["by_class"]["one"]["count"] == 5


def test_a_table_without_rows_to_train_on_is_judged(run_cli, people_run, people, in_tmp):
    header, *rows = people.read_text("latin-1").splitlines()
    lines = [f"{row},test" for row in rows[:10]] + [f"{row},validation" for row in rows[10:14]]
    Path("new.csv").write_text("\n".join([header + ",split", *lines]), "latin-1")
    asked = ("evaluate", people_run, "--dataset", "new.csv", "-d", "encoding=latin-1", "--json")
    for words, split, count in (((), "all", 14), (("--split", "test"), "test", 10)):
        code, out, _ = run_cli(*asked, *words)
        metrics = the_only_object(out)["metrics"]
        assert (code, list(metrics)) == (0, [split])
        assert sum(part["count"] for part in metrics[split]["by_class"].values()) == count


def test_predict_answers_in_the_order_of_the_inputs(run_cli, digits_run, digit_files):
    _, out, _ = run_cli("predict", digits_run, *digit_files, "--json")
    found = the_only_object(out)
    assert set(found) == {"run", "backend", "predictions", "skipped", "notes"}
    assert [one["input"] for one in found["predictions"]] == digit_files
    _, out, _ = run_cli("predict", digits_run, *digit_files[::-1], "--json")
    assert the_only_object(out)["predictions"] == found["predictions"][::-1]
    for one in found["predictions"]:
        assert sum(one["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert one["label"] == max(one["probabilities"], key=one["probabilities"].get)
        assert one["probability"] == max(one["probabilities"].values())


def test_predict_shows_a_person_a_table(run_cli, digits_run, digit_files):
    code, out, err = run_cli("predict", digits_run, *digit_files)
    header, *rows = out.splitlines()
    assert (code, err) == (0, "")
    assert header.split() == ["input", "label", "probability"]
    assert [row.split()[0] for row in rows] == digit_files


def test_folders_globs_and_standard_input(run_cli, photo_run, photos):
    stdin = f"{photos}/two/03.png\n".encode()
    words = (str(photos / "one"), "-", str(photos / "n*" / "0[12].png"))
    code, out, _ = run_cli("predict", photo_run, *words, "--json", stdin=stdin)
    names = [one["input"] for one in the_only_object(out)["predictions"]]
    assert code == 0
    expected = [f"one/{number:02d}.png" for number in range(12)]
    expected += ["two/03.png", "naught/01.png", "naught/02.png"]
    assert names == [str(photos / name) for name in expected]


def test_a_bad_image_is_named_skipped_and_counted(run_cli, digits_run, digit_files):
    Path("note.png").write_text("no image")
    words = ("predict", digits_run, digit_files[0], "note.png", digit_files[1])
    code, out, err = run_cli(*words, "--json")
    found = the_only_object(out)
    assert code == 1
    assert [one["input"] for one in found["predictions"]] == digit_files[:2]
    assert found["skipped"] == [
        "cannot read 'note.png': not a JPEG, PNG, WebP, BMP, GIF, TIFF, PPM or AVIF image"
    ]  # fmt: skip
    assert "skipped: cannot read 'note.png'" in err
    assert "1 of 3 skipped" in err


def test_bad_rows_are_named_skipped_and_counted(run_cli, people_run):
    rows = "city,age,income\nKöln,30,2000\nBonn,old,2000\nBonn\nBonn,60,\n".encode("latin-1")
    code, out, err = run_cli("predict", people_run, "-", "--json", stdin=rows)
    found = the_only_object(out)
    assert code == 1
    assert [one["input"] for one in found["predictions"]] == [
        "standard input line 2", "standard input line 5"
    ]  # fmt: skip
    assert "standard input line 3: column 'age' holds 'old'" in found["skipped"][0]
    assert "standard input line 4: 1 cell where the header names 3 columns" in found["skipped"][1]
    assert "2 of 4 skipped" in err


def test_a_table_is_read_as_the_runs_own_was(run_cli, people_run, people):
    """The run's table was in Latin-1; another encoding can be told."""
    code, out, _ = run_cli("predict", people_run, str(people), "--json")
    found = the_only_object(out)["predictions"]
    assert (code, len(found)) == (0, 60)
    assert found[1]["input"] == f"{people} line 3"
    Path("new.csv").write_text(people.read_text("latin-1"), "utf-8")
    code, out, _ = run_cli("predict", people_run, "new.csv", "-d", "encoding=utf-8", "--json")
    again = the_only_object(out)["predictions"]
    assert code == 0
    assert [one["probabilities"] for one in again] == [one["probabilities"] for one in found]
    code, _, err = run_cli("predict", people_run, "new.csv", "-d", "encodin=utf-8")
    assert (code, err) == (2, "error: predict has no option 'encodin'; did you mean 'encoding'?\n")


@pytest.mark.parametrize("name", ["answers.csv", "answers.jsonl"])
def test_answers_are_written_to_a_file(run_cli, digits_run, digit_files, name):
    _, out, _ = run_cli("predict", digits_run, *digit_files, "--json")
    expected = the_only_object(out)["predictions"]
    code, out, err = run_cli("predict", digits_run, *digit_files, "--output", name)
    assert (code, out) == (0, "")
    assert f"3 predictions in {name}" in err
    with open(name, newline="") as file:
        if name.endswith("l"):
            assert [json.loads(line) for line in file] == expected
        else:
            rows = list(csv.DictReader(file))
            assert [row["input"] for row in rows] == digit_files
            assert [float(row["probabilities.7"]) for row in rows] == [
                one["probabilities"]["7"] for one in expected
            ]  # fmt: skip


def test_an_output_that_cannot_be_is_refused_before_the_work(run_cli, digits_run, digit_files):
    code, out, err = run_cli("predict", digits_run, *digit_files, "--output", "answers.xls")
    assert (code, out) == (2, "")
    assert "--output answers.xls ends in '.xls', expected .csv or .jsonl" in err
