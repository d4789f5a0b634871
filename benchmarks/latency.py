"""How long an answer takes: artifacts against Keras's own `predict_on_batch`.

    python benchmarks/latency.py

One `cnn` on the bundled digits, fitted here and exported in both formats. Every cell is a process
of its own that may use one core or two; it answers the same rows again and again. Cells take turns
for some rounds, so that whatever else the machine does falls on all of them; the table has the
median of the rounds' medians, in milliseconds an answer. The last lines time a whole process from
its start to the first answer.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BACKENDS = ("tensorflow", "jax", "torch")
WAYS = ("onnx", "savedmodel", *BACKENDS)
SIZES, CORES = (1, 32), (1, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cell", nargs=4, help=argparse.SUPPRESS)  # way, place, size, cores
    args = parser.parse_args()
    if args.cell:
        way, place, size, cores = args.cell
        print(json.dumps(measure(way, place, int(size), int(cores))))
        return
    with tempfile.TemporaryDirectory() as folder:
        places = prepare(folder)
        table(places, args.rounds)
        first_answer(places["onnx"], args.rounds)
    print(f"\npython benchmarks/latency.py --rounds {args.rounds}")


def prepare(folder: str) -> dict[str, str]:
    """Fit and export; return what each way of answering reads."""
    command = [sys.executable, "-m", "threefold.cli"]
    run = f"{folder}/run"
    fit = [*command, "fit", "cnn", "--backend", "jax", "--epochs", "2", "--run", run]
    subprocess.run(fit, check=True, capture_output=True)
    places = dict.fromkeys(BACKENDS, run)
    for format in ("onnx", "savedmodel"):
        places[format] = f"{folder}/{format}"
        export = [*command, "export", run, "--format", format, "--output", places[format]]
        subprocess.run(export, check=True, capture_output=True)
    return places


def table(places: dict[str, str], rounds: int) -> None:
    """Measure every cell in turns, and print the table."""
    cells = [(size, cores) for size in SIZES for cores in CORES]
    found: dict[tuple, list[float]] = {}
    for _ in range(rounds):
        for way in WAYS:
            for size, cores in cells:
                words = [way, places[way], str(size), str(cores)]
                answer = subprocess.run(
                    [sys.executable, __file__, "--cell", *words],
                    capture_output=True, text=True, check=True,
                )  # fmt: skip
                found.setdefault((way, size, cores), []).append(json.loads(answer.stdout))
    print("| rows | cores | " + " | ".join(WAYS) + " | best Keras / onnx |")
    print("| --- | --- |" + " --- |" * (len(WAYS) + 1))
    for size, cores in cells:
        times = {way: statistics.median(found[way, size, cores]) for way in WAYS}
        ratio = min(times[backend] for backend in BACKENDS) / times["onnx"]
        shown = " | ".join(f"{1000 * times[way]:.3f}" for way in WAYS)
        print(f"| {size} | {cores} | {shown} | {ratio:.1f} |")


def measure(way: str, place: str, size: int, cores: int) -> float:
    """Return the median seconds of an answer, by one way, in this process."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    os.environ["OMP_NUM_THREADS"] = str(cores)
    answer = artifact(place) if way in ("onnx", "savedmodel") else keras_model(place, way)
    from threefold.datasets.bundled.digits import read_digits

    rows = read_digits()[0][:size]
    times, until = [], time.perf_counter() + 1.0
    while len(times) < 30 or time.perf_counter() < until:
        started = time.perf_counter()
        answer(rows)
        times.append(time.perf_counter() - started)
    return statistics.median(times[10:])


def artifact(place: str):
    """Return the artifact as a function of raw images."""
    from threefold.exporting.artifact import open_artifact
    from threefold.exporting.runtime import load_runtime

    record = open_artifact(place).record
    run = load_runtime(open_artifact(place).model, record.format, record.signature)
    return lambda rows: run({"image": rows})


def keras_model(place: str, backend: str):
    """Return the run's model as a function of raw images."""
    from threefold.training.backend import choose_backend

    choose_backend(backend)
    import numpy as np

    from threefold.training.building import rebuild_model
    from threefold.training.run import open_run

    model, _ = rebuild_model(open_run(place))
    model.compile(jit_compile=False if backend == "torch" else "auto")
    return lambda rows: np.asarray(model.predict_on_batch({"image": rows.astype("float32")}))


def first_answer(place: str, rounds: int) -> None:
    """Time whole processes: the artifact's example, and `threefold predict`."""
    import numpy as np
    from PIL import Image

    image = Path(place).parent / "digit.png"
    with np.load(Path(place) / "examples.npz") as examples:
        Image.fromarray(examples["image"][0, ..., 0]).save(image)
    commands = {
        "python example.py": [sys.executable, f"{place}/example.py"],
        "threefold predict ARTIFACT digit.png": [
            sys.executable, "-m", "threefold.cli", "predict", place, str(image),
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
