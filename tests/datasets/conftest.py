"""Shared by the tests of data."""

import pytest
from refusals import refused

from threefold.datasets import loading


@pytest.fixture(params=["hf", "tfds"])
def read_saved(request, tmp_path):
    """Return a function that saves rows by either library, and loads them."""
    from small_hubs import save

    def write_and_load(columns, task=None, facts=None, options=(), **splits):
        folder = tmp_path / f"set {len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        reference, known = save(request.param, folder, columns, **splits)
        return loading.load(reference, known | dict(options), task=task, facts=facts)

    return write_and_load


@pytest.fixture
def refuse_saved(read_saved):
    """Return a function that saves rows and returns what is wrong with them, in one line."""

    def load_and_fail(*given, **splits):
        with refused() as raised:
            read_saved(*given, **splits)
        return str(raised.value)

    return load_and_fail
