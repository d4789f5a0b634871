"""What README.md and the manual in docs/ say is so: options, commands, links, the example."""

import json
import re
import shutil
import subprocess
import sys
from importlib import import_module, util
from pathlib import Path

import numpy as np
import pytest

from threefold.cli import cli
from threefold.core.options import options_of
from threefold.datasets import loading
from threefold.datasets.facts import ImageFacts
from threefold.datasets.reader import readers
from threefold.exporting.example import write_example
from threefold.exporting.proven import render_table
from threefold.tasks.task import find_task
from threefold.training import building
from threefold.training.inspection.description import catalogue
from threefold.training.settings import TrainingSettings

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))
}
MANUAL = "\n".join(PAGES.values())
FAMILIES = catalogue()["blueprints"]
MOST_LINES_OF_THE_README = 250
FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Options of data and of families whose names were others once.
OLD_OPTIONS = r"-d (past|known|season|joint)=|-o (shortcut|rate_ratio|changes|max_length)="


@pytest.fixture(params=PAGES)
def page(request) -> str:
    return request.param


def commands_in(text: str) -> list[str]:
    """Return every command that a page shows, in a block or in the middle of a sentence."""
    blocks = [line for block in FENCE.findall(text) for line in block.splitlines()]
    shown = [re.sub(r"^(\$ )?(printf .*\| |.*; )?(?=threefold )", "", line) for line in blocks]
    prose = FENCE.sub("", text)
    inline = [" ".join(words.split()) for words in re.findall(r"`(threefold [^`]*)`", prose)]
    return [line for line in shown if line.startswith("threefold ")] + inline


def test_the_readme_can_be_read_in_one_sitting():
    assert len(PAGES["README.md"].splitlines()) <= MOST_LINES_OF_THE_README


def test_every_training_option_is_explained():
    for name, option in TrainingSettings.options().items():
        row = re.search(rf"^\| `--{name.replace('_', '-')}` \| (.*)\|$", MANUAL, re.MULTILINE)
        assert row, name
        assert option.help in row[1]
        if option.default is not None:
            assert row[1].rstrip().endswith(f"`{option.default}`")


def test_every_command_is_shown():
    shown = set(re.findall(r"threefold(?: --debug)? ([a-z]+)", MANUAL)) & set(cli.commands)
    assert shown == set(cli.commands)


def test_every_command_that_is_shown_exists(page):
    flags = {flag for command in cli.commands.values() for option in command.params
             for flag in option.opts} | {"--debug", "--help"}  # fmt: skip
    pattern = r"^\$ threefold .*|`threefold [^`]*`"
    for line in re.findall(pattern, PAGES[page], re.MULTILINE):
        assert set(re.findall(r"(?<=\s)--?[a-z][a-z-]*", line)) <= flags, line
    for line in commands_in(PAGES[page]):
        name = re.match(r"threefold (?:--debug )?(\S+)", line)[1]
        if name in ("COMMAND", "...", "--debug", "--help"):
            continue
        assert name in cli.commands, line
        own = {flag for option in cli.commands[name].params for flag in option.opts} | {"--help"}
        words = line.partition("; ")[0]
        found = set(re.findall(r"(?<=\s)--?[a-z][a-z-]*", words))
        assert found <= {*own, "--debug"}, line


def test_every_option_of_a_family_that_is_shown_exists(page):
    for line in commands_in(PAGES[page]):
        words = line.partition("; ")[0].split()
        if words[1] == "fit" and len(words) > 2 and words[2] in FAMILIES:
            builders = building.find_blueprint(words[2]).TASKS.values()
            known = {name for builder in builders for name in options_of(builder)}
            assert set(re.findall(r"-o (\w+)=", line)) - {"widht"} <= known, line
    assert not re.search(OLD_OPTIONS, PAGES[page])


def options_of_data() -> set[str]:
    """Return the options of all data but bundled sets."""
    loaders = [loading.find_loader(f"{prefix}:any")[0] for prefix in loading.PREFIXES]
    loaders += [import_module(f"threefold.datasets.{name}").load for name in readers()]
    known = {name for load in loaders for name in loading.loader_options(load)}
    return known - {"path", "reference", "name"}


def test_every_option_of_data_is_explained():
    table = PAGES["docs/data.md"].partition("| option | for | what it says |\n")[2]
    rows = [line.split(" | ")[0] for line in table.partition("\n\n")[0].splitlines()[1:]]
    explained = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert explained == options_of_data()


def test_every_option_of_data_that_is_shown_exists():
    bundled = {name for reference in catalogue()["datasets"]
               for name in loading.loader_options(loading.find_loader(reference)[0])}  # fmt: skip
    shown = set(re.findall(r"-d\s+([a-z]\w+)", MANUAL))
    assert {"horizon", "past_covariates", "fraction"} <= shown <= options_of_data() | bundled


def test_every_bundled_set_is_named():
    for name, found in catalogue()["datasets"].items():
        row = f"| `{name}` | {', '.join(found['tasks'])} | {found['summary']} |"
        assert row in PAGES["docs/data.md"], row


def anchors_of(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", PAGES[page])):
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        place = ((ROOT / page).parent / name).resolve() if name else ROOT / page
        assert place.is_file(), target
        if page != "README.md":
            assert place.is_relative_to(DOCS), f"{target}: the site does not hold it"
        if anchor:
            assert anchor in anchors_of(place.read_text(encoding="utf-8")), target


def test_every_family_has_its_page():
    assert {path.stem for path in (DOCS / "families").glob("*.md")} == set(FAMILIES)
    for name, found in FAMILIES.items():
        text = PAGES[f"docs/families/{name}.md"]
        for task in found["tasks"]:
            assert f"| {task} | `{found['datasets'][task]}` |" in text, name
        recipe = building.find_blueprint(name).TRAINING
        trained = f"{recipe['epochs']} epochs in batches of {recipe['batch_size']} by "
        assert f"{trained}`{recipe['optimizer']}`" in " ".join(text.split()), name
        assert f"](docs/families/{name}.md)" in PAGES["README.md"]


def test_every_page_is_in_the_navigation_of_the_site():
    shown = set(re.findall(r": ([\w/]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    assert {f"docs/{name}" for name in shown} == PAGES.keys() - {"README.md"}


def test_every_file_that_the_architecture_names_exists():
    for name in re.findall(r"`([\w/]+(?:\.\w+|/))`", PAGES["docs/architecture.md"]):
        rooms = [ROOT, *(ROOT / room for room in ("blueprints", "tasks"))]
        assert any((room / name).exists() for room in rooms), name


@pytest.mark.parametrize("format", ["onnx", "savedmodel"])
def test_an_artifact_is_run_as_its_own_example_does(format, tmp_path):
    facts = ImageFacts(image_shape=(8, 8, 1), class_names=("0", "1"), class_counts=(1, 1))
    image = {"image": np.zeros((1, 8, 8, 1), np.uint8)}
    write_example(tmp_path, format, find_task("image_classification")(facts), image)
    example = (tmp_path / "example.py").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", PAGES["docs/export.md"], re.DOTALL)
    assert sum(block in example for block in blocks) == 2  # of its runtime, and of an image


def test_the_table_of_families_has_every_cell():
    """The numbers are what `benchmarks/matrix.py` measured and kept."""
    script = [sys.executable, str(ROOT / "benchmarks" / "matrix.py"), "--check"]
    answer = subprocess.run(script, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr


def test_the_table_of_exports_is_what_was_proven():
    table = PAGES["docs/export.md"].partition("<!-- benchmarks/exports.py -->\n")[2]
    assert table.partition("<!-- end of exports -->")[0] == render_table()


@pytest.fixture
def example(tmp_path, monkeypatch) -> str:
    """Put the worked example among the blueprints, as a reader would; return its name."""
    room = tmp_path / "blueprints"
    shutil.copytree(building.ROOM, room)
    text = PAGES["docs/extending.md"]
    source = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    name = re.search(r"`blueprints/(\w+)\.py`", text)[1]
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
