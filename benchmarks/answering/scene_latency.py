"""Milliseconds that an exported detector or U-Net takes for an image, by onnxruntime.

    python benchmarks/answering/scene_latency.py --side 640

The default networks, fitted for an epoch to images of noise, which is all that a latency needs, and
exported by the command line. Raw uint8 images in, all that the artifact does inside.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
from PIL import Image

IMAGES = 12  # of which each split needs some
FAMILIES = ("detector", "unet")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--side", type=int, default=640)
    parser.add_argument("--rounds", type=int, default=20)
    args = parser.parse_args()
    print("| blueprint | pixels | numbers | ms, one thread | ms, two threads |")
    print("| --- | --- | --- | --- | --- |")
    for family in FAMILIES:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            write_images(place / "data", args.side, family)
            model, parameters = export(family, place, args.side)
            times = [measure(model, args.side, args.rounds, threads) for threads in (1, 2)]
        cells = " | ".join(f"{1000 * seconds:.0f}" for seconds in times)
        print(f"| `{family}` | {args.side} × {args.side} | {parameters:,} | {cells} |")
    print(f"\nMedians of {args.rounds}: python benchmarks/answering/scene_latency.py --side "
          f"{args.side} --rounds {args.rounds}")  # fmt: skip


def write_images(folder: Path, side: int, family: str) -> None:
    """Write images of noise, with a square to find in each."""
    generator = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    third = side // 3
    notes = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "square"}]}
    for number in range(IMAGES):
        pixels = generator.integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{number:02d}.png")
        mask = np.zeros((side, side), np.uint8)
        mask[third : 2 * third, third : 2 * third] = 1
        Image.fromarray(mask).save(folder / "masks" / f"{number:02d}.png")
        notes["images"].append(
            {"id": number, "file_name": f"images/{number:02d}.png", "width": side, "height": side}
        )
        notes["annotations"].append(
            {"id": number, "image_id": number, "category_id": 1, "bbox": [third] * 4}
        )
    if family == "detector":
        (folder / "annotations.json").write_text(json.dumps(notes))
    else:
        (folder / "classes.txt").write_text("ground\nsquare\n")


def export(family: str, place: Path, side: int) -> tuple[Path, int]:
    """Fit for an epoch and export; return the model's file and how many numbers it holds."""
    run = place / "run"
    size = ("-d", f"image_size={side}")
    for words in (
        ("fit", family, "--dataset", str(place / "data"), *size, "--epochs", "1", "--batch-size",
         "2", "--run", str(run)),
        ("export", str(run), "--format", "onnx", "--output", str(place / "onnx")),
    ):  # fmt: skip
        command = [sys.executable, "-m", "threefold.cli", *words, "--json"]
        answer = subprocess.run(command, capture_output=True, text=True)
        if answer.returncode:
            sys.exit(answer.stderr)
    model = place / "onnx" / "model.onnx"
    numbers = (math.prod(array.dims) for array in onnx.load(model).graph.initializer)
    return model, sum(count for count in numbers if count > 1)


def measure(model: Path, side: int, rounds: int, threads: int) -> float:
    """Return the median of the seconds that an image takes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(model), options)
    image = np.random.default_rng(1).integers(0, 256, (1, side, side, 3), dtype=np.uint8)
    seconds = []
    for _ in range(rounds + 1):  # the first one plans the memory
        start = time.perf_counter()
        session.run(None, {"image": image})
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


if __name__ == "__main__":
    main()
