"""Series of a user's own, each of one class: `.ts` files of the UCR and UEA archives.

The format: https://www.aeon-toolkit.org/en/stable/api_reference/file_specifications/ts.html
"""

import re
from pathlib import Path

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.dataset import (
    ArraySource,
    Dataset,
    Source,
    SubsetSource,
    fingerprint_arrays,
)
from threefold.datasets.facts import NumericColumn, SequenceFacts
from threefold.datasets.ragged import Ragged
from threefold.datasets.reader import Reader
from threefold.datasets.splitting import SplitFractions

READER = Reader(("sequence_classification",), files=(".ts",), folders=(".ts",))
TASK_NAME = "sequence_classification"
COMMENT = re.compile(r"^\s*[#%].*|\s+[#%](\s.*)?$")  # a line of its own, or after data
SPLIT_ENDINGS = {"train": "_TRAIN", "test": "_TEST"}


def load(
    path: str,
    *,
    facts: SequenceFacts | None = None,
    split_fractions: SplitFractions = SplitFractions(),
) -> Dataset:
    """Load series from a `.ts` file.

    Args:
        path: str. The file. Of a pair `NAME_TRAIN.ts`, `NAME_TEST.ts` either names both.
        facts: SequenceFacts. Those of a run: its class order and statistics then rule.
        split_fractions: SplitFractions. How series are divided where nothing says so.

    Returns:
        Dataset. Series `values` float32 (steps, channels), NaN where missing, and `label`.

    Raises:
        UserError: for what is no such file, with the line.
    """
    files, notes = _find_pair(Path(path)), []
    read = {split: _read(file) for split, file in files.items()}
    for split, rows in read.items():
        if rows[0][2] is None:
            raise UserError(f"{files[split]} says that its series have no class: nothing to learn")
    names = facts.class_names if facts else _class_names(read)
    parts = {split: _to_arrays(files[split], rows, names) for split, rows in read.items()}
    widths = {part["values"].values.shape[1] for part in parts.values()}
    if len(widths) > 1:
        raise UserError(f"{path}: the files have {sorted(widths)} channels; expected one number")
    chosen, note = split_fractions.fill_in(parts["train"]["label"], parts, noun="series")
    notes += [note] if note else []
    train = ArraySource(parts["train"])
    splits: dict[str, Source] = {name: SubsetSource(train, rows) for name, rows in chosen.items()}
    if "test" in parts:
        splits["test"] = ArraySource(parts["test"])
    return Dataset(
        reference=path,
        task=TASK_NAME,
        facts=facts or _describe(parts, names, chosen["train"]),
        splits=splits,
        fingerprint=fingerprint_arrays(
            {
                f"{split} {name}": array
                for split, part in parts.items()
                for name, array in part.items()
            }
        ),
        notes=notes,
    )


def read_series(path: str, facts: SequenceFacts) -> tuple[list[str], np.ndarray]:
    """Read series to be classified, with or without a class of their own.

    Args:
        path: str. A `.ts` file.
        facts: SequenceFacts. Those of the run.

    Returns:
        (list of str, object array): what each is called, and its values (steps, channels).

    Raises:
        UserError: for what is no such file, with the line, or has other channels.
    """
    rows = _read(Path(path))
    width, wanted = rows[0][1].shape[1], len(facts.channels)
    if width != wanted:
        raise UserError(f"{path} has {width} channels; the run was fitted on {wanted}")
    values = np.empty(len(rows), object)
    values[:] = [series for _, series, _ in rows]
    return [f"{path} line {line}" for line, _, _ in rows], values


def describe_channels(
    names: list[str], values: Ragged, train: np.ndarray
) -> tuple[NumericColumn, ...]:
    """Return mean and scale of every channel over the series of training.

    Args:
        names: list of str. One a channel.
        values: Ragged. Series of shape (steps, channels).
        train: int array. Which of them are trained on.

    Returns:
        tuple of NumericColumn. The scale of a constant channel is 1.
    """
    steps = np.concatenate(list(values[train]))
    found = []
    for name, channel in zip(names, steps.T.astype(np.float64), strict=True):
        known = channel[~np.isnan(channel)]
        mean, scale = (known.mean(), known.std()) if len(known) else (0.0, 1.0)
        found.append(NumericColumn(name=name, mean=float(mean), scale=float(scale) or 1.0))
    return tuple(found)


def _find_pair(path: Path) -> dict[str, Path]:
    """Return the files by split: both of a pair, else the one for training."""
    for ending in SPLIT_ENDINGS.values():
        if path.stem.upper().endswith(ending):
            stem = path.stem[: -len(ending)]
            pair = {s: path.with_name(f"{stem}{e}{path.suffix}") for s, e in SPLIT_ENDINGS.items()}
            if all(file.is_file() for file in pair.values()):
                return pair
    return {"train": path}


def _class_names(read: dict[str, list[tuple[int, np.ndarray, str]]]) -> tuple[str, ...]:
    names = sorted({label for rows in read.values() for _, _, label in rows})
    if len(names) < 2:
        raise UserError(f"the series are all of one class, '{names[0]}': nothing to distinguish")
    return tuple(names)


def _to_arrays(file: Path, rows: list, names: tuple[str, ...]) -> dict[str, np.ndarray | Ragged]:
    positions = {name: position for position, name in enumerate(names)}
    for line, _, label in rows:
        if label not in positions:
            raise UserError(f"{file} line {line}: the class '{label}' is not one of the run's")
    return {
        "values": Ragged.join([series for _, series, _ in rows], np.float32),
        "label": np.array([positions[label] for _, _, label in rows]),
    }


def _describe(parts: dict, names: tuple[str, ...], train: np.ndarray) -> SequenceFacts:
    values, labels = parts["train"]["values"], parts["train"]["label"]
    channels = [f"channel_{number}" for number in range(1, values.values.shape[1] + 1)]
    if len(channels) == 1:
        channels = ["value"]
    return SequenceFacts(
        channels=describe_channels(channels, values, train),
        max_length=max(int(part["values"].lengths.max()) for part in parts.values()),
        class_names=names,
        class_counts=tuple(np.bincount(labels[train], minlength=len(names)).tolist()),
    )


def _read(file: Path) -> list[tuple[int, np.ndarray, str | None]]:
    """Return the line, the series (steps, channels) and the class of each row of a file."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
        lines = [COMMENT.sub("", line).strip() for line in lines]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {file}: {error}") from None
    begin, labelled = _read_head(file, lines)
    rows, width = [], None
    for number, line in enumerate(lines[begin:], begin + 1):
        if not line:
            continue
        channels = line.split(":")
        label = channels.pop().strip() if labelled else None
        if not channels or label == "":
            raise UserError(f"{file} line {number}: expected channels and a class, apart by ':'")
        series = [_read_channel(file, number, channel) for channel in channels]
        if len({len(channel) for channel in series}) > 1:
            raise UserError(f"{file} line {number}: the channels are of different lengths")
        width = width or len(series)
        if len(series) != width:
            raise UserError(f"{file} line {number}: {len(series)} channels; expected {width}")
        rows.append((number, np.stack(series, axis=1), label))
    if not rows:
        raise UserError(f"{file} holds no series after @data")
    return rows


def _read_head(file: Path, lines: list[str]) -> tuple[int, bool]:
    """Return where the data begin, and whether they have classes."""
    labelled = True
    for number, line in enumerate(lines, 1):
        words = line.lower().split()
        if words == ["@data"]:
            return number, labelled
        if words[:2] == ["@timestamps", "true"]:
            raise UserError(f"{file} line {number}: series with time stamps are not supported")
        if words[:2] == ["@targetlabel", "true"]:
            raise UserError(
                f"{file} line {number}: '@targetLabel true' gives each series a number; there is "
                "no task of series that learns numbers: summarize each series as a row of a "
                "table, for tabular_regression"
            )
        if words[:1] == ["@targetlabel"]:
            labelled = False
        if words[:1] == ["@classlabel"]:
            labelled = words[1:2] == ["true"]
        if words and words[0][0] != "@":
            raise UserError(f"{file} line {number}: expected a line that begins with @, or @data")
    raise UserError(f"{file} has no line @data: it is no file of the UCR and UEA archives")


def _read_channel(file: Path, number: int, text: str) -> np.ndarray:
    cells = [cell.strip() for cell in text.split(",")]
    try:
        values = [np.nan if cell == "?" else float(cell) for cell in cells]
    except ValueError:
        wrong = next(cell for cell in cells if cell != "?" and not _is_number(cell))
        raise UserError(f"{file} line {number}: '{wrong}' is not a number") from None
    if np.isinf(values).any():
        raise UserError(f"{file} line {number}: a value is infinite")
    return np.array(values, np.float32)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
