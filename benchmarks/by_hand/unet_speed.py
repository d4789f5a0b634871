"""Steps a second of `fit unet` on each backend, beside a loop written by hand in PyTorch.

    python benchmarks/by_hand/unet_speed.py --rounds 5

The same network, images, batches, loss and optimizer. Each has a process of its own, on the same
single core; they train an epoch in turn, so that whatever else the machine does falls on all. The
first round compiles and is left out. Ours changes the images at random, as it does by default, and
saves at the end of each epoch; the hand-written loop does neither.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator

import numpy as np
from turns import TakesTurns, ratio_of, time_in_turn, wait

SCENES, BATCH_SIZE, FILTERS = 240, 16, (16, 32, 64, 128)
HAND = "hand-written"
UNCHANGED = "torch, images unchanged"
WORKERS = (HAND, "jax", "tensorflow", "torch", UNCHANGED)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", choices=WORKERS, help=argparse.SUPPRESS)  # in a child
    args = parser.parse_args()
    if args.work:
        return train_by_hand() if args.work == HAND else train_ours(args.work, args.rounds)
    words = ["--rounds", str(args.rounds)]
    _, seconds = time_in_turn(__file__, WORKERS, words, args.rounds)
    print("| by | steps a second | times the hand-written loop |")
    print("| --- | --- | --- |")
    for name, found in seconds.items():
        ratio = ratio_of(seconds[HAND], found)
        print(f"| {name} | {1 / statistics.median(found):.2f} | {ratio:.2f} |")
    print(f"\nMedians of {args.rounds} rounds: python benchmarks/by_hand/unet_speed.py --rounds "
          f"{args.rounds}")  # fmt: skip


def train_ours(name: str, rounds: int) -> None:
    """Train as `fit` does."""
    from threefold.training.backend import choose_backend

    choose_backend(name.partition(",")[0])
    from threefold.datasets.loading import load
    from threefold.training.building import bind_task, build_model
    from threefold.training.loop import train
    from threefold.training.run import DatasetRecord, RunRecord, create_run
    from threefold.training.settings import TrainingSettings

    dataset = load("digit_scenes", {"scenes": str(SCENES)})
    dataset = type(dataset)(
        dataset.reference, dataset.task, dataset.facts, {"train": dataset.splits["train"]}, "none"
    )
    augment = () if name == UNCHANGED else ("shift", "scale", "rotate", "colour")
    settings = TrainingSettings(
        epochs=rounds + 2, batch_size=BATCH_SIZE, optimizer="adamw", learning_rate=2e-3,
        weight_decay=0.01, ema=0.95, augment=augment,
    )  # fmt: skip
    record = RunRecord(
        blueprint="unet", task=dataset.task, options={}, settings=settings,
        dataset=DatasetRecord(
            reference="digit_scenes", options={}, fingerprint="none", sizes={}, notes=[]
        ),
        facts=dataset.facts, backend="", device="", versions={}, created="",
    )  # fmt: skip
    task = bind_task(record)
    model, _ = build_model("unet", task, {}, "float32")
    display = TakesTurns()
    print(flush=True)
    display.wait()
    with tempfile.TemporaryDirectory() as folder:
        train(model, task, dataset, create_run(record, f"{folder}/run"), display)


def train_by_hand() -> None:
    """Train as a practitioner would write it with PyTorch alone."""
    import torch
    from torch import nn

    from threefold.datasets.loading import load

    train = load("digit_scenes", {"scenes": str(SCENES)}).splits["train"]
    examples = train[np.arange(len(train))]
    images = torch.tensor(examples["image"]).permute(0, 3, 1, 2).float() / 127.5 - 1
    masks = torch.tensor(examples["mask"]).long()
    classes = int(masks.max()) + 1
    model = make_unet(images.shape[1], classes)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=0.01)
    print(flush=True)
    while True:
        wait()
        started, steps = time.perf_counter(), 0
        for rows in torch.randperm(len(images)).split(BATCH_SIZE):
            logits = model(images[rows])
            wanted = nn.functional.one_hot(masks[rows], classes).permute(0, 3, 1, 2).float()
            found = logits.softmax(dim=1)
            common = (found * wanted).sum(dim=(2, 3))
            dice = 1 - (2 * common + 2) / ((found + wanted).sum(dim=(2, 3)) + 2)
            loss = nn.functional.cross_entropy(logits, masks[rows]) + dice.mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            steps += 1
        print((time.perf_counter() - started) / steps, flush=True)


def make_unet(channels: int, classes: int):
    """Return the network of `unet`, by its default options, as a module of PyTorch."""
    import torch
    from torch import nn

    def convolve(before: int, after: int) -> Iterator[nn.Module]:
        for first in (before, after):
            yield nn.Conv2d(first, after, 3, padding=1, bias=False)
            yield nn.BatchNorm2d(after)
            yield nn.ReLU()

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            ends = (channels, *FILTERS)
            pairs = list(zip(ends[:-1], ends[1:], strict=True))
            self.down = nn.ModuleList(nn.Sequential(*convolve(*pair)) for pair in pairs)
            deeper = list(zip(FILTERS[:-1], FILTERS[1:], strict=True))[::-1]
            self.narrow = nn.ModuleList(
                nn.Conv2d(below, here, 2, padding="same") for here, below in deeper
            )
            self.up = nn.ModuleList(nn.Sequential(*convolve(2 * here, here)) for here, _ in deeper)
            self.dropout, self.head = nn.Dropout(0.1), nn.Conv2d(FILTERS[0], classes, 1)

        def forward(self, x):
            kept = []
            for number, stage in enumerate(self.down):
                x = stage(nn.functional.max_pool2d(x, 2) if number else x)
                kept.append(x)
            x = self.dropout(kept.pop())
            for narrow, stage in zip(self.narrow, self.up, strict=True):
                x = narrow(nn.functional.interpolate(x, scale_factor=2))
                x = stage(torch.cat([kept.pop(), x], dim=1))
            return self.head(x)

    return UNet()


if __name__ == "__main__":
    main()
