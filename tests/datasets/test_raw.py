"""Data as they are: what an exported model, which prepares by itself, is given."""

import io

import numpy as np
import pytest
from PIL import Image

from threefold.core.errors import UserError
from threefold.datasets.dataset import ArraySource, ConcatSource, join_arrays
from threefold.datasets.facts import ImageFacts
from threefold.datasets.images.image_files import fit_image, read_batch, stack_images
from threefold.datasets.inference_inputs import read_inputs
from threefold.datasets.loading import load
from threefold.tasks.task import find_task

SIZES = [(9, 12), (30, 7), (12, 12), (1, 5)]


def noise(*shape):
    return np.random.default_rng(len(shape)).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def photos(tmp_path):
    """Sixteen coloured images of four sizes, in two classes."""
    for number in range(16):
        place = tmp_path / "photos" / ("cat", "dog")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(noise(*SIZES[number // 4], 3) + np.uint8(number))
        image.save(place / f"{number:02}.png")
    return tmp_path / "photos"


def test_raw_facts_leave_the_size_open_and_keep_all_else():
    facts = ImageFacts(image_shape=(8, 9, 3), class_names=("a", "b"), class_counts=(2, 3))
    raw = facts.raw()
    assert raw.image_shape == (None, None, 3) and raw.raw() == raw
    assert raw.model_copy(update={"image_shape": (8, 9, 3)}) == facts
    assert facts.describe() == "colour images of 8 × 9 pixels, 2 classes"
    assert raw.describe() == "colour images of any size, 2 classes"


@pytest.mark.parametrize("options", [{}, {"image_size": "10"}, {"image_size": "7,9"}])
def test_a_folder_is_read_in_the_sizes_of_its_files(photos, options):
    fitted = load(str(photos), options)
    raw = load(str(photos), options, facts=fitted.facts.raw())
    assert raw.facts.image_shape == (None, None, 3)
    assert raw.fingerprint == fitted.fingerprint
    task = find_task("image_classification")(fitted.facts)
    for name, source in fitted.splits.items():
        chosen = np.arange(len(source))[::-1]
        examples, wanted = raw.splits[name][chosen], source[chosen]
        np.testing.assert_array_equal(examples["label"], wanted["label"])
        assert {image.dtype.name for image in examples["image"]} == {"uint8"}
        assert {image.shape[:2] for image in examples["image"]} <= set(SIZES)
        np.testing.assert_array_equal(task.model_inputs(examples)["image"], wanted["image"])
    assert raw.splits["train"][np.arange(3)]["image"].dtype == object


def test_gray_is_read_as_gray_and_colour_as_colour(photos):
    fitted = load(str(photos), {"channels": "1"})
    raw = load(str(photos), {"channels": "1"}, facts=fitted.facts.raw())
    assert {image.shape[2] for image in raw.splits["train"][np.arange(5)]["image"]} == {1}


def test_images_of_one_size_come_in_one_array(photos):
    for path in photos.rglob("*.png"):
        Image.open(path).resize((6, 4)).save(path)
    fitted = load(str(photos))
    raw = load(str(photos), facts=fitted.facts.raw()).splits["train"][np.arange(5)]["image"]
    assert (raw.dtype, raw.shape) == (np.uint8, (5, 4, 6, 3))


@pytest.mark.parametrize("reference", ["digits", "digit_angles", "wine", "diabetes"])
def test_bundled_data_are_raw_already(reference):
    fitted = load(reference)
    raw = load(reference, facts=fitted.facts.raw())
    task = find_task(fitted.task)(fitted.facts)
    chosen = np.array([5, 0, 7])
    examples = raw.splits["test"][chosen]
    for name, array in fitted.splits["test"][chosen].items():
        assert examples[name].dtype == array.dtype
        np.testing.assert_array_equal(examples[name], array)
    for field in task.input_fields():
        given = task.raw_inputs(examples)[field.name]
        assert given.dtype == field.dtype and len(given) == 3


def test_a_table_is_raw_already(tmp_path):
    rows = [f"{n},{('x', 'y', '')[n % 3]},{n % 2}" for n in range(30)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,target", *rows]))
    fitted = load(str(tmp_path / "t.csv"))
    raw = load(str(tmp_path / "t.csv"), facts=fitted.facts.raw())
    assert raw.facts == fitted.facts and raw.fingerprint == fitted.fingerprint


def test_records_of_other_libraries_are_read_in_the_sizes_that_they_have(tmp_path):
    hf = pytest.importorskip("datasets")
    hf.disable_progress_bars()

    def png(number):
        buffer = io.BytesIO()
        Image.fromarray(noise(*SIZES[number % 4])).save(buffer, "png")
        return {"bytes": buffer.getvalue(), "path": None}

    features = hf.Features({"image": hf.Image(), "kind": hf.ClassLabel(names=["a", "b"])})
    columns = {"image": [png(n) for n in range(24)], "kind": [n % 2 for n in range(24)]}
    hf.Dataset.from_dict(columns, features=features).save_to_disk(str(tmp_path / "saved"))
    fitted = load(str(tmp_path / "saved"))
    raw = load(str(tmp_path / "saved"), facts=fitted.facts.raw())
    task = find_task("image_classification")(fitted.facts)
    examples, wanted = (found.splits["train"][np.arange(8)] for found in (raw, fitted))
    assert {image.shape for image in examples["image"]} == {(*size, 1) for size in SIZES}
    np.testing.assert_array_equal(task.model_inputs(examples)["image"], wanted["image"])


def test_other_classes_or_colours_are_refused_raw_too(photos):
    facts = load(str(photos)).facts.raw()
    other = facts.model_copy(update={"class_names": ("cat", "cow")})
    with pytest.raises(UserError, match="dog"):
        load(str(photos), facts=other)
    with pytest.raises(
        UserError, match="holds grayscale images of 8 × 8 pixels, 10 classes; the run"
    ):
        load("digits", facts=facts)


def test_a_image_without_a_size_to_fit_keeps_its_own(tmp_path):
    gray, colour = noise(5, 4), noise(5, 4, 3)
    Image.fromarray(gray).save(tmp_path / "grayscale.png")
    as_it_is = fit_image(tmp_path / "grayscale.png", (None, None, 1))
    assert as_it_is.dtype == np.uint8
    np.testing.assert_array_equal(as_it_is, gray[..., None])
    np.testing.assert_array_equal(fit_image(gray, (None, None, 3)), np.dstack([gray] * 3))
    np.testing.assert_array_equal(fit_image(colour, (None, None, 3)), colour)
    assert fit_image(colour, (None, None, 1)).shape == (5, 4, 1)
    with pytest.raises(ValueError, match="expected a uint8 image"):
        fit_image(colour.astype(float), (None, None, 3))


def test_images_are_stacked_where_they_can_be():
    images = [noise(3, 4, 1), noise(3, 4, 1)]
    assert stack_images(images).shape == (2, 3, 4, 1)
    assert stack_images(images[:1]).shape == (1, 3, 4, 1)
    for others in ((noise(4, 3, 1),), (noise(3, 5, 1),), (noise(3, 4, 3),), (noise(1, 1, 1),) * 2):
        mixed = stack_images([*images, *others])
        assert mixed.dtype == object and mixed.shape == (2 + len(others),)
        for found, image in zip(mixed, [*images, *others], strict=True):
            assert found is image


def test_a_batch_of_files_is_read_in_its_order_whatever_the_sizes(photos):
    paths = sorted(photos.rglob("*.png"))
    found = read_batch(paths, (None, None, 3))
    for image, path in zip(found, paths, strict=True):
        np.testing.assert_array_equal(image, np.asarray(Image.open(path)))
    assert len(read_batch([], (8, 8, 3))) == 0


def mixed(*shapes):
    return stack_images([noise(*shape) for shape in shapes])


@pytest.mark.parametrize(
    "parts",
    [
        [noise(2, 3, 4, 1), noise(3, 3, 4, 1)],
        [noise(2, 3, 4, 1), noise(3, 4, 3, 1)],
        [noise(2, 3, 4, 1), mixed((3, 4, 1), (5, 4, 1)), noise(1, 3, 4, 1)],
        [mixed((3, 4, 1), (5, 4, 1)), mixed((5, 4, 1), (3, 4, 1))],
        [mixed((3, 4, 1), (5, 4, 1))],
    ],
)
def test_batches_are_joined_in_their_order(parts):
    joined = join_arrays(parts)
    items = [item for part in parts for item in part]
    assert len(joined) == len(items)
    assert (joined.dtype == object) == (len({item.shape for item in items}) > 1)
    for found, item in zip(joined, items, strict=True):
        np.testing.assert_array_equal(found, item)


def test_splits_of_other_sizes_are_read_as_one():
    one = ArraySource({"image": noise(4, 3, 3, 1), "label": np.arange(4)})
    other = ArraySource({"image": noise(3, 5, 2, 1), "label": np.arange(4, 7)})
    found = ConcatSource([one, other])[np.array([6, 0, 4, 3])]
    assert found["label"].tolist() == [6, 0, 4, 3]
    assert [image.shape for image in found["image"]] == [
        (5, 2, 1), (3, 3, 1), (5, 2, 1), (3, 3, 1),
    ]  # fmt: skip
    assert ConcatSource([one, one])[np.array([5, 1])]["image"].shape == (2, 3, 3, 1)


def test_inputs_for_a_prediction_are_read_in_their_own_sizes(photos, tmp_path):
    (tmp_path / "words.png").write_text("words")
    paths = [*map(str, sorted(photos.rglob("*.png"))), str(tmp_path / "words.png")]
    facts = load(str(photos)).facts.raw()
    parts = list(read_inputs(paths, facts, io.BytesIO(), 5))
    assert [name for part in parts for name in part.names] == paths[:-1]
    assert sum(len(part.errors) for part in parts) == 1
    images = [image for part in parts if part.names for image in part.examples["image"]]
    for image, path in zip(images, paths[:-1], strict=True):
        np.testing.assert_array_equal(image, np.asarray(Image.open(path)))
