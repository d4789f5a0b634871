"""The run folder: what one fit writes, everything needed to repeat, resume or evaluate it.

runs/cnn-digits-001/
run.json       the resolved command, the facts of the data, versions and device
labels.txt     the facts again, for other programs: of texts also tokenizer.json
files.json     of data that stay in their files: names and sizes
history.csv    one row an epoch
checkpoints/   state to resume from, best weights
metrics.json   the full metrics by split
report/        figures and a page that holds them all
"""

import csv
import io
import json
import os
import re
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from threefold.core.errors import UserError, suggest
from threefold.core.files import parse_json, replace_file
from threefold.datasets.facts import Facts
from threefold.datasets.loading import name_alone
from threefold.training.checkpoints import CheckpointError
from threefold.training.settings import TrainingSettings

FORMAT = 1
RUNS = Path("runs")
CHECKPOINTS = "checkpoints"
FILES = "files.json"
SHOWN = 3  # files that a message names
MOST_BYTES = 2**28  # of run.json, which may hold a tokenizer
LONGEST_NAME = 80  # of a folder that is named after its data


class DatasetRecord(BaseModel):
    """Which data a run was fitted on."""

    model_config = ConfigDict(extra="forbid")

    reference: str
    options: dict[str, Any]
    fingerprint: str
    sizes: dict[str, int]
    notes: list[str]


class RunRecord(BaseModel):
    """What `run.json` holds."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = FORMAT
    blueprint: str
    task: str
    options: dict[str, Any]
    settings: TrainingSettings
    dataset: DatasetRecord
    facts: Facts
    backend: str
    device: str
    versions: dict[str, str]
    created: str
    init: str | None = None
    backbone: dict[str, Any] | None = None  # its architecture, where the options name a preset

    def without_places(self) -> Self:
        """Return the record for others to read: files and folders of this machine by name alone.

        The fingerprint still says which data they were.
        """
        data = self.dataset
        names = {data.reference: name_alone(data.reference)}
        options = _strip_places(self.options, names)
        data_options = _strip_places(data.options, names)
        notes = [_strip_note(note, names) for note in data.notes]
        reference = names[data.reference]
        dataset = data.model_copy(
            update={"reference": reference, "options": data_options, "notes": notes}
        )
        init = self.init and name_alone(self.init)
        return self.model_copy(update={"dataset": dataset, "options": options, "init": init})


def _strip_places(value: Any, names: dict[str, str]) -> Any:
    """Return options with every path as its last part; note in `names` what was changed."""
    if isinstance(value, dict):
        return {name: _strip_places(item, names) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strip_places(item, names) for item in value]
    if isinstance(value, str) and (
        Path(value).is_absolute()
        or value.startswith("~")
        or (os.sep in value and Path(value).exists())
    ):
        return names.setdefault(value, name_alone(value))
    return value


def _strip_note(note: str, names: dict[str, str]) -> str:
    for place in sorted(names, key=len, reverse=True):
        note = note.replace(place, names[place])
    roots = "|".join(re.escape(str(root)) for root in (Path.cwd(), Path.home()) if root.name)
    return re.sub(rf"(?:{roots})/(?:[^\s/:;,'\"]+/)*", "", note) if roots else note


class Run:
    """A run folder that exists.

    Args:
        folder: Path. The folder.
        record: RunRecord. What its `run.json` says.
    """

    def __init__(self, folder: Path, record: RunRecord):
        self.folder, self.record = folder, record

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.folder / CHECKPOINTS

    @property
    def lock(self) -> Path:
        """The file whose lock is held by the process that fits the run."""
        return self.folder / ".lock"

    @property
    def samples(self) -> Path:
        """What a generator made of the same noise, epoch by epoch, as images."""
        return self.folder / "samples"

    @property
    def report(self) -> Path:
        """The folder of figures and the page that holds them."""
        return self.folder / "report"

    def write_record(self) -> None:
        """Write `run.json`, and alongside it what other programs must know of the data."""
        for name, text in self.record.facts.sidecars().items():
            replace_file(self.folder / name, text.encode())
        _write_json(self.folder / "run.json", self.record.model_dump(mode="json"))

    def write_files(self, files: dict[str, int]) -> None:
        """Write `files.json`: names and sizes of the files that the data lie in, if there are."""
        if files:
            replace_file(self.folder / FILES, json.dumps(files).encode())

    def describe_changes(self, files: dict[str, int]) -> str:
        """Return what is other than in `files.json`: `'a.png' is gone`; empty where nobody knows.

        Args:
            files: dict of str to int. Names and sizes as they are now.
        """
        try:
            before = parse_json((self.folder / FILES).read_text(encoding="utf-8"))
            changed = {name: "is gone" for name in before.keys() - files.keys()}
            changed |= {name: "is new" for name in files.keys() - before.keys()}
            changed |= {
                name: f"has {files[name]:,} bytes, and had {before[name]:,}"
                for name in before.keys() & files.keys()
                if before[name] != files[name]
            }
        except (OSError, ValueError, AttributeError, TypeError):
            return ""
        shown = [f"'{name}' {changed[name]}" for name in sorted(changed)[:SHOWN]]
        more = [f"{len(changed) - SHOWN} more"] if len(changed) > SHOWN else []
        return ", ".join([*shown, *more])

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Write `metrics.json`: metrics by split."""
        _write_json(self.folder / "metrics.json", metrics)

    def read_metrics(self) -> dict[str, Any]:
        """Return the metrics by split, empty where none were written."""
        path = self.folder / "metrics.json"
        if not path.exists():
            return {}
        try:
            return parse_json(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{path} is damaged: {error}") from None

    def write_history(self, rows: list[dict[str, float]]) -> None:
        """Write `history.csv`, one row an epoch."""
        text = io.StringIO()
        if rows:
            writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        replace_file(self.folder / "history.csv", text.getvalue().encode())

    def read_history(self) -> list[dict[str, float]]:
        """Return the rows of `history.csv`."""
        path = self.folder / "history.csv"
        if not path.exists():
            return []
        with open(path, newline="", encoding="utf-8") as file:
            return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def create_run(record: RunRecord, folder: str | None = None) -> Run:
    """Make a new run folder.

    Args:
        record: RunRecord. What the run is.
        folder: str. Where; `None` for the next free `runs/BLUEPRINT-DATASET-NNN`, which no other
            process gets even if it asks at the same instant.

    Returns:
        Run. Its `run.json` is written.

    Raises:
        UserError: where `folder` exists and is not empty.
    """
    try:
        place = _claim(Path(folder)) if folder else _next_free(record)
    except OSError as error:
        raise CheckpointError(f"cannot make a run folder: {error}") from error
    run = Run(place, record)
    run.write_record()
    return run


def open_run(folder: str) -> Run:
    """Open the folder of an earlier fit.

    Raises:
        UserError: where there is no such folder, or it is no run.
        CheckpointError: where `run.json` is damaged or of a newer version.
    """
    place = Path(folder)
    path = place / "run.json"
    if not path.is_file():
        if place.is_dir():
            raise UserError(f"{folder} is not a run: it holds no run.json")
        known = {
            str(p.parent) for p in (*place.parent.glob("*/run.json"), *RUNS.glob("*/run.json"))
        }
        raise UserError(f"no run '{folder}'{suggest(str(place), known)}")
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ValueError(f"it has {size:,} bytes, and no run writes more than {MOST_BYTES:,}")
        content = parse_json(path.read_text(encoding="utf-8"))
        newest = content.get("format")
        if isinstance(newest, int) and newest > FORMAT:
            raise CheckpointError(
                f"{path} is of format {newest}, this version reads up to {FORMAT}: "
                "upgrade with pip install -U threefold"
            )
        return Run(place, RunRecord.model_validate(content))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise CheckpointError(f"{path} is damaged: {where}: {first['msg']}") from None
    except (ValueError, AttributeError, OSError, RecursionError, MemoryError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from None


def _write_json(path: Path, content: Any) -> None:
    replace_file(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())


def _claim(place: Path) -> Path:
    """Take a folder that is new or empty; of several processes, the file system lets one."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        if any(place.iterdir()):
            raise FileExistsError
        (place / CHECKPOINTS).mkdir()
    except FileExistsError:
        raise UserError(
            f"{place} exists and is not empty: give another --run, or --resume {place}"
        ) from None
    return place


def _next_free(record: RunRecord) -> Path:
    stem = Path(record.dataset.reference.rstrip("/")).stem or "data"
    name = re.sub(r"[^A-Za-z0-9_]+", "-", f"{record.blueprint}-{stem}").strip("-").lower()
    name = name[:LONGEST_NAME]
    RUNS.mkdir(exist_ok=True)
    taken = [int(p.name.rpartition("-")[2]) for p in RUNS.glob(f"{name}-[0-9][0-9][0-9]*")
             if p.name.rpartition("-")[2].isdigit()]  # fmt: skip
    number = max(taken, default=0) + 1
    while True:
        place = RUNS / f"{name}-{number:03d}"
        try:
            place.mkdir()
            (place / CHECKPOINTS).mkdir()
            return place
        except FileExistsError:
            number += 1
