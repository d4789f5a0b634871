"""The data that a run, or an artifact made of it, is evaluated on; without Keras."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import IO, Any

import numpy as np

from threefold.core.errors import UserError, suggest
from threefold.core.options import check_options, options_of
from threefold.datasets import loading
from threefold.datasets.dataset import SPLITS, ConcatSource, Dataset, find_column
from threefold.datasets.facts import Facts
from threefold.datasets.inference_inputs import find_input_reader, read_inputs
from threefold.datasets.raw_inputs import Inputs
from threefold.tasks.task import find_task
from threefold.training.run import Run, RunRecord

SHOWN = 5  # classes written out in a note


def load_dataset(
    reference: str, options: Mapping[str, Any], task: str | None = None, facts: Facts | None = None
) -> Dataset:
    """Load data for a task, as `loading.load` does; those of another task may serve it.

    Raises:
        UserError: as from `loading.load`, and for data that cannot serve the task.
    """
    task_class = find_task(task) if task is not None else None
    if task_class is None or task_class.dataset_task is None:
        found = loading.load(reference, options, task=task, facts=facts)
        return _say_what_lacks(found, facts is None)
    wanted = [task, task_class.dataset_task]  # data may be read for this very task
    if reference in loading.bundled():
        own, _ = loading.bundled()[reference]
        wanted = [name for name in wanted if name in own]
    elif not loading.is_read_for(reference, task):
        wanted = wanted[1:]
    found = loading.load(reference, options, task=next(iter(wanted), None), facts=facts)
    return _say_what_lacks(task_class.adapt(found), facts is None)


def _say_what_lacks(dataset: Dataset, fitting: bool) -> Dataset:
    """Add notes on splits that hold nothing, or nothing of some classes."""
    notes = list(dataset.notes)
    lacking = [name for name in SPLITS[1:] if name not in dataset.splits]
    if fitting and lacking:
        uses = {"validation": "no epoch is chosen by it", "test": "nothing is measured on it"}
        why = " and ".join(uses[name] for name in lacking)
        notes.append(f"no {' and no '.join(lacking)} split: {why}")
    names = dataset.facts.class_names
    for split, source in dataset.splits.items():
        labels = find_column(source, "label") if names else None
        if labels is None or labels.ndim != 1 or (split == "train" and not fitting):
            continue
        counts = np.bincount(labels, minlength=len(names))
        absent = [name for name, count in zip(names, counts, strict=True) if not count]
        if absent:
            shown = ", ".join(absent[:SHOWN]) + (" ..." if len(absent) > SHOWN else "")
            effect = (
                "which cannot be learned"
                if split == "train"
                else "which means over classes leave out"
            )
            count = f"{len(absent)} of {len(names)} classes"
            notes.append(f"{split} has no example of {count} ({shown}), {effect}")
    return replace(dataset, notes=notes)


def load_run_dataset(record: RunRecord, facts: Facts) -> Dataset:
    """Load the data that a run was fitted on.

    Args:
        record: RunRecord. What the run is.
        facts: Facts. The run's own, for its shapes and classes; or those, raw.
    """
    return load_dataset(
        record.dataset.reference, record.dataset.options, task=record.task, facts=facts
    )


def require_same_data(run: Run, dataset: Dataset, remedy: str) -> None:
    """Refuse data that are not those of a run, and name the files that have changed.

    Args:
        run: Run. What was fitted.
        dataset: Dataset. Its data, as they are now.
        remedy: str. How the message goes on.

    Raises:
        UserError: where they differ.
    """
    if dataset.fingerprint == run.record.dataset.fingerprint:
        return
    which = run.describe_changes(dataset.files)
    raise UserError(
        f"{run.record.dataset.reference} has changed since {run.folder} was fitted on it"
        f"{f' ({which})' if which else ''}{remedy}"
    )


def _load_moved(record: RunRecord, facts: Facts, reference: str) -> Dataset | None:
    """Load the run's own data from where they are now; `None` where a path leads to others.

    An artifact keeps the name of its data alone: what has it, and the fingerprint, is theirs.
    """
    if loading.name_alone(reference) != record.dataset.reference:
        return None
    options = record.dataset.options
    try:
        found = load_dataset(reference, options, task=record.task, facts=facts)
    except UserError:  # options of the run's data may be of no use for others
        return None
    return found if found.fingerprint == record.dataset.fingerprint else None


def load_splits(
    record: RunRecord,
    facts: Facts,
    reference: str | None,
    data_options: dict[str, str],
    split: str | None,
) -> tuple[Dataset, list[str]]:
    """Load data to evaluate a run on.

    Args:
        record: RunRecord. What the run is.
        facts: Facts. The run's own, or those, raw.
        reference: str. Other data than the run's own, or `None`.
        data_options: dict of str to str. Options of the data, added to the run's for its own data.
        split: str. One split, `all` for each of them, or `None` for those that were not trained
            on; of other data than the run's, that is all of it, evaluated as one.

    Returns:
        (Dataset, list of str): the data, and the splits to evaluate.

    Raises:
        UserError: where the data do not fit the run, or have no such split.
    """
    other = reference not in (None, record.dataset.reference)
    dataset = _load_moved(record, facts, reference) if other else None
    own = dataset is not None or not other
    if dataset is None or data_options:
        dataset = load_dataset(
            reference or record.dataset.reference,
            (record.dataset.options if own else {}) | data_options,
            task=record.task,
            facts=facts,
        )
    names = list(dataset.splits)
    if split is None and not own:
        dataset.splits["all"] = ConcatSource(list(dataset.splits.values()))
        return dataset, ["all"]
    if split is None and names == ["train"]:
        raise UserError(
            f"{dataset.reference} has a train split alone: --split train evaluates what was learned"
        )
    if split is None:
        return dataset, [name for name in names if name != "train"]
    if split == "all":
        return dataset, names
    if split not in names:
        raise UserError(f"{dataset.reference} has no split '{split}'{suggest(split, names)}")
    return dataset, [split]


def read_run_inputs(
    record: RunRecord,
    facts: Facts,
    given: Sequence[str],
    data_options: dict[str, str],
    stdin: IO[bytes],
) -> Iterator[Inputs]:
    """Read raw inputs as a run's own data were read, unless given otherwise.

    Args:
        record: RunRecord. What the run is.
        facts: Facts. The run's own, or those, raw.
        given: sequence of str. Files, folders, globs, or `-`.
        data_options: dict of str to str. How to read them.
        stdin: binary stream. Standard input.

    Returns:
        iterator of Inputs.

    Raises:
        UserError: for a path that does not exist or an unknown option.
    """
    task = find_task(record.task)
    known = options_of(find_input_reader(facts, task.input_reader))
    reading = {name: value for name, value in record.dataset.options.items() if name in known}
    reading = check_options(known, reading | data_options, flag="-d", owner="predict")
    size = record.settings.batch_size
    return read_inputs(given, facts, stdin, size, task.input_reader, **reading)
