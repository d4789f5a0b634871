import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from threefold.core.errors import UserError
from threefold.datasets.images.image_files import (
    Header,
    fit_image,
    guess_shape,
    read_batch,
    read_header,
    read_image,
    try_read_batch,
)
from threefold.datasets.images.resizing import resize, resize_weights


def colours(height=12, width=20):
    """A smooth colour image, so that lossy formats keep it."""
    down, right = np.indices((height, width))
    channels = [down * 255 / height, right * 255 / width, 255 - right * 255 / width]
    return np.stack(channels, axis=-1).astype(np.uint8)


def encode(image, format, **options):
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    content = io.BytesIO()
    image.save(content, format, **options)
    return content.getvalue()


@pytest.mark.parametrize(
    "format, options, tolerance",
    [
        ("PNG", {}, 0),
        ("BMP", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("JPEG", {"quality": 98, "subsampling": 0}, 6),
        ("WEBP", {"quality": 98}, 20),
        ("GIF", {}, 40),
    ],
)
def test_every_format_is_read_in_colour_and_in_gray(format, options, tolerance):
    content = encode(colours(), format, **options)
    image = read_image(content, 3)
    assert image.shape == (12, 20, 3) and image.dtype == np.uint8
    assert np.abs(image.astype(int) - colours()).max() <= tolerance
    gray = read_image(content, 1)
    assert gray.shape == (12, 20, 1)
    expected = image @ [0.299, 0.587, 0.114]
    assert np.abs(gray[..., 0] - expected).max() <= 1
    assert read_header(content) == Header(12, 20, 3)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_gray_and_colour_files_serve_either_number_of_channels(mode):
    content = encode(Image.new("L", (5, 4), 255).convert(mode), "PNG")
    assert read_header(content) == Header(4, 5, 3 if mode in ("RGB", "RGBA") else 1)
    assert np.all(read_image(content, 1) == np.full((4, 5, 1), 255))
    assert np.all(read_image(content, 3) == np.full((4, 5, 3), 255))


def test_16_bit_gray_is_scaled_and_not_cut_off():
    levels = np.array([[0, 257, 32768, 65535]], np.uint16)
    content = encode(levels, "PNG")
    assert read_image(content, 1)[0, :, 0].tolist() == [0, 1, 128, 255]
    assert read_image(content, 3)[0, :, 2].tolist() == [0, 1, 128, 255]
    assert read_header(content)[:3] == (1, 4, 1)


def test_cmyk_is_read_in_its_colours():
    red = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    assert read_image(encode(red, "JPEG"), 3)[4, 4] == pytest.approx([255, 0, 0], abs=3)


def transparent_palette():
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.putdata([0, 1])
    return encode(image, "PNG", transparency=0)


def half_transparent():
    return encode(np.array([[[0, 0, 0, 0], [255, 0, 0, 255]]], np.uint8), "PNG")


@pytest.mark.parametrize("content", [transparent_palette(), half_transparent()])
def test_what_is_transparent_shows_white(content):
    assert read_image(content, 3)[0].tolist() == [[255, 255, 255], [255, 0, 0]]
    assert read_image(content, 1)[0, 0].tolist() == [255]


def test_opacity_blends_with_white():
    content = encode(Image.new("LA", (3, 3), (0, 51)), "PNG")  # black, one fifth opaque
    assert np.all(read_image(content, 1) == 204)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_image_turned_by_its_camera_stands_upright(format, orientation):
    back = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,  # stored turned the other way than it is shown
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = Image.fromarray(colours(16, 32))
    stored = stored if back is None else stored.transpose(back)
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encode(stored, format, exif=exif, quality=95)
    assert np.abs(read_image(content, 3).astype(int) - colours(16, 32)).max() <= 20
    assert read_header(content) == Header(16, 32, 3)


def test_garbled_exif_is_no_reason_to_refuse_a_image():
    content = encode(colours(), "JPEG", exif=b"Exif\0\0garbage that is no TIFF")
    assert read_image(content, 3).shape == (12, 20, 3)
    assert read_header(content) == Header(12, 20, 3)


def test_of_an_animation_the_first_frame_is_read():
    frames = [Image.new("RGB", (6, 4), colour) for colour in ("red", "blue")]
    content = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert read_image(content, 3)[0, 0].tolist() == [255, 0, 0]


def claim_size(width, height):
    """Return the start of a PNG that says it is of a size."""

    def chunk(kind, content):
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


BAD = {
    "text.png": (
        b"these are words\n",
        "not a JPEG, PNG, WebP, BMP, GIF, TIFF, PPM or AVIF image",
    ),
    "empty.jpg": (b"", "not a JPEG, PNG, WebP, BMP, GIF, TIFF, PPM or AVIF image"),
    "large.png": (claim_size(10_000, 9_000), "more than 89,478,485 pixels"),
    "huge.png": (claim_size(20_000, 10_000), "more than 89,478,485 pixels"),
    "cut.png": (encode(colours(60, 60), "PNG")[:-200], ""),
    "cut.jpg": (encode(colours(60, 60), "JPEG")[:-100], "truncated"),
    "cut.bmp": (encode(colours(60, 60), "BMP")[:-100], "truncated"),
    "cut.gif": (encode(colours(60, 60), "GIF")[:-100], ""),
    "cut.webp": (encode(colours(60, 60), "WEBP")[:-50], ""),
    "head.jpg": (encode(colours(60, 60), "JPEG")[:40], ""),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("read", [read_header, lambda path: read_image(path, 3)])
def test_a_bad_file_is_one_line_that_names_it(tmp_path, name, read):
    content, reason = BAD[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read(path)
    message = str(caught.value)
    assert f"cannot read '{path}': " in message and reason in message
    assert "\n" not in message and not message.endswith(": ")


def test_a_image_of_90_megapixels_is_refused_without_a_warning_on_the_way(tmp_path):
    # In a process of its own: here, pytest itself makes errors of warnings.
    path = tmp_path / "large.png"
    path.write_bytes(BAD["large.png"][0])
    code = (
        "from threefold.datasets.images.image_files import try_read_batch\n"
        f"print(*try_read_batch([{str(path)!r}], (8, 8, 3)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "more than 89,478,485 pixels" in done.stdout
    assert done.stderr == ""


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(UserError, match="absent.png': No such file"):
        read_image(tmp_path / "absent.png", 3)
    with pytest.raises(UserError, match=f"{tmp_path.name}': Is a directory"):
        read_image(tmp_path, 3)


def test_bad_bytes_are_told_by_their_number():
    with pytest.raises(UserError, match="cannot read an image of 5 bytes: not a JPEG"):
        read_image(b"words", 1)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "WEBP"]),
    st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=5),
    st.floats(0.1, 1),
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's remarks on damage that it mends
def test_damaged_files_are_read_or_refused_but_never_crash(format, changes, kept):
    content = bytearray(encode(colours(), format))
    for place, value in changes:
        content[int(place * len(content))] = value
    content = bytes(content[: int(kept * len(content))])
    for read in (read_header, lambda content: read_image(content, 3)):
        try:
            read(content)
        except UserError as error:
            assert "\n" not in str(error)


sizes = st.integers(1, 70)


@settings(max_examples=60, deadline=None)
@given(sizes, sizes, sizes, sizes, st.sampled_from([1, 3]), st.integers(0, 99))
def test_resize_agrees_with_pillow_within_a_gray_level(
    height, width, rows, columns, channels, seed
):
    image = np.random.default_rng(seed).integers(0, 256, (rows, columns, channels), np.uint8)
    resized = resize(image, height, width)
    assert resized.shape == (height, width, channels) and resized.dtype == np.float32
    by_pillow = Image.fromarray(image if channels == 3 else image[..., 0]).resize(
        (width, height), Image.Resampling.BILINEAR
    )
    expected = np.asarray(by_pillow, np.float32).reshape(resized.shape)
    assert np.abs(resized - expected).max() <= 1.01
    # An exported graph repeats the resizing as these two products.
    products = np.einsum(
        "hr,rcx,wc->hwx",
        resize_weights(rows, height),
        image.astype(np.float32),
        resize_weights(columns, width),
    )
    assert resized == pytest.approx(products, abs=1e-3)


def test_resize_of_a_large_photograph_agrees_with_pillow():
    image = np.asarray(Image.fromarray(colours(30, 40)).resize((2400, 1500)))
    expected = np.asarray(Image.fromarray(image).resize((64, 48), Image.Resampling.BILINEAR))
    assert np.abs(resize(image, 48, 64) - expected).max() <= 1


def test_a_image_of_the_right_size_is_untouched():
    assert np.array_equal(resize(colours(), 12, 20), colours())
    assert np.array_equal(resize_weights(7, 7), np.eye(7))


@pytest.mark.parametrize("size_in, size_out", [(5, 3), (3, 5), (100, 7), (1, 4), (4, 1)])
def test_resize_weights_keep_a_plain_colour(size_in, size_out):
    weights = resize_weights(size_in, size_out)
    assert weights.shape == (size_out, size_in) and weights.dtype == np.float32
    assert weights.sum(axis=1) == pytest.approx(1) and weights.min() >= 0


def save_images(folder, count):
    """Write images, each of its own grayscale and size, some slow to decode."""
    paths = []
    for number in range(count):
        side = 400 if number % 3 == 0 else 10 + number
        path = folder / f"{number}.png"
        Image.new("L", (side, side + 5), number).save(path)
        paths.append(path)
    return paths


@pytest.mark.parametrize("seconds", [0.0, 1.0], ids=["threads", "no threads"])
def test_a_batch_comes_in_the_order_of_its_paths(tmp_path, monkeypatch, seconds):
    monkeypatch.setattr("threefold.datasets.images.image_files.THREAD_SECONDS", seconds)
    paths = save_images(tmp_path, 40)
    batch = read_batch(paths, (6, 8, 3))
    assert batch.shape == (40, 6, 8, 3) and batch.dtype == np.float32
    assert batch == pytest.approx(np.broadcast_to(np.arange(40)[:, None, None, None], batch.shape))
    assert read_batch([], (6, 8, 3)).shape == (0, 6, 8, 3)


def test_bad_files_of_a_batch_are_returned_in_their_places_or_raised(tmp_path):
    paths = save_images(tmp_path, 12)
    for number in (5, 9):
        paths[number].write_text("words")
    found = try_read_batch(paths, (4, 4, 1))
    assert [isinstance(one, UserError) for one in found] == [n in (5, 9) for n in range(12)]
    assert found[8] == pytest.approx(np.full((4, 4, 1), 8, np.float32))
    with pytest.raises(UserError, match="5.png"):
        read_batch(paths, (4, 4, 1))


def test_fit_image_takes_arrays_of_any_channels_and_encoded_bytes():
    source_image = colours(8, 8)
    opaque = np.dstack([source_image, np.full((8, 8), 255, np.uint8)])
    for given_image in (source_image, opaque, encode(source_image, "PNG")):
        assert np.array_equal(fit_image(given_image, (8, 8, 3)), source_image)
    for given_image in (source_image[..., 0], source_image[..., :1]):
        assert np.array_equal(fit_image(given_image, (8, 8, 1)), source_image[..., :1])
        assert np.array_equal(fit_image(given_image, (8, 8, 3))[..., 2], source_image[..., 0])
    assert fit_image(source_image, (4, 5, 1)).shape == (4, 5, 1)
    opaque[..., 3] = 0
    assert np.all(fit_image(opaque, (8, 8, 3)) == 255)


def test_fit_image_refuses_what_is_no_image():
    for array in (np.zeros((4, 4), np.float32), np.zeros(4, np.uint8), np.zeros((4, 4, 2), "u1")):
        with pytest.raises(ValueError, match="expected a uint8 image of shape"):
            fit_image(array, (4, 4, 1))


def test_guess_shape_takes_a_common_size_as_it_is():
    shape, notes = guess_shape([np.zeros((28, 30), np.uint8)] * 3)
    assert shape == (28, 30, 1) and notes == []


@pytest.mark.parametrize(
    "headers, shape, said",
    [
        ([(40, 90, 1), (61, 50, 1), (300, 70, 1)], (48, 48, 1), "images differ in size"),
        ([(10, 9, 3), (9, 10, 3)], (16, 16, 3), "images differ in size"),
        ([(1000, 900, 3), (900, 1000, 3)], (128, 128, 3), "median of the shorter sides: 900"),
        ([(300, 300, 3)] * 2, (128, 128, 3), "images are large"),
        ([(20, 20, 1), (20, 20, 3)], (20, 20, 3), "some images are grayscale"),
    ],
)
def test_guess_shape_says_what_it_chose(headers, shape, said):
    found, notes = guess_shape([Header(*header) for header in headers])
    assert found == shape
    assert len(notes) == 1 and said in notes[0]


@pytest.mark.parametrize("image_size, size", [(32, (32, 32)), ((24, 40), (24, 40)), ([8], (8, 8))])
def test_guess_shape_heeds_what_was_asked_for(image_size, size):
    found, notes = guess_shape([colours()], image_size=image_size, channels=1)
    assert found == (*size, 1) and notes == []


@pytest.mark.parametrize("image_size", [0, -3, (1, 2, 3), (5000, 10), ()])
def test_guess_shape_refuses_sizes_that_no_image_has(image_size):
    with pytest.raises(UserError, match="image_size=.* expected one number or HEIGHT,WIDTH"):
        guess_shape([colours()], image_size=image_size)


def test_guess_shape_refuses_other_channels():
    with pytest.raises(UserError, match="channels must be 1 .* or 3 .*, got 2"):
        guess_shape([colours()], channels=2)
