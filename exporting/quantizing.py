"""A process of its own, without Keras: weights and activations as 8-bit integers.

python -m threefold.exporting.quantizing JOB.json
"""

import json
import logging
import sys
import time
from pathlib import Path

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from threefold.core.files import replace_file
from threefold.datasets.dataset import Source
from threefold.exporting.runtime import Run, load_runtime
from threefold.tasks.signature import Signature
from threefold.tasks.task import Arrays, Task
from threefold.training.building import bind_task
from threefold.training.data import load_run_dataset
from threefold.training.run import open_run

CALIBRATION_ROWS = 256
WARM_UP, TURNS, MOST_SECONDS = 5, 200, 5.0
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
    signature = Signature(inputs=task.input_fields(), outputs=task.output_fields())
    runs = [load_runtime(path, "onnx", signature) for path in (whole, model)]
    cost = _time(*runs, task.raw_inputs(source[np.arange(1)]))
    cost |= {"float_bytes": whole.stat().st_size, "bytes": model.stat().st_size}
    replace_file(Path(job["scratch"], "cost.json"), json.dumps(cost).encode())


def _time(whole: Run, quantized: Run, row: Arrays) -> dict[str, float]:
    """Return how long both take for one row, by turns: what slows one down slows down the other."""
    times = []
    until = time.monotonic() + MOST_SECONDS
    while len(times) < WARM_UP + TURNS and (len(times) < WARM_UP + 3 or time.monotonic() < until):
        turn = []
        for run in (whole, quantized):
            begun = time.perf_counter()
            run(row)
            turn.append(1e3 * (time.perf_counter() - begun))
        times.append(turn)
    kept = np.array(times[WARM_UP:])
    float_ms, ms = np.median(kept, axis=0)
    ratio = np.median(kept[:, 1] / kept[:, 0])
    return {"float_ms": float(float_ms), "ms": float(ms), "ratio": float(ratio)}


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
