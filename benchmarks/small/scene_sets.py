"""Two real sets of images with masks, and with boxes, that come inside packages.

    stardist     PyPI; cell nuclei under a fluorescence microscope, outlined by hand
    deepforest   PyPI; trees in aerial photos of Yellowstone (NEON), framed by hand

Both are cut into pieces that do not overlap: a piece is an image of its own.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image

NUCLEI_SIDE, TREES_SIDE = 64, 128  # pixels of a piece
LEAST_LEFT = 0.4  # of a tree's box, for it to count in a piece
PHOTOS = ("2019_YELL_2_528000_4978000_image_crop2", "2019_YELL_2_541000_4977000_image_crop")


def write_nuclei(packages: Path, folder: Path) -> Path:
    """Write 64 pieces with masks, as `images`, `masks` and `classes.txt`."""
    place = packages / "stardist/stardist/data/images"
    image = np.asarray(Image.open(place / "img2d.tif"), np.float64)
    mask = np.asarray(Image.open(place / "mask2d.tif")) > 0
    image = np.rint(255 * image / image.max()).astype(np.uint8)
    for name in ("images", "masks"):
        (folder / name).mkdir()
    (folder / "classes.txt").write_text("ground\nnucleus\n")
    for number, (top, left) in enumerate(_corners(image.shape, NUCLEI_SIDE)):
        window = slice(top, top + NUCLEI_SIDE), slice(left, left + NUCLEI_SIDE)
        Image.fromarray(image[window]).save(folder / f"images/{number:03d}.png")
        Image.fromarray(mask[window].astype(np.uint8)).save(folder / f"masks/{number:03d}.png")
    return folder


def write_trees(packages: Path, folder: Path) -> Path:
    """Write some 400 pieces of two photos with boxes, as `images` and `annotations.json`."""
    (folder / "images").mkdir()
    images, annotations = [], []
    for photo in PHOTOS:
        place = packages / "deepforest/deepforest/data" / photo
        pixels = np.asarray(Image.open(place.with_suffix(".png")).convert("RGB"))
        boxes = np.array(list(_read_boxes(place.with_suffix(".xml"))))
        areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
        for top, left in _corners(pixels.shape[:2], TREES_SIDE):
            cut = np.clip(boxes - [left, top, left, top], 0, TREES_SIDE)
            sides = cut[:, 2:] - cut[:, :2]
            kept = np.flatnonzero(np.prod(sides, axis=1) >= LEAST_LEFT * areas)
            number = len(images)
            name = f"{number:03d}.png"
            window = slice(top, top + TREES_SIDE), slice(left, left + TREES_SIDE)
            Image.fromarray(pixels[window]).save(folder / "images" / name)
            images.append({"id": number, "file_name": name, "width": TREES_SIDE,
                           "height": TREES_SIDE})  # fmt: skip
            annotations += [
                {"id": len(annotations) + place, "image_id": number, "category_id": 1,
                 "bbox": [*cut[row, :2].tolist(), *sides[row].tolist()]}
                for place, row in enumerate(kept)
            ]  # fmt: skip
    found = {"images": images, "annotations": annotations,
             "categories": [{"id": 1, "name": "tree"}]}  # fmt: skip
    (folder / "annotations.json").write_text(json.dumps(found))
    return folder


def _corners(shape: tuple[int, int], side: int) -> Iterator[tuple[int, int]]:
    for top in range(0, shape[0] - side + 1, side):
        for left in range(0, shape[1] - side + 1, side):
            yield top, left


def _read_boxes(path: Path) -> Iterator[list[float]]:
    for found in ElementTree.parse(path).getroot().iter("bndbox"):
        yield [float(found.findtext(name)) for name in ("xmin", "ymin", "xmax", "ymax")]
