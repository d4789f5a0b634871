"""Simple methods learn what is simple, whatever comes in, and are bounded."""

import numpy as np
import pytest

from threefold.datasets import loading
from threefold.datasets.dataset import ArraySource
from threefold.datasets.facts import (
    CategoricalColumn,
    ImageFacts,
    NumericColumn,
    SequenceFacts,
    TableFacts,
)
from threefold.datasets.facts_base import NumericTarget
from threefold.datasets.ragged import Ragged
from threefold.tasks.image_classification import ImageClassification
from threefold.tasks.image_regression import ImageRegression
from threefold.tasks.metrics import simple_methods
from threefold.tasks.metrics.simple_methods import one_hot
from threefold.tasks.sequence_classification import SequenceClassification
from threefold.tasks.tabular_classification import TabularClassification
from threefold.tasks.task import find_task

RANDOM = np.random.default_rng(0)
LABELS = np.arange(80) % 2


def bright(side, dtype):
    """Images whose left half is bright, or whose right half is."""
    images = RANDOM.uniform(0, 60, (80, side, side, 3))
    for image, label in zip(images, LABELS, strict=True):
        half = slice(0, side // 2) if label else slice(side // 2, side)
        image[:, half] += 150
    return images.astype(dtype)


def halves(arrays):
    source = ArraySource(arrays)
    return (
        ArraySource({name: source.arrays[name][part] for name in arrays})
        for part in (np.arange(0, 40), np.arange(40, 80))
    )


@pytest.mark.parametrize(("side", "dtype"), [(6, np.uint8), (40, np.float32)])
def test_images_of_any_size_are_seen_small(side, dtype):
    facts = ImageFacts(image_shape=(side, side, 3), class_names=("a", "b"), class_counts=(20, 20))
    train, test = halves({"image": bright(side, dtype), "label": LABELS})
    task = ImageClassification(facts)
    (compute,) = task.baselines(train).values()
    assert compute(test)["accuracy"] == 1
    targets = (
        NumericTarget(name="x", mean=0.5, scale=0.5),
        NumericTarget(name="y", mean=0, scale=1),
    )
    numbers = np.stack([LABELS, -LABELS], axis=1).astype(np.float32)
    train, test = halves({"image": bright(side, dtype), "target": numbers})
    facts = ImageFacts(image_shape=(side, side, 3), targets=targets)
    (compute,) = ImageRegression(facts).baselines(train).values()
    assert compute(test)["r2"] > 0.8


def test_tables_with_gaps_and_words():
    word = np.where(LABELS, 1, 2)
    number = RANDOM.normal(size=80).astype(np.float32)
    number[::7] = np.nan
    facts = TableFacts(
        numeric=(NumericColumn(name="n", mean=0, scale=1),),
        categorical=(CategoricalColumn(name="w", vocabulary=("x", "y")),),
        target_name="class", class_names=("a", "b"), class_counts=(20, 20),
    )  # fmt: skip
    arrays = {"numeric": number[:, None], "categorical": word[:, None], "label": LABELS}
    train, test = halves(arrays)
    found = TabularClassification(facts).baselines(train)
    assert list(found) == ["linear", "gradient boosting"]
    assert [compute(test)["accuracy"] for compute in found.values()] == [1, 1]


def test_series_of_different_lengths_with_gaps():
    series = []
    for label in LABELS:
        length = RANDOM.integers(20, 40)
        values = np.sin(np.linspace(0, 6 if label else 18, length)) + RANDOM.normal(0, 0.1, length)
        values[3] = np.nan
        series.append(values[:, None].astype(np.float32))
    facts = SequenceFacts(
        channels=(NumericColumn(name="v", mean=0, scale=1),), max_length=40,
        class_names=("slow", "fast"), class_counts=(20, 20),
    )  # fmt: skip
    rows = [Ragged.join(part, np.float32) for part in (series[:40], series[40:])]
    train, test = (
        ArraySource({"values": values, "label": labels})
        for values, labels in zip(rows, (LABELS[:40], LABELS[40:]), strict=True)
    )
    found = SequenceClassification(facts).baselines(train)
    assert [compute(test)["accuracy"] for compute in found.values()] == [1, 1]


def test_a_class_alone_has_no_simple_method():
    facts = ImageFacts(image_shape=(6, 6, 3), class_names=("a", "b"), class_counts=(40, 0))
    source = ArraySource({"image": bright(6, np.uint8), "label": np.zeros(80, np.int64)})
    assert ImageClassification(facts).baselines(source) == {}


def test_what_is_fitted_to_is_bounded(monkeypatch):
    seen = []

    class Counting(ArraySource):
        def __getitem__(self, indices):
            seen.append(len(indices))
            return super().__getitem__(indices)

    monkeypatch.setattr(simple_methods, "MOST_CELLS", 30 * 108 * 2)
    monkeypatch.setattr(simple_methods, "FEWEST_ROWS", 10)
    facts = ImageFacts(image_shape=(6, 6, 3), class_names=("a", "b"), class_counts=(40, 40))
    ImageClassification(facts).baselines(Counting({"image": bright(6, np.uint8), "label": LABELS}))
    assert max(seen) == 30


def test_rare_words_share_an_indicator():
    found = one_hot(np.array([[0], [1], [4], [9]]), (10,), most=3)
    assert found.tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1]]


def test_words_have_their_commonest_tag_and_new_ones_that_of_all(tmp_path):
    lines = "tea B-DRINK\nis O\nvery O\nhot O\n\ntea B-DRINK\nor O\nrum B-DRINK\n\n" * 10
    path = tmp_path / "drinks.conll"
    path.write_text(lines, encoding="utf-8")
    dataset = loading.load(str(path), {"tokenizer": "character"})
    task = find_task("token_classification")(dataset.facts)
    (compute,) = task.baselines(dataset.splits["train"]).values()
    assert compute(dataset.splits["test"])["f1"] == 1
    path.write_text("gin B-DRINK\nis O\n\n" * 3, encoding="utf-8")
    other = loading.load(str(path), {}, facts=dataset.facts)
    (source,) = [s for name, s in other.splits.items() if name == "train"]
    found = compute(source)
    assert found["f1"] == 0 and found["accuracy"] == 0.5  # a new word is O, as most are


def test_pairs_are_compared_with_the_source_and_the_commonest_target(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"a{n}\tyes\nb{n}\tb{n}\n" for n in range(30)), encoding="utf-8")
    options = {"tokenizer": "character", "test_fraction": "0.4"}
    dataset = loading.load(str(path), options, task="translation")
    task = find_task("translation")(dataset.facts)
    found = task.baselines(dataset.splits["train"])
    test = dataset.splits["test"]
    texts = test[np.arange(len(test))]
    same = np.mean(texts["source_text"] == texts["target_text"])
    scores = {name: compute(test)["exact_match"] for name, compute in found.items()}
    assert scores == pytest.approx({"the source itself": same, "commonest target": 1 - same})
