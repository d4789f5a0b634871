"""Tables of records, as TFDS and Hugging Face give them, turned into datasets.

An image column makes a dataset of images, decoded on demand; with masks or boxes what folders of
such do (`record_masks`, `record_objects`); columns of texts make what files of texts do
(`record_texts`); all others make a table.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from threefold.core.errors import UserError, suggest
from threefold.datasets.dataset import SPLITS, Dataset, Source, SubsetSource, numeric_targets
from threefold.datasets.facts import Facts, ImageFacts
from threefold.datasets.hubs.record_files import find_image
from threefold.datasets.hubs.record_masks import guess_mask, read_masks
from threefold.datasets.hubs.record_objects import read_objects
from threefold.datasets.hubs.record_tables import Choices, Column, Records, RecordTable
from threefold.datasets.hubs.record_targets import (
    Target,
    class_name,
    read_target,
    require_column,
    split_table,
)
from threefold.datasets.hubs.record_texts import TEXT_COLUMNS, guess_task, to_texts
from threefold.datasets.images.image_files import guess_shape, stack_images, try_read_batch
from threefold.datasets.tables.column_roles import SPLIT_WORDS, ColumnRoles
from threefold.datasets.tables.labeled_tables import from_table
from threefold.datasets.tables.table_files import table_of

if TYPE_CHECKING:
    import pandas as pd

# The columns that tasks of what is where in images can be given, and other options.
PLACES = {
    "image_segmentation": ("image", "mask", "ignored", "class_file", "tile_size"),
    "object_detection": ("image", "objects", "box_format"),
}
TASKS = (
    *PLACES,
    "image_classification",
    "image_regression",
    "tabular_classification",
    "tabular_regression",
    *TEXT_COLUMNS,
)
TEXT_KINDS = ("text", "text_pair", "pair")  # of facts
# Enough to see whether the images are of one size.
SAMPLES = 100


def to_dataset(
    table: RecordTable, choices: Choices, task: str | None, facts: Facts | None
) -> Dataset:
    """Make a dataset of records.

    Args:
        table: RecordTable. The source.
        choices: Choices. The user's options.
        task: str, optional. The task that the user named.
        facts: Facts, optional. Those of a run: its image shape and class order then rule.

    Returns:
        Dataset. Images `image` with what is to be learned of them, or the columns of a table.

    Raises:
        UserError: where the columns do not serve the task, or are not those of the run.
    """
    _require_columns(table, choices)
    if task is not None and task not in TASKS:
        raise UserError(f"dataset '{table.reference}' cannot serve {task}{suggest(task, TASKS)}")
    if choices.label and choices.target:
        raise UserError("name either the classes (-d label=) or the numbers (-d target=), not both")
    table = _name_splits(table, needs_train=facts is None)
    if task is None and (facts is None or facts.kind in TEXT_KINDS):
        task = guess_task(table, choices) or _guess_place(table, choices)
        if task is not None:
            table.notes.append(f"taken for {task} by its columns (else: --task NAME)")
    _require_useful(choices, task)
    if task in TEXT_COLUMNS:
        return to_texts(table, choices, task, facts)
    if task in PLACES:
        read = read_objects if task == "object_detection" else read_masks
        return read(table, choices, facts)
    has_images = bool(table.named("image"))
    if task is not None:
        has_images = task.startswith("image_")
    elif facts is not None:
        has_images = facts.kind == "image"
    notes = list(table.notes)
    if aside := [*table.aside, *table.named("words", "tags", "mask", "objects")]:
        notes.append(f"columns ignored: {', '.join(aside)}")
    # Asked for first: where there are no images at all, that is what to say.
    image = find_image(table, choices) if has_images else None
    found_target = read_target(table, choices, task, facts)
    rows = split_table(table, choices, found_target, notes)
    if image is None:
        return _to_table(table, choices, found_target, rows, facts, notes)
    return _to_images(table, choices, image, found_target, rows, facts, notes)


def _guess_place(table: RecordTable, choices: Choices) -> str | None:
    """Return the task of what is where in images, where nothing else there can be learned."""
    if choices.objects is not None:
        return "object_detection"
    if choices.mask is not None:
        return "image_segmentation"
    labelled = choices.label or choices.target or table.label or table.named("classes")
    if labelled or not table.named("image"):
        return None
    if table.named("objects"):
        return "object_detection"
    return "image_segmentation" if guess_mask(table, choices) is not None else None


def _require_columns(table: RecordTable, choices: Choices) -> None:
    for option, names in choices.columns().items():
        for name in names:
            if name in table.aside:
                raise UserError(
                    f"-d {option}={name}: what column '{name}' of '{table.reference}' holds cannot "
                    f"be used; there are: {', '.join(table.columns)}"
                )
            require_column(table, name)


def _require_useful(choices: Choices, task: str | None) -> None:
    """Refuse columns, and options of texts, that the task has no use for."""
    taken = (TEXT_COLUMNS | PLACES).get(task, ("image", "label", "target"))
    others = ("box_format", "ignored", "class_file", "tile_size")
    given = [*choices.columns(), *(name for name in others if getattr(choices, name) is not None)]
    useless = [name for name in given if name not in taken]
    if task not in TEXT_COLUMNS:
        useless += choices.reading
    if useless:
        what = task or "what the columns suggest"
        raise UserError(f"{what} has no use for -d {useless[0]}; say what to learn: --task NAME")


def _name_splits(table: RecordTable, needs_train: bool) -> RecordTable:
    """Bring the splits to our names; what is none of them is ignored, and said."""
    filled = {name: records for name, records in table.splits.items() if len(records)}
    found = {SPLIT_WORDS.get(name, name): records for name, records in filled.items()}
    notes = list(table.notes)
    if len(found) == 1 and not set(found) & set(SPLITS):
        notes.append(f"its only split, {next(iter(found))}, is taken for train")
        found = {"train": next(iter(found.values()))}
    # A run that is there already may be evaluated by a test split alone.
    if "train" not in found and (needs_train or not set(found) & set(SPLITS)):
        raise UserError(
            f"dataset '{table.reference}' has no train split; "
            f"it has {', '.join(filled) or 'no examples'}"
        )
    if aside := [name for name in found if name not in SPLITS]:
        notes.append(f"splits ignored: {', '.join(aside)}")
    splits = {name: found[name] for name in SPLITS if name in found}
    return replace(table, splits=splits, notes=notes)


class _Images:
    """Images decoded on demand, with what is to be learned of each in memory.

    Args:
        place: str. The dataset and split, for messages.
        records: Records. The rows.
        column: str. The images among them.
        image_shape: tuple of three ints. Height, width, channels.
        found_target: dict of str to array. `label` or `target` of every row.
    """

    def __init__(
        self,
        place: str,
        records: Records,
        column: str,
        image_shape: tuple[int, int, int],
        found_target: dict[str, np.ndarray],
    ):
        self.place = place
        self.records = records
        self.column = column
        self.image_shape = image_shape
        self.arrays = found_target

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        files = self.records.read(indices, [self.column])[self.column]
        images = try_read_batch(files, self.image_shape)
        for row, found in zip(indices, images, strict=True):
            if isinstance(found, UserError):
                raise UserError(f"{self.place}, row {row}: {found}")
        found_target = {name: array[indices] for name, array in self.arrays.items()}
        return {"image": stack_images(images)} | found_target


def _to_images(
    table: RecordTable,
    choices: Choices,
    image: str,
    found_target: Target,
    rows: dict[str, tuple[str, np.ndarray]],
    facts: ImageFacts | None,
    notes: list[str],
) -> Dataset:
    classes = f" ({len(found_target.class_names)} classes)" if found_target.class_names else ""
    sizes = ", ".join(f"{len(found)} {name}" for name, (_, found) in rows.items())
    notes = [*notes, f"predicts {', '.join(found_target.names)}{classes} of {image}: {sizes}"]
    if facts is None:
        train = rows["train"][1]
        shape, remarks = _guess_image_shape(table, choices, image, train)
        notes = notes + remarks
        values = found_target.values["train"][train]
        if found_target.class_names:
            counts = np.bincount(values, minlength=len(found_target.class_names)).tolist()
            facts = ImageFacts(
                image_shape=shape, class_names=found_target.class_names, class_counts=tuple(counts)
            )
        else:
            facts = ImageFacts(
                image_shape=shape, targets=numeric_targets(list(found_target.names), values)
            )
    key = "label" if found_target.class_names else "target"
    splits: dict[str, Source] = {}
    for name, (origin, kept) in rows.items():
        whole = _Images(
            f"dataset '{table.reference}' {origin}",
            table.splits[origin],
            image,
            facts.image_shape,
            {key: found_target.values[origin]},
        )
        splits[name] = SubsetSource(whole, kept)
    task = "image_classification" if found_target.class_names else "image_regression"
    return Dataset(table.reference, task, facts, splits, table.fingerprint, notes)


def _guess_image_shape(
    table: RecordTable, choices: Choices, image: str, train: np.ndarray
) -> tuple[tuple[int, int, int], list[str]]:
    """Choose the images' shape by some of them, spread over the whole training split."""
    some = train[np.linspace(0, len(train) - 1, min(SAMPLES, len(train))).astype(int)]
    samples = table.splits["train"].read(some, [image])[image]
    return guess_shape(samples, image_size=choices.image_size, channels=choices.channels)


def _to_table(
    table: RecordTable,
    choices: Choices,
    found_target: Target,
    rows: dict[str, tuple[str, np.ndarray]],
    facts: Facts | None,
    notes: list[str],
) -> Dataset:
    """Gather the columns of all splits in one frame that says of each row where it belongs."""
    import pandas as pd

    names = table.named("classes", "number", "boolean", "text", "date")
    split_column = "split"
    while split_column in names:
        split_column += "_"
    frames = []
    for split, (origin, kept) in rows.items():
        cells = table.splits[origin].read(kept, names)
        columns = {name: _series(table.columns[name], cells[name]) for name in names}
        frames.append(pd.DataFrame(columns).assign(**{split_column: split}))
    kind = "classification" if found_target.class_names else "regression"
    dataset = from_table(
        table_of(pd.concat(frames, ignore_index=True), table.reference),
        table.reference,
        column_roles=ColumnRoles(target=found_target.names, split_column=split_column),
        split_fractions=choices.split_fractions,
        task=f"tabular_{kind}",
        facts=facts,
    )
    return replace(dataset, notes=[*notes, *dataset.notes])


def _series(column: Column, cells: list) -> "pd.Series":
    """Return cells in the type that says what they are."""
    import pandas as pd

    match column.kind:
        case "classes":
            # Not plain text: names such as "0" and "1" would be taken for numbers.
            words = [class_name(column, cell) for cell in cells]
            return pd.Series(pd.Categorical(words))
        case "date":
            return pd.to_datetime(pd.Series(cells, dtype=object), utc=True)
        case "text":
            return pd.Series(cells, dtype="str")
    return pd.Series(cells, dtype="boolean" if column.kind == "boolean" else "float64")
