"""A process of its own, without Keras: weights and activations as 8-bit integers.

python -m threefold.exporting.quantizing JOB.json
"""

import json
import logging
import sys
from pathlib import Path

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from threefold.datasets.dataset import Source
from threefold.tasks.task import Task
from threefold.training.building import bind_task
from threefold.training.data import load_run_dataset
from threefold.training.run import open_run

CALIBRATION_ROWS = 256
# Where the time goes. Everything else, resizing and look-ups among it, stays as it is.
OPERATIONS = ["Conv", "Gemm", "MatMul"]


def main() -> None:
    """Do the job that a JSON file describes: replace the model file."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    logging.getLogger().setLevel(logging.ERROR)
    record = open_run(job["run"]).record
    task = bind_task(record)
    source = load_run_dataset(record, record.facts.raw()).splits["train"]
    model = Path(job["staged"], job["model"])
    whole = Path(job["scratch"], "float32.onnx")
    model.rename(whole)
    quantize_static(
        whole,
        model,
        _Rows(task, source),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=OPERATIONS,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )


class _Rows(CalibrationDataReader):
    """Rows of the training split, spread over all of it, one at a time."""

    def __init__(self, task: Task, source: Source):
        count = min(CALIBRATION_ROWS, len(source))
        rows = np.linspace(0, len(source) - 1, count).astype(int)
        self.batches = (task.raw_inputs(source[np.array([row])]) for row in rows)

    def get_next(self):
        """Return the next row, or None at the end."""
        raw = next(self.batches, None)
        if raw is None:
            return None
        return {name: a.astype(object) if a.dtype.kind == "U" else a for name, a in raw.items()}
