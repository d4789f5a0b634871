"""What cannot be exported is said in one line, and what was there stays as it was."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from threefold.core.errors import Failure, UserError
from threefold.exporting.artifact import open_artifact
from threefold.exporting.export import Request, export_run
from threefold.training.checkpoints import load_checkpoint, save_checkpoint
from threefold.training.run import open_run

pytestmark = pytest.mark.once


def content_of(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def assert_one_line(answer, code: int, *parts: str) -> None:
    found, out, err = answer
    assert (found, out) == (code, ""), err
    assert err.startswith("error: ") and err.count("\n") == 1, err
    for part in parts:
        assert part in err


@pytest.fixture
def copy_run(run_of, in_tmp):
    """Copy a run, to change it."""

    def copy(kind: str, name: str = "run"):
        shutil.copytree(run_of(kind).folder, in_tmp / name)
        return open_run(name)

    return copy


@pytest.fixture(autouse=True)
def nothing_is_left(in_tmp):
    """Whatever happens, no folder on the way to an artifact outlives the command."""
    yield
    assert not [*in_tmp.rglob(".staged-*"), *in_tmp.rglob(".scratch-*")]


def test_a_folder_that_is_there_is_not_touched(run_cli, run_of, copy_of):
    folder = copy_of("digits", "onnx", "shelf")
    before = content_of(folder)
    words = ("export", str(run_of("digits").folder), "--format", "onnx", "--output", "shelf")
    assert_one_line(run_cli(*words), 2, "shelf is there already; --force replaces it")
    assert content_of(folder) == before
    Path("empty").mkdir()
    assert_one_line(run_cli(*words[:-1], "empty"), 2, "empty is there already")


def test_force_replaces_an_artifact_and_leaves_nothing_of_it(
    run_cli, run_of, artifact_of, copy_of, export_from, in_tmp
):
    folder = copy_of("photos", "savedmodel", "shelf")
    export_from(artifact_of("digits", "onnx"))
    words = ("export", str(run_of("digits").folder), "--format", "onnx", "--output", "shelf")
    code, out, _ = run_cli(*words, "--force", "--json")
    explicit = json.loads(out)
    assert (code, explicit["artifact"], explicit["format"]) == (0, "shelf", "onnx")
    assert explicit["parity"]["rows"] == 180
    record = open_artifact("shelf").record
    assert record.format == "onnx" and record.run.blueprint == "cnn"
    assert "1/saved_model.pb" not in content_of(folder)
    assert [path.name for path in in_tmp.iterdir()] == ["shelf"]


def test_an_export_in_vain_keeps_the_artifact_of_before(
    run_of, artifact_of, copy_of, export_from, in_tmp
):
    folder = copy_of("digits", "onnx", "shelf")
    before = content_of(folder)
    export_from(artifact_of("digits", "onnx"))
    with pytest.raises(Failure, match="does not answer as"):
        export_run(run_of("digits"), Request("onnx", "shelf", force=True, atol=1e-12))
    assert content_of(folder) == before
    assert {path.name for path in in_tmp.iterdir()} == {"shelf", "shelf.parity.json"}


def test_an_artifact_that_cannot_be_put_in_its_place_keeps_the_one_of_before(
    run_of, artifact_of, copy_of, export_from, monkeypatch, in_tmp
):
    folder = copy_of("digits", "onnx", "shelf")
    before = content_of(folder)
    export_from(artifact_of("digits", "onnx"))
    rename = Path.rename

    def fail(self, target):
        if self.name.startswith(".staged-"):
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(Failure, match="cannot write the artifact to shelf: Input/output error"):
        export_run(run_of("digits"), Request("onnx", "shelf", force=True))
    assert content_of(folder) == before
    assert [path.name for path in in_tmp.iterdir()] == ["shelf"]


def test_force_replaces_nothing_but_an_artifact(run_of, artifact_of, copy_run, export_from):
    """A folder of other things is more likely a slip than a config: the run itself, say."""
    run = copy_run("digits")
    before = content_of(run.folder)
    Path("work/deep").mkdir(parents=True)
    Path("work/deep/paper.tex").write_text("years of it")
    export_from(artifact_of("digits", "onnx"))
    for place in ("run", "work", "work/deep", "."):
        with pytest.raises(UserError, match="is no artifact; --force replaces nothing else"):
            export_run(run, Request("onnx", place, force=True))
    assert content_of(run.folder) == before and Path("work/deep/paper.tex").is_file()
    Path("empty").mkdir()
    assert export_run(run, Request("onnx", "empty", force=True)).record.format == "onnx"


@pytest.mark.parametrize("force", [False, True])
def test_a_file_in_the_place_is_not_replaced(run_of, run_cli, force):
    Path("notes.txt").write_text("mine")
    words = ["export", str(run_of("digits").folder), "--format", "onnx"]
    flags = ["--force"] if force else []
    answer = run_cli(*words, "--output", "notes.txt", *flags)
    assert_one_line(answer, 2, "notes.txt is ")
    assert Path("notes.txt").read_text() == "mine"


@pytest.mark.parametrize("output", ["notes.txt/it", "/proc/none/it"])
def test_a_place_that_cannot_be_written_is_named(run_of, run_cli, output):
    Path("notes.txt").write_text("mine")
    words = ("export", str(run_of("digits").folder), "--format", "onnx", "--output", output)
    assert_one_line(run_cli(*words), 1, f"cannot write the artifact to {output}: ")


def test_without_a_finished_epoch_there_is_nothing_to_export(run_cli, copy_run):
    run = copy_run("digits")
    for place in run.checkpoints.glob("best-*"):
        shutil.rmtree(place)
    answer = run_cli("export", "run", "--format", "onnx")
    assert_one_line(answer, 1, "no best checkpoint in run/checkpoints: the run stopped before")


def test_data_that_changed_since_the_fit_prove_nothing(fit, table, run_cli, in_tmp):
    shutil.copy(table, in_tmp / "mine.csv")
    data = {"target": "answer"}
    run = fit("mine", "dnn", dataset="mine.csv", data=data, options={"widths": "4"})
    words = ("export", str(run.folder), "--format", "onnx")
    with open("mine.csv", "a", encoding="utf-8") as file:
        file.write("170,2011-01-01,1,0.5,7,a,Bonn,North,true,yes\n")
    assert_one_line(run_cli(*words), 2, f"mine.csv has changed since {run.folder} was fitted on it")
    Path("mine.csv").unlink()
    assert_one_line(run_cli(*words), 2, "no dataset 'mine.csv'")
    assert not [*Path("artifacts").glob("*")]


def test_a_run_that_is_not_there_or_no_run(run_cli, copy_run, copy_of):
    copy_run("digits", "runs/digits")
    assert_one_line(run_cli("export", "runs/digit", "--format", "onnx"), 2, "'runs/digits'?")
    copy_of("digits", "onnx")
    assert_one_line(run_cli("export", "copy", "--format", "onnx"), 2, "copy is not a run")


def test_a_run_is_exported_by_its_own_backend(run_cli, copy_run, backend):
    """Its answers are what the file must agree with."""
    run = copy_run("digits")
    other = "torch" if backend != "torch" else "jax"
    run.record = run.record.model_copy(update={"backend": other})
    run.write_record()
    answer = run_cli("export", "run", "--format", "onnx")
    assert_one_line(answer, 2, f"this process runs on {backend} already; start a new one for")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("--format savedmodel --quantize int8", "--quantize is for --format onnx"),
        ("--format savedmodel --opset 18", "--opset is for --format onnx"),
        ("--format onnx --opset 16", "--opset 16: 17 to 18 can be written"),
        ("--format onnx --opset 19", "--opset 19: 17 to 18 can be written"),
        ("--format savedmodel --precision float16", "--precision float16 is for --format onnx"),
        ("--format litert --precision float16", "--precision float16 is for --format onnx"),
        ("--format onnx --precision float16 --quantize int8", "exclude each other"),
        ("--format onn", "'onn' is not one of"),
        ("", "Missing option '--format'"),
        ("--format onnx --quantize int4", "'int4' is not 'int8'"),
        ("--format onnx --atol 0", "--atol"),
        ("--format onnx --max-metric-drop -1", "--max-metric-drop"),
        ("--format onnx --backend jax", "No such option '--backend'"),
    ],
)
def test_a_wrong_option_is_one_line(run_cli, run_of, words, part):
    answer = run_cli("export", str(run_of("digits").folder), *words.split())
    assert_one_line(answer, 2, part)
    assert not Path("artifacts").exists()


def test_the_place_is_named_after_the_run(run_of, artifact_of, export_from):
    export_from(artifact_of("digits", "onnx"))
    artifact = export_run(run_of("digits"), Request("onnx"))
    assert str(artifact.folder) == "artifacts/digits-onnx"


def test_the_weights_that_are_named_are_those_that_were_exported(
    copy_run, artifact_of, export_from
):
    """A newest checkpoint that is damaged gives way to the one before it."""
    run = copy_run("digits")
    export_from(artifact_of("digits", "onnx"))
    newest = max(run.checkpoints.glob("best-*"))
    used = hashlib.sha256((newest / "arrays.npz").read_bytes()).hexdigest()
    assert export_run(run, Request("onnx", "first")).record.weights == used
    arrays, state = load_checkpoint(run.checkpoints, "best")
    later = save_checkpoint(
        run.checkpoints, "best", {name: array * 0 for name, array in arrays.items()}, state
    )
    (later / "arrays.npz").write_bytes(b"PK")
    with pytest.warns(UserWarning, match="is damaged .*; trying the one before it"):
        artifact = export_run(run, Request("onnx", "second"))
    assert artifact.record.weights == used
