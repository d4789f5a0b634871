"""Names of folders and files that are markup, or no UTF-8, in every command."""

import json
import os
import shutil
from pathlib import Path

import pytest

pytestmark = pytest.mark.once
NAME = "a[/b]"


@pytest.fixture
def bracketed(digits_run, in_tmp) -> str:
    """A run in the folder `b]` of the folder `a[`."""
    shutil.copytree(digits_run, in_tmp / NAME)
    return NAME


def test_every_command_takes_a_run_folder_with_brackets(bracketed, photos, run_cli, in_tmp):
    image = str(next(photos.rglob("*.png")))
    code, out, err = run_cli("show", bracketed)
    assert code == 0, err
    assert NAME in out
    code, out, err = run_cli("evaluate", bracketed, "--split", "test")
    assert code == 0, err
    assert f"figures: {NAME}/report" in out
    (in_tmp / "[").mkdir()
    for output in ("[/x].csv", "[bold].jsonl"):
        code, _, err = run_cli("predict", bracketed, image, "--output", output)
        assert code == 0 and f"1 predictions in {output}" in err
    code, _, err = run_cli("predict", "[/none]", image)
    assert code != 0 and "[/none]" in err
    code, _, err = run_cli("generate", bracketed, "--output", "[/x].png")
    assert code != 0 and "MarkupError" not in err
    code, _, err = run_cli("fit", "--resume", bracketed)
    assert "MarkupError" not in err and NAME in err


def test_a_fit_into_a_folder_with_brackets_ends_with_what_to_type(run_cli, in_tmp, small_digits):
    code, out, err = run_cli("fit", "cnn", *small_digits, "--epochs", "1", "--run", NAME)
    assert code == 0, err
    assert f"run folder {NAME}" in err and f"threefold evaluate {NAME}" in out


def test_answers_are_json_whatever_a_file_is_called(digits_run, photos, run_cli, in_tmp):
    name = os.fsencode(str(in_tmp)) + b"/caf\xe9\x9b\x1b.png"
    Path(os.fsdecode(name)).write_bytes(next(photos.rglob("*.png")).read_bytes())
    code, out, err = run_cli("predict", digits_run, os.fsdecode(name), "--json")
    assert code == 0, err
    (record,) = json.loads(out.encode())["predictions"]
    assert os.fsencode(record["input"]) == name
    code, out, err = run_cli("predict", digits_run, os.fsdecode(name))
    assert code == 0 and "\\udce9" in out and "\x1b" not in out
