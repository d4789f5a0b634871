"""What was found in images, as images: masks, overlays, boxes."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from threefold.core.files import replace_file
from threefold.datasets.images.image_files import read_image
from threefold.datasets.images.masks.files import resize_mask
from threefold.reporting.figures.activation_maps import SHOWN, activation_maps, lay_map
from threefold.reporting.figures.boxes import frame_objects
from threefold.reporting.figures.masks import colour_masks, lay_mask
from threefold.reporting.report import save_figure
from threefold.tasks.prediction import Predictions


def write_masks(output: Path, found: Predictions) -> Path:
    """Write the masks of predictions in the sizes of their images.

    Args:
        output: Path. Where the records went: the masks go into a folder beside it.
        found: Predictions. With a mask for each record.

    Returns:
        Path. The folder `NAME-masks`: of each image `IMAGE.png`, whose pixels are classes by their
        number and shown in colours, and `IMAGE-overlay.png`, the image under these colours.
    """
    folder = output.with_name(f"{output.stem}-masks")
    folder.mkdir(exist_ok=True)
    colours = colour_masks(np.arange(256)).ravel().tolist()
    names = name_files(found)
    for name, record, mask in zip(names, found.records, found.images, strict=True):
        image = read_image(Path(record["input"]), 3)
        mask = resize_mask(mask, *image.shape[:2])
        classes = Image.fromarray(mask, "P")
        classes.putpalette(colours)
        overlay = np.clip(np.rint(lay_mask(image, mask)), 0, 255).astype(np.uint8)
        for ending, written in (("", classes), ("-overlay", Image.fromarray(overlay))):
            _save(written, folder / f"{name}{ending}.png")
    return folder


def write_completed(output: Path, found: Predictions) -> Path:
    """Write completed images, in their own sizes.

    Args:
        output: Path. Where the records went: the images go into a folder beside it.
        found: Predictions. With an image for each record.

    Returns:
        Path. The folder `NAME-completed`, of each image `IMAGE.png`.
    """
    folder = output.with_name(f"{output.stem}-completed")
    folder.mkdir(exist_ok=True)
    for name, image in zip(name_files(found), found.images, strict=True):
        _save(Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image),
              folder / f"{name}.png")  # fmt: skip
    return folder


def write_boxes(output: Path, found: Predictions) -> Path:
    """Write the images of predictions with the boxes of their objects, in their own sizes.

    Args:
        output: Path. Where the records went: the images go into a folder beside it.
        found: Predictions. Its records hold `objects`.

    Returns:
        Path. The folder `NAME-boxes`, of each image `IMAGE.png`.
    """
    folder = output.with_name(f"{output.stem}-boxes")
    folder.mkdir(exist_ok=True)
    for name, record in zip(name_files(found), found.records, strict=True):
        image = Image.fromarray(read_image(Path(record["input"]), 3).squeeze())
        frame_objects(image, record["objects"])
        _save(image, folder / f"{name}.png")
    return folder


def write_activation_maps(output: Path, found: Predictions) -> Path:
    """Write the images of predictions under their class activation maps, in their own sizes.

    Args:
        output: Path. Where the records went: a folder beside it gets the images, and `NAME.png`
            the first of them in a figure.
        found: Predictions. With a map for each record.

    Returns:
        Path. The folder `NAME-explained`, of each image `IMAGE.png`.
    """
    folder = output.with_name(f"{output.stem}-explained")
    folder.mkdir(exist_ok=True)
    maps, first = found.activation_maps, []
    for name, record, map_ in zip(name_files(found), found.records, maps, strict=True):
        image = read_image(Path(record["input"]), 3, found.levels)
        _save(Image.fromarray(lay_map(image, map_)), folder / f"{name}.png")
        if len(first) < SHOWN:
            first.append((image, map_, _describe(record)))
    save_figure(output.with_suffix(".png"), activation_maps(*zip(*first, strict=True)))
    return folder


def _describe(record: Mapping[str, Any]) -> str:
    """Return what activation maps explain of a record: the class, the most probable label, or the
    first number.
    """
    if "labels" in record:
        label, probability = max(record["probabilities"].items(), key=lambda pair: pair[1])
        return f"{label}, probability {probability:.3f}"
    if "label" in record:
        return f"{record['label']}, probability {record['probability']:.3f}"
    name = next(name for name in record if name != "input")
    return f"{name} {record[name]:.4g}"


def name_files(found: Predictions) -> list[str]:
    """Return a name for each record after its input, each once."""
    names: dict[str, None] = {}
    for record in found.records:
        stem = name = Path(record["input"]).stem
        number = 1
        while name in names:
            number += 1
            name = f"{stem}-{number}"
        names[name] = None
    return list(names)


def _save(image: Image.Image, place: Path) -> None:
    file = io.BytesIO()
    image.save(file, "PNG")
    replace_file(place, file.getvalue())
