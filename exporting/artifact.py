"""The artifact folder: a model file for a serving runtime, and what proves it.

digits-onnx/
artifact.json         what goes in and out, where it comes from, the parity report, checksums
model.onnx            or model.tflite, or 1/saved_model.pb in TensorFlow Serving's layout
labels.txt            one class a line; of texts also tokenizer.json
examples.npz          some rows of the data, and what the trained model answers for them
example.py            asks the model, from what a user has, in its runtime
example.png           what it asks of; of recordings example.wav, of series example.csv
README.md             the model card, with an image
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from threefold.core.errors import Failure, UserError
from threefold.core.files import parse_json, replace_file
from threefold.tasks.signature import Signature
from threefold.training.run import RunRecord

VERSION = 3
RECORD = "artifact.json"
MODELS = {"onnx": "model.onnx", "savedmodel": "1/saved_model.pb", "litert": "model.tflite"}
OPSET, LOWEST_OPSET, HIGHEST_OPSET = 18, 17, 18  # tf2onnx writes none above 18

Format = Literal["savedmodel", "onnx", "litert"]
Precision = Literal["float32", "float16"]
Part = Literal["generator", "discriminator"]


class Cost(BaseModel):
    """What a quantized file costs beside the file of floats that it was made of."""

    model_config = ConfigDict(extra="forbid")

    float_bytes: int
    bytes: int
    float_ms: float  # median time of one row
    ms: float
    ratio: float  # median of the times' ratios, each of two answers one after the other


class Parity(BaseModel):
    """How an exported model's answers compare with the training backend's."""

    model_config = ConfigDict(extra="forbid")

    split: str
    rows: int
    batch_sizes: tuple[int, ...]
    empty_batch: bool  # whether a batch of no row is answered, by none
    probes: tuple[str, ...]  # what else was tried: what the signature allows and rows do not hold
    max_abs_diff: float  # in the units of `scale` of each output
    mean_abs_diff: float
    limit: float
    agreement: float  # share of rows whose derived answers (the class) are the same
    metrics: dict[str, dict[str, float]]  # headline metrics: of the `run`, of the `artifact`
    quantized: bool = False
    cost: Cost | None = None  # of what is quantized
    intervals: dict[str, tuple[float, float]] = {}  # 95 %, of the artifact's metrics
    by_class: dict[str, dict[str, float]] = {}  # of the artifact
    baselines: dict[str, dict[str, float]] = {}  # of simple methods on the same rows


class ArtifactRecord(BaseModel):
    """What `artifact.json` holds."""

    model_config = ConfigDict(extra="forbid")

    version: Literal[3] = VERSION
    format: Format
    precision: Precision = "float32"
    part: Part | None = None  # of a model of several networks; None for what its task makes
    task: str
    signature: Signature
    labels: tuple[str, ...]
    preprocessing: str
    run: RunRecord
    weights: str  # sha256 of the checkpoint's arrays
    versions: dict[str, str]
    parity: Parity
    files: dict[str, str]


class Artifact:
    """An artifact whose every file is what was written.

    Args:
        folder: Path. Where it lies.
        record: ArtifactRecord. What it says of itself.
    """

    def __init__(self, folder: Path, record: ArtifactRecord):
        self.folder, self.record = folder, record

    @property
    def model(self) -> Path:
        """The model's file."""
        return self.folder / MODELS[self.record.format]


def is_artifact(path: str) -> bool:
    """Return whether a path is an artifact rather than a run, be it one that lost its record."""
    folder = Path(path).expanduser()
    if (folder / RECORD).exists():
        return True
    model = any((folder / name).is_file() for name in MODELS.values())
    return model and any((folder / name).is_file() for name in ("examples.npz", "example.py"))


def open_artifact(path: str) -> Artifact:
    """Open an artifact, after every byte of it was checked.

    Args:
        path: str. The folder.

    Returns:
        Artifact.

    Raises:
        UserError: where it is of a newer version.
        Failure: where a file is missing, changed or added, or the parity report is not there.
    """
    folder = Path(path).expanduser()
    try:
        text = (folder / RECORD).read_bytes()
        content = parse_json(text)
        if text != _seal(content):
            raise ValueError("it is not what was written")
    except FileNotFoundError:
        gone = f"the artifact {path} is damaged: {RECORD} is missing; export again"
        raise Failure(gone) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Failure(f"the artifact {path} is damaged: {RECORD}: {error}; export again") from error
    if content.get("version") != VERSION:
        raise UserError(
            f"{path} is of version {content.get('version')}, this program reads {VERSION}; export "
            "the run again"
        )
    if content.get("parity") is None:
        raise Failure(f"{path} has no parity report: nothing proves it; export again")
    content.pop("sha256")
    try:
        record = ArtifactRecord.model_validate(content)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise Failure(
            f"the artifact {path} is damaged: {where} in {RECORD}; export again"
        ) from error
    _require_same_files(folder, record.files)
    return Artifact(folder, record)


def write_record(folder: Path, content: dict[str, Any]) -> None:
    """Write `artifact.json` over all other files of a folder, which must be there by now.

    Args:
        folder: Path. The artifact's.
        content: dict. The fields of ArtifactRecord but `files`.
    """
    record = ArtifactRecord(**content, files=_checksums(folder))
    replace_file(folder / RECORD, _seal(record.model_dump(mode="json")))


def _seal(content: dict[str, Any]) -> bytes:
    """Return the one text that holds this content and its own checksum."""
    bare = {name: value for name, value in content.items() if name != "sha256"}
    digest = hashlib.sha256(json.dumps(bare, sort_keys=True).encode()).hexdigest()
    return (json.dumps(bare | {"sha256": digest}, ensure_ascii=False, indent=1) + "\n").encode()


def _checksums(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file but the record."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != RECORD:
            with open(path, "rb") as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _require_same_files(folder: Path, wanted: dict[str, str]) -> None:
    try:
        found = _checksums(folder)
    except OSError as error:
        raise Failure(f"the artifact {folder} cannot be read: {error}") from error
    for name in sorted({*found, *wanted}):
        if found.get(name) != wanted.get(name):
            what = "is missing" if name not in found else (
                "was added" if name not in wanted else "is not what was written"
            )  # fmt: skip
            raise Failure(f"the artifact {folder} is damaged: {name} {what}; export again")
