"""The worked examples of CONTRIBUTING.md: added to a copy, and nothing else changed, they work."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("blueprints", "core", "datasets", "exporting", "reporting", "tasks", "training")
FILES = (
    "tasks/image_ordinal_regression.py",
    "reporting/figures/steps.py",
    "datasets/images/image_archives.py",
)
TASK = "image_ordinal_regression"
# What is typed, one after the other, in one process: importing costs more than all the rest.
TYPED = """
import contextlib, io, json, sys
from threefold import cli

for words in json.loads(sys.argv[1]):
    sys.argv = ["threefold", *words]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            cli.main()
        except SystemExit as stop:
            assert not stop.code, words
    print(json.dumps(printed.getvalue()))
"""

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    """A copy of the package with the examples, as the manual says: files added, none changed."""
    copy = tmp_path_factory.mktemp("copy") / "threefold"
    copy.mkdir()
    (copy / "cli.py").symlink_to(ROOT / "cli.py")
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            place = copy / path.relative_to(ROOT)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for name in FILES:
        assert not (copy / name).exists()
        source = re.search(rf"`{re.escape(name)}`.*?```python\n(.*?)```", text, re.DOTALL)[1]
        (copy / name).write_text(source, encoding="utf-8")
    return copy


def typed(package: Path, folder: Path, *commands: str) -> list[str]:
    words = json.dumps([command.split() for command in commands])
    ended = subprocess.run(
        [sys.executable, "-c", TYPED, words], cwd=folder, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(package.parent)},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_a_task_a_figure_and_a_reader_are_a_file_each(package, tmp_path):
    from PIL import Image
    from sklearn.datasets import load_digits

    bunch = load_digits()
    pixels, labels = (bunch.images * 15).astype(np.uint8), bunch.target
    np.savez(tmp_path / "grades.npz", images=pixels[:600], labels=labels[:600])
    Image.fromarray(pixels[700]).save(tmp_path / "one.png")
    listed, fitted, evaluated, _, predicted, shipped = typed(
        package, tmp_path,
        "list --json",
        f"fit cnn --task {TASK} --dataset grades.npz --epochs 8 --run run --json",
        "evaluate run --json",
        "export run --format onnx --output artifact --json",
        "predict run one.png --json",
        "predict artifact one.png --json",
    )  # fmt: skip
    families = json.loads(listed)["blueprints"]
    assert {name for name, found in families.items() if TASK in found["tasks"]} == {"cnn", "resnet"}
    fitted = json.loads(fitted)
    assert fitted["metrics"]["test"]["kappa"] > 0.5
    assert fitted["summary_metrics"] == ["accuracy", "mean_distance", "kappa"]
    assert json.loads(evaluated)["metrics"] == fitted["metrics"]
    assert (tmp_path / "run" / "report" / "test_distances.png").is_file()
    assert (tmp_path / "artifact" / "distances.png").is_file()
    answers = [json.loads(line)["predictions"][0]["label"] for line in (predicted, shipped)]
    assert answers[0] == answers[1] and answers[0] in "0123456789"
    example = subprocess.run(
        [sys.executable, "example.py"], cwd=tmp_path / "artifact", capture_output=True, text=True
    )
    assert example.returncode == 0 and "as expected" in example.stdout, example.stderr
