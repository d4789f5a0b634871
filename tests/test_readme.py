"""What README.md says is so: its options, its worked example, its commands."""

import json
import re
import shutil
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest

from threefold.cli import cli
from threefold.exporting.proven import render_table
from threefold.training import building
from threefold.training.settings import TrainingSettings

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_training_option_is_explained():
    for name, option in TrainingSettings.options().items():
        row = re.search(rf"^\| `--{name.replace('_', '-')}` \| (.*)\|$", README, re.MULTILINE)
        assert row, name
        assert option.help in row[1]
        if option.default is not None:
            assert row[1].rstrip().endswith(f"`{option.default}`")


def test_every_command_that_is_shown_exists():
    shown = set(re.findall(r"threefold(?: --debug)? ([a-z]+)", README)) & set(cli.commands)
    assert shown == set(cli.commands)
    flags = {flag for command in cli.commands.values() for option in command.params
             for flag in option.opts}  # fmt: skip
    for line in re.findall(r"^\$ threefold .*|`threefold [^`]*`", README, re.MULTILINE):
        assert set(re.findall(r"(?<=\s)--?[a-z][a-z-]*", line)) <= {*flags, "--debug"}, line


def test_the_table_of_families_has_every_cell():
    """The numbers are what `benchmarks/matrix.py` measured and kept."""
    script = [sys.executable, str(ROOT / "benchmarks" / "matrix.py"), "--check"]
    answer = subprocess.run(script, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr


def test_the_table_of_exports_is_what_was_proven():
    table = README.partition("<!-- benchmarks/exports.py -->\n")[2]
    assert table.partition("<!-- end of exports -->")[0] == render_table()


@pytest.fixture
def example(tmp_path, monkeypatch) -> str:
    """Put the worked example among the blueprints, as a reader would; return its name."""
    room = tmp_path / "blueprints"
    shutil.copytree(building.ROOM, room)
    source = re.search(r"```python\n(.*?)```", README, re.DOTALL)[1]
    name = re.search(r"`blueprints/(\w+)\.py`", README)[1]
    (room / f"{name}.py").write_text(source, encoding="utf-8")
    spec = util.spec_from_file_location(f"threefold.blueprints.{name}", room / f"{name}.py")
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, spec.name, module)
    monkeypatch.setattr(building, "ROOM", room)
    return name


def test_the_worked_example_of_a_family_works(example, run_cli):
    few = ("-d", "test_fraction=0.2", "-d", "validation_fraction=0.2")
    code, out, _ = run_cli("fit", example, *few, "-o", "dropout=0.1", "--epochs", "3", "--json")
    fitted = json.loads(out)
    assert code == 0
    assert fitted["metrics"]["test"]["accuracy"] > 0.8
    code, out, _ = run_cli("evaluate", fitted["run"], "--json")
    assert json.loads(out)["metrics"] == fitted["metrics"]
    code, out, _ = run_cli("show", example)
    assert code == 0 and "Share of the pixels dropped." in out
    code, _, err = run_cli("fit", example, "-o", "dropout=2")
    assert code == 2 and "-o dropout=2 does not fit" in err
