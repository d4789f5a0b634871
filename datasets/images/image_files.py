"""Image files and arrays to the one shape and range that a network takes.

Whatever a file holds (grayscale, palette, CMYK, alpha, rotated by EXIF) becomes numbers from 0 to
255 with 1 channel (grayscale) or 3 (red, green, blue). Of 16 bits and more, a range that is given
becomes 0 to 255.
"""

import functools
import io
import os
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from PIL import Image, ImageOps, features

from threefold.core.errors import UserError
from threefold.core.threads import worker_threads
from threefold.datasets.folder_files import require_regular
from threefold.datasets.images import pixels
from threefold.datasets.images.named_bytes import name_file
from threefold.datasets.images.pixels import Levels
from threefold.datasets.images.resizing import resize

_AVIF = "avif" in features.modules and features.check("avif")  # Pillow may be built without
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"),
    *(".pgm", ".ppm", ".pbm", ".pnm", *((".avif",) if _AVIF else ())),
)
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", *(("AVIF",) if _AVIF else ()))
CONVERTIBLE = (
    *(".heic", ".heif", ".jxl", ".jp2", ".j2k", ".psd", ".svg", ".tga", ".ico", ".exr", ".hdr"),
    *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".rw2", ".orf", ".raw", ".eps", ".pdf"),
    *(".dcm", ".nii", ".mha", ".fits", ".avif"),
)  # images too, which nothing here reads
MAX_SIZE = 4096
TRIALS = 4
THREAD_SECONDS = 0.0003  # a file that takes longer gains from threads
MAX_COMMON_SIZE = 256

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
    pages: int = 1
    deep: bool = False  # numbers of more than 8 bits
    cut: bool = False  # colours of 16 bits, of which 8 are read


def read_image(file: File, channels: int, levels: Levels | None = None) -> np.ndarray:
    """Decode an image; of an animation the first frame, of several pages the first.

    Args:
        file: path or bytes. A file of one of `FORMATS`, or its content.
        channels: int. 1 for grayscale, 3 for colour.
        levels: tuple of two floats. What becomes 0 and 255 in images of more than 8 bits.

    Returns:
        uint8 array of shape (height, width, channels); float32 of more than 8 bits, with `levels`.
        Turned upright as EXIF says; what is transparent shows white.

    Raises:
        UserError: for what is not an image, is cut short or has more than 89 million pixels.
    """

    def decode(image: Image.Image, _: BinaryIO) -> np.ndarray:
        return pixels.to_channels(_load_upright(image), channels, levels)

    return open_image(file, decode)


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
        if pixels.orientation(image) >= 5:  # a quarter turn
            width, height = height, width
        colours = 1 if pixels.is_grayscale(image) else 3
        more = pixels.count_pages(image), pixels.is_deep(image), pixels.is_cut(image)
        if not pixels.ends_well(image, opened):
            image.load()
        return Header(height, width, colours, *more)

    return open_image(file, describe)


def find_levels(paths: Sequence[File]) -> Levels:
    """Return the smallest and the largest number in deep images, in threads.

    Raises:
        UserError: naming the first file that cannot be read.
    """

    def find(file: File) -> Levels:
        def measure(image: Image.Image, _: BinaryIO) -> Levels:
            values = pixels.read_deep(image)
            return float(values.min()), float(values.max())

        return open_image(file, measure)

    found = in_threads(find, paths)
    for levels in found:
        if isinstance(levels, UserError):
            raise levels
    low, high = min(low for low, _ in found), max(high for _, high in found)
    return low, high if high > low else low + 1


def find_damage(paths: Sequence[File]) -> list[UserError | None]:
    """Decode many images, in threads: for each what is wrong with it, or None."""

    def decode(file: File) -> None:
        open_image(file, lambda image, _: image.load() and None)

    return in_threads(decode, paths)


def fit_image(
    source_image: np.ndarray | File, image_shape: ImageShape, levels: Levels | None = None
) -> np.ndarray:
    """Bring an image to a network's shape.

    Args:
        source_image: path, bytes or uint8 array of shape (height, width) or (height, width,
            channels) with 1, 3 or 4 channels (the fourth is opacity).
        image_shape: tuple of three ints. Height, width, channels; without a height an image
            keeps its size.
        levels: tuple of two floats. As for `read_image`.

    Returns:
        float32 array of shape `image_shape`, values 0 to 255; of its own size, uint8.

    Raises:
        UserError: for a file that cannot be read.
    """
    height, width, channels = image_shape
    if not isinstance(source_image, np.ndarray):
        source_image = read_image(source_image, channels, levels)
        if height is not None:
            return resize(source_image, height, width)
        return np.rint(source_image).astype(np.uint8, copy=False)
    if source_image.dtype != np.uint8 or _channels_of(source_image) not in (1, 3, 4):
        raise ValueError(
            "expected a uint8 image of shape (height, width) or (height, width, 1, 3 or 4), "
            f"got {source_image.dtype} of shape {source_image.shape}"
        )
    if source_image.ndim == 2 or source_image.shape[2] == 1:
        source_image = source_image.reshape(*source_image.shape[:2])
    if source_image.shape[2:] != (channels,):
        source_image = pixels.to_channels(Image.fromarray(source_image), channels)
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


def read_batch(
    paths: Sequence[File], image_shape: ImageShape, levels: Levels | None = None
) -> np.ndarray:
    """Decode and resize many images, in threads.

    Args:
        paths: sequence of path or bytes. The images.
        image_shape: tuple of three ints. Height, width, channels.
        levels: tuple of two floats. As for `read_image`.

    Returns:
        array, as of `stack_images`, in the order given.

    Raises:
        UserError: naming the first file that cannot be read.
    """
    images = try_read_batch(paths, image_shape, levels)
    for found in images:
        if isinstance(found, UserError):
            raise found
    return stack_images(images) if images else np.empty((0, *image_shape), np.float32)


def try_read_batch(
    paths: Sequence[File], image_shape: ImageShape, levels: Levels | None = None
) -> list[np.ndarray | UserError]:
    """Decode and resize many images: for each either the image or what is wrong with it."""
    return in_threads(functools.partial(fit_image, image_shape=image_shape, levels=levels), paths)


def read_headers(paths: Sequence[File]) -> list[Header | UserError]:
    """Read many headers, in threads: for each either the header or what is wrong with it."""
    return in_threads(read_header, paths)


def require_headers(paths: Sequence[File]) -> list[Header]:
    """Read many headers; refuse the first file that is no image."""
    headers = read_headers(paths)
    for header in headers:
        if isinstance(header, UserError):
            raise header
    return headers


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
        height, width = check_size(image_size)
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


def settle_shape(
    known: ImageShape | None,
    headers: Iterable[Header],
    *,
    image_size: int | Sequence[int] | None,
    channels: int | None,
) -> tuple[ImageShape, list[str]]:
    """Choose the shape as `guess_shape` does, but for what is known of it already.

    Args:
        known: tuple of three ints. The shape of a run; `None` if there is none.
        headers: iterable of Header. The images.
        image_size: int, or height and width. What the user asked for, if anything: it overrules.
        channels: int. Likewise.
    """
    if known is not None and known[0] is None:  # each keeps its own size
        return known, []
    if known is not None:
        image_size, channels = image_size or known[:2], channels or known[2]
    return guess_shape(headers, image_size=image_size, channels=channels)


def _header_of(sample: Header | np.ndarray | File) -> Header:
    if isinstance(sample, Header):
        return sample
    if isinstance(sample, np.ndarray):
        return Header(*sample.shape[:2], 1 if _channels_of(sample) == 1 else 3)
    return read_header(sample)


def _channels_of(array: np.ndarray) -> int:
    """Return the number of channels, 0 for what is no image."""
    return {2: 1, 3: array.shape[-1]}.get(array.ndim, 0)


def check_size(size: int | Sequence[int], option: str = "image_size") -> tuple[int, int]:
    """Return the height and width that an option says; refuse what no image can have."""
    sides = (size,) if isinstance(size, int) else tuple(size)
    if len(sides) not in (1, 2) or not all(1 <= side <= MAX_SIZE for side in sides):
        shown = ",".join(map(str, sides))
        raise UserError(
            f"{option}={shown} does not fit: expected one number or HEIGHT,WIDTH, "
            f"from 1 to {MAX_SIZE}"
        )
    return sides[0], sides[-1]


def open_image(file: File, use: Callable[[Image.Image, BinaryIO], Any]) -> Any:
    """Open an image and use it; whatever is wrong with it becomes one line that names it."""
    if not isinstance(file, bytes):
        require_regular(file)
    try:
        opened = io.BytesIO(file) if isinstance(file, bytes) else open(file, "rb")
        with opened, Image.open(opened, formats=FORMATS) as image:
            return use(image, opened)
    except Image.UnidentifiedImageError:
        reason = "not a JPEG, PNG, WebP, BMP, GIF, TIFF, PPM or AVIF image"
        if _starts_as_tiff(file):
            reason = "a TIFF of an unusual kind; convert it to gray levels or colours"
    except pixels.UnsupportedPixelsError as error:
        reason = str(error)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        reason = f"more than {Image.MAX_IMAGE_PIXELS:,} pixels; make it smaller"
    except OSError as error:
        reason = error.strerror or str(error)
    # Damaged files fail in as many ways as there are decoders.
    except Exception as error:
        reason = f"damaged ({error or type(error).__name__})"
    raise UserError(f"cannot read {name_file(file)}: {' '.join(reason.split())}")


def _starts_as_tiff(file: File) -> bool:
    with io.BytesIO(file) if isinstance(file, bytes) else open(file, "rb") as opened:
        return opened.read(4) in (b"II*\0", b"MM\0*")


def _load_upright(image: Image.Image) -> Image.Image:
    image.load()
    if pixels.orientation(image) != 1:
        ImageOps.exif_transpose(image, in_place=True)
    return image


def in_threads(function: Callable[[File], Any], files: Sequence[File]) -> list:
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
