"""An artifact says which data it was trained on, and not where they or anything else lay."""

import json
import shutil
from pathlib import Path

import pytest

import threefold
from threefold.exporting.artifact import RECORD, open_artifact
from threefold.training.run import RunRecord

pytestmark = pytest.mark.once

# Of SavedModels as well, since TensorFlow may note where functions were written.
KINDS = [("table", "onnx"), ("table", "savedmodel"), ("photos", "savedmodel")]


@pytest.mark.parametrize(("kind", "format"), KINDS)
def test_no_file_of_an_artifact_holds_a_folder_of_the_one_who_trained(
    kind, format, artifact_of, run_of, place
):
    run = run_of(kind)
    assert str(place) in (run.folder / "run.json").read_text("utf-8")  # there is what could leak
    folders = {place, run.folder, Path.home(), Path.cwd(), *map(Path, threefold.__path__)}
    for path in artifact_of(kind, format).rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        for folder in folders:
            assert str(folder).encode() not in content, (path.name, folder)
            assert str(folder.resolve()).encode() not in content, (path.name, folder)


def test_the_record_names_the_data_and_their_fingerprint(artifact_of, run_of):
    wanted = run_of("table").record.dataset
    found = open_artifact(str(artifact_of("table", "onnx"))).record.run.dataset
    assert (found.reference, found.fingerprint) == ("table.csv", wanted.fingerprint)
    assert found.options == wanted.options and found.notes[0].startswith("table.csv: 90 rows")


def test_paths_in_options_and_notes_become_names(run_of, in_tmp):
    record = run_of("table").record.model_dump(mode="json")
    Path("deep").mkdir()
    Path("deep/words.json").write_text("")
    record["dataset"] |= {
        "reference": "~/mine/table.csv",
        "options": {"tokenizer": "deep/words.json", "target": "a/b", "files": ["/x/y.csv"]},
        "notes": [f"~/mine/table.csv and {in_tmp}/deep/words.json and {Path.home()}/a/b.csv: read"],
    }
    record |= {"init": "/runs/older", "options": {"pretrained": "~/bert", "filters": [3]}}
    found = RunRecord.model_validate(record).without_places()
    assert (found.dataset.reference, found.init) == ("table.csv", "older")
    assert found.dataset.options == {
        "tokenizer": "words.json", "target": "a/b", "files": ["y.csv"]
    }  # fmt: skip
    assert found.dataset.notes == ["table.csv and words.json and b.csv: read"]
    assert found.options == {"pretrained": "bert", "filters": [3]}
    record["dataset"]["reference"] = "hf:user/set"
    assert RunRecord.model_validate(record).without_places().dataset.reference == "hf:user/set"


def test_data_are_found_where_the_user_says_or_in_the_working_folder(
    artifact_of, run_cli, place, in_tmp
):
    folder = str(artifact_of("table", "onnx"))
    code, out, err = run_cli("evaluate", folder)
    assert (code, out) == (2, "")
    assert err == (
        "error: an artifact keeps the name of its data, 'table.csv': --dataset says where\n"
    )
    code, out, _ = run_cli("evaluate", folder, "--dataset", str(place / "table.csv"), "--json")
    elsewhere = json.loads(out)["metrics"]
    assert code == 0 and set(elsewhere) == {"validation", "test"}  # its own data, as of the run
    shutil.copy(place / "table.csv", "table.csv")
    code, out, _ = run_cli("evaluate", folder, "--json")
    assert code == 0 and json.loads(out)["metrics"] == elsewhere
    text = Path("table.csv").read_text("utf-8")
    Path("table.csv").write_text(text + text.splitlines()[-1] + "\n", "utf-8")
    code, out, err = run_cli("evaluate", folder)
    assert (code, out) == (2, "") and "'table.csv' is not what the artifact was trained on" in err
    Path("table.csv").rename("other.csv")
    code, out, _ = run_cli("evaluate", folder, "--dataset", "other.csv", "--json")
    assert code == 0 and set(json.loads(out)["metrics"]) == {"all"}


@pytest.mark.parametrize("command", ["evaluate", "predict", "show", "generate"])
def test_an_artifact_without_its_record_is_damaged_and_no_run(command, copy_of, run_cli):
    folder = copy_of("digits", "onnx")
    (folder / RECORD).unlink()
    code, out, err = run_cli(command, "copy", *(["x.png"] if command == "predict" else []))
    assert (code, out) == (1, "")
    assert err == "error: the artifact copy is damaged: artifact.json is missing; export again\n"
