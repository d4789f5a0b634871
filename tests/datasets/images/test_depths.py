"""Images of more than 8 bits, of further formats, and those that are damaged inside."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from refusals import refusal_of

from threefold.datasets.facts import ImageFacts
from threefold.datasets.images.image_files import SUFFIXES, fit_image, read_header, read_image
from threefold.datasets.inference_inputs import read_inputs
from threefold.datasets.loading import load

DEEP = {"png": np.uint16, "tif": np.uint16, "pgm": np.uint16, "tiff": np.float32}


def save(path, pixels):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def deep_folder(suffix, low=1000, step=7):
    """Twenty images whose gray levels differ by less than 8 bits can hold."""
    for number in range(20):
        pixels = np.full((8, 8), low + step * number, DEEP[suffix])
        save(f"deep/{'cat' if number % 2 else 'dog'}/{number:02}.{suffix}", pixels)
    return "deep"


def read_all(dataset):
    return np.concatenate(
        [split[np.arange(len(split))]["image"] for split in dataset.splits.values()]
    )


@pytest.mark.parametrize("suffix", DEEP)
def test_deep_images_keep_what_distinguishes_them(in_tmp, suffix):
    dataset = load(deep_folder(suffix))
    images = read_all(dataset)
    assert dataset.facts.image_shape == (8, 8, 1) and images.dtype == np.float32
    assert len(np.unique(images)) >= 18  # what is beyond the training split becomes 0 or 255
    assert images.min() == 0 and images.max() == 255
    train = dataset.splits["train"][np.arange(len(dataset.splits["train"]))]["image"]
    assert len(np.unique(train)) == len(train)
    low, high = dataset.facts.levels
    assert f"20 of 20 images have more than 8 bits: {low:g} to {high:g}" in dataset.notes[0]


def test_levels_can_be_given(in_tmp):
    dataset = load(deep_folder("png"), {"levels": "0,65535"})
    assert dataset.facts.levels == (0, 65535)
    assert np.ptp(read_all(dataset)) < 1
    assert "(as given)" in dataset.notes[0]
    assert "expected the number that becomes 0" in refusal_of(
        lambda: load("deep", {"levels": "9,3"})
    )


def test_a_run_reads_deep_images_by_its_own_levels(in_tmp):
    facts = load(deep_folder("png")).facts
    save("new/cat/a.png", np.full((8, 8), 1070, np.uint16))
    save("new/dog/a.png", np.full((8, 8), 40000, np.uint16))
    [part] = read_inputs(["new"], facts, io.BytesIO(), 8)
    low, high = facts.levels
    first, second = part.examples["image"][:, 0, 0, 0]
    assert first == pytest.approx(255 * (1070 - low) / (high - low)) and second == 255
    again = load("new", {"validation_fraction": "0", "test_fraction": "0"}, facts=facts)
    assert sorted(read_all(again)[:, 0, 0, 0]) == [first, second]
    [raw] = read_inputs(["new"], facts.raw(), io.BytesIO(), 8)
    assert raw.examples["image"].dtype == np.uint8
    assert raw.examples["image"][0, 0, 0, 0] == round(float(first))


def test_plain_images_among_deep_ones_stay_as_they_are(in_tmp):
    deep_folder("png")
    save("deep/cat/plain.png", np.full((8, 8), 77, np.uint8))
    dataset = load("deep")
    assert 77 in read_all(dataset) and "20 of 21 images" in dataset.notes[0]


@given(arrays(np.uint16, (3, 4)), st.sampled_from(["PNG", "TIFF", "PPM"]))
def test_levels_scale_any_pixels(pixels, form):
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, form)
    low, high = 100.0, 5000.0
    expected = np.clip((pixels.astype(np.float64) - low) / (high - low) * 255, 0, 255)
    found = read_image(content.getvalue(), 3, (low, high))
    np.testing.assert_allclose(found, expected[:, :, None].repeat(3, 2), atol=1e-3)


def test_pixels_that_are_no_numbers_are_the_smallest(in_tmp):
    save("a.tif", np.array([[np.nan, 2.0, np.inf, 4.0]], np.float32))
    assert read_image("a.tif", 1, (2, 4))[0, :, 0].tolist() == [0, 0, 0, 255]


def test_numbers_without_a_range_are_refused_and_not_cut_off(in_tmp):
    save("a.tif", np.array([[-5.0, 2e6]], np.float32))
    facts = ImageFacts(image_shape=(1, 2, 1), class_names=("a", "b"))
    [part] = read_inputs(["a.tif"], facts, io.BytesIO(), 8)
    assert "pixels from -5 to 2e+06; convert it to 8 or 16 bits" in str(part.errors[0])


def test_colours_of_16_bits_are_said_to_be_read_as_8(in_tmp):
    for name in ("cat", "dog"):
        for number in range(10):
            path = Path(f"photos/{name}/{number}.ppm")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"P6 8 8 65535\n" + bytes([number, 7]) * 192)
    assert "20 images have colours of 16 bits" in load("photos").notes[0]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "LA", "YCbCr", "I;16B"])
def test_tiff_of_any_sort_is_read(in_tmp, mode):
    image = Image.new("I;16B", (6, 4), 51400) if mode == "I;16B" else (
        Image.new("RGB", (6, 4), (200, 200, 200)).convert(mode)
    )  # fmt: skip
    image.save("a.tif")
    expected = 255 if mode == "1" else 200
    assert read_header("a.tif")[:2] == (4, 6)
    found = fit_image("a.tif", (4, 6, 3))
    if mode == "1":  # dithered
        assert set(np.unique(found)) <= {0, expected}
    else:
        np.testing.assert_allclose(found, expected, atol=5)


def test_of_several_pages_the_first_is_read(in_tmp):
    pages = [Image.new("L", (8, 8), level) for level in (10, 20)]
    for name in ("cat", "dog"):
        for number in range(10):
            Path("photos", name).mkdir(parents=True, exist_ok=True)
            pages[0].save(f"photos/{name}/{number}.tif", save_all=True, append_images=pages[1:])
    dataset = load("photos")
    assert np.unique(read_all(dataset)).tolist() == [10]
    assert dataset.notes[0].startswith(
        "20 files hold several pages, such as 'cat/0.tif': the first"
    )


@pytest.mark.parametrize("name", ["a.JPG", "a.jfif", "a.webp", "a.bmp", "a.gif", "a.avif", "a.TIF"])
def test_siblings_are_found_and_read(in_tmp, name):
    if Path(name).suffix.lower() not in SUFFIXES:
        pytest.skip("Pillow was built without it")
    form = {"jpg": "JPEG", "jfif": "JPEG", "tif": "TIFF"}.get(name[2:].lower(), name[2:])
    for folder in ("cat", "dog"):
        Path("photos", folder).mkdir(parents=True)
        for number in range(10):
            image = Image.new("RGB", (16, 16), (200, 40, 90))
            image.save(f"photos/{folder}/{number}{name}", form)
    images = read_all(load("photos"))
    np.testing.assert_allclose(images[:, 8, 8].mean(axis=0), (200, 40, 90), atol=12)


def damage(path, suffix):
    """Write a file whose header and end are right, and whose pixels are not."""
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    save(path, noise)
    content = bytearray(Path(path).read_bytes())
    middle = len(content) // 2
    if suffix == "jpg":
        content[middle : len(content) - 2] = b""
        content = content[:-2] + b"\0" * 4 + b"\xff\xd9"
    else:
        content[middle : middle + 40] = b"\0" * 40
    Path(path).write_bytes(content)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_damage_behind_a_good_header_is_found_up_front_or_named(in_tmp, suffix):
    for name in ("cat", "dog"):
        for number in range(10):
            save(f"photos/{name}/{number}.png", np.full((64, 64), number, np.uint8))
    bad = f"photos/cat/bad.{suffix}"
    if suffix == "tif":
        noise = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
        Image.fromarray(noise).save(bad, compression="tiff_deflate")
        content = bytearray(Path(bad).read_bytes())
        content[500:900] = b"\0" * 400
        Path(bad).write_bytes(content)
    else:
        damage(bad, suffix)
    dataset = load("photos", {"skip_bad": "true"})
    assert sum(len(split) for split in dataset.splits.values()) == 20
    assert dataset.notes[0] == f"left out as unreadable: 1 of 21 files, '{bad}'"
    message = refusal_of(lambda: read_all(load("photos")))
    assert message.startswith(f"cannot read '{bad}': ") and "-d skip_bad=true" in message
