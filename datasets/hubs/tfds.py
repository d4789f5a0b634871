"""TensorFlow Datasets: `tfds:NAME[/CONFIG][:VERSION]`, read at random and without TensorFlow."""

import hashlib
import logging
import re
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import numpy as np

from threefold.core.errors import UserError, suggest
from threefold.datasets.hubs.record_objects import find_fields
from threefold.datasets.hubs.record_tables import Column, RecordTable

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

# Stricter than TFDS: namespaces such as `huggingface:` ask the network, arguments run code.
REFERENCE = re.compile(r"(?P<name>\w+)(/(?P<config>[^:/,=\s]+))?(:[\d*]+\.[\d*]+\.[\d*]+)?")
# Where TFDS looks first when it downloads.
STORAGE = "https://storage.googleapis.com/tfds-data/"
# How many examples, spread over each split, the fingerprint reads.
FINGERPRINTED = 100
WIDEST_VECTOR = 1000


def open_records(name: str, *, data_dir: Path | None, download: bool) -> RecordTable:
    """Open a set of TensorFlow Datasets.

    Args:
        name: str. `NAME`, `NAME/CONFIG` or either with `:VERSION`.
        data_dir: Path. Where sets are prepared: TFDS's own folder if None.
        download: bool. Whether to download and prepare what is not yet there.

    Returns:
        RecordTable. The label is the set's own choice.

    Raises:
        UserError: for an unknown name, or a set that is not prepared.
    """
    with _quiet():
        builder = _find(name, data_dir)
        if not builder.is_prepared():
            if not download:
                raise UserError(
                    f"dataset 'tfds:{name}' is not prepared in {builder.data_dir}; prepare it "
                    "online with -d download=true, or say where it is with -d data_dir=DIR"
                )
            _prepare(builder, name)
        return _open(builder, f"tfds:{name}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back TFDS's warnings on folders that are not there: our own message says it."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _find(name: str, root: Path | None) -> "tfds.core.DatasetBuilder":
    import tensorflow_datasets as tfds

    parts = REFERENCE.fullmatch(name)
    if parts is None:
        raise UserError(
            f"'tfds:{name}' names no dataset; expected tfds:NAME, tfds:NAME/CONFIG, "
            "or either with a version, such as :1.0.0"
        )
    try:
        return tfds.builder(name, data_dir=root)
    except tfds.core.DatasetNotFoundError:
        known = tfds.list_builders(with_community_datasets=False)
        if root is not None and root.is_dir():
            known += [path.name for path in root.iterdir() if path.is_dir()]
        # All 445 names would be no help: only a close one is said.
        close = get_close_matches(parts["name"], known)
        raise UserError(
            f"TFDS has no dataset '{parts['name']}'{suggest(parts['name'], close)}"
        ) from None
    except (ValueError, AssertionError) as error:
        configs = tfds.builder_cls(parts["name"]).builder_configs
        if parts["config"] is not None and parts["config"] not in configs:
            hint = suggest(parts["config"], configs) or "; it has none"
            raise UserError(
                f"dataset 'tfds:{parts['name']}' has no config '{parts['config']}'{hint}"
            ) from None
        reason = str(error).partition('}": ')[2].partition("\n")[0] or str(error)
        raise UserError(f"cannot open 'tfds:{name}': {reason}") from None


def _prepare(builder: "tfds.core.DatasetBuilder", name: str) -> None:
    # Without a network TFDS tries again for minutes before it says so.
    try:
        urlopen(Request(STORAGE, method="HEAD"), timeout=10).close()
    except HTTPError:
        pass  # An answer, whatever it says.
    except (URLError, TimeoutError) as error:
        reason = getattr(error, "reason", error)
        raise UserError(
            f"cannot download 'tfds:{name}': {STORAGE} is out of reach ({reason})"
        ) from None
    with redirect_stdout(sys.stderr):  # standard output is for results
        builder.download_and_prepare()


def _open(builder: "tfds.core.DatasetBuilder", reference: str) -> RecordTable:
    from tensorflow_datasets import features as kinds

    columns, paths, aside = _describe(builder.info.features)
    splits = {
        split: _Examples(_read_serialized(builder, split), builder.info.features, columns, paths)
        for split, info in builder.info.splits.items()
        if info.num_examples
    }
    keys = builder.info.supervised_keys
    label = keys[1] if keys and isinstance(keys[1], str) and keys[1] in columns else None
    languages: tuple[str, ...] = ()
    if isinstance(builder.info.features, kinds.Translation):
        languages = tuple(keys[:2]) if label is not None else tuple(columns)
    digest = hashlib.sha256(builder.info.full_name.encode())
    for split, records in splits.items():
        digest.update(f"{split} {len(records)} {builder.info.splits[split].num_bytes}".encode())
        some = np.linspace(0, len(records) - 1, min(FINGERPRINTED, len(records))).astype(int)
        for example in records.serialized.__getitems__(some.tolist()):
            digest.update(example)
    return RecordTable(
        reference,
        columns,
        splits,
        digest.hexdigest(),
        label,
        languages,
        tuple(aside),
        [f"{builder.info.full_name}, read from {builder.data_dir}"],
    )


def _describe(
    features: "tfds.features.FeaturesDict", prefix: str = "", path: tuple = ()
) -> tuple[dict[str, Column], dict[str, tuple], list[str]]:
    """Return the columns that can be used, where each lies in an example, and other names.

    Nested features are called `outer/inner` as in TFDS, the numbers of a vector `name/0` and on.
    """
    from tensorflow_datasets import features as kinds

    columns: dict[str, Column] = {}
    paths: dict[str, tuple] = {}
    aside: list[str] = []
    # Sorted, as TFDS keeps them in no order of its own.
    for key, feature in sorted(features.items()):
        name, here = prefix + key, (*path, key)
        column = _column_of(feature)
        if column is not None:
            columns[name], paths[name] = column, here
        elif isinstance(feature, kinds.FeaturesDict):
            inner = _describe(feature, f"{name}/", here)
            columns |= inner[0]
            paths |= inner[1]
            aside += inner[2]
        elif (
            type(feature) is kinds.Tensor
            and len(feature.shape) == 1
            and 0 < (feature.shape[0] or 0) <= WIDEST_VECTOR
            and np.issubdtype(feature.np_dtype, np.number)
        ):
            for index in range(feature.shape[0]):
                columns[f"{name}/{index}"] = Column("number")
                paths[f"{name}/{index}"] = (*here, index)
        else:
            aside.append(name)
    return columns, paths, aside


def _column_of(feature: "tfds.features.FeatureConnector") -> Column | None:
    """Return what a feature of one value, or of a list of texts, tags or objects, holds."""
    from tensorflow_datasets import features as kinds

    if isinstance(feature, kinds.Sequence) and isinstance(feature.feature, kinds.FeaturesDict):
        return _objects_of(feature.feature)
    if isinstance(feature, kinds.Sequence):
        held = _column_of(feature.feature)
        if held is None or held.kind not in ("classes", "text"):
            return None
        return Column("tags", held.class_names) if held.kind == "classes" else Column("words")
    if isinstance(feature, kinds.ClassLabel):
        return Column("classes", tuple(feature.names))
    if isinstance(feature, kinds.Text):
        return Column("text")
    # Exact types: a labelled image is a kind of image, but one of class ids.
    if type(feature) is kinds.Image and feature.np_dtype == np.uint8:
        return Column("image")
    if type(feature) is kinds.LabeledImage:
        return Column("mask", tuple(feature.names))
    if type(feature) not in (kinds.Scalar, kinds.Tensor) or feature.shape != ():
        return None
    if feature.np_dtype in (bool, np.bool_):
        return Column("boolean")
    return Column("number" if np.issubdtype(feature.np_dtype, np.number) else "text")


def _objects_of(features: "tfds.features.FeaturesDict") -> Column | None:
    """Return what is known of objects by the features of one, None where they have no boxes."""
    from tensorflow_datasets import features as kinds

    boxes = [name for name, each in features.items() if isinstance(each, kinds.BBoxFeature)]
    fields = find_fields(dict(features.items()), boxes)
    if fields is None:
        return None
    label, form = features[fields.label], features[fields.box].bbox_format
    names = tuple(label.names) if isinstance(label, kinds.ClassLabel) else ()
    if form is not None:  # such as REL_YXYX
        known = form.value.lower().removeprefix("rel_")
        fields = replace(fields, box_format=known, relative=form.value.startswith("REL_"))
    return Column("objects", names, fields)


class _Examples:
    """Serialised examples, of which only the features asked for are decoded.

    Args:
        serialized: random access to the examples as bytes, a list of rows at a time.
        features: tfds.features.FeaturesDict. All features.
        columns: mapping of str to Column. What can be used.
        paths: mapping of str to tuple. Where each column lies in an example.
    """

    def __init__(
        self,
        serialized: Any,
        features: "tfds.features.FeaturesDict",
        columns: Mapping[str, Column],
        paths: Mapping[str, tuple],
    ):
        self.serialized = serialized
        self.features = features
        self.columns = columns
        self.paths = paths
        self._readers: dict[frozenset[str], tuple] = {}

    def __len__(self) -> int:
        return len(self.serialized)

    def read(self, rows: np.ndarray, columns: Sequence[str]) -> dict[str, list]:
        """Return the cells of some rows; images as encoded bytes."""
        features, decoders = self._reader(frozenset(self.paths[name][0] for name in columns))
        cells: dict[str, list] = {name: [] for name in columns}
        for example in self.serialized.__getitems__(np.asarray(rows).tolist()):
            values = features.deserialize_example_np(example, decoders=decoders)
            for name in columns:
                cell = values
                for step in self.paths[name]:
                    cell = cell[step]
                cells[name].append(_plain(cell, self.columns[name]))
        return cells

    def _reader(self, outer: frozenset[str]) -> tuple["tfds.features.FeaturesDict", dict]:
        """Return features and decoders for some columns, built once."""
        if outer not in self._readers:
            from tensorflow_datasets import features as kinds

            # Not TFDS's PartialDecoding, which imports TensorFlow.
            chosen = kinds.FeaturesDict({name: self.features[name] for name in sorted(outer)})
            self._readers[outer] = chosen, _keep_encoded(chosen)
        return self._readers[outer]


def _keep_encoded(features: "tfds.features.FeaturesDict") -> dict:
    """Return the decoders that leave images as bytes."""
    from tensorflow_datasets import decode
    from tensorflow_datasets import features as kinds

    decoders = {}
    for name, feature in features.items():
        if type(feature) in (kinds.Image, kinds.LabeledImage):
            decoders[name] = decode.SkipDecoding()
        elif isinstance(feature, kinds.FeaturesDict):
            decoders[name] = _keep_encoded(feature)
    return decoders


def _plain(cell: Any, column: Column) -> Any:
    """Return a cell as Python's own type."""
    if column.kind == "objects":
        return {name: [np.asarray(one).tolist() for one in values] for name, values in cell.items()}
    if column.kind in ("words", "tags"):
        one = Column("text" if column.kind == "words" else "classes")
        return [_plain(part, one) for part in cell]
    if isinstance(cell, np.generic | np.ndarray):
        cell = cell.item()
    if column.kind == "text" and isinstance(cell, bytes):
        return cell.decode("utf-8", "replace")
    return cell


def _read_serialized(builder: "tfds.core.DatasetBuilder", split: str) -> Any:
    """Return random access to the examples of a split as bytes, whatever files hold them."""
    from tensorflow_datasets import decode

    form = builder.info.file_format.value
    if form == "tfrecord":
        return _TFRecords([Path(path) for path in builder.info.splits[split].filepaths])
    if form == "array_record" and find_spec("array_record") is None:
        raise UserError(
            f"{builder.data_dir} holds ArrayRecord files; to read them: pip install array-record"
        )
    if form not in ("array_record", "parquet"):
        raise UserError(
            f"{builder.data_dir} holds {form} files; expected tfrecord, array_record or parquet"
        )
    return builder.as_data_source(split, deserialize_method=decode.DeserializeMethod.RAW_BYTES)


class _TFRecords:
    """Random access to TFRecord files, which TFDS itself reads only in order and with TensorFlow.

    A record is its length (8 bytes), a checksum of it (4), the data, and a checksum of them (4):
    one walk over the lengths finds them all.

    Args:
        paths: sequence of Path. The files, in order.
    """

    def __init__(self, paths: Sequence[Path]):
        self.paths = list(paths)
        found = [_walk(path) for path in self.paths]
        self.files = np.repeat(np.arange(len(found)), [len(each) for each in found])
        self.places = np.concatenate(found)

    def __len__(self) -> int:
        return len(self.places)

    def __getitems__(self, rows: Sequence[int]) -> list[bytes]:
        records = []
        for row in rows:
            start, length = self.places[row].tolist()
            with open(self.paths[self.files[row]], "rb") as file:
                file.seek(start)
                records.append(file.read(length))
        return records


def _walk(path: Path) -> np.ndarray:
    """Return start and length of every record of a file, shape (records, 2)."""
    places = []
    try:
        size, position = path.stat().st_size, 0
        with open(path, "rb") as file:
            while position < size:
                file.seek(position)
                head = file.read(8)
                length = struct.unpack("<Q", head)[0] if len(head) == 8 else size
                places.append((position + 12, length))
                position += length + 16
    except OSError as error:
        raise UserError(
            f"cannot read {path}: {error.strerror or error}; prepare it again"
        ) from None
    if position != size:
        raise UserError(f"{path} is damaged or cut short: prepare the dataset again")
    return np.array(places, np.int64).reshape(-1, 2)
