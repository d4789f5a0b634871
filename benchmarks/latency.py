"""How long an answer takes: artifacts against Keras's own `predict_on_batch`.

    python benchmarks/latency.py

A small model of each kind, fitted here for an epoch and exported in both formats. Every way to
answer is a process of its own that may use one core, or the number given; it answers the same rows
again and again. They take turns for some rounds, so that whatever else the machine does falls on
all of them; the table has the median of the rounds' medians, in milliseconds an answer. The last
lines time a whole process from its start to the first answer.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from small.fitted import Exporters, fit_small

BACKENDS = ("tensorflow", "jax", "torch")
FORMATS = ("onnx", "savedmodel")
WAYS = (*FORMATS, *BACKENDS)
MODELS: dict[tuple[str, str], dict[str, str] | None] = {  # with options; None: as tests build it
    ("cnn", "image_classification"): {},
    ("rnn", "sequence_classification"): None,
    ("transformer", "text_classification"): None,
    ("gan", "image_generation"): None,
}
SIZES = (1, 32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--cell", nargs=2, help=argparse.SUPPRESS)  # way, folder
    args = parser.parse_args()
    if args.cell:
        way, folder = args.cell
        print(json.dumps(measure(way, Path(folder), args.cores)))
        return
    print("| blueprint | task | rows | " + " | ".join(WAYS) + " | best Keras / onnx |")
    print("| --- | --- | --- |" + " --- |" * (len(WAYS) + 1))
    with tempfile.TemporaryDirectory() as scratch, contextlib.closing(Exporters()) as exporters:
        for blueprint, task in MODELS:
            folder = Path(scratch, f"{blueprint}-{task}")
            prepare(blueprint, task, folder, exporters)
            print_rows(f"| `{blueprint}` | {task} |", folder, args.rounds, args.cores)
        first_answer(Path(scratch, "cnn-image_classification", "onnx"), args.rounds)
    print(f"\npython benchmarks/latency.py --rounds {args.rounds} --cores {args.cores}")


def prepare(blueprint: str, task: str, folder: Path, exporters: Exporters) -> None:
    """Fit a model and export it in both formats, all into a folder."""
    folder.mkdir()
    run = fit_small(blueprint, task, folder, MODELS[blueprint, task])
    for format in FORMATS:
        exporters.export(run, format, folder / format)


def print_rows(begin: str, folder: Path, rounds: int, cores: int) -> None:
    """Measure every way of a model in turns, and print a line for each number of rows."""
    found: dict[tuple, list[float]] = {}
    for _ in range(rounds):
        for way in WAYS:
            answer = subprocess.run(
                [sys.executable, __file__, "--cores", str(cores), "--cell", way, str(folder)],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            for size, seconds in zip(SIZES, json.loads(answer.stdout), strict=True):
                found.setdefault((size, way), []).append(seconds)
    for size in SIZES:
        times = {way: statistics.median(found[size, way]) for way in WAYS}
        ratio = min(times[backend] for backend in BACKENDS) / times["onnx"]
        shown = " | ".join(f"{1000 * times[way]:.3f}" for way in WAYS)
        print(f"{begin} {size} | {shown} | {ratio:.1f} |", flush=True)


def measure(way: str, folder: Path, cores: int) -> list[float]:
    """Return the median seconds of an answer for each number of rows, in this process."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    os.environ["OMP_NUM_THREADS"] = str(cores)
    answer, select = (artifact if way in FORMATS else keras_model)(folder, way)
    return [median_time(answer, select(np.arange(size))) for size in SIZES]


def median_time(answer, inputs) -> float:
    """Return the median seconds of an answer, without the first ones."""
    times, until = [], time.perf_counter() + 1.0
    while len(times) < 30 or time.perf_counter() < until:
        started = time.perf_counter()
        answer(inputs)
        times.append(time.perf_counter() - started)
    return statistics.median(times[10:])


def artifact(folder: Path, format: str):
    """Return the artifact as a function of raw inputs, and what selects those of rows."""
    from threefold.exporting.artifact import open_artifact
    from threefold.exporting.runtime import load_runtime
    from threefold.training.building import bind_task

    opened = open_artifact(str(folder / format))
    run = open_run_of(folder)
    task = bind_task(run.record)
    source = rows_of(run, run.record.facts.raw())
    answer = load_runtime(opened.model, format, opened.record.signature)
    return answer, lambda rows: task.raw_inputs(source[rows % len(source)])


def keras_model(folder: Path, backend: str):
    """Return the run's model as a function of its inputs, and what selects those of rows."""
    from threefold.training.backend import choose_backend

    choose_backend(backend)
    import keras

    from threefold.training.building import rebuild_model

    run = open_run_of(folder)
    model, task = rebuild_model(run)
    source = rows_of(run, run.record.facts)
    for each in (model, *(part for part in model.layers if isinstance(part, keras.Model))):
        each.compile(jit_compile=False if backend == "torch" else "auto")
    return task.predict_fn(model), lambda rows: task.inference_inputs(source[rows % len(source)])


def open_run_of(folder: Path):
    """Return the run of a folder that `prepare` filled."""
    from threefold.training.run import open_run

    return open_run(str(folder / "run"))


def rows_of(run, facts):
    """Return the rows that are answered, read by the run's facts, or by those raw."""
    from threefold.training.data import load_run_dataset

    return load_run_dataset(run.record, facts).splits["train"]


def first_answer(place: Path, rounds: int) -> None:
    """Time whole processes: the artifact's example, and `threefold predict`."""
    from PIL import Image

    image = place.parent / "digit.png"
    with np.load(place / "examples.npz") as examples:
        Image.fromarray(examples["image"][0, ..., 0]).save(image)
    commands = {
        "python example.py": [sys.executable, f"{place}/example.py"],
        "threefold predict ARTIFACT digit.png": [
            sys.executable, "-m", "threefold.cli", "predict", str(place), str(image),
        ],
    }  # fmt: skip
    print("\n| from the start of the process to the first answer | seconds |\n| --- | --- |")
    for name, command in commands.items():
        times = []
        for _ in range(2 * rounds + 1):
            started = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            times.append(time.perf_counter() - started)
        print(f"| `{name}` | {statistics.median(times):.2f} |")


if __name__ == "__main__":
    main()
