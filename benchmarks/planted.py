"""Plant defects in a copy of the package, one at a time, and see the tests turn red.

    python benchmarks/planted.py                  all of them: a quarter of an hour
    python benchmarks/planted.py --only dropout   those whose name holds a word

A defect that no test notices is the tests' defect: the script then ends with 1. Each runs, on the
backend that it is about, only those tests that are there to catch it.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
LEFT = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "runs")


@dataclass(frozen=True)
class Defect:
    """What is planted, where, and which tests should see it.

    Args:
        name: str. What goes wrong.
        part: str. A part of `tests/run.py`.
        file: str. Which file is changed.
        right: str. Its text, found there once.
        wrong: str. What stands there instead.
        tests: tuple of str. Words for pytest.
    """

    name: str
    part: str
    file: str
    right: str
    wrong: str
    tests: tuple[str, ...]


RESTORED = '_assign({f"optimizer/{v.path}": v for v in model.optimizer.variables}, arrays)'
RESUMED = ("tests/training/test_resume.py", "-k")
DEFECTS = (
    Defect(
        "averaged weights are not restored", "jax", "training/state.py", RESTORED,
        RESTORED.replace("variables}", 'variables if "average" not in v.path}'),
        (*RESUMED, "averaged"),
    ),
    Defect(
        "momentum is not restored", "torch", "training/state.py", RESTORED,
        RESTORED.replace("variables}", 'variables if "momentum" not in v.path}'),
        (*RESUMED, "averaged or counted"),
    ),
    Defect(
        "a batch is skipped after a resume", "tensorflow", "training/loop.py",
        "batches.first_step = progress.step",
        "batches.first_step = progress.step + (progress.step > 0)",
        (*RESUMED, "plain"),
    ),
    Defect(
        "labels of an export are swapped", "tensorflow", "tasks/classification.py",
        '"label_index": tf.argmax(probabilities, axis=-1)',
        '"label_index": tf.argmin(probabilities, axis=-1)',
        ("tests/cells/test_exports.py", "-k", "proven and dnn-tabular_classification"),
    ),
    Defect(
        "dropout is active in an export", "tensorflow", "tasks/task.py",
        "model(enter(raw), training=False)", "model(enter(raw), training=True)",
        ("tests/cells/test_exports.py", "-k", "proven and dnn-tabular_classification"),
    ),
    Defect(
        "a seed is ignored", "torch", "training/backend.py",
        "random.seed(seed)  #", "random.seed()  #",
        ("tests/cells/test_promises.py", "-k", "seed_decides and dnn"),
    ),
    Defect(
        "the second optimizer of a GAN is not restored", "jax", "training/adversarial/trainer.py",
        "for optimizer in self.optimizers for variable",
        "for optimizer in self.optimizers[:1] for variable",
        ("tests/cells/test_resume.py", "-k", "gan"),
    ),
    Defect(
        "a loss differs by a thousandth on one backend", "jax", "training/loop.py",
        "**task.compile_arguments(),",
        "**task.compile_arguments(),\n"
        "        loss_weights=1.001 if keras.config.backend() == 'jax' else 1.0,",
        ("tests/cells/test_promises.py", "-k", "alike and dnn-tabular_classification"),
    ),
    Defect(
        "the last row of a table is dropped", "plain", "datasets/tables/table_files.py",
        "good, columns=header", "good[:-1] or good, columns=header",
        ("tests/datasets/tables/test_table_files.py",),
    ),
    Defect(
        "a page does not escape", "plain", "reporting/page.py",
        "return escape_html(visible(text))", "return text",
        ("tests/reporting/test_report.py",),
    ),
)  # fmt: skip


def notice(defect: Defect, folder: Path) -> bool:
    """Return whether the tests fail with a defect and pass without it."""
    root, package = folder / "copy", folder / "path"
    shutil.copytree(ROOT, root, ignore=LEFT)
    package.mkdir()
    (package / "threefold").symlink_to(root)
    codes = []
    for planted in (False, True):
        if planted:
            path = root / defect.file
            text = path.read_text(encoding="utf-8")
            if text.count(defect.right) != 1:
                raise SystemExit(
                    f"{defect.file} holds '{defect.right}' {text.count(defect.right)} times"
                )
            path.write_text(text.replace(defect.right, defect.wrong), encoding="utf-8")
        ended = subprocess.run(
            [sys.executable, "tests/run.py", "--only", defect.part, "-x", *defect.tests],
            cwd=root,
            env=os.environ | {"PYTHONPATH": str(package)},
            capture_output=True,
            text=True,
        )
        codes.append("pytest ended with" in ended.stderr)
        if not planted and codes[0]:
            raise SystemExit(f"{defect.name}: the tests fail without it:\n{ended.stdout[-3000:]}")
    return codes == [False, True] and " failed" in ended.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--only", default="", help="a word of a defect's name")
    given = parser.parse_args()
    unseen = 0
    print("| defect | part | noticed |\n| --- | --- | --- |", flush=True)
    for defect in DEFECTS:
        if given.only in defect.name:
            with tempfile.TemporaryDirectory() as folder:
                seen = notice(defect, Path(folder))
            unseen += not seen
            print(f"| {defect.name} | {defect.part} | {'yes' if seen else 'NO'} |", flush=True)
    sys.exit(unseen > 0)


if __name__ == "__main__":
    main()
