"""Train a classifier of few images, with and without those that a conditional gan makes of them.

    python benchmarks/gan_augmentation.py               all of it, three seeds, which takes hours
    python benchmarks/gan_augmentation.py --only 10 --seeds 0    some of it
    python benchmarks/gan_augmentation.py --table       prints the table of what is kept

Of the bundled digits, each seed chooses so many of each class to train on, and as many again for
validation, which the gan never sees; the test split is the bundled one. `cnn` learns of the real
images alone, and of those with the generated ones (`generate --per-class`) beside them in the same
folders; each with no augmentation and with `--augment shift`, which is what one would do instead.
All take the same number of optimizer steps of 32 images.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from kept import FIT_ROOMS, Kept, Row, options_of_cells, read_rows, render_rows, run_command

from threefold.datasets.loading import load

KEPT = Kept(
    Path(__file__).with_suffix(".csv"), ("blueprint", "per_class", "seed", "way"), FIT_ROOMS
)
BLUEPRINT, BACKEND = "gan", "jax"
COUNTS, SEEDS = ("10", "20", "50"), ("0", "1", "2")
WAYS = {  # whether with generated images, and the further words of `fit cnn`
    "real": (False, ("--augment", "")),
    "real, shift": (False, ("--augment", "shift")),
    "with generated": (True, ("--augment", "")),
    "with generated, shift": (True, ("--augment", "shift")),
}
GAN = ("-o", "conditional=true", "-o", "diff_augment=translation", "--batch-size", "8")
CNN = ("--batch-size", "32")  # in all ways; the default would be less for fewer images


def write_splits(folder: Path, per_class: int, seed: int) -> None:
    """Write images in folders of their classes, below those of their splits."""
    from PIL import Image

    splits = load("digits", {}).splits
    pool, test = (splits[name][np.arange(len(splits[name]))] for name in ("train", "test"))
    random = np.random.default_rng(seed)
    for label in range(10):
        rows = random.permutation(np.flatnonzero(pool["label"] == label))
        chosen = {
            "train": pool["image"][rows[:per_class]],
            "validation": pool["image"][rows[per_class : 2 * per_class]],
            "test": test["image"][test["label"] == label],
        }
        for split, images in chosen.items():
            place = folder / split / str(label)
            place.mkdir(parents=True)
            for number, image in enumerate(images):
                Image.fromarray(image[..., 0]).save(place / f"real-{number:04d}.png")


def generate(folder: Path, reference: str, seed: str, steps: int, made: int) -> dict[str, str]:
    """Fit a gan, and write what it makes; return how often its classes are those asked for."""
    run = str(folder / "gan")
    words = "--dataset", reference, "--steps", str(steps), "--seed", seed, "--run", run
    found = run_command("fit", BLUEPRINT, *words, *GAN, backend=BACKEND)
    where = "--output", str(folder / "made"), "--per-class", str(made)
    run_command("generate", run, *where, backend=BACKEND)
    return {
        "class_accuracy": f"{found['metrics']['test']['class_accuracy']:.4f}",
        "coverage": f"{found['metrics']['test']['coverage']:.4f}",
        "gan_seconds": f"{found['seconds']:.0f}",
    }


def measure(
    wanted: Sequence[tuple[str, ...]], steps: int, gan_steps: int, made: int
) -> Iterator[Row]:
    """Fit what is asked for; all ways of one number of images and one seed."""
    _, per_class, seed, _ = wanted[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        real, both = folder / "real", folder / "both"
        write_splits(real, int(per_class), int(seed))
        quality = {"class_accuracy": "", "coverage": "", "gan_seconds": ""}
        for *_, way in wanted:
            generated, words = WAYS[way]
            if generated and not both.exists():
                quality = generate(folder, str(real), seed, gan_steps, made)
                shutil.copytree(real, both)
                shutil.copytree(folder / "made", both / "train", dirs_exist_ok=True)
            data = "--dataset", str(both if generated else real), "--steps", str(steps)
            run = "--seed", seed, "--run", str(folder / f"cnn-{way}")
            found = run_command("fit", "cnn", *data, *run, *CNN, *words, backend=BACKEND)
            yield dict(zip(KEPT.keys, (BLUEPRINT, per_class, seed, way), strict=True)) | {
                "accuracy": f"{found['metrics']['test']['accuracy']:.4f}",
                "steps": steps,
                "seconds": f"{found['seconds']:.0f}",
                **quality,
            }


def make_table() -> str:
    """Return the table in Markdown: a row for each number of images, mean ± deviation of seeds."""
    kept: dict[tuple[str, str], list[dict]] = {}
    for row in read_rows(KEPT.path):
        kept.setdefault((row["per_class"], row["way"]), []).append(row)

    def show(rows: Sequence[dict], column: str) -> str:
        values = [float(row[column]) for row in rows]
        if not values:
            return "–"
        return f"{np.mean(values):.3f}" + (f" ± {np.std(values):.3f}" if len(values) > 1 else "")

    lines = []
    for count in COUNTS:
        found = [kept.get((count, way), []) for way in WAYS]
        made = kept.get((count, "with generated"), [])
        cells = [show(made, "class_accuracy"), show(made, "coverage")]
        seeds = str(max(map(len, found)))
        lines.append([count, seeds, *(show(rows, "accuracy") for rows in found), *cells])
    header = ["real images of a class", "seeds", *WAYS, "gan: right class", "gan: coverage"]
    return render_rows(header, lines)


def main() -> None:
    parser = options_of_cells(__doc__, by_backend=False)
    parser.add_argument("--seeds", default=",".join(SEEDS), help="with commas between")
    parser.add_argument("--steps", type=int, default=1000, help="of the classifier")
    parser.add_argument("--gan-steps", type=int, default=1500)
    parser.add_argument("--made", type=int, default=200, help="generated images of a class")
    given = parser.parse_args()
    groups = [
        [(BLUEPRINT, count, seed, way) for way in WAYS]
        for count in COUNTS
        if given.only in count
        for seed in given.seeds.split(",")
    ]
    if given.stale:
        sys.exit(KEPT.list_stale([names for group in groups for names in group], each=True))
    make = partial(measure, steps=given.steps, gan_steps=given.gan_steps, made=given.made)
    good = given.table or KEPT.fill(groups, make, given.again)
    print(make_table())
    sys.exit(not good)


if __name__ == "__main__":
    main()
