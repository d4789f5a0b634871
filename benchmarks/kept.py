"""What benchmarks measured, kept row by row in files of comma-separated values.

Every row carries a digest of the code that it was made by, so that a script which was stopped, or
is started again after a change, does what is missing or older than the code and nothing else.
"""

import argparse
import contextlib
import csv
import hashlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from threefold.core.errors import Failure
from threefold.core.files import remove_parts, replace_file
from threefold.core.locks import hold_lock
from threefold.training.backend import BACKENDS
from threefold.training.inspection.description import catalogue

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
FAMILY = re.compile(r"^TASKS\b", re.MULTILINE)  # what only a blueprint of its own has at its top
# The rooms whose code a fit runs through.
FIT_ROOMS = ("blueprints", "core", "datasets", "tasks", "training")
STOPPED = 128 + 2  # the shell's own code of Ctrl-C

Row = Mapping[str, Any]


class CellFailed(Failure):
    """A cell of which there is nothing to keep."""


def find_cells(only: str) -> list[tuple[str, str, str]]:
    """Return every blueprint with each of its tasks and the task's default data.

    Args:
        only: str. A part of BLUEPRINT-TASK.
    """
    cells = [
        (name, task, found["datasets"][task])
        for name, found in catalogue()["blueprints"].items()
        for task in found["tasks"]
        if only in f"{name}-{task}"
    ]
    if not cells:  # nothing to do would look like nothing to fix
        sys.exit(f"--only {only}: no BLUEPRINT-TASK has that in its name")
    return cells


def digest_of(*places: str, blueprint: str | None = None) -> str:
    """Return a short digest of code, by its names and contents.

    Args:
        places: str. Rooms, or single files of them, as seen from the root.
        blueprint: str. The only family whose file counts, or None for all; what families share
            counts always.

    Returns:
        str. 12 hexadecimal digits.
    """
    files = {}
    for place in places:
        path = ROOT / place
        found = [path] if path.is_file() else path.rglob("*.py")
        files |= {str(file.relative_to(ROOT)): file.read_bytes() for file in found}
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        path = Path(name)
        family = path.parent.name == "blueprints" and FAMILY.search(content.decode("utf-8"))
        if not family or blueprint in (None, path.stem):
            # Lengths, so that nothing can move from one file to the next unseen.
            digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:12]


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return what is kept; nothing where nothing was measured yet."""
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def keep(
    path: Path,
    row: Row,
    keys: Sequence[str],
    outdone: Callable[[dict[str, str]], bool] = lambda row: False,
) -> None:
    """Put a row into a file, in the place of an older one of the same keys.

    Whoever stops the process leaves the file as it was or as it will be. Two scripts may keep rows
    in the same file at once.

    Args:
        path: Path. The file; need not exist.
        row: mapping. Each column, in the order of the file.
        keys: sequence of str. The columns that name a row.
        outdone: function of a row. Whether it may go, now that there is the new one.
    """
    row = {name: str(value) for name, value in row.items()}
    with locked(path.parent):
        older = [kept for kept in read_rows(path) if not outdone(kept)]
        rows = {tuple(row[name] for name in keys): row for row in (*older, row)}
        text = io.StringIO()
        writer = csv.DictWriter(text, list(row), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[key] for key in sorted(rows))
        replace_file(path, text.getvalue().encode("utf-8"))


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let no other script write in a folder; clear away what a killed one left there."""
    with hold_lock(folder / ".lock"):
        remove_parts(folder)
        yield


@dataclass(frozen=True)
class Kept:
    """A file of rows, one or several for each blueprint, task and backend.

    Args:
        path: Path. The file.
        keys: tuple of str. The columns that name a row; the first is the blueprint.
        places: tuple of str. The code that a row proves, as `digest_of` takes it.
    """

    path: Path
    keys: tuple[str, ...]
    places: tuple[str, ...]

    def digest(self, blueprint: str) -> str:
        """Return the digest of the code as it is now."""
        return digest_of(*self.places, blueprint=blueprint)

    def lacking(self, wanted: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
        """Return those of the wanted keys whose row is missing or older than the code."""
        kept = {tuple(row[key] for key in self.keys): row for row in read_rows(self.path)}
        return [
            names
            for names in wanted
            if names not in kept or kept[names].get("digest") != self.digest(names[0])
        ]

    def fill(
        self,
        groups: Iterable[Sequence[tuple[str, ...]]],
        make: Callable[[Sequence[tuple[str, ...]]], Iterator[Row]],
        again: bool = False,
    ) -> bool:
        """Make the rows that are missing or older than the code; keep each as soon as it is there.

        Args:
            groups: iterable of sequences of keys. Rows that are made together.
            make: function of keys. Makes rows, of all columns but `digest`; or raises CellFailed,
                and the next group has its turn.
            again: bool. Whether to make the others too.

        Returns:
            bool. Whether every row could be made.
        """
        good = True
        for group in groups:
            left = group if again else self.lacking(group)
            if not left:
                continue
            digest = self.digest(left[0][0])
            try:
                for row in make(left):
                    if digest != self.digest(left[0][0]):
                        raise CellFailed("the code was changed meanwhile")
                    keep(self.path, row | {"digest": digest}, self.keys)
                    print(*row.values(), sep="  ", flush=True)
            except (Failure, ValueError) as error:
                good = False
                print(f"{' '.join(left[0])}: {error}", file=sys.stderr, flush=True)
            except KeyboardInterrupt:
                print("stopped; the same words go on from here", file=sys.stderr)
                raise SystemExit(STOPPED) from None
        return good

    def list_differing(self) -> bool:
        """Print which rows found bits that differ, of a script that counts such in a column
        `differ`; return whether any did.
        """
        differing = [row for row in read_rows(self.path) if row["differ"] != "0"]
        for row in differing:
            names = " ".join(row[key] for key in self.keys)
            print(f"{names}: {row['differ']} differ", file=sys.stderr)
        return bool(differing)

    def list_stale(self, wanted: Sequence[tuple[str, ...]], *, each: bool) -> bool:
        """Print how many rows are missing or older than the code; return whether there are any.

        Args:
            wanted: sequence of keys.
            each: bool. Whether to print each of them too, on standard output.
        """
        stale = self.lacking(wanted)
        for names in stale if each else ():
            print(*names, sep="  ")
        print(
            f"{self.path.name}: {len(stale)} of {len(wanted)} rows are missing or older than the "
            "code",
            file=sys.stderr,
        )
        return bool(stale)


def options_of_cells(about: str, *, by_backend: bool = True) -> argparse.ArgumentParser:
    """Return a parser of what every script takes that fills a table cell by cell.

    Args:
        about: str. The script's docstring.
        by_backend: bool. Whether each backend has cells of its own.
    """
    parser = argparse.ArgumentParser(description=about.partition("\n\n")[0])
    if by_backend:
        parser.add_argument("--backends", default=",".join(BACKENDS), help="with commas between")
    parser.add_argument("--only", default="", help="a part of BLUEPRINT-TASK")
    parser.add_argument("--again", action="store_true", help="also what is kept and up to date")
    parser.add_argument("--stale", action="store_true", help="only list what is missing or older")
    parser.add_argument("--table", action="store_true", help="only write the table")
    return parser


def run_command(*words: str, backend: str) -> dict:
    """Run a command in a process of its own, as a user does; return what it printed.

    Raises:
        CellFailed: with what it said at its end, where it failed.
    """
    answer = subprocess.run(
        [sys.executable, "-m", "threefold.cli", *words, "--json"],
        capture_output=True,
        text=True,
        env=os.environ | {"KERAS_BACKEND": backend},
    )
    if answer.returncode != 0:
        raise CellFailed(f"threefold {words[0]}: {last_line(answer.stderr)}")
    return json.loads(answer.stdout)


def last_line(text: str) -> str:
    """Return the last line that says something, such as the error of a process."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "it said nothing")


def place_table(table: str, begin: str, end: str, readme: Path = README) -> str:
    """Return a file in Markdown with a table between two marks."""
    before, _, rest = readme.read_text(encoding="utf-8").partition(begin)
    return f"{before}{begin}\n{table}{end}{rest.partition(end)[2]}"


def write_table(table: str, begin: str, end: str, readme: Path = README) -> None:
    """Put a table between two marks of a file in Markdown."""
    with locked(readme.parent):
        replace_file(readme, place_table(table, begin, end, readme).encode("utf-8"))


def render_rows(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
