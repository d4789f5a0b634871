"""Files of sound: what their headers say, and their samples, at one rate and in one channel."""

import functools
import math
import os
import struct
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from threefold.core.errors import UserError
from threefold.core.threads import worker_threads
from threefold.datasets.folder_files import require_regular
from threefold.datasets.texts.documents import as_objects

if TYPE_CHECKING:
    import soundfile

    from threefold.datasets.raw_inputs import Inputs

SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif")
CONVERTIBLE = (".m4a", ".aac", ".wma", ".amr", ".mp4", ".webm", ".ape", ".wv")  # of no reader here
SILENCE = 1e-4  # the largest sample of a recording in which nothing sounds: -80 dB
BLOCK = 8192  # samples read at a time in search of a sound
UNKNOWN_SIZES = (0, 0xFFFFFFFF)  # which programs write that do not know the end yet


class Header(NamedTuple):
    """What a file of sound holds.

    Args:
        rate: int. Samples a second, of each channel.
        frames: int. Samples of each channel.
        channels: int. 1 mono, 2 stereo.
        silent: bool. Whether nothing sounds in it.
    """

    rate: int
    frames: int
    channels: int
    silent: bool

    def resampled(self, rate: int) -> int:
        """Return how many samples there are at another rate."""
        return math.ceil(self.frames * rate / self.rate)


def read_headers(paths: Sequence[str]) -> list[Header | UserError]:
    """Read many headers, in threads: for each either the header or what is wrong with it."""
    return _in_threads(read_header, paths)


def read_header(path: str) -> Header:
    """Read what a file says of itself, and as much of it as is needed to hear something.

    Args:
        path: str. The file.

    Returns:
        Header.

    Raises:
        UserError: for a file that is damaged, empty or no sound, or holds samples that are not
            numbers.
    """
    with _open(path) as file:
        header = Header(file.samplerate, file.frames, file.channels, True)
        if header.frames == 0:
            raise UserError(f"{path} holds no samples")
        _require_whole_wav(path)
        # Only floats can be no numbers; they are read to their end, since one spoils a training.
        floats = file.subtype in ("FLOAT", "DOUBLE")
        while len(block := _read(path, file, BLOCK)):
            if floats and (wrong := np.flatnonzero(~np.isfinite(block).all(axis=1))).size:
                seconds = (file.tell() - len(block) + wrong[0]) / file.samplerate
                raise UserError(
                    f"{path} holds samples that are not numbers, the first at {seconds:.3g} s"
                )
            if np.abs(block).max() > SILENCE:
                header = header._replace(silent=False)
                if not floats:
                    break
        try:  # of FLAC and MP3, the header names an end that need not be there
            file.seek(header.frames - 1)
            whole = len(file.read(1)) == 1
        except RuntimeError:
            whole = False
        if not whole:
            raise UserError(f"{path} is truncated: its end is missing")
    return header


def read_sounds(paths: Sequence[str], rate: int) -> np.ndarray:
    """Read the samples of many files, in threads.

    Args:
        paths: sequence of str. The files.
        rate: int. Samples a second of what is returned; files of another rate are resampled.

    Returns:
        array of objects, for each file float32 of shape (samples,), the mean of its channels.

    Raises:
        UserError: naming the first file that cannot be read.
    """
    found = _in_threads(functools.partial(read_sound, rate=rate), paths)
    for sound in found:
        if isinstance(sound, UserError):
            raise sound
    return as_objects(found)


def read_sound(path: str, rate: int) -> np.ndarray:
    """Read one file, as `read_sounds` does."""
    with _open(path) as file:
        samples = _read(path, file, file.frames).mean(axis=1, dtype=np.float32)
        own = file.samplerate
    if not np.isfinite(samples).all():
        raise UserError(f"{path} holds samples that are not numbers")
    if own == rate:
        return samples
    from scipy.signal import resample_poly

    common = math.gcd(own, rate)
    return resample_poly(samples, rate // common, own // common).astype(np.float32, copy=False)


def read_sound_inputs(paths: Sequence[str], rate: int, batch_size: int) -> "Iterator[Inputs]":
    """Read recordings for a prediction.

    Args:
        paths: sequence of str. The files.
        rate: int. Samples a second that the model takes.
        batch_size: int. Recordings in one part.

    Returns:
        iterator of Inputs. Recordings `samples` float32; a file that cannot be read is one of the
        errors. What was resampled, mixed or silent is said in a warning at the end.
    """
    from threefold.datasets.raw_inputs import Inputs

    heard = []
    for start in range(0, len(paths), batch_size):
        part = paths[start : start + batch_size]
        headers = read_headers(part)
        good = [path for path, found in zip(part, headers, strict=True) if _is_good(found)]
        sounds = _in_threads(functools.partial(read_sound, rate=rate), good)
        kept = [row for row, sound in enumerate(sounds) if not isinstance(sound, UserError)]
        errors = [found for found in (*headers, *sounds) if isinstance(found, UserError)]
        heard += [(path, found) for path, found in zip(part, headers, strict=True)
                  if _is_good(found)]  # fmt: skip
        samples = as_objects([sounds[row] for row in kept])
        yield Inputs([good[row] for row in kept], {"samples": samples}, errors)
    for remark in describe_headers(heard, rate):
        warnings.warn(remark, stacklevel=2)


def describe_headers(heard: Sequence[tuple[str, Header]], rate: int) -> list[str]:
    """Return what to say of recordings that are not as a model takes them.

    Args:
        heard: sequence of (path, Header). The recordings.
        rate: int. Samples a second that the model takes.

    Returns:
        list of str. A sentence each.
    """
    remarks = []
    rates = sorted({header.rate for _, header in heard} - {rate})
    if rates:
        count = sum(header.rate != rate for _, header in heard)
        explicit = ", ".join(f"{other:,}" for other in rates)
        remarks.append(
            f"{count} of {len(heard)} recordings are of {explicit} Hz: resampled to {rate:,} Hz"
        )
    if mixed := sum(header.channels > 1 for _, header in heard):
        remarks.append(f"{mixed} of {len(heard)} recordings have several channels: mixed to one")
    if silent := [path for path, header in heard if header.silent]:
        remarks.append(
            f"nothing sounds in {len(silent)} of {len(heard)} recordings, such as '{silent[0]}': "
            "kept all the same"
        )
    return remarks


def _is_good(found: Header | UserError) -> bool:
    return not isinstance(found, UserError)


def _open(path: str) -> "soundfile.SoundFile":
    import soundfile

    require_regular(path)
    try:
        return soundfile.SoundFile(path)
    except (RuntimeError, OSError) as error:
        if not os.path.isfile(path):
            raise UserError(f"no file '{path}'") from None
        reason = str(getattr(error, "error_string", error)).rstrip(".")
        raise UserError(f"cannot read {path} as sound: {reason[:1].lower()}{reason[1:]}") from None


def _read(path: str, file: "soundfile.SoundFile", count: int) -> np.ndarray:
    """Return samples of shape (samples, channels)."""
    try:
        return file.read(count, dtype="float32", always_2d=True)
    except RuntimeError as error:
        raise UserError(f"{path} is damaged: {error}") from None


def _require_whole_wav(path: str) -> None:
    """Refuse a WAV file that ends before the sound that its header names."""
    with open(path, "rb") as file:
        if file.read(12)[:4] != b"RIFF":
            return
        while len(head := file.read(8)) == 8:
            name, size = head[:4], struct.unpack("<I", head[4:])[0]
            if name != b"data":
                file.seek(size + size % 2, os.SEEK_CUR)
                continue
            there = os.path.getsize(path) - file.tell()
            if there < size and size not in UNKNOWN_SIZES:
                raise UserError(
                    f"{path} is truncated: {there:,} of {size:,} bytes of sound are there"
                )
            return


def _in_threads(function: Callable, paths: Sequence[str]) -> list:
    """Return `function(path)` for each, in order, or the UserError that it raised."""

    def attempt(path: str):
        try:
            return function(path)
        except UserError as error:
            return error

    return list(worker_threads().map(attempt, paths))
