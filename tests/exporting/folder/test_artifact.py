"""An artifact is opened as it was written, or refused with the name of what is wrong."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threefold.core.errors import Failure, UserError
from threefold.exporting import artifact as artifacts
from threefold.exporting.artifact import RECORD, is_artifact, open_artifact

pytestmark = pytest.mark.once


@pytest.fixture(scope="module", params=["onnx", "savedmodel"])
def whole(request, artifact_of, tmp_path_factory) -> Path:
    """An artifact that a test may damage, and must fix again."""
    place = tmp_path_factory.mktemp("damage") / "it"
    return Path(shutil.copytree(artifact_of("digits", request.param), place))


def files_of(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def assert_damaged(folder: Path, name: str, what: str = "") -> None:
    with pytest.raises(Failure) as raised:
        open_artifact(str(folder))
    text = str(raised.value)
    assert text.startswith(f"the artifact {folder} is damaged: {name}") and "\n" not in text, text
    assert text.endswith(f"{what}; export again")


def test_what_was_written_is_opened(whole):
    artifact = open_artifact(str(whole))
    assert artifact.model.is_file() and artifact.folder == whole
    assert sorted([*artifact.record.files, RECORD]) == files_of(whole)
    assert artifact.record.parity.rows == 180


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_a_byte_changed_in_any_file_is_refused(whole, data):
    path = whole / data.draw(st.sampled_from(files_of(whole)), label="file")
    good = path.read_bytes()
    at = data.draw(st.integers(0, len(good) - 1), label="at")
    mask = data.draw(st.integers(1, 255), label="mask")
    path.write_bytes(good[:at] + bytes([good[at] ^ mask]) + good[at + 1 :])
    try:
        assert_damaged(whole, path.relative_to(whole).as_posix())
    finally:
        path.write_bytes(good)
    open_artifact(str(whole))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_file_that_is_cut_grown_or_gone_is_refused(whole, data):
    path = whole / data.draw(st.sampled_from(files_of(whole)), label="file")
    good = path.read_bytes()
    how = data.draw(st.sampled_from(["cut", "grow", "empty", "gone"]), label="how")
    if how == "gone":
        path.unlink()
    elif how == "grow":
        path.write_bytes(good + data.draw(st.binary(min_size=1, max_size=9)))
    else:
        end = data.draw(st.integers(0, len(good) - 1)) if how == "cut" else 0
        path.write_bytes(good[:end])
    try:
        missing = "is missing" if how == "gone" and path.name != RECORD else ""
        assert_damaged(whole, path.relative_to(whole).as_posix(), missing)
    finally:
        path.write_bytes(good)
    open_artifact(str(whole))


@pytest.mark.parametrize("name", ["more.txt", ".hidden", "1/more.pb", "1/variables/x", "new/file"])
def test_a_file_that_was_added_is_refused(copy_of, format, name):
    folder = copy_of("digits", format)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("")
    assert_damaged(folder, name, "was added")


def test_a_file_that_became_a_folder_is_missing(copy_of):
    folder = copy_of("digits", "onnx")
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").mkdir()
    assert_damaged(folder, "model.onnx", "is missing")


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "3", "{}", '{"version": 1}', "[" * 10, "\x00", '"words"']
)
def test_a_record_that_is_nonsense_is_refused(copy_of, text):
    folder = copy_of("digits", "onnx")
    (folder / RECORD).write_text(text)
    assert_damaged(folder, RECORD)


def reseal(folder: Path, **changes) -> None:
    """Write a record anew, with a checksum that fits."""
    content = json.loads((folder / RECORD).read_text("utf-8")) | changes
    (folder / RECORD).write_bytes(artifacts._seal(content))


def test_a_record_sealed_anew_without_a_change_is_the_same(copy_of):
    folder = copy_of("digits", "onnx")
    before = (folder / RECORD).read_bytes()
    reseal(folder)
    assert (folder / RECORD).read_bytes() == before
    open_artifact(str(folder))


def test_without_a_parity_report_nothing_is_proven(copy_of, run_cli):
    folder = copy_of("digits", "onnx")
    reseal(folder, parity=None)
    with pytest.raises(Failure, match="^.*copy has no parity report: nothing proves it; export"):
        open_artifact(str(folder))
    code, out, err = run_cli("evaluate", "copy")
    assert (code, out) == (1, "") and "has no parity report" in err


def test_another_version_is_refused_before_anything_else_is_read(copy_of, run_cli):
    folder = copy_of("digits", "onnx")
    reseal(folder, version=1, parity=None, new="field")
    message = "copy is of version 1, this program reads 3; export the run again"
    with pytest.raises(UserError, match=message):
        open_artifact(str(folder))
    code, out, err = run_cli("predict", "copy", "x.png")
    assert (code, out) == (2, "") and err == f"error: {message}\n"


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"new": "field"}, "new in"),
        ({"format": "pickle"}, "format in"),
        ({"signature": {"inputs": [{"name": "x"}], "outputs": []}}, "signature.inputs.0.dtype in"),
        ({"parity": {"rows": "many"}}, "parity."),
        ({"files": {"../x": "0"}}, "../x is missing"),
        ({"files": {}}, "README.md was added"),
    ],
)
def test_a_record_that_says_something_else_is_refused(copy_of, changes, where):
    folder = copy_of("digits", "onnx")
    reseal(folder, **changes)
    assert_damaged(folder, where)


def test_a_damaged_artifact_is_one_line_for_every_command(copy_of, run_cli):
    folder = copy_of("digits", "onnx")
    (folder / "labels.txt").write_text("other\n")
    for words in (("evaluate", "copy"), ("predict", "copy", "x.png")):
        code, out, err = run_cli(*words)
        assert (code, out) == (1, "")
        assert err.startswith("error: the artifact copy is damaged: labels.txt is not what was")
        assert err.count("\n") == 1


def test_a_run_or_an_empty_folder_is_no_artifact(run_of, artifact_of, in_tmp):
    assert is_artifact(str(artifact_of("digits", "onnx")))
    assert not is_artifact(str(run_of("digits").folder))
    assert not is_artifact("gone") and not is_artifact(".")
    with pytest.raises(Failure, match="artifact.json"):
        open_artifact(".")
