"""What each recipe of `gan` reaches: places of a plane found, digits that are recognised.

    python benchmarks/gan_quality.py --seeds 0,1,2      fits, and prints the tables
    python benchmarks/gan_quality.py --only digits      a part
    python benchmarks/gan_quality.py --table            prints the tables of what is kept

`grid`: 25 places of a plane (bundled `gaussian_modes`), the usual test for a collapse: how
many were found, and what share of the generated points lies within three deviations of one.
`digits`: conditional samples, of which a classifier of real digits recognises so many, and how many
real ones they cover. `stacked`: three digits in the channels of an image, 1,000 numbers: how many
were found. All by the test split, on JAX.
"""

import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from kept import FIT_ROOMS, Kept, Row, options_of_cells, read_rows, render_rows, run_command

KEPT = Kept(Path(__file__).with_suffix(".csv"), ("blueprint", "data", "recipe", "seed"), FIT_ROOMS)
BACKEND = "jax"
# Points are no images: dense networks, noise of as many numbers as a point has, and many steps.
POINTS = (
    "-o architecture=dense -o latent_dim=2 -o filters=16 --schedule cosine --learning-rate 1e-3 "
    "--batch-size 64 --epochs 600"
)
PLAIN = f"{POINTS} -o gradient_penalty=none"
STACKED = "--recipe dcgan --steps 8000"


class Recipe(NamedTuple):
    """What is fitted: the words of the command after its data."""

    data: str
    words: str


RECIPES = {
    "plain": Recipe("grid", PLAIN),
    "r1": Recipe("grid", f"{POINTS} -o penalty_weight=0.01"),
    "wgan_gp": Recipe(
        "grid",
        f"{POINTS} --recipe wgan_gp -o penalty_weight=0.1 -o critic_steps=3 --learning-rate 2e-3",
    ),
    "spectral_norm": Recipe("grid", f"{PLAIN} -o spectral_norm=true"),
    "minibatch_deviation": Recipe("grid", f"{PLAIN} -o minibatch_deviation=true"),
    "mode_seeking": Recipe("grid", f"{PLAIN} -o mode_seeking=0.1"),
    "consistency": Recipe("grid", f"{PLAIN} -o consistency=10"),
    "virtual_adversarial": Recipe("grid", f"{PLAIN} -o virtual_adversarial=1"),
    "dcgan": Recipe("digits", "--recipe dcgan -o conditional=true"),
    "wgan-gp": Recipe("digits", "--recipe wgan_gp -o conditional=true --epochs 120"),
    "sagan": Recipe("digits", "--recipe sagan"),
    "progan": Recipe(
        "digits",
        "--recipe progan -o conditional=true -o filters=16 -o growth=0.3 --epochs 150",
    ),
    "default": Recipe("digits", "-o conditional=true"),
    "stacked-dcgan": Recipe("stacked", STACKED),
    "stacked-deviation": Recipe("stacked", f"{STACKED} -o minibatch_deviation=true"),
    "stacked-r1": Recipe("stacked", f"{STACKED} -o gradient_penalty=r1"),
}
DATA = {"grid": "gaussian_modes", "digits": "digits", "stacked": "stacked_digits"}
SHOWN = {
    "grid": ("modes_covered", "share_in_modes"),
    "digits": ("class_accuracy", "coverage", "density", "classifier_frechet_distance"),
    "stacked": ("modes_covered", "modes_kl_divergence"),
}


def measure(wanted: Sequence[tuple[str, ...]]) -> Iterator[Row]:
    """Fit what is asked for."""
    for blueprint, data, name, seed in wanted:
        with tempfile.TemporaryDirectory() as folder:
            words = ["--dataset", DATA[data], *RECIPES[name].words.split(), "--seed", seed]
            run = "--run", f"{folder}/run"
            found = run_command("fit", blueprint, *words, *run, backend=BACKEND)
        metrics = found["metrics"]["test"]
        keys = dict(zip(KEPT.keys, (blueprint, data, name, seed), strict=True))
        figures = {
            key: f"{metrics[key]:.4f}" if key in SHOWN[data] else ""
            for names in SHOWN.values()
            for key in names
        }
        yield keys | figures | {"images": metrics["images"], "seconds": f"{found['seconds']:.0f}"}


def make_tables() -> str:
    """Return a table for each set of data in Markdown, a row for each recipe."""
    rows = read_rows(KEPT.path)
    tables = []
    for data, names in SHOWN.items():
        lines = []
        for recipe in RECIPES:
            found = [row for row in rows if (row["data"], row["recipe"]) == (data, recipe)]
            if not found:
                continue
            cells = [describe([float(row[name]) for row in found]) for name in names]
            seconds = f"{statistics.mean(float(row['seconds']) for row in found):.0f}"
            lines.append([f"`{recipe}`", str(len(found)), *cells, found[0]["images"], seconds])
        header = ["recipe", "seeds", *names, "images", "seconds"]
        if lines:
            tables.append(f"`{data}`:\n\n{render_rows(header, lines)}")
    return "\n".join(tables)


def describe(values: Sequence[float]) -> str:
    """Return a mean and, of several, the standard deviation."""
    mean = f"{statistics.mean(values):.3g}"
    return f"{mean} ± {statistics.stdev(values):.2g}" if len(values) > 1 else mean


def main() -> None:
    parser = options_of_cells(__doc__, by_backend=False)
    parser.add_argument("--seeds", default="0,1,2", help="with commas between")
    given = parser.parse_args()
    wanted = [
        ("gan", recipe.data, name, seed)
        for seed in given.seeds.split(",")
        for name, recipe in RECIPES.items()
        if given.only in f"{recipe.data}-{name}"
    ]
    if given.stale:
        sys.exit(KEPT.list_stale(wanted, each=True))
    good = given.table or KEPT.fill([[names] for names in wanted], measure, given.again)
    print(make_tables())
    sys.exit(not good)


if __name__ == "__main__":
    main()
