"""Hugging Face datasets: `hf:NAME[:CONFIG]`, or a folder that `save_to_disk` wrote."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from threefold.datasets.dataset import Dataset
from threefold.datasets.errors import UserError
from threefold.datasets.facts import Facts
from threefold.datasets.record_tables import Choices, Column, Kind, RecordTable
from threefold.datasets.records import to_dataset
from threefold.datasets.table_roles import Division

if TYPE_CHECKING:
    import datasets

REFERENCE = re.compile(r"(?P<name>[\w.-]+(/[\w.-]+)?)(:(?P<config>[^:/\s]+))?")
# How many examples, spread over each split, the fingerprint reads.
FINGERPRINTED = 100
VALUES: dict[Kind, str] = {
    "boolean": "bool",
    "number": r"u?int\d|float\d",
    "text": r"(large_)?string",
    "date": r"date\d|timestamp",
}


def load(
    name: str,
    *,
    task: str | None = None,
    facts: Facts | None = None,
    image: str | None = None,
    label: str | None = None,
    target: tuple[str, ...] = (),
    image_size: int | tuple[int, int] | None = None,
    channels: Literal[1, 3] | None = None,
    validation_fraction: float = 0.15,
    test_fraction: float = 0.15,
    split_seed: int = 0,
    download: bool = False,
) -> Dataset:
    """Load a dataset of the Hugging Face Hub, or one saved in a folder.

    Args:
        name: str. `NAME`, `OWNER/NAME`, either with `:CONFIG`, or a folder.
        task: str. What to learn, guessed from the columns if None.
        facts: Facts. Those of a run: its picture shape and class order then rule.
        image: str. The column of pictures, where there are several.
        label: str. The column of classes, where there are several.
        target: tuple of str. The columns of numbers to predict.
        image_size: int, or height and width. The size to bring pictures to; guessed if None.
        channels: int. 1 reads the pictures as grey, 3 as colour; guessed if None.
        validation_fraction: float. Share of train kept for validation where there is none.
        test_fraction: float. Share of train kept for the test where there is none.
        split_seed: int. Which seeded, stratified division.
        download: bool. Whether to download what is not yet in the cache.

    Returns:
        Dataset. Pictures `image` with `label` or `target`, or the columns of a table.

    Raises:
        UserError: for a name that is not there, or columns that do not serve.
    """
    division = Division(validation_fraction, test_fraction, split_seed)
    choices = Choices(image, label, target, image_size, channels, division)
    _require_library(name)
    folder = Path(name).expanduser()
    # As everywhere in Hugging Face's own library, a folder comes before a public set of its name.
    if folder.is_dir() or name.startswith((".", "/", "~")):
        splits, reference = _open_folder(folder), name
    else:
        splits, reference = _open_public(name, download), f"hf:{name}"
    return to_dataset(_describe(splits, reference), choices, task, facts)


def _require_library(name: str) -> None:
    try:
        # Not a mere import: with a checkout's root on the path our own folder answers to the name.
        from datasets import load_dataset  # noqa: F401
    except ImportError:
        raise UserError(
            f"'{name}' needs Hugging Face's datasets: pip install 'threefold[hf]'"
        ) from None


def is_saved_folder(folder: Path) -> bool:
    """Tell whether Hugging Face's `save_to_disk` wrote a folder."""
    return any((folder / name).is_file() for name in ("dataset_dict.json", "dataset_info.json"))


def _open_folder(folder: Path) -> "dict[str, datasets.Dataset]":
    from datasets import load_dataset, load_from_disk

    if not folder.is_dir():
        raise UserError(f"no folder '{folder}'")
    try:
        with _without_network():
            # Besides what `save_to_disk` wrote, a clone of a set's repository serves.
            opened = (
                load_from_disk(folder) if is_saved_folder(folder) else load_dataset(str(folder))
            )
    except Exception as error:
        raise UserError(f"cannot read '{folder}' as a dataset: {_first_line(error)}") from None
    return _splits_of(opened)


def _open_public(name: str, download: bool) -> "dict[str, datasets.Dataset]":
    import datasets

    parts = REFERENCE.fullmatch(name)
    if parts is None:
        raise UserError(
            f"'hf:{name}' names no dataset; expected hf:NAME, hf:OWNER/NAME, "
            "either with :CONFIG, or hf:./FOLDER"
        )
    # `csv`, `parquet` and others would read whatever lies in the working folder.
    if name.isidentifier() and find_spec(f"datasets.packaged_modules.{name}") is not None:
        raise UserError(f"'hf:{name}' names a form of files; expected a set or hf:./FOLDER")
    try:
        if download:
            _require_public(parts["name"])
            opened = datasets.load_dataset(parts["name"], parts["config"])
        else:
            with _without_network():
                opened = datasets.load_dataset(parts["name"], parts["config"])
    except UserError:
        raise
    except ConnectionError:
        raise UserError(
            f"dataset 'hf:{name}' is not in {datasets.config.HF_DATASETS_CACHE}; download it with "
            "-d download=true, or name a folder that save_to_disk wrote"
        ) from None
    except Exception as error:
        raise UserError(f"cannot read 'hf:{name}': {_first_line(error)}") from None
    return _splits_of(opened)


def _require_public(name: str) -> None:
    """Ask the Hub once: without a network, a download tries again for half a minute."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        HfApi().dataset_info(name, timeout=10)
    except RepositoryNotFoundError:
        raise UserError(f"the Hugging Face Hub has no public dataset '{name}'") from None
    except Exception as error:
        raise UserError(f"cannot download 'hf:{name}': {_first_line(error)}") from None


@contextmanager
def _without_network() -> Iterator[None]:
    """Read the disk alone: no look at the Hub, and no warning that there was none."""
    import datasets

    config, logging = datasets.config, datasets.logging
    offline, verbosity = config.HF_HUB_OFFLINE, logging.get_verbosity()
    config.HF_HUB_OFFLINE = True
    logging.set_verbosity_error()
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE = offline
        logging.set_verbosity(verbosity)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _splits_of(
    opened: "datasets.Dataset | datasets.DatasetDict",
) -> "dict[str, datasets.Dataset]":
    return dict(opened) if isinstance(opened, dict) else {"train": opened}


def _describe(splits: "dict[str, datasets.Dataset]", reference: str) -> RecordTable:
    features = next(iter(splits.values())).features
    columns = {name: _column_of(feature) for name, feature in features.items()}
    notes = []
    if aside := [name for name, column in columns.items() if column is None]:
        notes.append(f"columns left aside: {', '.join(aside)}")
    columns = {name: column for name, column in columns.items() if column is not None}
    records = {split: _Rows(rows, columns) for split, rows in splits.items()}
    digest = hashlib.sha256(repr(features).encode())
    for split, rows in splits.items():
        # Not `_fingerprint` alone: it can stay when a generator yields other rows.
        digest.update(f"{split} {len(rows)} {rows._fingerprint}".encode())
        if len(rows):
            some = np.linspace(0, len(rows) - 1, min(FINGERPRINTED, len(rows))).astype(int)
            digest.update(repr(records[split].read(some, list(columns))).encode())
    return RecordTable(reference, columns, records, digest.hexdigest(), notes=notes)


def _column_of(feature: object) -> Column | None:
    """Return what a feature of one value holds, None for any other."""
    from datasets import ClassLabel, Image, Value

    if isinstance(feature, Image):
        return Column("picture")
    if isinstance(feature, ClassLabel):
        return Column("classes", tuple(feature.names))
    if not isinstance(feature, Value):
        return None
    for kind, pattern in VALUES.items():
        if re.match(pattern, feature.dtype):
            return Column(kind)
    return None


class _Rows:
    """Rows of a Hugging Face table, undecoded.

    Args:
        rows: datasets.Dataset. One split.
        columns: mapping of str to Column. What can be used.
    """

    def __init__(self, rows: "datasets.Dataset", columns: Mapping[str, Column]):
        from datasets import Image

        # A table may have been saved with a format that turns its cells into tensors.
        rows = rows.with_format(None).select_columns(list(columns))
        self.pictures = [name for name, column in columns.items() if column.kind == "picture"]
        for name in self.pictures:
            rows = rows.cast_column(name, Image(decode=False))
        self.rows = rows
        self._chosen: dict[tuple[str, ...], datasets.Dataset] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, rows: np.ndarray, columns: Sequence[str]) -> dict[str, list]:
        """Return the cells of some rows; pictures as encoded bytes or paths."""
        key = tuple(columns)
        if key not in self._chosen:
            self._chosen[key] = self.rows.select_columns(list(columns))
        cells = self._chosen[key][np.asarray(rows).tolist()]
        for name in set(columns) & set(self.pictures):
            cells[name] = [_file_of(cell) for cell in cells[name]]
        return cells


def _file_of(cell: dict | None) -> bytes | Path:
    """Return a picture's bytes or else its path, an empty file if it is missing."""
    if cell is None:
        return b""
    return cell["bytes"] if cell["bytes"] is not None else Path(cell["path"])
