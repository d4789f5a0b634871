"""The strongest quick methods that one would use instead of a network, by kind of data.

    python strongest.py KIND SPLITS.npz        prints what the best of them reaches, as JSON

Of several methods the one counts that does best on the validation split; it learns of the training
split alone, as the networks do. Needs scikit-learn, scikit-image, aeon (MiniRocket) and, for
recordings, pocketsphinx: an environment of its own, since they do not all fit ours.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np

Arrays = Mapping[str, np.ndarray]
Methods = Iterator[tuple[str, Callable[[np.ndarray], np.ndarray]]]


def of_images(x: np.ndarray, y: np.ndarray) -> Methods:
    """Kernels on pixels and on histograms of gradients (Dalal and Triggs 2005); a forest."""
    from skimage.feature import hog
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler
    from sklearn.svm import SVC

    side = max(2, x.shape[1] // 7)

    def gradients(images):
        cell, channel = (
            {"pixels_per_cell": (side, side), "cells_per_block": (2, 2)},
            images.mean(-1),
        )
        return np.stack([hog(image, **cell) for image in channel])

    flat = FunctionTransformer(lambda images: images.reshape(len(images), -1) / 255)
    for name, model in {
        "SVM of pixels": make_pipeline(flat, SVC(C=10, gamma="scale")),
        "SVM of gradients": make_pipeline(
            FunctionTransformer(gradients), StandardScaler(), SVC(C=10, gamma="scale")
        ),
        "forest of pixels": make_pipeline(flat, ExtraTreesClassifier(500, random_state=0)),
    }.items():
        yield name, model.fit(x, y).predict


def of_table(x: np.ndarray, y: np.ndarray) -> Methods:
    """Boosting and forests of trees."""
    from sklearn import ensemble

    kind = "Classifier" if y.dtype.kind in "iuU" else "Regressor"
    known = ~np.isnan(x).all(axis=0)
    for name, model in {
        "gradient boosting": getattr(ensemble, f"HistGradientBoosting{kind}")(random_state=0),
        "slow gradient boosting": getattr(ensemble, f"HistGradientBoosting{kind}")(
            learning_rate=0.05, max_iter=400, max_leaf_nodes=15, random_state=0
        ),
        "extra trees": getattr(ensemble, f"ExtraTrees{kind}")(500, random_state=0),
    }.items():
        model.fit(x[:, known], y)
        yield name, lambda rows, model=model: model.predict(rows[:, known])


def of_series(x: np.ndarray, y: np.ndarray) -> Methods:
    """MiniRocket (Dempster, Schmidt and Webb 2021)."""
    from aeon.classification.convolution_based import MiniRocketClassifier

    yield "MiniRocket", MiniRocketClassifier(random_state=0).fit(x, y).predict


def of_texts(x: np.ndarray, y: np.ndarray) -> Methods:
    """Words and pieces of words, weighed and separated."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.naive_bayes import ComplementNB
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    words = partial(TfidfVectorizer, sublinear_tf=True)
    for name, model in {
        "TF-IDF and naive Bayes": make_pipeline(words(), ComplementNB()),
        "TF-IDF of words and pieces, SVM": make_pipeline(
            make_union(words(), words(analyzer="char_wb", ngram_range=(2, 5))), LinearSVC(C=0.5)
        ),
    }.items():
        yield name, model.fit(x, y).predict


def of_recordings(x: np.ndarray, y: np.ndarray) -> Methods:
    """A recogniser that has learned English already, told which words can come (pocketsphinx)."""
    from pocketsphinx import Decoder
    from scipy.signal import resample_poly

    words = sorted({word for text in y for word in text.split()})
    grammar = f"#JSGF V1.0; grammar words; public <text> = ({' | '.join(words)})+;"

    def hear(wave: np.ndarray) -> str:
        decoder = Decoder(lm=None, loglevel="FATAL")  # speaks 16,000 samples a second
        decoder.add_jsgf_string("words", grammar)
        decoder.activate_search("words")
        sound = resample_poly(wave[~np.isnan(wave)], 2, 1)
        decoder.start_utt()
        decoder.process_raw(
            (np.clip(sound, -1, 1) * 32767).astype(np.int16).tobytes(), full_utt=True
        )
        decoder.end_utt()
        return decoder.hyp().hypstr if decoder.hyp() else ""

    yield "pocketsphinx", lambda waves: np.array([hear(wave) for wave in waves])


METHODS = {
    "images": of_images,
    "table": of_table,
    "series": of_series,
    "texts": of_texts,
    "recordings": of_recordings,
}


def score(found: np.ndarray, truth: np.ndarray) -> float:
    """Return the share of right answers, or r² of numbers."""
    if truth.dtype.kind != "f":
        return float((found == truth).mean())
    return float(1 - np.square(found - truth).sum() / np.square(truth - truth.mean()).sum())


def main() -> None:
    kind, path = sys.argv[1:]
    with np.load(path) as file:
        splits = dict(file)
    best, start = (-np.inf, 0.0, ""), time.perf_counter()
    for name, answer in METHODS[kind](splits["x_train"], splits["y_train"]):
        values = [
            score(answer(splits[f"x_{split}"]), splits[f"y_{split}"])
            for split in ("validation", "test")
        ]
        print(name, *values, file=sys.stderr)
        best = max(best, (*values, name))
    seconds = time.perf_counter() - start
    print(json.dumps({"method": best[2], "score": best[1], "seconds": seconds}))


if __name__ == "__main__":
    main()
