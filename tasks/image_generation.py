"""What could be such an image? Asked of noise."""

import itertools
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from threefold.core.errors import UserError, suggest
from threefold.datasets.batching import normal, uniform
from threefold.datasets.dataset import SPLITS, ConcatSource, Dataset, Source, find_column
from threefold.datasets.images.numbered_images import number_examples
from threefold.datasets.splitting import sample_rows
from threefold.tasks.figure import Figure
from threefold.tasks.image_scoring import ImageScoring
from threefold.tasks.inputs.adversarial_images import AdversarialImages
from threefold.tasks.metrics.images.adversarial_history import find_trouble
from threefold.tasks.metrics.images.image_quality import (
    ImageEvaluator,
    frechet_distance,
    kernel_distance,
)
from threefold.tasks.signature import Field, Output
from threefold.tasks.task import Arrays, Task

# Random numbers for each image and turn of a training: of the changes that the discriminator
# sees, of those of the image generated in its place, and where a penalty lies between the two.
SAMPLES = 7
RANDOM_NUMBERS = 2 * SAMPLES + 1
RANDOM_STREAM = 2**33  # added to a seed: numbers that have nothing to do with the noise
SEED = 0  # of the noise by which a model is evaluated, and of the choice of images
FEWEST_JUDGED = 48  # images: of fewer, chance decides what is near to what
MOST_STUDIED = 10_000  # images that the evaluator learns from, and judges by
INCEPTION_FEATURES = 2048  # as many images at least, for a covariance of full rank


class ImageGeneration(AdversarialImages):
    """Noise in, and a class if the model is conditional; an image out, values 0 to 255.

    A blueprint that serves this task has the options `latent_dim`, `conditional`, `critic_steps`,
    `diff_augment`, `consistency` and `gradient_penalty`.
    """

    name = "image_generation"
    settings = ("label_smoothing", "augment")  # mixed images are none to learn from
    generates = "images"
    figures = (
        Figure(
            "samples.samples",
            "Images that the model made, alongside real ones of the same number; no two belong "
            "together but by their class, where the model was given one.",
            ("image",),
            ("image",),
        ),
    )
    primary_metric = "coverage"
    # The distance by which epochs are compared soon falls to what chance leaves of it for a batch,
    # and goes on to rise and fall by some percent while the images still get better.
    loss_tolerance = 0.1
    # From images, values 0 to 255, to features (images, 2048), where an evaluation was given them.
    compute_inception_features: Callable[[np.ndarray], np.ndarray] | None = None

    @classmethod
    def adapt(cls, dataset: Dataset) -> Dataset:
        if dataset.facts.kind != "image" or not dataset.facts.class_names:
            raise UserError(
                f"dataset '{dataset.reference}' holds {dataset.facts.describe()}; {cls.name} takes "
                "images in classes, by which those that are made are evaluated"
            )
        return super().adapt(number_examples(dataset))

    @property
    def summary_metrics(self) -> tuple[str, ...]:
        """The metrics that matter; the distance is of a classifier's features if it has classes."""
        whose = "classifier" if len(self.facts.class_names) > 1 else "autoencoder"
        shares = ("precision", "recall", "density", "coverage")
        return (f"{whose}_frechet_distance", *shares)

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {"num_classes": len(self.facts.class_names)}

    def random_arrays(self, seed: int, epoch: int, indices: np.ndarray) -> Arrays:
        """Return `noise` (batch, turns, latent_dim) and, of options that take such,
        `random_numbers` (batch, turns, RANDOM_NUMBERS).

        A step has a turn for each step of the discriminator, and one for the generator.
        """
        turns, size = self.options["critic_steps"] + 1, self.options["latent_dim"]
        noise = normal(seed, epoch, indices, turns * size)
        found = {"noise": noise.reshape(-1, turns, size)}
        changed = self.options["diff_augment"] or self.options["consistency"]
        if changed or self.options["gradient_penalty"] == "wgan_gp":
            numbers = uniform(seed + RANDOM_STREAM, epoch, indices, turns * RANDOM_NUMBERS)
            found["random_numbers"] = numbers.astype(np.float32).reshape(-1, turns, RANDOM_NUMBERS)
        return found

    def model_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        found = {name: examples[name] for name in ("noise", "random_numbers") if name in examples}
        if "noise" not in found:
            found["noise"] = normal(SEED, 0, examples["row"], self.options["latent_dim"])
        if self.options["conditional"]:
            found["label"] = examples["label"].astype(np.int32)
        return found

    def truth(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        return {"image": self.targets(examples), "label": examples["label"]}

    def postprocess(self, outputs: np.ndarray) -> Arrays:
        """Return `image` (batch, height, width, channels), values 0 to 255."""
        return {"image": (np.asarray(outputs, np.float32) + 1) * np.float32(127.5)}

    def describe(
        self, predictions: Mapping[str, np.ndarray], examples: Mapping[str, np.ndarray]
    ) -> list[dict[str, Any]]:
        """Return of every image its pixels, uint8, and the class that was asked for."""
        pixels = np.clip(np.rint(predictions["image"]), 0, 255).astype(np.uint8)
        names = [None] * len(pixels)
        if self.options["conditional"]:
            names = [self.facts.class_names[label] for label in examples["label"]]
        return [{"class": name, "image": image} for name, image in zip(names, pixels, strict=True)]

    def examples_for(self, count: int, class_name: str | None, seed: int) -> Arrays:
        """Return what makes new images: noise, and classes in turn or the one that is asked for.

        Raises:
            UserError: for a class that the model does not know, or if it knows none.
        """
        names = self.facts.class_names
        labels = np.arange(count) % len(names)
        if class_name is not None and not self.options["conditional"]:
            raise UserError(
                f"--class {class_name}: this model was not fitted with -o conditional=true; it "
                "makes images of any class"
            )
        if class_name is not None:
            if class_name not in names:
                raise UserError(f"no class '{class_name}'{suggest(class_name, names)}")
            labels = np.full(count, names.index(class_name))
        noise = normal(seed, 0, np.arange(count), self.options["latent_dim"])
        return {"noise": noise, "label": labels}

    def fit_evaluator(self, train: Source) -> None:
        """Train the network whose features evaluate images."""
        examples = train[_choose_rows(train, MOST_STUDIED)]
        symbols = _count_symbols(self.facts.class_names, self.facts.image_shape[-1])
        self.judging = ImageEvaluator(self.targets(examples), examples["label"], symbols)

    def choose_evaluated(self, splits: Mapping[str, Source], name: str) -> Source:
        """Return the real images that generated ones are compared with: those of a split, or, of a
        tiny one, of all splits together.
        """
        source, there = splits[name], [split for split in SPLITS if split in splits]
        whole = ConcatSource([splits[split] for split in there]) if there else source
        if len(source) >= FEWEST_JUDGED:
            return source
        if len(whole) >= FEWEST_JUDGED:
            warnings.warn(
                f"{name} has {len(source)} images, by which nothing can be judged: generated ones "
                f"are compared with all {len(whole)} of {', '.join(there)}",
                stacklevel=2,
            )
            return whole
        warnings.warn(
            f"nothing can be judged by {len(whole)} images: {FEWEST_JUDGED} at least, for how good "
            "generated ones are; look at them",
            stacklevel=2,
        )
        return source

    def baselines(self, train: Source) -> dict[str, Callable[[Source], dict[str, float]]]:
        """Evaluate real images of the training split, which no generator could do better than."""
        if len(train) < FEWEST_JUDGED:
            return {}

        def compute_baseline_metrics(source: Source) -> dict[str, float]:
            count = min(len(source), len(train), MOST_STUDIED)
            made, real = (self.targets(s[_choose_rows(s, count)]) for s in (train, source))
            if count < FEWEST_JUDGED:
                return {}
            return self.judging.compare(made, real) | self._compare_by_inception(made, real)

        return {"images of the training split": compute_baseline_metrics}

    def compute_metrics(
        self, predictions: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """Return how alike generated and real images are: see `ImageEvaluator.compare`; by features
        of InceptionV3, too, where there are any; and, of a conditional model, how often the
        classifier sees the class that was asked for. Of too few images nothing but their number and
        the seed.
        """
        if len(truth["label"]) < FEWEST_JUDGED:
            return {"images": len(truth["label"]), "seed": SEED}
        rows = sample_rows(truth["label"], MOST_STUDIED, SEED)
        made, real, labels = predictions["image"][rows], truth["image"][rows], truth["label"][rows]
        found = self.judging.compare(made, real, intervals=True)
        found |= self._compare_by_inception(made, real)
        if "inception_fid" in found and len(made) < INCEPTION_FEATURES:
            warnings.warn(
                f"inception_fid of {len(made):,} images is too large: below {INCEPTION_FEATURES:,} "
                "the covariance of the features is singular; compare it only with that of as many "
                "images",
                stacklevel=2,
            )
        if self.judging.has_classes and self.options["conditional"]:
            found["class_accuracy"] = float(np.mean(self.judging.classify(made) == labels))
        if self.judging.has_classes:
            found["classifier_accuracy"] = float(np.mean(self.judging.classify(real) == labels))
        return found | {"images": len(made), "seed": SEED}

    def _compare_by_inception(self, made: np.ndarray, real: np.ndarray) -> dict[str, float]:
        """Return the distances of as many generated and real images in features of InceptionV3."""
        if self.compute_inception_features is None:
            return {}
        features = [
            self.compute_inception_features(images).astype(np.float64) for images in (made, real)
        ]
        return {
            "inception_fid": frechet_distance(*features),
            "inception_kid": kernel_distance(*features),
        }

    def find_trouble(self, history: Sequence[Mapping[str, float]]) -> dict[str, str]:
        return find_trouble(history, self.options)

    def input_fields(self) -> tuple[Field, ...]:
        noise = Field(
            name="noise",
            dtype="float32",
            shape=("batch", self.options["latent_dim"]),
            meaning="numbers of a standard normal distribution",
        )
        if not self.options["conditional"]:
            return (noise,)
        label = Field.index(
            "label",
            ("batch",),
            "position in labels.txt of the class to make, from 0",
            len(self.facts.class_names),
        )
        return noise, label

    def output_fields(self) -> tuple[Output, ...]:
        height, width, channels = self.facts.image_shape
        colour = "gray levels" if channels == 1 else "red, green, blue"
        return (
            Output(
                name="image",
                dtype="float32",
                shape=("batch", height, width, channels),
                meaning=f"{colour}; differences are counted in units of the whole range",
                range=(0, 255),
                limit=1e-4,
                scale=(255.0,),
            ),
        )

    def raw_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        found = self.model_inputs(examples)
        if "label" in found:
            found["label"] = examples["label"].astype(np.int64)
        return found

    def probes(self, examples: Mapping[str, np.ndarray]) -> dict[str, Arrays]:
        noise = self.raw_inputs(examples)["noise"]
        found = {"of no noise": np.zeros_like(noise), "of loud noise": 4 * np.sign(noise)}
        return {name: {**examples, "noise": array} for name, array in found.items()}

    def preprocess_graph(self) -> tuple[Callable, list]:
        import tensorflow as tf

        def enter(raw):
            labels = {"label": tf.cast(raw["label"], tf.int32)} if "label" in raw else {}
            return {"noise": raw["noise"], **labels}

        return enter, []

    def postprocess_graph(self, outputs) -> dict[str, Any]:
        return {"image": (outputs + 1.0) * 127.5}

    def part(self, name: str) -> Task:
        return ImageScoring(self.facts, options=self.options) if name == "discriminator" else self


def _choose_rows(source: Source, most: int) -> np.ndarray:
    """Return the rows of a source to look at: of data in the order of their classes, of all."""
    labels = find_column(source, "label")
    return sample_rows(len(source) if labels is None else labels, most, SEED)


def _count_symbols(names: tuple[str, ...], channels: int) -> int | None:
    """Return of how many symbols each channel shows one, where classes are named by all such
    words, in order: `000` to `999`, of 10. None of other classes.
    """
    symbols = dict.fromkeys("".join(names))
    words = map("".join, itertools.product(symbols, repeat=channels))
    stacked = channels > 1 and len(names) == len(symbols) ** channels and names == tuple(words)
    return len(symbols) if stacked else None


TASK = ImageGeneration
