"""Archives of arrays are read as they were written, and no larger than the file is."""

import io
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from threefold.core.array_files import read_arrays

ARRAYS = st.dictionaries(
    st.from_regex("[a-z]+(/[a-z]+)?", fullmatch=True),
    arrays_of.arrays(
        arrays_of.scalar_dtypes(), arrays_of.array_shapes(min_dims=0, min_side=0, max_side=3)
    ),
    max_size=3,
)


def header(shape, dtype="<f4") -> bytes:
    """Return the bytes with which an array of NumPy's form begins."""
    written = io.BytesIO()
    form = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(written, form)
    return written.getvalue()


def write(path, content: bytes, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("weights.npy", content)
    return path


def refused_with_little_memory(path) -> str:
    tracemalloc.start()
    with pytest.raises(ValueError) as error:
        read_arrays(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20e6 and "\n" not in str(error.value)
    return str(error.value)


@given(ARRAYS)
def test_what_was_written_is_read(tmp_path_factory, arrays):
    path = tmp_path_factory.mktemp("arrays") / "a.npz"
    np.savez(path, **arrays)
    found = read_arrays(path)
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].tobytes() == array.tobytes()


def test_a_small_file_that_unpacks_to_a_large_array_is_refused(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", weights=np.zeros(100_000_000, np.uint8))
    assert "a.npz is compressed" in refused_with_little_memory(tmp_path / "a.npz")


@pytest.mark.parametrize("shape", [(2**40,), (2**31, 2**31), (3,), (0,), (2**62, 4)])
def test_a_shape_that_the_bytes_do_not_fill_is_refused(tmp_path, shape):
    path = write(tmp_path / "a.npz", header(shape) + bytes(16))
    assert "weights.npy claims the shape" in refused_with_little_memory(path)


def test_objects_are_refused(tmp_path):
    path = write(tmp_path / "a.npz", header((2,), "|O") + bytes(16))
    assert "holds objects" in refused_with_little_memory(path)


@pytest.mark.parametrize("content", [b"", b"words", header((4,))[:20], b"\x93NUMPY\x07\0"])
def test_what_is_no_array_is_refused(tmp_path, content):
    refused_with_little_memory(write(tmp_path / "a.npz", content))


@given(st.binary(max_size=200), st.integers(0, 300))
def test_damage_anywhere_is_a_value_error_or_changes_nothing_but_numbers(
    tmp_path_factory, noise, start
):
    path = tmp_path_factory.mktemp("arrays") / "a.npz"
    np.savez(path, weights=np.arange(6.0))
    content = bytearray(path.read_bytes())
    content[start : start + len(noise)] = noise
    path.write_bytes(content)
    try:
        found = read_arrays(path)
    except ValueError:
        return
    assert sum(array.nbytes for array in found.values()) <= len(content)
