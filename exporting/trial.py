"""Can this be exported? Tried with the untrained model, before the training costs hours."""

import json
import tempfile
from pathlib import Path

from threefold.core.errors import Failure
from threefold.core.files import replace_file
from threefold.exporting.artifact import MODELS, OPSET, Format
from threefold.exporting.processes import run_child
from threefold.training.run import RunRecord


def try_export(record: RunRecord, format: Format) -> str | None:
    """Write a model with its first weights, as `export` would write the trained one.

    Args:
        record: RunRecord. What will be trained.
        format: str. `savedmodel`, `onnx` or `litert`.

    Returns:
        str. Why it cannot be, or `None` where it can.
    """
    with tempfile.TemporaryDirectory() as folder:
        job = {
            "record": record.model_dump(mode="json"),
            "format": format,
            "model": MODELS[format],
            "opset": OPSET,
            "precision": "float32",
            "staged": folder,
            "scratch": folder,
        }
        replace_file(Path(folder, "job.json"), json.dumps(job).encode())
        try:
            run_child("building", Path(folder))
        except Failure as error:
            return str(error)
    return None
