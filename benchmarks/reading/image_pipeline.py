"""What the folder pipeline delivers alone, against what the default `cnn` consumes.

    python benchmarks/reading/image_pipeline.py --backend jax

The pipeline decodes JPEGs in colour, resizes them to 64 × 64 pixels and augments them, as `fit`
does, with nobody waiting for its batches; the network trains on arrays of that shape that lie in
memory. Both rates are the best of some epochs, since other work on the machine can only lower them.
Files of 64 pixels are decoded in one thread, which is quicker for them; larger ones use all cores.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from threefold.training.backend import choose_backend

SIDE, CLASSES, BATCH_SIZE, TRAINED_ON = 64, 4, 64, 640


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backend")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=3)
    args = parser.parse_args()
    backend = choose_backend(args.backend)
    consumed = measure_network(args.epochs)
    print("| backend | files, pixels | pipeline, images/s | CPU/wall | cnn, images/s | ratio |")
    print("| --- | --- | --- | --- | --- | --- |")
    for side in (SIDE, 8 * SIDE):
        delivered, cores = measure_pipeline(side, args.images, args.epochs)
        print(
            f"| {backend} | {side} × {side} | {delivered:,.0f} | {cores:.2f} | {consumed:,.0f} "
            f"| {delivered / consumed:.1f} |"
        )
    print(
        f"\npython benchmarks/reading/image_pipeline.py --backend {backend} --images {args.images} "
        f"--epochs {args.epochs}"
    )


def measure_pipeline(side: int, images: int, epochs: int) -> tuple[float, float]:
    """Return images a second of the best epoch, and how many cores it kept busy."""
    from threefold.datasets.loading import load
    from threefold.tasks.task import find_task
    from threefold.training.batches import Batches

    with tempfile.TemporaryDirectory() as folder:
        write_images(Path(folder), side, images)
        dataset = load(folder, {"image_size": str(SIDE)})
        task = find_task(dataset.task)(dataset.facts)
        batches = Batches(
            dataset.splits["train"], task, BATCH_SIZE, seed=0, augment=task.augmentation
        )
        best = (0.0, 0.0)
        for epoch in range(epochs):
            batches.epoch = epoch
            wall, cpu = time.perf_counter(), time.process_time()
            for position in range(len(batches)):
                batches[position]
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            best = max(best, (len(batches.source) / wall, cpu / wall))
    return best


def measure_network(epochs: int) -> float:
    """Return images a second of the best epoch, the first left out: it compiles."""
    import keras

    from threefold.training.building import find_blueprint

    numbers = np.random.default_rng(0)
    images = numbers.uniform(0, 255, (TRAINED_ON, SIDE, SIDE, 3)).astype(np.float32)
    labels = numbers.integers(0, CLASSES, TRAINED_ON)
    model = find_blueprint("cnn").build((SIDE, SIDE, 3), CLASSES)
    model.compile(
        optimizer=keras.optimizers.AdamW(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False if keras.config.backend() == "torch" else "auto",
    )
    marks = []
    clock = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: marks.append(time.perf_counter())
    )
    model.fit(
        images, labels, batch_size=BATCH_SIZE, epochs=epochs + 1, verbose=0, callbacks=[clock]
    )
    return TRAINED_ON / np.diff(marks).min()


def write_images(folder: Path, side: int, images: int) -> None:
    """Write JPEGs with shapes in them, so that they compress as photographs do."""
    from PIL import Image

    numbers = np.random.default_rng(0)
    for index in range(images):
        place = folder / f"class_{index % CLASSES}"
        place.mkdir(exist_ok=True)
        coarse = Image.fromarray(numbers.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        image = coarse.resize((side, side), Image.Resampling.BICUBIC)
        image.save(place / f"{index:06d}.jpg", quality=90)


if __name__ == "__main__":
    main()
