"""Images made of noise: what a model is asked, and how its images are evaluated."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from threefold.core.errors import UserError
from threefold.datasets import loading
from threefold.datasets.bundled.digits import read_digits
from threefold.datasets.dataset import ArraySource, SubsetSource, find_column
from threefold.tasks import image_generation
from threefold.tasks.evaluation import evaluate_splits
from threefold.tasks.generation import interpolate
from threefold.tasks.image_generation import ImageGeneration
from threefold.tasks.metrics.images.image_quality import ImageEvaluator
from threefold.training.data import load_dataset

OPTIONS = {"latent_dim": 5, "conditional": True, "critic_steps": 1}


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits", {}, task="image_generation")


@pytest.fixture(scope="module")
def compute_baseline_metrics(digits):
    train = digits.splits["train"][np.arange(600)]
    return ImageEvaluator(train["image"].astype(np.float32), train["label"])


def test_noise_hangs_on_the_example_and_not_on_its_place(digits):
    task = ImageGeneration(digits.facts, options=OPTIONS)
    whole = task.model_inputs(digits.splits["test"][np.arange(7)])
    part = task.model_inputs(digits.splits["test"][np.array([4, 2])])
    for name in ("noise", "label"):
        np.testing.assert_array_equal(part[name], whole[name][[4, 2]])
    other = task.model_inputs(digits.splits["train"][np.array([4])])
    assert not np.array_equal(other["noise"][0], whole["noise"][4])


def test_the_seed_and_the_class_decide_what_is_made(digits):
    task = ImageGeneration(digits.facts, options=OPTIONS)
    one, more, other = (task.examples_for(n, None, seed) for n, seed in ((3, 1), (12, 1), (3, 2)))
    np.testing.assert_array_equal(one["noise"], more["noise"][:3])
    assert not np.array_equal(one["noise"], other["noise"])
    assert list(more["label"]) == [*range(10), 0, 1]
    assert set(task.examples_for(4, "7", 0)["label"]) == {7}
    with pytest.raises(UserError, match="no class '77'; did you mean '7'"):
        task.examples_for(1, "77", 0)
    free = ImageGeneration(digits.facts, options=OPTIONS | {"conditional": False})
    with pytest.raises(UserError, match="was not fitted with -o conditional=true"):
        free.examples_for(1, "7", 0)


def test_the_way_between_two_noises_is_an_arc():
    start, end = np.array([3.0, 0.0, 0.0]), np.array([0.0, 3.0, 0.0])
    points = interpolate(start, end, 5)
    np.testing.assert_allclose(points[[0, -1]], [start, end], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 3, rtol=1e-6)
    np.testing.assert_allclose(points[2], [3 / 2**0.5, 3 / 2**0.5, 0], rtol=1e-6, atol=1e-6)
    angles = np.arccos(np.sum(points[1:] * points[:-1], axis=1) / 9)
    np.testing.assert_allclose(angles, np.pi / 8, rtol=1e-3)
    for same in (start, -start, 0 * start):  # no arc leads there
        np.testing.assert_allclose(interpolate(start, same, 3)[1], (start + same) / 2)


def test_pixels_come_out_as_they_went_in():
    predictions = {"image": np.array([[[[-3.0], [254.6], [300.0]]]], np.float32)}
    task = ImageGeneration(loading.load("digits").facts, options=OPTIONS | {"conditional": False})
    (record,) = task.describe(predictions, {})
    assert record["image"].dtype == np.uint8 and record["image"].ravel().tolist() == [0, 255, 255]
    assert task.postprocess(np.array([-1.0, 0.0, 1.0]))["image"].tolist() == [0, 127.5, 255]


def test_real_images_are_better_than_worse_ones(digits, compute_baseline_metrics):
    real, others = (digits.splits[name][np.arange(250)]["image"].astype(np.float32)
                    for name in ("test", "validation"))  # fmt: skip
    noisy = np.clip(others + np.random.default_rng(0).normal(0, 120, others.shape), 0, 255)
    collapsed = np.repeat(others[:1], 250, axis=0)
    good, bad, same = (
        compute_baseline_metrics.compare(made, real) for made in (others, noisy, collapsed)
    )
    assert good["classifier_frechet_distance"] < 0.3 * bad["classifier_frechet_distance"]
    assert good["classifier_kernel_distance"] < 0.3 * bad["classifier_kernel_distance"]
    assert good["precision"] > 0.8 > bad["precision"] and good["coverage"] > 0.85
    assert same["coverage"] < 0.1 and same["recall"] < 0.1 and same["classes_made"] == 1
    assert good["classes_made"] == 10


def test_images_of_one_class_are_judged_by_what_rebuilds_them(digits):
    train, real, others = (digits.splits[name] for name in ("train", "validation", "test"))
    train, real, others = (
        source[np.flatnonzero(find_column(source, "label") < 5)]["image"].astype(np.float32)
        for source in (train, real, others)
    )
    evaluator = ImageEvaluator(train, np.zeros(len(train), np.int64))
    noisy = np.clip(others + np.random.default_rng(0).normal(0, 120, others.shape), 0, 255)
    good, bad = (evaluator.compare(made, real) for made in (others, noisy))
    assert good["autoencoder_frechet_distance"] < 0.3 * bad["autoencoder_frechet_distance"]
    assert good["precision"] > 0.8 > 0.3 > bad["precision"] and good["coverage"] > 0.85
    assert "classes_made" not in good and "classifier_frechet_distance" not in good


@pytest.mark.parametrize(("layout", "count"), [("ring", 8), ("grid", 25)])
def test_modes_that_are_missed_are_counted(layout, count):
    dataset = load_dataset("gaussian_modes", {"layout": layout}, task="image_generation")
    train, test = (dataset.splits[n][np.arange(len(dataset.splits[n]))] for n in ("train", "test"))
    compute_baseline_metrics = ImageEvaluator(train["image"], train["label"])
    found = compute_baseline_metrics.compare(test["image"], train["image"])
    assert found["modes_covered"] == count and found["share_in_modes"] > 0.95
    some = test["image"][test["label"] < 3]
    assert compute_baseline_metrics.compare(some, train["image"])["modes_covered"] == 3
    between = np.full((9, 1, 2, 1), 3.0, np.float32)
    assert compute_baseline_metrics.compare(between, train["image"])["share_in_modes"] == 0


def test_modes_of_stacked_digits_are_found_channel_by_channel():
    dataset = load_dataset("stacked_digits", {"images": "8000"}, task="image_generation")
    task = ImageGeneration(dataset.facts, options=OPTIONS)
    task.fit_evaluator(dataset.splits["train"])
    test = dataset.splits["test"][np.arange(1200)]
    whole = task.judging.compare(test["image"].astype(np.float32), test["image"])
    shown = len(np.unique(test["label"]))
    assert whole["modes_covered"] == pytest.approx(shown, rel=0.05) and "classes_made" not in whole
    assert np.mean(task.judging.classify(test["image"]) == test["label"]) > 0.85
    train = dataset.splits["train"][np.arange(5600)]
    eight = np.isin(train["label"], (0, 1, 10, 11, 100, 101, 110, 111))
    fewer = task.judging.compare(train["image"][eight], test["image"])
    _, counts = np.unique(train["label"][eight], return_counts=True)
    shares = counts / counts.sum()
    assert 8 <= fewer["modes_covered"] < 13  # a digit may be misread
    assert fewer["modes_kl_divergence"] == pytest.approx(shares @ np.log(1000 * shares), abs=0.3)
    assert whole["modes_kl_divergence"] < 1
    assert task.judging.features(test["image"][:5]).shape == (5, 3 * 64)


def test_classes_of_other_names_are_not_read_as_symbols(digits):
    count = image_generation._count_symbols
    assert count(("00", "01", "10", "11"), 2) == 2 and count(("aa",), 2) == 1
    assert count(digits.facts.class_names, 1) is count(("cat", "dog"), 3) is None
    assert count(("00", "01", "11", "10"), 2) is count(("000", "001"), 3) is None


def compare_real_images(dataset) -> dict[str, float]:
    task = ImageGeneration(dataset.facts, options=OPTIONS)
    task.fit_evaluator(dataset.splits["train"])
    (compute,) = task.baselines(dataset.splits["train"]).values()
    return compute(dataset.splits["test"])


def test_real_images_are_as_good_in_the_order_of_their_classes(digits, tmp_path):
    images, labels = read_digits()
    for row, (image, label) in enumerate(zip(images, labels, strict=True)):
        (tmp_path / str(label)).mkdir(exist_ok=True)
        Image.fromarray(image[..., 0]).save(tmp_path / str(label) / f"{row:04}.png")
    shuffled = compare_real_images(digits)
    ordered = compare_real_images(load_dataset(str(tmp_path), {}, task="image_generation"))
    distances = [found["classifier_frechet_distance"] for found in (shuffled, ordered)]
    assert max(distances) < 1.5 * min(distances) and max(distances) < 4
    assert min(found["coverage"] for found in (shuffled, ordered)) > 0.9


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_images_that_are_studied_are_of_every_class(digits, monkeypatch, split):
    """Of more images than are looked at, those that are must not be of the first classes."""
    monkeypatch.setattr(image_generation, "MOST_STUDIED", 100)
    task = ImageGeneration(digits.facts, options=OPTIONS)
    examples = digits.splits[split][np.arange(len(digits.splits[split]))]
    order = np.argsort(examples["label"], kind="stable")
    ordered = ArraySource({name: array[order] for name, array in examples.items()})
    task.fit_evaluator(ordered)
    assert len(task.judging.network.classes_) == 10
    truth = task.truth(ordered[np.arange(len(ordered))])
    found = task.compute_metrics(truth, truth)
    assert found["images"] == 100 and found["classes_made"] == 10
    assert {"classifier_frechet_distance", "density"} <= found["intervals"].keys()


def cut(dataset, **counts):
    """Return a dataset of which each split has only its first rows, by number."""
    splits = {name: SubsetSource(dataset.splits[name], np.arange(n)) for name, n in counts.items()}
    return replace(dataset, splits=splits)


def evaluate_noise(dataset, split="test"):
    """Evaluate what makes images of noise on a split."""

    def answer(examples):
        noise = np.random.default_rng(0).uniform(0, 255, (len(examples["label"]), 8, 8, 1))
        return {"image": noise.astype(np.float32)}

    task = ImageGeneration(dataset.facts, options=OPTIONS)
    (found,) = evaluate_splits(answer, task, dataset.splits, [split], 16)
    return found


def test_tiny_splits_are_judged_together_and_it_is_said(digits):
    with pytest.warns(UserWarning, match="test has 3 images, by which nothing can be judged: gen"):
        found = evaluate_noise(cut(digits, train=90, validation=4, test=3))
    assert found.metrics["images"] == len(found.source) == 97
    assert found.metrics["precision"] < 0.5 and found.metrics["coverage"] < 0.5
    assert "baselines" not in found.metrics  # the training split is among what it is compared with


@pytest.mark.parametrize(
    "counts", [{"train": 1}, {"train": 8, "test": 1}, {"train": 30, "test": 3}]
)
def test_of_too_few_images_nothing_is_judged(digits, counts):
    name = list(counts)[-1]
    with pytest.warns(UserWarning, match=f"nothing can be judged by {sum(counts.values())} images"):
        found = evaluate_noise(cut(digits, **counts), name)
    assert found.metrics == {"images": counts[name], "seed": 0}


def test_a_split_that_is_large_enough_is_judged_alone(digits, recwarn):
    found = evaluate_noise(cut(digits, train=90, test=60))
    assert found.metrics["images"] == 60 and found.metrics["baselines"] and not recwarn


def test_only_images_in_classes_can_be_made():
    for name in ("wine", "digit_angles"):
        with pytest.raises(UserError, match="image_generation takes images in classes"):
            load_dataset(name, {}, task="image_generation")
