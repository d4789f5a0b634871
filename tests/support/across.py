"""What must be the same on every backend, compared from one process of tests to the next."""

import json
import os
from pathlib import Path

import numpy as np


class Across:
    """Keeps first weights, and what became of them, in a folder that all backends share.

    `make test` names the folder in `THREEFOLD_ACROSS`, and in `THREEFOLD_ACROSS_WITH` those
    backends that have been there before. Without them nothing is there to compare with.

    Args:
        backend: str. This process's.
        folder: Path. Serves where none is named.
    """

    def __init__(self, backend: str, folder: Path):
        self.backend = backend
        self.folder = Path(os.environ.get("THREEFOLD_ACROSS", folder))
        self.before = os.environ.get("THREEFOLD_ACROSS_WITH", "").split()

    def start_alike(self, name: str, weights) -> None:
        """Give variables the values that they had on the backend that came first."""
        path = self.folder / f"{name}.npz"
        if path.exists():
            with np.load(path) as kept:
                assert set(kept) == {weight.path for weight in weights}
                for weight in weights:
                    weight.assign(kept[weight.path])
        else:
            assert not self.before, f"{self.before} wrote no weights of {name}"
            np.savez(path, **{weight.path: np.asarray(weight.numpy()) for weight in weights})

    def compare(self, name: str, found, rtol: float, atol: float = 0.0) -> None:
        """Compare numbers with those of the backends before this one, and keep them."""
        (self.folder / f"{name}.{self.backend}.json").write_text(json.dumps(found))
        for backend in self.before:
            other = json.loads((self.folder / f"{name}.{backend}.json").read_text())
            np.testing.assert_allclose(
                found, other, rtol=rtol, atol=atol, err_msg=f"{self.backend} against {backend}"
            )
