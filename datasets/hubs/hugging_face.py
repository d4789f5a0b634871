"""Hugging Face datasets: `hf:NAME[:CONFIG]`, or a folder that `save_to_disk` wrote."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from threefold.core.errors import UserError, suggest
from threefold.datasets.hubs.record_objects import find_fields
from threefold.datasets.hubs.record_tables import Column, Kind, RecordTable

if TYPE_CHECKING:
    import datasets

REFERENCE = re.compile(r"(?P<name>[\w.-]+(/[\w.-]+)?)(:(?P<config>[^:/\s]+))?")
CONFIGS = re.compile(r"available[^\[]*\[(?P<names>[^\]]*)\]", re.IGNORECASE)
# How many examples, spread over each split, the fingerprint reads.
FINGERPRINTED = 100
VALUES: dict[Kind, str] = {
    "boolean": "bool",
    "number": r"u?int\d|float\d",
    "text": r"(large_)?string",
    "date": r"date\d|timestamp",
}


def open_records(name: str, *, data_dir: Path | None, download: bool) -> RecordTable:
    """Open a dataset of the Hugging Face Hub, or one saved in a folder.

    Args:
        name: str. `NAME`, `OWNER/NAME`, either with `:CONFIG`, or a folder.
        data_dir: Path. Where the library keeps its sets: its own cache if None.
        download: bool. Whether to download what is not yet there.

    Returns:
        RecordTable. Languages of a translation are columns of their own.

    Raises:
        UserError: for a name that is not there, or cannot be read.
    """
    _require_library(name)
    folder = Path(name).expanduser()
    # As everywhere in Hugging Face's own library, a folder comes before a public set of its name.
    if folder.is_dir() or name.startswith((".", "/", "~")):
        return _describe(_open_folder(folder, data_dir), name)
    return _describe(_open_public(name, data_dir, download), f"hf:{name}")


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


def _open_folder(folder: Path, cache: Path | None) -> "dict[str, datasets.Dataset]":
    from datasets import load_dataset, load_from_disk

    if not folder.is_dir():
        raise UserError(f"no folder '{folder}'")
    try:
        with _without_network():
            # Besides what `save_to_disk` wrote, a clone of a set's repository serves.
            opened = (
                load_from_disk(folder)
                if is_saved_folder(folder)
                else load_dataset(str(folder), cache_dir=cache)
            )
    except Exception as error:
        raise UserError(f"cannot read '{folder}' as a dataset: {_first_line(error)}") from None
    return _splits_of(opened)


def _open_public(name: str, cache: Path | None, download: bool) -> "dict[str, datasets.Dataset]":
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
            opened = datasets.load_dataset(parts["name"], parts["config"], cache_dir=cache)
        else:
            with _without_network():
                opened = datasets.load_dataset(parts["name"], parts["config"], cache_dir=cache)
    except UserError:
        raise
    except ConnectionError:
        raise UserError(
            f"dataset 'hf:{name}' is not in {cache or datasets.config.HF_DATASETS_CACHE}; "
            "download it with -d download=true, or name a folder that save_to_disk wrote"
        ) from None
    except Exception as error:
        _require_config(parts["name"], parts["config"], str(error))
        raise UserError(f"cannot read 'hf:{name}': {_first_line(error)}") from None
    return _splits_of(opened)


def _require_config(name: str, config: str | None, message: str) -> None:
    """Say which configs there are, where the library's message ends in a list of them."""
    found = CONFIGS.search(message)
    known = re.findall(r"'([^']+)'", found["names"]) if found else []
    if known and config is None:
        raise UserError(
            f"dataset 'hf:{name}' has several configs; name one as in hf:{name}:{known[0]}; "
            f"there are: {', '.join(known)}"
        )
    if known and config not in known:
        raise UserError(f"dataset 'hf:{name}' has no config '{config}'{suggest(config, known)}")


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
    columns: dict[str, Column] = {}
    paths: dict[str, tuple[str, ...]] = {}
    translations: list[tuple[str, ...]] = []
    aside = []
    for name, feature in features.items():
        column, languages = _column_of(feature), _languages_of(name, feature)
        if column is not None:
            columns[name], paths[name] = column, (name,)
        elif languages:
            # By the language alone, as a user would say it.
            taken = {*features, *columns}
            inner = {lang if lang not in taken else f"{name}/{lang}": lang for lang in languages}
            columns |= dict.fromkeys(inner, Column("text"))
            paths |= {called: (name, language) for called, language in inner.items()}
            translations.append(tuple(inner))
        else:
            aside.append(name)
    records = {split: _Rows(rows, columns, paths) for split, rows in splits.items()}
    digest = hashlib.sha256(repr(features).encode())
    for split, rows in splits.items():
        # Not `_fingerprint` alone: it can stay when a generator yields other rows.
        digest.update(f"{split} {len(rows)} {rows._fingerprint}".encode())
        if len(rows):
            some = np.linspace(0, len(rows) - 1, min(FINGERPRINTED, len(rows))).astype(int)
            digest.update(repr(records[split].read(some, list(columns))).encode())
    return RecordTable(
        reference,
        columns,
        records,
        digest.hexdigest(),
        languages=translations[0] if translations else (),
        aside=tuple(aside),
    )


def _column_of(feature: Any) -> Column | None:
    """Return what a feature of one value, or of a list of texts, tags or objects, holds."""
    from datasets import ClassLabel, Image, Value

    if isinstance(feature, Image):
        return Column("image")
    if isinstance(feature, ClassLabel):
        return Column("classes", tuple(feature.names))
    if isinstance(feature, Value):
        found = (kind for kind, pattern in VALUES.items() if re.match(pattern, feature.dtype))
        return next(map(Column, found), None)
    # Before version 4 of the library, a list stands for a list of what it holds.
    held = _held_by(feature)
    if isinstance(held, dict) or isinstance(feature, dict):
        each = held or {name: _held_by(inner) for name, inner in feature.items()}
        return _objects_of({name: inner for name, inner in each.items() if inner is not None})
    if isinstance(held, ClassLabel):
        return Column("tags", tuple(held.names))
    if isinstance(held, Value) and re.match(VALUES["text"], held.dtype):
        return Column("words")
    return None


def _held_by(feature: Any) -> Any:
    """Return what a list is of, None for what is no list."""
    return feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)


def _objects_of(features: Mapping[str, Any]) -> Column | None:
    """Return what is known of objects by the features of one, None where they have no boxes."""
    from datasets import ClassLabel

    lists = [name for name, feature in features.items() if _held_by(feature) is not None]
    fields = find_fields(features, lists)
    if fields is None:
        return None
    label = features[fields.label]
    return Column("objects", tuple(label.names) if isinstance(label, ClassLabel) else (), fields)


def _languages_of(name: str, feature: Any) -> tuple[str, ...]:
    """Return the languages of a translation, which may have been saved without its type."""
    from datasets import Translation

    if isinstance(feature, Translation):
        return tuple(feature.languages)
    if name != "translation" or not isinstance(feature, dict):
        return ()
    texts = all(_column_of(inner) == Column("text") for inner in feature.values())
    return tuple(feature) if texts else ()


class _Rows:
    """Rows of a Hugging Face table, undecoded.

    Args:
        rows: datasets.Dataset. One split.
        columns: mapping of str to Column. What can be used.
        paths: mapping of str to tuple of str. Where each column lies in a row.
    """

    def __init__(
        self,
        rows: "datasets.Dataset",
        columns: Mapping[str, Column],
        paths: Mapping[str, tuple[str, ...]],
    ):
        from datasets import Image

        # A table may have been saved with a format that turns its cells into tensors.
        outer = list(dict.fromkeys(path[0] for path in paths.values()))
        rows = rows.with_format(None).select_columns(outer)
        self.images = [name for name, column in columns.items() if column.kind == "image"]
        for name in self.images:
            rows = rows.cast_column(name, Image(decode=False))
        self.rows = rows
        self.paths = paths
        self._chosen: dict[tuple[str, ...], datasets.Dataset] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, rows: np.ndarray, columns: Sequence[str]) -> dict[str, list]:
        """Return the cells of some rows; images as encoded bytes or paths."""
        outer = tuple(dict.fromkeys(self.paths[name][0] for name in columns))
        if outer not in self._chosen:
            self._chosen[outer] = self.rows.select_columns(list(outer))
        read = self._chosen[outer][np.asarray(rows).tolist()]
        cells = {}
        for name in columns:
            first, *inner = self.paths[name]
            cells[name] = read[first]
            for step in inner:
                cells[name] = [cell and cell[step] for cell in cells[name]]
        for name in set(columns) & set(self.images):
            cells[name] = [_file_of(cell) for cell in cells[name]]
        return cells


def _file_of(cell: dict | None) -> bytes | Path:
    """Return an image's bytes or else its path, an empty file if it is missing."""
    if cell is None:
        return b""
    return cell["bytes"] if cell["bytes"] is not None else Path(cell["path"])
