"""Small sets of texts, as Hugging Face's library and TFDS save them."""

import datasets as hf
import numpy as np
import tensorflow_datasets as tfds

hf.disable_progress_bars()

MOODS = ["bad", "good"]
TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
TEXTS, WORDS, NUMBER = "texts", "words", "number"


def save(library, root, columns, **splits):
    """Write rows as one of the libraries does; return the reference, and options to read it.

    `columns` says of each name what it holds: TEXTS, WORDS, NUMBER, a list of classes, or a tuple
    of the names of tags. A split maps names to cells.
    """
    if library == "hf":
        features = hf.Features({name: _in_hf(kind) for name, kind in columns.items()})
        tables = {name: hf.Dataset.from_dict(cells, features) for name, cells in splits.items()}
        hf.DatasetDict(tables).save_to_disk(root / "saved")
        return f"hf:{root / 'saved'}", {}
    tfds.dataset_builders.store_as_tfds_dataset(
        "saved",
        "1.0.0",
        features=tfds.features.FeaturesDict({n: _in_tfds(kind) for n, kind in columns.items()}),
        split_datasets={
            name: [
                (row, dict(zip(cells, values, strict=True)))
                for row, values in enumerate(zip(*cells.values(), strict=True))
            ]
            for name, cells in splits.items()
        },
        data_dir=root,
        file_format="array_record",
    )
    return "tfds:saved", {"data_dir": str(root)}


def _in_hf(kind):
    plain = {TEXTS: hf.Value("string"), NUMBER: hf.Value("int64")}
    if isinstance(kind, tuple):
        return hf.Sequence(hf.ClassLabel(names=list(kind)))
    if isinstance(kind, list):
        return hf.ClassLabel(names=kind)
    return hf.Sequence(hf.Value("string")) if kind == WORDS else plain[kind]


def _in_tfds(kind):
    kinds = tfds.features
    if isinstance(kind, tuple):
        return kinds.Sequence(kinds.ClassLabel(names=list(kind)))
    if isinstance(kind, list):
        return kinds.ClassLabel(names=kind)
    plain = {TEXTS: kinds.Text(), NUMBER: np.int64, WORDS: kinds.Sequence(kinds.Text())}
    return plain[kind]


REVIEWS = {"idx": NUMBER, "sentence": TEXTS, "label": MOODS}
NEWS = {"tokens": WORDS, "pos_tags": ("N", "V"), "ner_tags": tuple(TAGS)}
PAIRS = {"source": TEXTS, "target": TEXTS}


def reviews(rows=20, start=0, **columns):
    numbers = range(start, start + rows)
    sentences = [f"a {MOODS[i % 2]} film, it is number {i} of ä" for i in numbers]
    return {
        "idx": list(numbers),
        "sentence": sentences,
        "label": [i % 2 for i in numbers],
    } | columns


def news(rows=20, **columns):
    tokens = [["John", "Smith", f"saw{i}", "Rome"] for i in range(rows)]
    columns = {"ner_tags": [[1, 2, 0, 3]] * rows} | columns
    return {"tokens": tokens, "pos_tags": [[0, 0, 1, 0]] * rows} | columns


def pairs(rows=20):
    return {
        "source": [f"word {i}" for i in range(rows)],
        "target": [f"mot {i}" for i in range(rows)],
    }


def whole(dataset, split):
    source = dataset.splits[split]
    return source[np.arange(len(source))]


def sizes(dataset):
    return {name: len(source) for name, source in dataset.splits.items()}
