"""A process of its own, on TensorFlow: rebuild a run's model and write it as a file.

TensorFlow serves all formats best, whichever backend trained: its SavedModel is the native one,
tf2onnx makes a complete ONNX graph of that, and its own converter a LiteRT file.
"""

import contextlib
import json
import sys
from importlib.metadata import version
from pathlib import Path

import keras
import tensorflow as tf

from threefold.exporting.writers.litert_file import write_litert
from threefold.exporting.writers.onnx_file import write_onnx
from threefold.exporting.writers.onnx_float16 import write_float16
from threefold.exporting.writers.onnx_recurrent import recurrent_operators
from threefold.tasks.signature import Field
from threefold.tasks.task import Task
from threefold.training.building import bind_task, build_model, rebuild_model, without_preset
from threefold.training.run import RunRecord, open_run

TYPES = {
    "uint8": tf.uint8,
    "int64": tf.int64,
    "float32": tf.float32,
    "float64": tf.float64,
    "string": tf.string,
}


def write_savedmodel(model: keras.Model, task: Task, folder: Path) -> None:
    """Write what an exported model computes as a SavedModel.

    Args:
        model: keras.Model. With its weights.
        task: Task. Draws preprocessing and answers around it.
        folder: Path. Made here: `saved_model.pb` and variables.
    """
    serve, resources = task.serving(model)
    fields = task.input_fields()
    archive = keras.export.ExportArchive()
    for resource in resources:
        if isinstance(resource, keras.Model):
            archive.track(resource)
    archive._tf_trackable.tables = [r for r in resources if not isinstance(r, keras.Model)]
    # An argument of its own for each input: a dictionary's would be renamed.
    archive.add_endpoint(
        "serve", lambda raw: serve(raw), [{field.name: _spec(field) for field in fields}]
    )
    archive.write_out(str(folder), verbose=False)


def _spec(field: Field) -> tf.TensorSpec:
    shape = [None if isinstance(length, str) else length for length in field.shape]
    return tf.TensorSpec(shape, TYPES[field.dtype], name=field.name)


def _describe_origin(record: RunRecord, name: str) -> dict[str, str]:
    """Return what an ONNX file says of where it is from: what the card says, and no folder."""
    return {
        "run": name,
        "blueprint": record.blueprint,
        "task": record.task,
        "classes": json.dumps(record.facts.class_names, ensure_ascii=False),
        "trained_on": record.backend,
        "program": f"threefold {version('threefold')}",
    }


def main() -> None:
    """Do the job that a JSON file describes."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    if "record" in job:  # only tried: with the first weights
        record = RunRecord.model_validate(job["record"])
        task = bind_task(record)
        options = without_preset(record.options, record)
        model, _ = build_model(record.blueprint, task, options, "float32")
        name = ""
    else:
        run = open_run(job["run"])
        record, name = run.record, run.folder.name
        model, task = rebuild_model(run, precision="float32")
        task = task.part(job["part"]) if job["part"] else task
    staged = Path(job["staged"])
    savedmodel = staged / "1" if job["format"] == "savedmodel" else Path(job["scratch"]) / "saved"
    for_onnx = job["format"] == "onnx"
    with recurrent_operators() if for_onnx else contextlib.nullcontext():
        write_savedmodel(model, task, savedmodel)
    if for_onnx:
        inputs, outputs = task.input_fields(), task.output_fields()
        about = _describe_origin(record, name)
        write_onnx(savedmodel, inputs, outputs, staged / job["model"], job["opset"], about)
        if job["precision"] == "float16":
            write_float16(staged / job["model"])
    elif job["format"] == "litert":
        write_litert(savedmodel, staged / job["model"])
