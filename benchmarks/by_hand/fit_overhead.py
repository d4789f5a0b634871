"""What `fit` costs over a hand-written `keras.Model.fit`: same model, data, batches and backend.

    python benchmarks/by_hand/fit_overhead.py --backend jax

Within one process, an epoch of ours and an epoch of the other take turns, so that whatever else the
machine does falls on both. The first pair compiles and is left out. Ours includes its saves at the
end of each epoch; the hand-written one saves nothing.
"""

import argparse
import statistics
import tempfile
import time

import numpy as np

from threefold.training.backend import choose_backend

IMAGE_SHAPE, CLASSES, COLUMNS, BATCH_SIZE = (8, 8, 1), 10, 20, 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backend")
    parser.add_argument("--blueprints", nargs="+", default=["dnn", "cnn"], choices=["dnn", "cnn"])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--pairs", type=int, default=7)
    args = parser.parse_args()
    backend = choose_backend(args.backend)
    print("| backend | blueprint | steps | hand-written, ms a step | fit, ms a step | ratio |")
    print("| --- | --- | --- | --- | --- | --- |")
    for blueprint in args.blueprints:
        ours, theirs = measure(blueprint, args.rows, args.pairs)
        steps = -(-args.rows // BATCH_SIZE)
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        mine, other = (1000 * statistics.median(times) / steps for times in (ours, theirs))
        print(f"| {backend} | {blueprint} | {steps} | {other:.3f} | {mine:.3f} | {ratio:.3f} |")
    print(
        f"\nMedians of {args.pairs} pairs of epochs: python benchmarks/by_hand/fit_overhead.py "
        f"--backend {backend} --rows {args.rows} --pairs {args.pairs}"
    )


def measure(blueprint: str, rows: int, pairs: int) -> tuple[list[float], list[float]]:
    """Return the seconds of each epoch: ours, and the hand-written."""
    from threefold.training.building import bind_task, build_model
    from threefold.training.loop import train
    from threefold.training.run import create_run

    dataset, record = make_data(blueprint, rows, epochs=pairs + 1)
    task = bind_task(record)
    other = HandWritten(
        build_model(blueprint, task, {}, "float32")[0],
        task.model_inputs(dataset.splits["train"].arrays),
        task.targets(dataset.splits["train"].arrays),
        epochs=pairs + 1,
    )
    model, _ = build_model(blueprint, task, {}, "float32")
    with tempfile.TemporaryDirectory() as folder:
        display = TakesTurns(other)
        train(model, task, dataset, create_run(record, f"{folder}/run"), display)
    return display.seconds[1:], other.seconds[1:]


class HandWritten:
    """What a practitioner would write with Keras alone."""

    def __init__(self, model, inputs, targets, epochs: int):
        import keras

        self.model, self.inputs, self.targets = model, inputs, targets
        steps = epochs * -(-len(targets) // BATCH_SIZE)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, steps - steps // 20, warmup_target=1e-3, warmup_steps=steps // 20
        )
        model.compile(
            optimizer=keras.optimizers.AdamW(rate),
            loss=keras.losses.CategoricalCrossentropy(from_logits=True),
            metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
            jit_compile=False if keras.config.backend() == "torch" else "auto",
        )
        self.seconds = []

    def epoch(self) -> None:
        """Train for an epoch; its time leaves out what `fit` does before and after it."""
        import keras

        clock = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: self.seconds.append(-time.perf_counter()),
            on_epoch_end=lambda epoch, logs: self._stop(),
        )
        self.model.fit(
            self.inputs, self.targets, batch_size=BATCH_SIZE, verbose=0, callbacks=[clock]
        )

    def _stop(self) -> None:
        self.seconds[-1] += time.perf_counter()


class TakesTurns:
    """The display of `fit`, which runs the other's epoch after each of ours."""

    def __init__(self, other: HandWritten):
        from threefold.reporting.console import FitDisplay

        self.real = FitDisplay(1, 1)
        self.other, self.seconds = other, []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def batch(self, epoch, step, logs):
        """Show what `fit` shows."""
        if step == 1:
            self.started = self.started if self.seconds else time.perf_counter()
        self.real.batch(epoch, step, logs)

    def epoch(self, row, improved):
        """Stop the clock, let the other train, start the clock again."""
        self.seconds.append(time.perf_counter() - self.started)
        self.other.epoch()
        self.started = time.perf_counter()


def make_data(blueprint: str, rows: int, epochs: int):
    """Return a dataset in memory that the blueprint can learn something from, and its record."""
    from threefold.datasets.dataset import ArraySource, Dataset
    from threefold.datasets.facts import ImageFacts, NumericColumn, TableFacts
    from threefold.training.run import DatasetRecord, RunRecord
    from threefold.training.settings import TrainingSettings

    numbers = np.random.default_rng(0)
    labels = numbers.integers(0, CLASSES, rows)
    named = {"class_names": tuple(map(str, range(CLASSES))), "class_counts": (rows,) * CLASSES}
    if blueprint == "cnn":
        shift = 20 * labels[:, None, None, None]
        images = (numbers.integers(0, 56, (rows, *IMAGE_SHAPE)) + shift).astype(np.uint8)
        arrays, task = {"image": images}, "image_classification"
        facts = ImageFacts(image_shape=IMAGE_SHAPE, **named)
    else:
        values = numbers.normal(size=(rows, COLUMNS)) + labels[:, None]
        arrays, task = {"numeric": values.astype(np.float32)}, "tabular_classification"
        columns = (NumericColumn(name=f"c{i}", mean=4.5, scale=3.0) for i in range(COLUMNS))
        facts = TableFacts(numeric=tuple(columns), target_name="class", **named)
    source = ArraySource(arrays | {"label": labels})
    dataset = Dataset("synthetic", task, facts, {"train": source}, "none")
    settings = TrainingSettings(
        epochs=epochs, batch_size=BATCH_SIZE, optimizer="adamw", learning_rate=1e-3, augment=()
    )
    record = RunRecord(
        blueprint=blueprint,
        task=task,
        options={},
        settings=settings,
        dataset=DatasetRecord(
            reference="synthetic", options={}, fingerprint="none", sizes={}, notes=[]
        ),
        facts=facts,
        backend="",
        device="",
        versions={},
        created="",
    )
    return dataset, record


if __name__ == "__main__":
    main()
