"""The rules that keep the house sound: each holds for every file, those of tomorrow too."""

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Which other rooms a room may import.
ARROWS = {
    "core": set(),
    "datasets": {"core"},
    "blueprints": {"core"},
    "tasks": {"blueprints", "core", "datasets"},
    "training": {"blueprints", "core", "datasets", "tasks"},
    "reporting": {"core", "datasets", "tasks"},
    "exporting": {"core", "datasets", "reporting", "tasks", "training"},
}
ROOMS = sorted(ARROWS)
FILES = [ROOT / "cli.py", *(path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")))]
CHECKS = [path for room in ("tests", "benchmarks") for path in sorted((ROOT / room).rglob("*.py"))]
BLUEPRINTS = [path for path in (ROOT / "blueprints").glob("*.py")
              if "\nTASKS = " in path.read_text(encoding="utf-8")]  # fmt: skip
MOST_FILES = 15
KERAS = {"keras", "keras_hub", "tensorflow", "jax", "torch"}
# Words that the field does not use for these things, in no name; CONTRIBUTING.md has those it does.
OLD_WORDS = set(
    "draw draws drawn tell tells told picture pictures grey wish wishes wording wordings goal "
    "goals carve carved undecided headline keeper player players slopes mend mended borrow "
    "whereabouts entrance deceive responder".split()
)
OLD_NAMES = set("ask chance judge joint leave longest past rules season study vary".split())
MOST_LINES, MOST_LINES_OF_A_FUNCTION = 400, 60


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path, *, at_the_top: bool = False) -> set[str]:
    """Return the modules that a file imports, or only those that it does when it is imported."""
    found = set()
    for node in walk(parse(path), at_the_top):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def walk(node: ast.AST, at_the_top: bool) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        later = isinstance(child, ast.FunctionDef) or (
            isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
        )
        if not (at_the_top and later):
            yield from walk(child, at_the_top)


def libraries(path: Path, *, at_the_top: bool = False) -> set[str]:
    return {name.partition(".")[0] for name in imported(path, at_the_top=at_the_top)}


@pytest.fixture(params=FILES, ids=name_of)
def path(request) -> Path:
    return request.param


def test_every_room_has_its_arrows():
    rooms = {path.parent.name for path in ROOT.glob("*/*.py")} - {"benchmarks", "tests", "build"}
    assert rooms == set(ARROWS)


def is_entry(path: Path) -> bool:
    """Whether a file, or what it tests, is a family, a task or a bundled set: these grow."""
    if path.is_relative_to(ROOT / "tests"):
        place = ROOT / path.relative_to(ROOT / "tests")
        path = place.with_name(place.name.removeprefix("test_"))
        if not path.is_file():
            return False
    names = {getattr(node.targets[0], "id", "") for node in parse(path).body
             if isinstance(node, ast.Assign)}  # fmt: skip
    return bool(names & {"TASKS", "TASK"})


def test_a_folder_can_be_taken_in_at_a_glance():
    """Entries of the catalogue do not count: a new one must not need a new folder."""
    held = Counter(path.parent for path in [*FILES, *CHECKS] if not is_entry(path))
    many = {name_of(folder): count for folder, count in held.items() if count > MOST_FILES}
    assert not many


def module_of(path: Path) -> str:
    return ".".join(("threefold", *path.relative_to(ROOT).with_suffix("").parts))


def test_no_files_import_one_another_in_a_circle():
    modules = {module_of(path): path for path in FILES}
    waiting = {name: imported(path) & modules.keys() for name, path in modules.items()}
    while free := [name for name, needed in waiting.items() if not needed]:
        for name in free:
            del waiting[name]
        waiting = {name: needed - set(free) for name, needed in waiting.items()}
    assert not waiting, "a circle, or what imports one"


def test_nothing_makes_a_package_of_the_root_or_hides_a_library():
    for name in ("__init__.py", "conftest.py", "datasets/__init__.py"):
        assert not (ROOT / name).exists(), name


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0] if path.parent != ROOT else "cli"


def test_arrows_point_one_way(path):
    room = room_of(path)
    found = {name.split(".")[1] for name in imported(path) if name.startswith("threefold.")}
    assert "cli" not in found, "nothing imports cli"
    if room != "cli":
        assert found <= ARROWS[room] | {room}


def test_code_imports_itself_by_its_whole_name(path):
    assert not libraries(path) & {*ROOMS, "cli"} - {"datasets"}  # which is Hugging Face's


def test_data_and_reports_know_no_keras(path):
    if room_of(path) in ("core", "datasets", "reporting"):
        assert not libraries(path) & KERAS
    if room_of(path) == "tasks":
        assert not libraries(path, at_the_top=True) & KERAS


def test_nothing_that_the_command_line_imports_at_its_top_imports_keras():
    todo, seen = [ROOT / "cli.py"], set()
    while todo:
        path = todo.pop()
        seen.add(path)
        assert not libraries(path, at_the_top=True) & {*KERAS, "numpy"}, name_of(path)
        ours = [n.split(".")[1:] for n in imported(path, at_the_top=True) if "threefold." in n]
        found = {ROOT.joinpath(*parts).with_suffix(".py") for parts in ours}
        todo += [path for path in found - seen if path.exists()]
    assert len(seen) > 2


@pytest.mark.parametrize(
    "pattern",
    [r"\bpickle\b", r"allow_pickle\s*=\s*True", r"\bLambda\(", r"safe_mode\s*=\s*False",
     r"\bmarshal\b", r"\bjoblib\b", r"\beval\(", r"\bexec\(", r"torch\.load\("],
)  # fmt: skip
def test_nothing_in_a_file_of_data_is_executed(pattern):
    for path in FILES:
        text = path.read_text(encoding="utf-8").replace("allow_pickle=False", "")
        assert not re.search(pattern, text), name_of(path)


def test_files_and_functions_can_be_read_in_one_sitting(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef):
            said = ast.get_docstring(node) is not None
            start = node.body[0].end_lineno if said else node.lineno
            assert node.end_lineno - start < MOST_LINES_OF_A_FUNCTION, node.name


def named_in(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr if isinstance(node, ast.Attribute) else node.id


@pytest.mark.parametrize("path", [*FILES, *CHECKS], ids=name_of)
def test_names_are_those_of_the_field(path):
    for line, name in named_in(path):
        if name.startswith("test_"):  # a sentence, in plain words
            continue
        words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}
        assert not words & OLD_WORDS and name not in OLD_NAMES, f"line {line}: {name}"


def test_no_document_has_both_sides_of_a_merge():
    marks = re.compile(r"^(<{7}|={7}|>{7})( |$)", re.MULTILINE)
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("benchmarks/*.md")]
    assert len(documents) > 20
    found = [name_of(path) for path in documents if marks.search(path.read_text(encoding="utf-8"))]
    assert not found


def test_tests_and_benchmarks_are_files_of_the_same_length():
    long = [name_of(p) for p in CHECKS if len(p.read_text("utf-8").splitlines()) > MOST_LINES]
    assert CHECKS and not long


def test_a_file_of_tests_says_once_which_part_of_them_it_is():
    """What needs no Keras fails where it is imported; this holds that the rest is not mistyped."""
    kinds = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        marks = [line for line in path.read_text("utf-8").splitlines() if "pytestmark" in line]
        if path != Path(__file__):
            kinds[name_of(path)] = marks
    assert all(len(marks) <= 1 for marks in kinds.values())
    for name, marks in kinds.items():
        for mark in marks:
            parts = [
                part
                for part in ("once", "with_tensorflow", "each_backend")
                if f"mark.{part}" in mark
            ]
            assert len(parts) == 1, name
        if name.startswith(("tests/datasets", "tests/reporting")):
            assert not marks or "mark.once" in marks[0], f"{name}: no backend has a part in data"
        if name.startswith("tests/exporting"):
            assert "mark.once" in marks[0] or "mark.with_tensorflow" in marks[0], name
        if name.startswith("tests/cells"):
            assert "mark.each_backend" in marks[0], name


@pytest.mark.parametrize("path", BLUEPRINTS, ids=name_of)
def test_a_blueprint_says_what_it_serves_and_how_it_is_trained(path):
    tree = parse(path)
    constants = {
        node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign)
    }
    summary, _, rest = ast.get_docstring(tree).partition("\n\n")
    assert summary.endswith(".") and "\n" not in summary
    assert rest, "what the family is, and when to choose it"
    tasks = [key.value for key in constants["TASKS"].keys]
    assert list(ast.literal_eval(constants["DATASETS"])) == tasks
    recipe = ast.literal_eval(constants["TRAINING"])
    assert recipe.keys() >= {"epochs", "batch_size", "optimizer", "learning_rate"}
    for task in tasks:
        assert (ROOT / "tasks" / f"{task}.py").is_file()


@cache
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_wheel_holds_every_room():
    packages = project()["tool"]["setuptools"]["packages"]
    assert set(packages) == {module_of(path).rpartition(".")[0] for path in FILES}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_dependency_is_pinned_for_ci():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    pinned = {plain(name): version for name, version in (line.split("==") for line in lines)}
    meta = project()["project"]
    wanted = [*meta["dependencies"], *sum(meta["optional-dependencies"].values(), [])]
    for line in wanted:
        name = plain(re.match(r"[\w.-]+", line)[0])
        assert name == "threefold" or name in pinned, name
    assert pinned["jax"] == pinned["jaxlib"] != "0.10.2"  # it crashes
    assert "!=0.10.2" in "".join(meta["optional-dependencies"]["jax"])
