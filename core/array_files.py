"""Archives of arrays that come from anywhere: read no larger than the file is."""

import math
import zipfile
from pathlib import Path

import numpy as np


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read an archive as `numpy.savez` writes it; what its arrays claim is checked before a read.

    Args:
        path: Path. The file. A compressed one is refused: it may hold any number of gigabytes.

    Returns:
        dict of str to array.

    Raises:
        OSError: where it cannot be read.
        ValueError: for a file that is no such archive, or one that does not hold what it claims.
    """
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise ValueError(f"{path.name} is compressed, as no checkpoint is")
            if sum(entry.file_size for entry in entries) > size:
                raise ValueError(f"{path.name} claims to hold more than its {size:,} bytes")
            for entry in entries:
                _check_header(archive, entry)
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError):
        raise
    except Exception as error:  # as many kinds as there are ways to be damaged
        raise ValueError(f"{path.name} is no archive of arrays: {error}") from None


def _check_header(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Refuse an array whose shape needs other bytes than there are."""
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        elif version == (2, 0):
            shape, _, dtype = np.lib.format.read_array_header_2_0(file)
        else:
            raise ValueError(f"{entry.filename} is of a form that no checkpoint has")
        held = entry.file_size - file.tell()
    if dtype.hasobject:
        raise ValueError(f"{entry.filename} holds objects, not numbers")
    if math.prod(shape) * dtype.itemsize != held:
        raise ValueError(f"{entry.filename} claims the shape {shape} and holds {held:,} bytes")
