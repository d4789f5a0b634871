"""What the tool does on a GPU, measured within minutes on a machine without a network.

    python benchmarks/gpu.py --backend torch --output gpu-torch
    python benchmarks/gpu.py --backend jax --parts losses,speed --minutes 4
    python benchmarks/gpu.py --backend jax --device cpu --tiny      a trial, without a GPU

Parts: `losses` (first losses against those of the CPU, TF32 off and on), `speed` (steps a second,
memory, share of the device's peak), `pipeline` (how long the device waits for data), `half`
(mixed_float16), `resume` (bits of a run that was cut), `memory` (what `fit` says when it is full).
Each prints one table and appends it to the output folder, row by row: a run that is cut keeps what
it had. What fails is told in one line, and so is what there was no time for.

It needs jax or torch, Keras, NumPy, pandas, SciPy, scikit-learn, Pillow, pydantic and tokenizers;
`gpu_wheels.sh` fetches what a bare machine lacks of these. TensorFlow, KerasHub, pyarrow,
soundfile and vega-datasets are never imported: data are made in memory or bundled.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from threefold.core.errors import UserError
from threefold.training.backend import choose_backend, device_name

ROOT = Path(__file__).parent.parent
sys.path += [str(ROOT / "benchmarks" / "on_gpu"), str(ROOT / "tests" / "support")]

# In the order in which they are made; name -> file, parts of the time, and what the table shows.
PARTS = {
    "losses": ("gpu_parts", 2, "First losses on the device against the CPU"),
    "speed": ("gpu_speed", 4, "Training steps, with one batch again and again"),
    "pipeline": ("gpu_speed", 1, "How long the device waits for data"),
    "memory": ("gpu_parts", 1, "A fit that needs too much memory"),
    "half": ("gpu_parts", 1, "Training in mixed_float16"),
    "resume": ("gpu_parts", 2, "Runs cut in the middle of an epoch and resumed"),
}
BACKENDS = ("jax", "torch")


@dataclass
class Context:
    """What was asked for, and how much time is left."""

    backend: str
    device: str
    tiny: bool
    child: bool
    families: tuple[str, ...]
    deadline: float
    device_name: str = ""

    def left(self) -> float:
        """Return the seconds left for all parts."""
        return self.deadline - time.monotonic()

    def words(self) -> list[str]:
        """Return the options with which another process measures the same."""
        words = ["--backend", self.backend, "--device", self.device]
        words += ["--minutes", f"{max(self.left(), 60) / 60:.2f}"]
        return [*words, "--tiny"] if self.tiny else words


class Table:
    """A Markdown table that is written row by row, to standard output and to a file.

    Args:
        title: str. What it shows.
        columns: tuple of str. The header.
        path: Path. What the table is appended to; `None` for a process that reports to another,
            one line of JSON a row.
    """

    def __init__(self, title: str, columns: tuple[str, ...], path: Path | None):
        self.path = path
        if path is not None:
            self.write(f"\n{title}\n\n| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")

    def row(self, cells: tuple) -> None:
        """Add a row."""
        if self.path is None:
            print(json.dumps(cells), flush=True)
        else:
            self.write(f"| {' | '.join(map(str, cells))} |")

    def write(self, text: str) -> None:
        """Add text, and see to it that it is kept."""
        print(text, flush=True)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(text + "\n")


def main(words: list[str] | None = None) -> int:
    args = parse(words)
    try:
        return measure(args)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def parse(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backend", help="jax or torch; KERAS_BACKEND says it too")
    parser.add_argument("--device", default="gpu", choices=["gpu", "cpu"])
    parser.add_argument("--tiny", action="store_true", help="minimal sizes, for a trial")
    parser.add_argument("--parts", default=",".join(PARTS), help="some of: %(default)s")
    parser.add_argument("--families", default="", help="of losses, half and resume; all by default")
    parser.add_argument("--minutes", type=float, default=8.0, help="for all parts together")
    parser.add_argument("--output", default="gpu-results", help="folder that the tables go to")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(words)
    args.parts = args.parts.split(",")
    args.families = tuple(filter(None, args.families.split(",")))
    return args


def measure(args: argparse.Namespace) -> int:
    """Make the parts that were asked for; return the exit code: 1 where something failed."""
    if unknown := set(args.parts) - PARTS.keys():
        raise UserError(f"no part '{sorted(unknown)[0]}'; there are: {', '.join(PARTS)}")
    prepare(args.device, args.child)
    backend = choose_backend(args.backend)
    if backend not in BACKENDS:
        raise UserError(f"this script measures {' and '.join(BACKENDS)}, not {backend}")
    context = Context(
        backend, args.device, args.tiny, args.child, args.families,
        time.monotonic() + 60 * args.minutes, device_name(),
    )  # fmt: skip
    if args.device == "gpu" and context.device_name == "cpu":
        raise UserError(f"{backend} finds no GPU here; --device cpu --tiny makes a trial without")
    output = Path(args.output)
    if not args.child:
        output.mkdir(parents=True, exist_ok=True)
        print(describe_machine(context), flush=True)
    failed = 0
    for number, part in enumerate(args.parts):
        # What a part does not use, those after it may.
        whole = sum(PARTS[other][1] for other in args.parts[number:])
        share = context.left() * PARTS[part][1] / whole
        path = None if args.child else output / f"{part}.md"
        failed += make_part(context, part, path, time.monotonic() + share)
    return 1 if failed else 0


def prepare(device: str, child: bool) -> None:
    """Set what counts only before a backend is imported."""
    if device == "cpu":
        os.environ |= {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
    elif not child:
        # Plain PyTorch is measured in the same process, and children need memory too.
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


def describe_machine(context: Context) -> str:
    packages = ("keras", context.backend, "numpy")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"{context.device_name}; {versions}; Python {sys.version.split()[0]}"


def make_part(context: Context, part: str, path: Path | None, deadline: float) -> int:
    """Make one table; return how many of its measurements failed."""
    import importlib

    name, _, title = PARTS[part]
    module = importlib.import_module(name)
    table = Table(f"{title} ({describe_machine(context)})", getattr(module, part.upper()), path)
    failed, left_out = 0, []
    for label, job in getattr(module, f"{part}_jobs")(context):
        if time.monotonic() > deadline:
            left_out.append(label)
            continue
        try:
            for row in job():
                table.row(row)
        except Exception as error:
            failed += 1
            stated = " ".join(f"{type(error).__name__}: {error}".split())[:400]
            print(f"{part}, {label}: {stated}", file=sys.stderr, flush=True)
    if left_out:
        print(f"{part}: no time for {'; '.join(left_out)}", file=sys.stderr, flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
