"""How soon the command line answers where no model is needed, and what it imports for that.

    python benchmarks/answering/startup.py

Each command runs in processes of its own, by turns. The last column names what must not be there.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

COMMANDS = (["--help"], ["fit", "--help"], ["fit", "cnn", "--epoch", "3"], ["fit", "cn"], ["list"])
HEAVY = ("keras", "tensorflow", "jax", "torch", "pandas", "sklearn", "matplotlib")

# The command line, which says at its end what was imported.
WATCHED = f"""
import atexit, sys
atexit.register(lambda: print(*[n for n in {HEAVY} if n in sys.modules], file=open("found", "w")))
from threefold.cli import main
main()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    threefold = os.path.join(os.path.dirname(sys.executable), "threefold")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    seconds = {tuple(words): [] for words in COMMANDS}
    print("| command | exit code | seconds, median | least | heavy imports |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for _ in range(repeats + 1):
            for words, found in seconds.items():
                started = time.perf_counter()
                subprocess.run([threefold, *words], **quiet)
                found.append(time.perf_counter() - started)
        for words, found in seconds.items():
            code = subprocess.run([sys.executable, "-c", WATCHED, *words], **quiet).returncode
            with open("found") as file:
                heavy = ", ".join(file.read().split()) or "none"
            warm = found[1:]
            print(
                f"| `threefold {' '.join(words)}` | {code} | {statistics.median(warm):.2f} "
                f"| {min(warm):.2f} | {heavy} |"
            )
    print(f"\nOf {repeats} runs each: python benchmarks/answering/startup.py --repeats {repeats}")


if __name__ == "__main__":
    main()
