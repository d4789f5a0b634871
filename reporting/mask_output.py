"""Found masks as files: one of the classes' numbers and one that a person looks at, each image."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from threefold.core.files import replace_file
from threefold.datasets.images.image_files import read_image
from threefold.datasets.images.mask_files import resize_mask
from threefold.reporting.figures.masks import colour_masks, lay_mask
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
    taken: set[str] = set()
    for record, mask in zip(found.records, found.masks, strict=True):
        path = Path(record["input"])
        image = read_image(path, 3)
        mask = resize_mask(mask, *image.shape[:2])
        name, number = path.stem, 1
        while name in taken:
            number += 1
            name = f"{path.stem}-{number}"
        taken.add(name)
        classes = Image.fromarray(mask, "P")
        classes.putpalette(colours)
        overlay = np.clip(np.rint(lay_mask(image, mask)), 0, 255).astype(np.uint8)
        for ending, written in (("", classes), ("-overlay", Image.fromarray(overlay))):
            file = io.BytesIO()
            written.save(file, "PNG")
            replace_file(folder / f"{name}{ending}.png", file.getvalue())
    return folder
