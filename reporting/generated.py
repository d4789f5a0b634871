"""What a model made, printed or written: texts, and images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.markup import escape

from threefold.core.errors import UserError
from threefold.core.files import replace_file, to_file_name
from threefold.core.image_grids import encode, tile
from threefold.reporting.console import notes, results
from threefold.reporting.records import check_output, write_records
from threefold.reporting.session import print_json
from threefold.tasks.task import find_task

GRID = ".png"


def check_generated(task: str, output: str | None, class_name: str | None) -> None:
    """Refuse what could not be written, before the work that it is meant for.

    Args:
        task: str. The model's task.
        output: str. What the user typed after `--output`, or `None`.
        class_name: str. The class that was asked for, which is added to others in a folder, or
            `None`.

    Raises:
        UserError: saying what was expected.
    """
    if find_task(task).generates != "images":
        if output:
            check_output(output)
        return
    if not output:
        raise UserError("images take --output: a .png file for a grid, or a folder")
    place = Path(output)
    if place.suffix and place.suffix.lower() != GRID:
        raise UserError(f"--output {output} ends in '{place.suffix}', expected .png, or a folder")
    if place.suffix and (place.is_dir() or not place.parent.is_dir()):
        raise UserError(f"--output {output}: name a file in a folder that is there")
    if place.suffix or not place.exists():
        return
    inside = place / (to_file_name(class_name) if class_name else "")
    if not place.is_dir() or (inside.exists() and (not inside.is_dir() or any(inside.iterdir()))):
        raise UserError(f"--output {output}: {inside} is there already; name a new or empty folder")


def show_generated(
    who: dict[str, str],
    records: list[dict[str, Any]],
    output: str | None,
    as_json: bool,
    *,
    raw_cells: bool = False,
    columns: int | None = None,
) -> None:
    """Print or write what was made.

    Args:
        who: dict of str to str. Who was asked, for JSON.
        records: list of dict. Texts with `prompt` and `text`, or images with `image` and `class`.
        output: str. Where to write, or `None`.
        as_json: bool. Whether to print one JSON object.
        raw_cells: bool. As for `write_records`.
        columns: int. Images in a row of a grid; as many as there are rows if None.
    """
    if "image" not in records[0]:
        _show_texts(who, records, output, as_json, raw_cells)
        return
    write_images(Path(output), records, columns)
    notes.print(f"{len(records)} images in {escape(output)}")
    if as_json:
        classes = [record["class"] for record in records]
        print_json(who | {"output": output, "images": len(records), "classes": classes})


def write_images(
    place: Path, records: Sequence[dict[str, Any]], columns: int | None = None
) -> None:
    """Write images as a grid, or each for itself, in a folder for each class.

    Args:
        place: Path. A `.png` file, or a folder.
        records: sequence of dict. With `image` uint8 (height, width, channels), and `class`.
        columns: int. As for `show_generated`.
    """
    if place.suffix:
        replace_file(
            place, encode(tile(np.stack([record["image"] for record in records]), columns))
        )
        return
    folders: dict[str, str] = {}
    for number, record in enumerate(records):
        name = _folder_of(record["class"] or "", folders)
        (place / name).mkdir(parents=True, exist_ok=True)
        replace_file(place / name / f"{number:05d}.png", encode(record["image"]))


def _folder_of(name: str, folders: dict[str, str]) -> str:
    """Return the folder of a class, one of its own; what was returned is kept in `folders`."""
    if name not in folders:
        folder, taken = to_file_name(name), {found.casefold() for found in folders.values()}
        count = 2
        while folder.casefold() in taken:
            folder, count = f"{to_file_name(name)}-{count}", count + 1
        folders[name] = folder
    return folders[name]


def _show_texts(
    who: dict[str, str],
    records: list[dict[str, Any]],
    output: str | None,
    as_json: bool,
    raw_cells: bool,
) -> None:
    """Print texts that were written, each after its prompt, or write them to a file."""
    if output:
        write_records(output, records, raw_cells=raw_cells)
        notes.print(f"{len(records)} texts in {escape(output)}")
    if as_json:
        print_json(who | {"texts": records})
    elif not output:
        for record in records:
            results.print(f"[bold]{escape(record['prompt'])}[/]{escape(record['text'])}")
            if len(records) > 1:
                results.print("[dim]---[/]")
