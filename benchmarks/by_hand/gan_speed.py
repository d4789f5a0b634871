"""Steps a second of `fit gan` on each backend, beside loops by hand in PyTorch and in JAX.

    python benchmarks/by_hand/gan_speed.py --rounds 5

The same two networks (the number of their weights is compared), images, batches, losses, Adam, and
average of the generator's weights, by the recipes `dcgan` and `wgan_gp`. A step is one of the
generator, with those of the discriminator that belong to it. Each way has a process of its own, on
the same single core; they train an epoch in turn, so that whatever else the machine does falls on
all. The first round compiles and is left out. Ours also measures each batch (how far generated
images are from real ones, how diverse they are, how often the discriminator is right, the norms of
the gradients), and saves at the end of each epoch; the loops by hand do neither.
"""

import argparse
import importlib
import math
import statistics
import sys
import tempfile
import time

import numpy as np
from gan_choices import CHOICES
from turns import TakesTurns, ratio_of, time_in_turn, wait

BATCH_SIZE = 64
STEPS = {8: 50, 32: 20}  # of an epoch, by the side of an image
EPOCHS = 300  # more than are waited for: those of the family's default
RECIPES = ("dcgan", "wgan_gp")
BY_HAND = {"PyTorch by hand": "gan_in_torch", "JAX by hand": "gan_in_jax"}  # modules
WORKERS = (*BY_HAND, "jax", "tensorflow", "torch")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", type=int, choices=STEPS, default=8, help="8: digits; 32: noise")
    parser.add_argument("--recipes", default=",".join(RECIPES), help="with commas between")
    parser.add_argument("--work", choices=WORKERS, help=argparse.SUPPRESS)  # in a child
    args = parser.parse_args()
    if args.work:
        return work(args.work, args.recipes, args.side)
    recipes = args.recipes.split(",")
    cells: dict[str, list[str]] = {name: [] for name in WORKERS}
    for recipe in recipes:
        words = ["--recipes", recipe, "--side", str(args.side)]
        weights, seconds = time_in_turn(__file__, WORKERS, words, args.rounds)
        if len(set(weights.values())) > 1:
            sys.exit(f"{recipe}: not the same networks, by their numbers of weights: {weights}")
        best = min(BY_HAND, key=lambda name: statistics.median(seconds[name]))
        for name, found in seconds.items():
            rate = f"{1 / statistics.median(found):.1f}"
            cells[name] += [rate, f"{ratio_of(seconds[best], found):.2f}"]
    header = [f"{recipe}, steps a second | times the better by hand" for recipe in recipes]
    print(f"| way | {' | '.join(header)} |\n| --- |{' --- | --- |' * len(recipes)}")
    for name, found in cells.items():
        print(f"| {name} | {' | '.join(found)} |")
    print(f"\nMedians of {args.rounds} rounds: python benchmarks/by_hand/gan_speed.py --rounds "
          f"{args.rounds} --side {args.side} --recipes {args.recipes}")  # fmt: skip


def work(name: str, recipe: str, side: int) -> None:
    """Train, in one of the ways, an epoch for each line of standard input."""
    images = make_images(side)
    if name not in BY_HAND:
        return train_ours(name, recipe, images)
    by_hand = importlib.import_module(BY_HAND[name])
    pixels = images.astype(np.float32) / 127.5 - 1
    weights, train_epoch = by_hand.prepare(pixels, BATCH_SIZE, CHOICES[recipe])
    print(weights, flush=True)
    while True:
        wait()
        started = time.perf_counter()
        train_epoch()
        print((time.perf_counter() - started) / STEPS[side], flush=True)


def make_images(side: int) -> np.ndarray:
    """Return the images of an epoch: digits, of which some come twice and more, or noise."""
    count, random = STEPS[side] * BATCH_SIZE, np.random.default_rng(0)
    if side != 8:
        return random.integers(0, 256, (count, side, side, 1), np.uint8)
    from threefold.datasets.bundled.digits import read_digits

    digits, _ = read_digits()
    return digits[random.integers(0, len(digits), count)]


def train_ours(name: str, recipe: str, images: np.ndarray) -> None:
    """Train as `fit` does."""
    from threefold.training.backend import choose_backend

    choose_backend(name)
    from threefold.datasets.dataset import ArraySource, Dataset
    from threefold.datasets.facts import ImageFacts
    from threefold.datasets.images.numbered_images import number_examples
    from threefold.training.building import bind_task, build_model, find_blueprint, resolve_options
    from threefold.training.loop import train
    from threefold.training.run import DatasetRecord, RunRecord, create_run
    from threefold.training.settings import TrainingSettings, find_recipe

    blueprint, task = find_blueprint("gan"), "image_generation"
    source = ArraySource({"image": images, "label": np.zeros(len(images), np.int64)})
    facts = ImageFacts(
        image_shape=images.shape[1:], class_names=("all",), class_counts=(len(images),)
    )
    dataset = number_examples(
        Dataset(reference="none", task=task, facts=facts, splits={"train": source}, fingerprint="")
    )
    options = resolve_options("gan", task, find_recipe(blueprint, recipe)["options"])
    settings = TrainingSettings(epochs=EPOCHS, batch_size=BATCH_SIZE, recipe=recipe)
    record = RunRecord(
        blueprint="gan", task=task, options=options, facts=facts,
        settings=settings.resolve(blueprint, task, ()),
        dataset=DatasetRecord(reference="none", options={}, fingerprint="", sizes={}, notes=[]),
        backend="", device="", versions={}, created="",
    )  # fmt: skip
    bound = bind_task(record)
    model, _ = build_model("gan", bound, options, "float32")
    print(sum(math.prod(weight.shape) for weight in model.trainable_variables), flush=True)
    display = TakesTurns()
    display.wait()
    with tempfile.TemporaryDirectory() as folder:
        train(model, bound, dataset, create_run(record, f"{folder}/run"), display)


if __name__ == "__main__":
    main()
