"""Small sets of images with masks and boxes, as Hugging Face's library and TFDS save them."""

import io

import datasets as hf
import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

hf.disable_progress_bars()

NAMES = ["dog", "cat"]
SIZE = (40, 60)  # height, width
# Left, top, right, bottom and class; one row is background. No two boxes are alike.
SCENES = [
    [] if row == 3 else [((2, 3, 20 + row, 30), 0), ((30, 5 + row, 50, 39), 1)]
    for row in range(10)
]  # fmt: skip


def png(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "png")
    return {"bytes": buffer.getvalue(), "path": None}


def rows_of(batch):
    """Return which rows images are of, by their gray: TFDS shuffles them."""
    return np.rint(batch["image"][:, 0, 0, 0] / 20).astype(int)


def make_masks(scenes=SCENES, size=SIZE):
    """Return masks of the boxes: 0 in none, else 1 and the class."""
    masks = []
    for scene in scenes:
        mask = np.zeros(size, np.uint8)
        for (left, top, right, bottom), label in scene:
            mask[top:bottom, left:right] = label + 1
        masks.append(mask)
    return masks


def images_of(count, size=SIZE):
    return [png(np.full(size, 20 * row, np.uint8)) for row in range(count)]


def xywh(scenes=SCENES):
    """Return the cells of a column of objects as COCO has them."""
    return [
        {
            "bbox": [[left, top, right - left, bottom - top]
                     for (left, top, right, bottom), _ in scene],
            "category": [label for _, label in scene],
        }
        for scene in scenes
    ]  # fmt: skip


def save_hf(root, columns, features, test=None):
    """Save rows with gray images in `image`; return the reference."""
    features = hf.Features({"image": hf.Image(), **features})
    splits = {"train": columns} | ({"test": test} if test else {})
    tables = {
        name: hf.Dataset.from_dict(
            {"image": images_of(len(next(iter(cells.values())))), **cells}, features
        )
        for name, cells in splits.items()
    }
    hf.DatasetDict(tables).save_to_disk(root / "scenes")
    return f"hf:{root / 'scenes'}"


def objects_feature(label=None):
    """Return the feature of objects as COCO's on the Hub have it."""
    label = label or hf.ClassLabel(names=NAMES)
    return {
        "objects": {
            "bbox": hf.Sequence(hf.Sequence(hf.Value("float32"))),
            "category": hf.Sequence(label),
        }
    }


def save_tfds(root, scenes=SCENES, mask=None, name="scenes"):
    """Prepare images with masks and objects; return the reference, and options to read it."""
    kinds, (height, width) = tfds.features, SIZE
    mask = mask or kinds.Image(shape=(None, None, 1), encoding_format="png")
    rows = []
    for row, (scene, framed) in enumerate(zip(scenes, make_masks(scenes), strict=True)):
        objects = [
            {"bbox": kinds.BBox(top / height, left / width, bottom / height, right / width),
             "label": label, "is_crowd": False}
            for (left, top, right, bottom), label in scene
        ]  # fmt: skip
        image = np.full((*SIZE, 3), 20 * row, np.uint8)
        values = {"image": image, "segmentation_mask": framed[..., None], "objects": objects}
        rows.append((row, {**values, "breed": row % 2}))
    tfds.dataset_builders.store_as_tfds_dataset(
        name,
        "1.0.0",
        features=kinds.FeaturesDict(
            {
                "image": kinds.Image(shape=(None, None, 3), encoding_format="png"),
                "segmentation_mask": mask,
                "objects": kinds.Sequence(
                    {"bbox": kinds.BBoxFeature(), "label": kinds.ClassLabel(names=NAMES),
                     "is_crowd": np.bool_}
                ),
                "breed": kinds.ClassLabel(names=["a", "b"]),
            }
        ),
        split_datasets={"train": rows},
        data_dir=root,
        file_format="array_record",
    )  # fmt: skip
    return f"tfds:{name}", {"data_dir": str(root)}
