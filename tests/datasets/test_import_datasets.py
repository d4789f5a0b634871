"""Hugging Face's `datasets` keeps its name, though a folder of the repository has it too."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WHERE = "import datasets; print(datasets.__file__); datasets.Dataset.from_dict({'a': [1]})"
LIBRARIES = Path(sysconfig.get_path("purelib"))


def run(*arguments, **options):
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=True, **options
    )
    return Path(done.stdout.strip())


def test_after_the_package_was_imported_as_by_the_console_script(tmp_path):
    script = f"import threefold.datasets.loading; {WHERE}"
    assert run("-c", script, cwd=tmp_path) == LIBRARIES / "datasets" / "__init__.py"


@pytest.mark.parametrize("first", ["", "import threefold.datasets.loading; "])
def test_with_the_repository_first_on_the_path_as_in_python_cli_py(first):
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {first}{WHERE}"
    assert run("-c", script, cwd=ROOT) == LIBRARIES / "datasets" / "__init__.py"


def test_in_pytest():
    import datasets

    import threefold.datasets.loading

    assert Path(datasets.__file__) == LIBRARIES / "datasets" / "__init__.py"
    assert Path(threefold.datasets.loading.__file__).parent.name == "datasets"
    assert threefold.datasets is not datasets


def test_nothing_makes_a_package_of_the_repository():
    for name in ("__init__.py", "conftest.py", "datasets/__init__.py"):
        assert not (ROOT / name).exists()
