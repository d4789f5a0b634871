"""From a reference that a user types to a dataset: dispatch by name, nothing registered.

A reference is a bundled NAME, a folder or file of the user's own, `tfds:NAME[/CONFIG]` or
`hf:NAME[:CONFIG]`.
"""

import ast
import importlib
import inspect
import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

from threefold.core.errors import UserError, suggest
from threefold.core.files import parse_json
from threefold.core.options import Option, arguments_of, check_options, options_of
from threefold.datasets.dataset import Dataset
from threefold.datasets.facts import Facts
from threefold.datasets.file_kinds import suggest_remedy
from threefold.datasets.folder_files import require_regular, visible_files
from threefold.datasets.reader import readers

PREFIXES = {"tfds": "tfds", "hf": "hugging_face"}
LABELED_TABLES = "tables.labeled_tables"
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
    loader, context = find_loader(reference, task)
    known = loader_options(loader)
    checked = check_options(known, options or {}, flag="-d", owner=f"dataset '{reference}'")
    given = {"task": task, "facts": facts}
    dataset = replace(
        loader(**arguments_of(loader, checked), **{name: given[name] for name in context}),
        reference=reference,
    )
    if task is not None and dataset.task != task:
        raise UserError(f"dataset '{reference}' serves the task {dataset.task}, not {task}")
    if facts is not None:
        _require_same_shape(dataset, facts)
    return dataset


def is_of_library(reference: str) -> bool:
    """Return whether a reference is of a library's data, `tfds:` or `hf:`, and no path."""
    prefix, _, name = reference.partition(":")
    return prefix in PREFIXES and bool(name)


def name_alone(reference: str) -> str:
    """Return the name of a file or folder without its place; a library's reference as it is."""
    return reference if is_of_library(reference) else Path(reference).name or reference


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
    path = Path(reference).expanduser()
    if is_of_library(reference):
        prefix, _, name = reference.partition(":")
        return partial(_module("hubs.hub_datasets").load, PREFIXES[prefix], name)
    if reference in bundled():
        module = _module(
            f"bundled.{reference}"
        )  # which may serve further tasks when it is asked to
        return getattr(module, "FURTHER", {}).get(task, module.load)
    if not reference:  # which as a path would be the working folder
        raise UserError(f"no dataset ''{suggest('', bundled())}")
    require_regular(path)
    if _is_saved(path):
        return partial(_module("hubs.hub_datasets").load, "hugging_face", str(path))
    if path.exists():
        return partial(_module(_find_reader(path, task)).load, str(path))
    raise UserError(f"no dataset '{reference}'{_hint(reference)}")


def is_read_for(reference: str, task: str) -> bool:
    """Return whether a path is read for a task by name, and not as a library's data are."""
    known = any(task in reader.tasks for reader in readers().values())
    return known and not is_of_library(reference) and not _is_saved(Path(reference).expanduser())


def must_be_named(reference: str, task: str) -> bool:
    """Return whether data that serve a task say so only if they are asked for it by name."""
    if reference in bundled():
        return task in bundled()[reference][0][1:]
    path = Path(reference).expanduser()
    annotated = any(task in reader.tasks and reader.inside for reader in readers().values())
    if annotated and (is_of_library(reference) or _is_saved(path)):
        return True  # of images with boxes or masks there may be classes, too
    if not annotated or not path.is_dir():
        return False
    # A folder may hold what serves several: of regions in files of COCO there are boxes, too.
    found = _annotated_reader(path)
    return found is None or task not in readers()[found].tasks


def is_labeled_table(reference: str) -> bool:
    """Return whether a reference is a file that is read as a labelled table if no task is named."""
    path = Path(reference).expanduser()
    ours = path.suffix.lower() in readers()[LABELED_TABLES].files and path.is_file()
    return ours and reference not in bundled()


def _is_saved(path: Path) -> bool:
    """Return whether a folder was written by a library of data sets."""
    return path.is_dir() and _module("hubs.hugging_face").is_saved_folder(path)


def _find_reader(path: Path, task: str | None) -> str:
    """Return who reads a file or folder: by the task that was named, else by what it looks like."""
    serving = [name for name, reader in readers().items() if task in reader.tasks]
    if not serving:
        return _reader_of_folder(path) if path.is_dir() else _reader_of_file(path)
    suffix = path.suffix.lower()
    # Of several, the one whose file it is by its name.
    serving.sort(key=lambda name: suffix not in readers()[name].files)
    for name in serving:
        reader = readers()[name]
        if not reader.only or path.is_dir() == bool(reader.folders or reader.inside):
            return name
    kind = "folder" if path.is_dir() else "file"
    taken = " or ".join(readers()[name].only for name in serving)
    raise UserError(f"'{path}' is a {kind}; {task} takes {taken}")


def _reader_of_file(path: Path) -> str:
    """Return who reads a file, by the end of its name; of JSON Lines by the first one's names."""
    suffix = path.suffix.lower()
    if suffix == ".jsonl":
        with open(path, "rb") as file:
            try:
                names = set(parse_json(file.readline()))
            except (ValueError, TypeError):
                names = set()
        known = [(len(fields), name) for name, reader in readers().items()
                 for fields in reader.fields if names.issuperset(fields)]  # fmt: skip
        if known:
            return max(known)[1]
        if len(names) == 1:  # texts, and nothing said of them
            return "texts.prose"
    endings = {ending: name for name, reader in readers().items() for ending in reader.files}
    if suffix not in endings:
        raise UserError(
            f"cannot read '{path}' as a dataset: expected a folder or a file of the kinds "
            f"{', '.join(sorted(endings))}{suggest_remedy(path.name)}"
        )
    return endings[suffix]


def _reader_of_folder(folder: Path) -> str:
    """Return who reads a folder, by the folders in it, or the commonest of its files."""
    if annotated := _annotated_reader(folder):
        return annotated
    files = list(itertools.islice(visible_files(folder), 1000))
    counts = Counter(path.suffix.lower() for path in files)
    owners = {
        suffix: [name for name, reader in readers().items() if suffix in reader.folders]
        for suffix in ("*", *counts)
    }
    # Each recording may have a text alongside it.
    heard = sum(counts[suffix] for suffix in readers()["audio.speech"].folders)
    if heard and heard >= max(counts.values()):
        return "audio.speech"
    commonest = max(counts, key=lambda s: (counts[s], not owners[s]), default="*")
    names = owners[commonest] or owners["*"]
    inside = {path.parent.name.lower() for path in files if path.parent != folder}
    in_classes = bool(inside - set(_module("tables.column_roles").SPLIT_WORDS))
    return next((name for name in names if readers()[name].in_classes == in_classes), names[0])


def _annotated_reader(folder: Path) -> str | None:
    """Return who reads a folder of images with what they hold alongside them."""
    places = (folder, folder / "train")
    return next(
        (
            name
            for name, reader in readers().items()
            if reader.inside and any(_holds(place, reader.inside) for place in places)
        ),
        None,
    )


def _holds(folder: Path, names: tuple[tuple[str, ...], ...]) -> bool:
    """Return whether a folder holds a folder, or file, of one name of each."""
    return all(any((folder / name).exists() for name in some) for some in names)


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
