"""Image files and arrays to the one shape and range that a network takes.

Whatever a file holds (grayscale, palette, CMYK, alpha, 16 bits, rotated by EXIF) becomes numbers
from 0 to 255 with 1 channel (grayscale) or 3 (red, green, blue).
"""

import contextlib
import functools
import io
import os
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import scipy.sparse
from PIL import ExifTags, Image, ImageOps

from threefold.core.errors import UserError
from threefold.core.threads import worker_threads

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif")
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
MAX_SIZE = 4096
BLOCK_PIXELS = 2**20
TRIALS = 4
THREAD_SECONDS = 0.0003  # a file that takes longer gains from threads
MAX_COMMON_SIZE = 256
ENDINGS = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB\x60\x82", "GIF": b";"}

# Pillow only warns of an image that would fill the memory. The filter is set once, here, because
# `warnings.catch_warnings` is not safe in the threads that decode.
warnings.simplefilter("error", Image.DecompressionBombWarning)

File = Path | str | bytes  # a path, or a file's content
ImageShape = tuple[int | None, int | None, int]  # height, width, channels; no size: as it is


class Header(NamedTuple):
    """What an image says of itself before it is decoded."""

    height: int
    width: int
    channels: int  # 1 grayscale, 3 colour


def read_image(file: File, channels: int) -> np.ndarray:
    """Decode an image; of an animation, the first frame.

    Args:
        file: path or bytes. A JPEG, PNG, WebP, BMP or GIF file, or its content.
        channels: int. 1 for grayscale, 3 for colour.

    Returns:
        uint8 array of shape (height, width, channels). Turned upright as EXIF says; what is
        transparent shows white.

    Raises:
        UserError: for what is not an image, is cut short or has more than 89 million pixels.
    """

    def decode(image: Image.Image, _: BinaryIO) -> np.ndarray:
        image.load()
        if _orientation(image) != 1:
            ImageOps.exif_transpose(image, in_place=True)
        return _to_channels(image, channels)

    return _with_image(file, decode)


def read_header(file: File) -> Header:
    """Read an image's size and colour, and see that it is whole.

    Pixels are decoded only where the file does not end as its format asks.

    Args:
        file: path or bytes. As for `read_image`.

    Returns:
        Header. The size is that after the rotation by EXIF.

    Raises:
        UserError: as for `read_image`.
    """

    def describe(image: Image.Image, opened: BinaryIO) -> Header:
        width, height = image.size
        if _orientation(image) >= 5:  # a quarter turn
            width, height = height, width
        header = Header(height, width, 1 if _is_grayscale(image) else 3)
        if not _ends_well(opened, image.format):
            image.load()
        return header

    return _with_image(file, describe)


def fit_image(source_image: np.ndarray | File, image_shape: ImageShape) -> np.ndarray:
    """Bring an image to a network's shape.

    Args:
        source_image: path, bytes or uint8 array of shape (height, width) or (height, width,
            channels) with 1, 3 or 4 channels (the fourth is opacity).
        image_shape: tuple of three ints. Height, width, channels; without a height an image
            keeps its size.

    Returns:
        float32 array of shape `image_shape`, values 0 to 255; of its own size, uint8.

    Raises:
        UserError: for a file that cannot be read.
    """
    height, width, channels = image_shape
    if not isinstance(source_image, np.ndarray):
        source_image = read_image(source_image, channels)
    if source_image.dtype != np.uint8 or _channels_of(source_image) not in (1, 3, 4):
        raise ValueError(
            "expected a uint8 image of shape (height, width) or (height, width, 1, 3 or 4), "
            f"got {source_image.dtype} of shape {source_image.shape}"
        )
    if source_image.ndim == 2 or source_image.shape[2] == 1:
        source_image = source_image.reshape(*source_image.shape[:2])
    if source_image.shape[2:] != (channels,):
        source_image = _to_channels(Image.fromarray(source_image), channels)
    return source_image if height is None else resize(source_image, height, width)


def stack_images(images: Sequence[np.ndarray]) -> np.ndarray:
    """Put images in one array.

    Args:
        images: sequence of array of shape (height, width, channels). At least one.

    Returns:
        array of shape (len(images), height, width, channels); of images that differ in size an
        array of shape (len(images),) that holds them as objects.
    """
    if len({image.shape for image in images}) == 1:
        return np.stack(images)
    mixed = np.empty(len(images), object)
    mixed[:] = images
    return mixed


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize with an antialiased triangle filter; nothing is rounded.

    Two float32 matrix products, which an exported graph can repeat to the last digits.

    Args:
        image: array of shape (height, width, channels).
        height: int. The new height.
        width: int. The new width.

    Returns:
        float32 array of shape (height, width, channels). Equal to `image` where it has that size.
    """
    rows, columns, channels = image.shape
    image = image.reshape(rows, columns * channels)
    if rows != height:
        weights = _sparse_weights(rows, height)
        # In blocks of columns that fit a cache; as a whole, a photograph takes 1 GB in float32.
        step = max(1, BLOCK_PIXELS // rows)
        blocks = [image[:, at : at + step] for at in range(0, columns * channels, step)]
        image = np.hstack([weights @ block.astype(np.float32) for block in blocks])
    image = image.reshape(height, columns, channels).astype(np.float32, copy=False)
    if columns != width:
        image = image.swapaxes(0, 1).reshape(columns, height * channels)
        image = _sparse_weights(columns, width) @ image
        image = image.reshape(width, height, channels).swapaxes(0, 1)
    return np.ascontiguousarray(image)


def resize_weights(size_in: int, size_out: int) -> np.ndarray:
    """Return the matrix that resizes along one axis: `resized = weights @ original`.

    Pixel centres lie at halves; when shrinking, the triangle widens to cover every original pixel.
    This is what Pillow calls BILINEAR.

    Args:
        size_in: int. The original number of pixels.
        size_out: int. The number wanted.

    Returns:
        float32 array of shape (size_out, size_in). Rows sum to 1.
    """
    scale = size_in / size_out
    centres = (np.arange(size_out) + 0.5) * scale
    distances = np.abs(np.arange(size_in) + 0.5 - centres[:, None])
    weights = np.maximum(1 - distances / max(scale, 1), 0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


# SciPy's product skips the zeros, which are most of a matrix that shrinks, and lets threads run
# side by side where NumPy's would wait for one another's BLAS.
@functools.lru_cache(maxsize=256)
def _sparse_weights(size_in: int, size_out: int) -> scipy.sparse.csr_array:
    return scipy.sparse.csr_array(resize_weights(size_in, size_out))


def read_batch(paths: Sequence[File], image_shape: ImageShape) -> np.ndarray:
    """Decode and resize many images, in threads.

    Args:
        paths: sequence of path or bytes. The images.
        image_shape: tuple of three ints. Height, width, channels.

    Returns:
        array, as of `stack_images`, in the order given.

    Raises:
        UserError: naming the first file that cannot be read.
    """
    images = try_read_batch(paths, image_shape)
    for found in images:
        if isinstance(found, UserError):
            raise found
    return stack_images(images) if images else np.empty((0, *image_shape), np.float32)


def try_read_batch(paths: Sequence[File], image_shape: ImageShape) -> list[np.ndarray | UserError]:
    """Decode and resize many images: for each either the image or what is wrong with it."""
    return _in_threads(functools.partial(fit_image, image_shape=image_shape), paths)


def read_headers(paths: Sequence[File]) -> list[Header | UserError]:
    """Read many headers, in threads: for each either the header or what is wrong with it."""
    return _in_threads(read_header, paths)


def guess_shape(
    samples: Iterable[Header | np.ndarray | File],
    *,
    image_size: int | Sequence[int] | None = None,
    channels: int | None = None,
) -> tuple[ImageShape, list[str]]:
    """Choose the shape in which a network takes images.

    Args:
        samples: iterable of headers, arrays (as for `fit_image`), paths or bytes.
        image_size: int, or height and width. What the user asked for, if anything.
        channels: int. Likewise, 1 or 3.

    Returns:
        tuple of the shape and a list of notes on what was guessed. The common size where all
        images have one of at most 256 pixels, else a square of the median shorter side, from 16
        to 128 in steps of 8; grayscale where every image is.

    Raises:
        UserError: for a size or a number of channels that no image has.
    """
    headers = [_header_of(sample) for sample in samples]
    notes = []
    sizes = {header[:2] for header in headers}
    if image_size is not None:
        height, width = _check_size(image_size)
    elif len(sizes) == 1 and max(headers[0][:2]) <= MAX_COMMON_SIZE:
        height, width = sizes.pop()
    else:
        median = float(np.median([min(header[:2]) for header in headers]))
        height = width = int(np.clip(round(median / 8) * 8, 16, 128))
        what = "images differ in size" if len(sizes) > 1 else "images are large"
        notes.append(
            f"{what} (median of the shorter sides: {median:g} pixels): resized to "
            f"{height} × {width}; image_size sets another size"
        )
    if channels is None:
        channels = 1 if all(header.channels == 1 for header in headers) else 3
        if len({header.channels for header in headers}) > 1:
            notes.append("some images are grayscale, some coloured: all are read as colour")
    elif channels not in (1, 3):
        raise UserError(f"channels must be 1 (grayscale) or 3 (colour), got {channels}")
    return (height, width, channels), notes


def _header_of(sample: Header | np.ndarray | File) -> Header:
    if isinstance(sample, Header):
        return sample
    if isinstance(sample, np.ndarray):
        return Header(*sample.shape[:2], 1 if _channels_of(sample) == 1 else 3)
    return read_header(sample)


def _channels_of(array: np.ndarray) -> int:
    """Return the number of channels, 0 for what is no image."""
    return {2: 1, 3: array.shape[-1]}.get(array.ndim, 0)


def _check_size(image_size: int | Sequence[int]) -> tuple[int, int]:
    sides = (image_size,) if isinstance(image_size, int) else tuple(image_size)
    if len(sides) not in (1, 2) or not all(1 <= side <= MAX_SIZE for side in sides):
        shown = ",".join(map(str, sides))
        raise UserError(
            f"image_size={shown} does not fit: expected one number or HEIGHT,WIDTH, "
            f"from 1 to {MAX_SIZE}"
        )
    return sides[0], sides[-1]


def _with_image(file: File, use: Callable[[Image.Image, BinaryIO], Any]) -> Any:
    """Open an image and use it; whatever is wrong with it becomes one line that names it."""
    try:
        opened = io.BytesIO(file) if isinstance(file, bytes) else open(file, "rb")
        with opened, Image.open(opened, formats=FORMATS) as image:
            return use(image, opened)
    except Image.UnidentifiedImageError:
        reason = "not a JPEG, PNG, WebP, BMP or GIF image"
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        reason = f"more than {Image.MAX_IMAGE_PIXELS:,} pixels; make it smaller"
    except OSError as error:
        reason = error.strerror or str(error)
    # Damaged files fail in as many ways as there are decoders.
    except Exception as error:
        reason = f"damaged ({error or type(error).__name__})"
    name = f"an image of {len(file):,} bytes" if isinstance(file, bytes) else f"'{file}'"
    raise UserError(f"cannot read {name}: {' '.join(reason.split())}")


def _to_channels(image: Image.Image, channels: int) -> np.ndarray:
    """Return uint8 of shape (height, width, channels), transparency on white."""
    if image.mode.startswith("I"):  # 16 bits, for which Pillow would cut off what exceeds 255
        levels = np.asarray(image).astype(np.float32) / 257
        image = Image.fromarray(np.rint(levels).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    mode = "L" if channels == 1 else "RGB"
    array = np.asarray(image if image.mode == mode else image.convert(mode))
    return array.reshape(image.height, image.width, channels)


def _is_grayscale(image: Image.Image) -> bool:
    if image.mode == "P":
        palette = np.array(image.getpalette("RGB")).reshape(-1, 3)
        return bool((palette == palette[:, :1]).all())
    return image.mode in ("1", "L", "LA") or image.mode.startswith("I")


def _orientation(image: Image.Image) -> int:
    """Return how EXIF says that the image is turned, 1 to 8; 1 is upright."""
    # Asked for what its header lacks, Pillow decodes a whole PNG to search after the pixels.
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    # A camera's garbled note is no reason to refuse its image.
    with contextlib.suppress(Exception):
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        return orientation if orientation in range(1, 9) else 1
    return 1


def _ends_well(opened: BinaryIO, format: str) -> bool:
    """Return whether a file ends as its format asks, so that nothing was cut off."""
    position = opened.tell()
    size = opened.seek(0, os.SEEK_END)
    if format in ENDINGS:
        opened.seek(max(0, size - 12))
        whole = opened.read().endswith(ENDINGS[format])
    else:
        # BMP and WebP (a RIFF file) write their size at the front.
        opened.seek(2 if format == "BMP" else 4)
        written = int.from_bytes(opened.read(4), "little")
        whole = written + (0 if format == "BMP" else 8) <= size
    opened.seek(position)
    return whole


def _in_threads(function: Callable[[File], Any], files: Sequence[File]) -> list:
    """Return `function(file)` for each, in order, or the UserError that it raised."""

    def attempt(block: Sequence[File]) -> list:
        results = []
        for file in block:
            try:
                results.append(function(file))
            except UserError as error:
                results.append(error)
        return results

    # Of a small file, Python's part is the largest, and threads only queue for its lock: they
    # halve the speed. They double it for a photograph and hide the waiting for a cold disk.
    started = time.perf_counter()
    first = attempt(files[:TRIALS])
    if time.perf_counter() - started < TRIALS * THREAD_SECONDS:
        return first + attempt(files[TRIALS:])
    # Blocks, since a future for every one of 100,000 files would cost more than its header.
    size = int(np.clip(len(files) // (8 * os.cpu_count()), 1, 256))
    blocks = [files[start : start + size] for start in range(TRIALS, len(files), size)]
    return first + [result for found in worker_threads().map(attempt, blocks) for result in found]
