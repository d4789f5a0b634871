"""Small folders of images with boxes, in each of the formats."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

NAMES = ("dog", "cat")
SIZE = (40, 60)  # height, width
# One object of each class; no two images are alike.
SAMPLES = [[("dog", 2, 3, 20, 30), ("cat", 10, 5 + number, 50, 39)] for number in range(10)]


def save_image(path: Path, size=SIZE, value=90) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(size, value, np.uint8)).save(path)


def coco(samples, size=SIZE, names=NAMES, start=0) -> dict:
    """Return what a file of COCO holds; ids of categories have gaps."""
    images = [
        {"id": 7 + n, "file_name": f"{start + n}.png", "height": size[0], "width": size[1]}
        for n in range(len(samples))
    ]
    boxes = [
        {"image_id": 7 + n, "category_id": 3 * names.index(name) + 1,
         "bbox": [left, top, right - left, bottom - top]}
        for n, sample in enumerate(samples) for name, left, top, right, bottom in sample
    ]  # fmt: skip
    return {
        "images": images,
        "annotations": [{"id": n, "iscrowd": 0, **box} for n, box in enumerate(boxes)],
        "categories": [{"id": 3 * n + 1, "name": name} for n, name in enumerate(names)],
    }


def write_coco(root, samples=SAMPLES, size=SIZE, names=NAMES) -> Path:
    """Write `images` and `annotations.json`."""
    for number in range(len(samples)):
        save_image(root / "images" / f"{number}.png", size)
    (root / "annotations.json").write_text(json.dumps(coco(samples, size, names)))
    return root


def write_voc(root, samples=SAMPLES, size=SIZE, folders=("JPEGImages", "Annotations")) -> Path:
    images, annotations = (root / folder for folder in folders)
    annotations.mkdir(parents=True, exist_ok=True)
    for number, sample in enumerate(samples):
        save_image(images / f"{number}.png", size)
        things = "".join(
            f"<object><name>{name}</name><bndbox><xmin>{left + 1}</xmin><ymin>{top + 1}</ymin>"
            f"<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
            for name, left, top, right, bottom in sample
        )
        (annotations / f"{number}.xml").write_text(
            f"<annotation><size><width>{size[1]}</width><height>{size[0]}</height></size>"
            f"{things}</annotation>"
        )
    return root


def write_yolo(root, samples=SAMPLES, size=SIZE, names=NAMES, split=".") -> Path:
    """Write `images` and `labels`, below `split` if one is given, and `classes.txt`."""
    height, width = size
    labels = root / split / "labels"
    labels.mkdir(parents=True, exist_ok=True)
    for number, sample in enumerate(samples):
        save_image(root / split / "images" / f"{number}.png", size)
        lines = [
            f"{names.index(name)} {(left + right) / 2 / width:.9f} "
            f"{(top + bottom) / 2 / height:.9f} {(right - left) / width:.9f} "
            f"{(bottom - top) / height:.9f}\n"
            for name, left, top, right, bottom in sample
        ]
        (labels / f"{number}.txt").write_text("".join(lines))
    (root / "classes.txt").write_text("".join(f"{name}\n" for name in names))
    return root
