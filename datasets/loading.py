"""From a reference that a user types to a dataset: dispatch by name, nothing registered.

A reference is a bundled NAME, a folder or file of the user's own, `tfds:NAME[/CONFIG]` or
`hf:NAME[:CONFIG]`.
"""

import ast
import importlib
import inspect
import itertools
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

from threefold.core.errors import UserError, suggest
from threefold.core.options import Option, check_options, options_of
from threefold.datasets.dataset import Dataset
from threefold.datasets.facts import Facts
from threefold.datasets.images.unlabeled_images import TASK_NAME, to_make

PREFIXES = {"tfds": "tfds", "hf": "hugging_face"}
# Who reads a file or folder: by the task that the user named, else by what it looks like.
BY_TASK = {
    "text_classification": "texts.labeled_texts",
    "text_pair_classification": "texts.pairs.text_pairs",
    "question_answering": "texts.questions.question_files",
    "text_generation": "texts.prose",
    "masked_language_modeling": "texts.masked_texts",
    "token_classification": "texts.conll",
    "translation": "texts.pairs.translation_pairs",
    "summarization": "texts.pairs.summaries",
    "speech_recognition": "audio.speech",
    "forecasting": "series.forecasting_tables",
}
# Who reads files alone, and of what kind.
ONLY_FILES = {
    "texts.pairs.text_pairs": "a table of pairs of texts, such as a .jsonl",
    "texts.questions.question_files": "a file of questions with contexts and answers, a .json or "
    ".jsonl",
    "texts.pairs.translation_pairs": "a file of pairs, such as a .tsv",
    "texts.pairs.summaries": "a file of documents with summaries, such as a .jsonl",
    "series.forecasting_tables": "a table of series, as .csv",
}
BY_SUFFIX = {
    ".csv": "tables.labeled_tables",
    ".tsv": "tables.labeled_tables",
    ".parquet": "tables.labeled_tables",
    ".txt": "texts.prose",
    ".jsonl": "texts.labeled_texts",
    ".json": "texts.questions.question_files",
    ".conll": "texts.conll",
    ".ts": "series.labeled_series",
}
# Tasks that data do not suggest: any set of another task's kind serves them, when it is asked to.
EXPLICIT_TASKS = {TASK_NAME: to_make}
# What the loading gives to a loader, as opposed to what a user sets.
CONTEXT = ("task", "facts")


def load(
    reference: str,
    options: Mapping[str, Any] | None = None,
    *,
    task: str | None = None,
    facts: Facts | None = None,
) -> Dataset:
    """Load a dataset.

    Args:
        reference: str. What the user typed.
        options: mapping of str to value. The loader's options (`-d KEY=VALUE`), unchecked.
        task: str. The task that the user named, where the data allow several.
        facts: Facts. Those of a run: the dataset is then read in the run's shapes, columns and
            class order, and refused where it cannot be.

    Returns:
        Dataset. Its `reference` is the one given here.

    Raises:
        UserError: for an unknown reference or option, and for data that cannot be used.
    """
    explicit = None if task in EXPLICIT_TASKS else task
    loader, context = find_loader(reference, explicit)
    known = loader_options(loader)
    checked = check_options(known, options or {}, flag="-d", owner=f"dataset '{reference}'")
    given = {"task": explicit, "facts": facts}
    dataset = replace(
        loader(**checked, **{name: given[name] for name in context}), reference=reference
    )
    if task in EXPLICIT_TASKS:
        dataset = EXPLICIT_TASKS[task](dataset)
    if task is not None and dataset.task != task:
        raise UserError(f"dataset '{reference}' serves the task {dataset.task}, not {task}")
    if facts is not None:
        _require_same_shape(dataset, facts)
    return dataset


def loader_options(loader: Callable) -> dict[str, Option]:
    """Return what a user may set for a loader."""
    return options_of(loader, reserved=CONTEXT)


def find_loader(
    reference: str, task: str | None = None
) -> tuple[Callable[..., Dataset], tuple[str, ...]]:
    """Return the loader for a reference, and which of `CONTEXT` it takes."""
    loader = _find_loader(reference, task)
    return loader, tuple(name for name in CONTEXT if name in inspect.signature(loader).parameters)


def _find_loader(reference: str, task: str | None) -> Callable[..., Dataset]:
    prefix, _, name = reference.partition(":")
    path = Path(reference).expanduser()
    if prefix in PREFIXES and name:
        return partial(_module("hubs.hub_datasets").load, PREFIXES[prefix], name)
    if reference in bundled():
        module = _module(
            f"bundled.{reference}"
        )  # which may serve further tasks when it is asked to
        return getattr(module, "FURTHER", {}).get(task, module.load)
    if not reference:  # which as a path would be the working folder
        raise UserError(f"no dataset ''{suggest('', bundled())}")
    if path.is_dir():
        if _module("hubs.hugging_face").is_saved_folder(path):
            return partial(_module("hubs.hub_datasets").load, "hugging_face", str(path))
        reader = BY_TASK.get(task) or _reader_of_folder(path)
        if reader in ONLY_FILES:
            raise UserError(f"'{path}' is a folder; {task} takes {ONLY_FILES[reader]}")
        return partial(_module(reader).load, str(path))
    if path.is_file() and (reader := BY_TASK.get(task) or _reader_of_file(path)):
        return partial(_module(reader).load, str(path))
    if path.exists():
        raise UserError(
            f"cannot read '{reference}' as a dataset: expected a folder or a file of the kinds "
            f"{', '.join(BY_SUFFIX)}"
        )
    raise UserError(f"no dataset '{reference}'{_hint(reference)}")


def _reader_of_file(path: Path) -> str | None:
    """Return who reads a file, by the end of its name; of JSON Lines by the first one's names."""
    if path.suffix.lower() != ".jsonl":
        return BY_SUFFIX.get(path.suffix.lower())
    with open(path, "rb") as file:
        try:
            names = set(json.loads(file.readline()))
        except (ValueError, TypeError):
            return BY_SUFFIX[".jsonl"]
    if names >= {"source", "target"}:
        return "texts.pairs.translation_pairs"
    if names >= {"question", "context", "answers"}:
        return "texts.questions.question_files"
    if any(names.issuperset(pair) for pair in _module("texts.pairs.text_pairs").COLUMNS):
        return "texts.pairs.text_pairs"
    if names & {"summary", "highlights"}:
        return "texts.pairs.summaries"
    return "texts.prose" if len(names) == 1 else BY_SUFFIX[".jsonl"]


def _reader_of_folder(folder: Path) -> str:
    """Return who reads a folder, by the commonest of the files in it."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name[0] != ".")
    files = list(itertools.islice(found, 1000))
    counts = Counter(path.suffix.lower() for path in files)
    # A table in a folder belongs to the images alongside it, and so do files of JSON.
    beside = ("tables.labeled_tables", "texts.questions.question_files")
    readers = {suffix: name for suffix, name in BY_SUFFIX.items() if name not in beside}
    sounds = sum(counts[suffix] for suffix in _module("audio.audio_files").SUFFIXES)
    if sounds and sounds >= max(counts.values()):  # each may have a text alongside it
        return "audio.speech"
    commonest = max(counts, key=lambda suffix: (counts[suffix], suffix not in readers), default="")
    if commonest == ".txt":
        inside = {path.parent.name.lower() for path in files if path.parent != folder}
        return (
            "texts.labeled_texts"
            if inside - set(_module("tables.column_roles").SPLIT_WORDS)
            else "texts.prose"
        )
    return readers.get(commonest, "images.image_folder")


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"threefold.datasets.{name}")


def _hint(reference: str) -> str:
    """Return what could have been meant: a prefix, what lies alongside, or a bundled set."""
    prefix, colon, _ = reference.partition(":")
    if colon:
        return f"; '{prefix}:' is not known{suggest(prefix, PREFIXES)}"
    folder = Path(reference).expanduser().parent
    beside = [str(folder / path.name) for path in folder.iterdir()] if folder.is_dir() else []
    close = get_close_matches(str(Path(reference).expanduser()), [*beside, *bundled()], n=1)
    return f": no such file or folder, and not bundled{suggest(reference, close or bundled())}"


@cache
def bundled() -> dict[str, tuple[tuple[str, ...], str]]:
    """Return the bundled sets: name -> (tasks, the first by default; one line of description).

    The files are parsed, not imported: listing must answer at once.
    """
    found = {}
    for path in sorted(Path(__file__).with_name("bundled").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        named = {
            getattr(node.targets[0], "id", ""): node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
        }
        if "TASK" in named:
            further = [key.value for key in named["FURTHER"].keys] if "FURTHER" in named else []
            docstring = (ast.get_docstring(tree) or "").partition("\n\n")[0]
            found[path.stem] = ((ast.literal_eval(named["TASK"]), *further), docstring)
    return found


def _require_same_shape(dataset: Dataset, facts: Facts) -> None:
    """Refuse data that a run cannot take: other shapes, other columns, other classes."""
    found, wanted = dataset.facts.schema(), facts.schema()
    if facts.kind == dataset.facts.kind == "image" and facts.image_shape[0] is None:
        found["shape"] = (None, None, *found["shape"][2:])
    if found == wanted and dataset.facts.kind == facts.kind:
        return
    holds, fitted = dataset.facts.describe(), facts.describe()
    if holds == fitted:  # as many of everything, of other names
        what = next(name for name in wanted if found.get(name) != wanted[name])
        holds, fitted = (
            f"the {what} {', '.join(map(str, names[:5]))}{', ...' if len(names) > 5 else ''}"
            for names in (found[what], wanted[what])
        )
    raise UserError(f"dataset '{dataset.reference}' holds {holds}; the run was fitted on {fitted}")
