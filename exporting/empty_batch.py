"""A process of its own, without Keras: give a model file a batch of no row.

Some operators end the whole process on one, onnxruntime's `GRU` say, and the proof with it.
"""

import json
import sys
from pathlib import Path

import numpy as np

from threefold.exporting.runtime import fits, load_runtime
from threefold.tasks.signature import Signature


def main() -> None:
    """Do the job that a JSON file describes; end well only where no row is answered by none."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    signature = Signature.model_validate_json(
        Path(job["scratch"], "signature.json").read_text(encoding="utf-8")
    )
    run = load_runtime(Path(job["staged"], job["model"]), job["format"], signature)
    with np.load(Path(job["scratch"], "one_row.npz"), allow_pickle=False) as file:
        found = run({name: file[name][:0] for name in file.files})
    for field in signature.outputs:
        shape = found[field.name].shape
        if shape[0] or not fits(shape, field.shape):
            raise ValueError(f"{field.name} has the shape {shape}")
