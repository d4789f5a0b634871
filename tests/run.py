"""Run the tests part by part, say what each part took, and hold it to its budget.

    python tests/run.py                        all parts, as `make test` does
    python tests/run.py --only jax             one part
    python tests/run.py --only jax -k gan      some of its tests; what else follows goes to pytest

Parts: `plain` is what needs no Keras and runs where none can be imported; `tensorflow`, `jax` and
`torch` are what each backend must pass. TensorFlow's has also what needs it to write exports, and
torch's what needs a backend, whichever, and further variants. Losses on a backend are compared with
those of the parts before it; where it runs alone, TensorFlow's are computed first.

The time that counts is that of the processor, of all processes together: another's work on the
machine does not make it longer. A part that takes more than half again its budget fails, unless
only some tests were chosen.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).parent.parent
REPORTS = ROOT / "build" / "tests"
# Processor seconds on two cores, measured by this script.
BUDGETS = {"plain": 260, "tensorflow": 1500, "jax": 1500, "torch": 1100}
SLACK = 1.5
NO_TESTS = 5  # pytest's exit code
COMPARED = "alike_on_all_backends or agree_across_backends"


def pytest(part: str, before: list[str], *words: str, report: str) -> int:
    """Run pytest for a part; return its exit code."""
    environment = os.environ | {
        "THREEFOLD_ACROSS": str(REPORTS / "across"),
        "THREEFOLD_ACROSS_WITH": " ".join(before),
    }
    if part != "plain":
        environment["KERAS_BACKEND"] = part
    chosen = {
        "plain": "plain",
        "tensorflow": "with_tensorflow,backend",
        "torch": "once,backend,variant",  # it compiles nothing
    }
    command = [sys.executable, "-m", "pytest", "-n", "2", f"--junitxml={REPORTS / report}.xml"]
    return subprocess.run(
        [*command, "--part", chosen.get(part, "backend"), *words], env=environment, cwd=ROOT
    ).returncode


def used() -> float:
    """Return the processor seconds of all processes that this one has started, and theirs."""
    spent = os.times()
    return spent.children_user + spent.children_system


def cases():
    """Yield each test that ran: its part, its name, its element of the report."""
    for path in sorted(REPORTS.glob("*.xml")):
        for case in ElementTree.parse(path).iter("testcase"):
            yield path.stem, f"{case.get('classname')}::{case.get('name')}", case


def slowest(count: int) -> list[tuple[float, str, str]]:
    """Return the slowest tests: seconds, part, name."""
    found = [(float(case.get("time")), part, name) for part, name, case in cases()]
    return sorted(found, reverse=True)[:count]


def failed() -> list[str]:
    """Return the tests that failed, with the first line of the reason."""
    lines = []
    for part, name, case in cases():
        for reason in [*case.findall("failure"), *case.findall("error")]:
            lines.append(f"{part}: {name}: {reason.get('message', '').partition(chr(10))[0][:200]}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--only", choices=BUDGETS, help="one part")
    parser.add_argument("-k", dest="chosen", help="pytest's expression for names of tests")
    given, words = parser.parse_known_args()
    compared = f"({given.chosen}) and ({COMPARED})" if given.chosen else COMPARED
    words += ["-k", given.chosen] if given.chosen else []
    shutil.rmtree(REPORTS, ignore_errors=True)
    (REPORTS / "across").mkdir(parents=True)
    before, lines, wrong = [], [], []
    if given.only in ("jax", "torch"):
        pytest("tensorflow", [], *words, "-k", compared, report="before")
        before.append("tensorflow")
    for part in [given.only] if given.only else BUDGETS:
        print(f"== {part}", flush=True)
        start, spent = time.monotonic(), used()
        code = pytest(part, before, *words, report=part)
        minutes, spent = (time.monotonic() - start) / 60, used() - spent
        lines.append(f"{part:12}{minutes:6.1f} min{spent:8.0f} s of {BUDGETS[part]} (processor)")
        if code and not (code == NO_TESTS and words):
            wrong.append(f"{part}: pytest ended with {code}")
            break
        if spent > SLACK * BUDGETS[part] and not words:
            wrong.append(f"{part} has outgrown its budget: {spent:.0f} s of {BUDGETS[part]}")
        if part != "plain":
            before.append(part)
    print("\nThe slowest tests, in seconds:")
    for seconds, part, name in slowest(20):
        print(f"{seconds:7.1f}  {part:12}{name}")
    print(*lines, sep="\n")
    # Who reads only the end of the output should see what failed. (An empty text would be a
    # failure, too.)
    sys.exit("\n".join([*failed(), *wrong]) or None)


if __name__ == "__main__":
    main()
