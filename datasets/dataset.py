"""The data contract: named splits of examples, read at random and a whole batch at a time."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from threefold.datasets.facts import Facts
from threefold.datasets.facts_base import NumericTarget, Scaled
from threefold.datasets.ragged import Ragged

SPLITS = ("train", "validation", "test")


class Source(Protocol):
    """Random access to examples: ``source[int_array] -> dict of arrays``."""

    def __len__(self) -> int:
        """Return the number of examples."""

    def __getitem__(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """Return the examples at `indices`, each array with the batch first.

        Sequences of different lengths come as an array of objects.
        """


def find_lengths(source: Source) -> np.ndarray | None:
    """Return how long each example is, or None where all are of one length."""
    return getattr(source, "lengths", None)


def find_column(source: Source, name: str) -> np.ndarray | None:
    """Return one array of all examples where that costs no decoding of files, else None."""
    if isinstance(source, SubsetSource):
        whole = find_column(source.source, name)
        return None if whole is None else whole[source.rows]
    if isinstance(source, ConcatSource):
        parts = [find_column(part, name) for part in source.sources]
        return None if any(part is None for part in parts) else join_arrays(parts)
    return getattr(source, "arrays", {}).get(name)


class ArraySource:
    """Examples that lie in memory.

    Args:
        arrays: mapping of str to array or Ragged. Columns of equal first dimension.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray | Ragged]):
        lengths = {name: len(array) for name, array in arrays.items()}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"columns must be of one length, got {lengths}")
        self.arrays = dict(arrays)
        self._length = next(iter(lengths.values()))
        ragged = [array.lengths for array in arrays.values() if isinstance(array, Ragged)]
        self.lengths = ragged[0] if ragged else None

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        return {name: array[indices] for name, array in self.arrays.items()}


class SubsetSource:
    """Some rows of another source, in a given order.

    Args:
        source: Source. The whole.
        rows: int array. Positions in `source`.
    """

    def __init__(self, source: Source, rows: np.ndarray):
        self.source = source
        self.rows = np.asarray(rows, np.int64)
        whole = find_lengths(source)
        self.lengths = None if whole is None else whole[self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        return self.source[self.rows[indices]]


class ConcatSource:
    """Several sources, one after the other.

    Args:
        sources: sequence of Source. At least one; all of the same columns.
    """

    def __init__(self, sources: Sequence[Source]):
        self.sources = list(sources)
        self.starts = np.cumsum([0, *(len(source) for source in self.sources)])
        lengths = [find_lengths(source) for source in self.sources]
        self.lengths = None if lengths[0] is None else np.concatenate(lengths)

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __getitem__(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        owner = np.searchsorted(self.starts, indices, side="right") - 1
        parts = [
            (np.flatnonzero(owner == i), source[indices[owner == i] - self.starts[i]])
            for i, source in enumerate(self.sources)
            if (owner == i).any()
        ]
        back = np.argsort(np.concatenate([places for places, _ in parts]))
        return {
            name: join_arrays([examples[name] for _, examples in parts])[back]
            for name in parts[0][1]
        }


def join_arrays(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Put batches one after the other; items that differ in shape are held as objects."""
    if len({(array.dtype == object, array.shape[1:]) for array in arrays}) == 1:
        return np.concatenate(arrays)
    items = [item for array in arrays for item in array]
    joined = np.empty(len(items), object)
    joined[:] = items
    return joined


@dataclass(frozen=True)
class Dataset:
    """Named splits of examples plus the facts a task needs.

    Args:
        reference: str. What the user typed: `digits`, `./photos`, `tfds:mnist`, ...
        task: str. The task that the data suggest or the user named.
        facts: Facts. Shapes, class names, columns: all that the blueprint and task need.
        splits: dict of str to Source. Some of `train`, `validation`, `test`.
        fingerprint: str. Hexadecimal digest that changes with the examples.
        notes: list of str. What was guessed or decided; whoever loads prints it.
        files: dict of str to int. The size of each file of a folder that stays in its files.
    """

    reference: str
    task: str
    facts: Facts
    splits: dict[str, Source]
    fingerprint: str
    notes: list[str] = field(default_factory=list)
    files: dict[str, int] = field(default_factory=dict)


def numeric_targets(names: list[str], values: np.ndarray) -> tuple[NumericTarget, ...]:
    """Describe the numbers to predict by their mean and scale in the training split.

    Args:
        names: list of str. One name a target.
        values: float array of shape (examples, targets).

    Returns:
        tuple of NumericTarget. The scale of a constant target is 1.
    """
    means, scales = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
    return tuple(
        NumericTarget(name=name, mean=float(mean), scale=float(scale) if scale > 0 else 1.0)
        for name, mean, scale in zip(names, means, scales, strict=True)
    )


def narrow(values: np.ndarray) -> np.ndarray:
    """Return numbers as float32, or as they are where that would make differing ones alike.

    Args:
        values: float64 array of shape (examples, columns). NaN where one is missing.
    """
    present = [column[~np.isnan(column)] for column in values.T]
    columns = [Scaled(name="", mean=c.mean(), scale=c.std()) for c in present if len(c)]
    # Of a constant there is nothing to be told apart.
    return values if any(c.scale and c.offset for c in columns) else values.astype(np.float32)


def fingerprint_arrays(arrays: Mapping[str, np.ndarray | Ragged]) -> str:
    """Return the sha256 of names, types, shapes and contents."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        column = arrays[name]
        parts = [column.values, column.offsets] if isinstance(column, Ragged) else [column]
        for array in map(np.ascontiguousarray, parts):
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            # Of objects, the bytes are mere addresses: theirs are texts.
            plain = array.dtype != object
            digest.update(array.tobytes() if plain else "\0".join(map(str, array)).encode())
    return digest.hexdigest()


def fingerprint_files(files: Mapping[str, int], read: str) -> str:
    """Return the sha256 of what was read, and of the names and sizes of files left where they are.

    Args:
        files: mapping of str to int. Their sizes by their names.
        read: str. What was read of them, or a digest of it.
    """
    digest = hashlib.sha256(read.encode())
    for name, size in files.items():
        digest.update(os.fsencode(name) + f"\0{size}\0".encode())
    return digest.hexdigest()
