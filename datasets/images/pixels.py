"""Decoded images to numbers from 0 to 255, and what their headers say of them."""

import contextlib
import os
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image

Levels = tuple[float, float]  # what becomes 0, and what becomes 255

WHOLE_RANGE = (0.0, 65535.0)  # of images of 16 bits, where nobody has seen others
ENDINGS = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB\x60\x82", "GIF": b";"}
TIFF_PARTS = ((273, 279), (324, 325))  # tags: where strips or tiles begin, how long they are


class UnsupportedPixelsError(ValueError):
    """Pixels that have no place between 0 and 255, or of colours that are not known."""


def is_deep(image: Image.Image) -> bool:
    """Return whether the pixels are numbers of more than 8 bits, which need a range."""
    return image.mode.startswith(("I", "F"))


def is_cut(image: Image.Image) -> bool:
    """Return whether Pillow keeps the upper 8 bits only: of colours of 16 bits. Before a load."""
    if is_deep(image):
        return False
    if image.format == "PPM":  # says what the largest number is
        return any(part.codec_name == "ppm" and part.args[-1] > 255 for part in image.tile)
    return any(";16" in str(part.args) for part in image.tile)


def to_channels(image: Image.Image, channels: int, levels: Levels | None = None) -> np.ndarray:
    """Return pixels, transparency on white.

    Args:
        image: Image. Decoded.
        channels: int. 1 or 3.
        levels: tuple of two floats. Of deep images, what becomes 0 and 255; None: all 16 bits.

    Returns:
        uint8 array of shape (height, width, channels); with `levels`, of a deep image float32.

    Raises:
        UnsupportedPixelsError: for a deep image that is not of 16 bits where there are no `levels`.
    """
    if is_deep(image):
        scaled = _scale(read_deep(image), levels)
        return np.repeat(scaled[:, :, None], channels, axis=2)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    mode = "L" if channels == 1 else "RGB"
    try:
        array = np.asarray(image if image.mode == mode else image.convert(mode))
    except ValueError:
        raise UnsupportedPixelsError(
            f"colours of the kind {image.mode}; convert it to RGB"
        ) from None
    return array.reshape(image.height, image.width, channels)


def read_deep(image: Image.Image) -> np.ndarray:
    """Return the pixels of a deep image as float32; what is no number is the smallest of them."""
    values = np.asarray(image).astype(np.float32)
    finite = np.isfinite(values)
    if finite.all():
        return values
    if not finite.any():
        raise UnsupportedPixelsError("no pixel is a number")
    return np.where(finite, values, values[finite].min())


def _scale(values: np.ndarray, levels: Levels | None) -> np.ndarray:
    low, high = levels or WHOLE_RANGE
    if levels is None and not (low <= values.min() and values.max() <= high):
        raise UnsupportedPixelsError(
            f"pixels from {values.min():g} to {values.max():g}; convert it to 8 or 16 bits"
        )
    scaled = np.clip((values - np.float32(low)) * np.float32(255 / (high - low)), 0, 255)
    return scaled if levels else np.rint(scaled).astype(np.uint8)


def is_grayscale(image: Image.Image) -> bool:
    """Return whether an image has no colours."""
    if image.mode == "P":
        palette = np.array(image.getpalette("RGB")).reshape(-1, 3)
        return bool((palette == palette[:, :1]).all())
    return image.mode in ("1", "L", "LA") or is_deep(image)


def orientation(image: Image.Image) -> int:
    """Return how EXIF says that the image is turned, 1 to 8; 1 is upright."""
    # Asked for what its header lacks, Pillow decodes a whole PNG to search after the pixels.
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    # A camera's garbled note is no reason to refuse its image.
    with contextlib.suppress(Exception):
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
        return found if found in range(1, 9) else 1
    return 1


def count_pages(image: Image.Image) -> int:
    """Return how many images a TIFF holds; of an animation, 1."""
    return image.n_frames if image.format == "TIFF" else 1


def ends_well(image: Image.Image, opened: BinaryIO) -> bool:
    """Return whether a file ends as its format asks, so that nothing was cut off.

    Where a format asks nothing, False: its pixels have to be decoded.
    """
    position = opened.tell()
    size = opened.seek(0, os.SEEK_END)
    whole = False
    if image.format in ENDINGS:
        opened.seek(max(0, size - 12))
        whole = opened.read().endswith(ENDINGS[image.format])
    elif image.format in ("BMP", "WEBP"):
        # BMP and WebP (a RIFF file) write their size at the front.
        opened.seek(2 if image.format == "BMP" else 4)
        written = int.from_bytes(opened.read(4), "little")
        whole = written + (0 if image.format == "BMP" else 8) <= size
    elif image.format == "TIFF":
        whole = _last_part(image) <= size
    opened.seek(position)
    return whole


def _last_part(image: Image.Image) -> float:
    """Return where the pixels of a TIFF end in the file; infinity where it does not say."""
    tags = image.tag_v2
    ends = [
        offset + count
        for offsets, counts in TIFF_PARTS
        for offset, count in zip(tags.get(offsets, ()), tags.get(counts, ()), strict=False)
    ]
    return max(ends, default=float("inf"))
