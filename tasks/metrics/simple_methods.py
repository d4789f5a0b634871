"""Simple methods that a network must beat to be worth its cost, fitted in seconds."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from threefold.datasets.dataset import Source

MOST_ROWS = 10_000  # of the training split, taken evenly
MOST_CELLS = 8_000_000  # rows × features × classes, beyond which a fit would take too long
FEWEST_ROWS = 200  # whatever that makes


class SimpleMethod(NamedTuple):
    """A method of machine learning on features of examples.

    Args:
        kind: str. `linear`, `boosting` or `nearest`.
        features: function. From a batch of examples to an array (examples, features); NaN where
            missing.
    """

    kind: Literal["linear", "boosting", "nearest"]
    features: Callable[[Mapping[str, np.ndarray]], np.ndarray]


Answer = Callable[[Mapping[str, np.ndarray]], np.ndarray]


def fit_classifiers(
    methods: Mapping[str, SimpleMethod], train: Source, classes: int
) -> Iterator[tuple[str, Answer]]:
    """Fit methods to labels.

    Args:
        methods: mapping of str to SimpleMethod.
        train: Source. The training split, with the column `label`.
        classes: int. How many there are.

    Yields:
        (str, function from examples to probabilities (examples, classes)).
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    for name, method in methods.items():
        examples = _sample(train, method, classes)
        if len(np.unique(examples["label"])) < 2:
            continue
        model = _prepared(method.kind, {
            "linear": lambda: LogisticRegression(max_iter=300),
            "boosting": lambda: HistGradientBoostingClassifier(max_iter=100, random_state=0),
            "nearest": lambda: KNeighborsClassifier(1),
        })  # fmt: skip
        model.fit(method.features(examples), examples["label"])

        def answer(examples, model=model, method=method) -> np.ndarray:
            found = np.zeros((len(examples["label"]), classes), np.float32)
            found[:, model.classes_] = model.predict_proba(method.features(examples))
            return found

        yield name, answer


def fit_multilabel_classifiers(
    methods: Mapping[str, SimpleMethod], train: Source
) -> Iterator[tuple[str, Answer]]:
    """Fit linear methods to labels of which an example may have several, one against the rest.

    Args:
        methods: mapping of str to SimpleMethod. Those of another kind are left out.
        train: Source. The training split, with the column `labels`, bool (examples, labels).

    Yields:
        (str, function from examples to probabilities (examples, labels)).
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.multioutput import MultiOutputClassifier

    for name, method in methods.items():
        if method.kind != "linear":
            continue
        count = train[np.zeros(1, np.int64)]["labels"].shape[1]
        examples = _sample(train, method, count)
        present = examples["labels"]
        share = present.mean(axis=0).astype(np.float32)
        mixed = np.flatnonzero((share > 0) & (share < 1))
        if not len(mixed):
            continue
        model = _prepared(
            "linear", {"linear": lambda: MultiOutputClassifier(LogisticRegression(max_iter=300))}
        )
        model.fit(method.features(examples), present[:, mixed])

        def answer(examples, model=model, method=method, share=share, mixed=mixed) -> np.ndarray:
            found = np.repeat(share[None], len(examples["labels"]), axis=0)
            answers = model.predict_proba(method.features(examples))
            found[:, mixed] = np.stack([one[:, 1] for one in answers], axis=1)
            return found

        yield name, answer


def fit_regressors(
    methods: Mapping[str, SimpleMethod], train: Source
) -> Iterator[tuple[str, Answer]]:
    """Fit methods to numbers.

    Args:
        methods: mapping of str to SimpleMethod.
        train: Source. The training split, with the column `target` (examples, targets).

    Yields:
        (str, function from examples to numbers (examples, targets)).
    """
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import RidgeCV
    from sklearn.multioutput import MultiOutputRegressor
    from sklearn.neighbors import KNeighborsRegressor

    for name, method in methods.items():
        examples = _sample(train, method, 1)
        model = _prepared(method.kind, {
            "linear": lambda: RidgeCV(np.logspace(-3, 4, 15)),
            "boosting": lambda: MultiOutputRegressor(HistGradientBoostingRegressor(random_state=0)),
            "nearest": lambda: KNeighborsRegressor(1),
        })  # fmt: skip
        model.fit(method.features(examples), examples["target"])

        def answer(examples, model=model, method=method) -> np.ndarray:
            found = np.asarray(model.predict(method.features(examples)), np.float32)
            return found.reshape(len(found), -1)

        yield name, answer


def one_hot(ids: np.ndarray, counts: tuple[int, ...], most: int = 50) -> np.ndarray:
    """Return columns of ids as indicators, those of the commonest words alone.

    Args:
        ids: int array of shape (rows, columns). From 0, the commonest words first.
        counts: tuple of int. Ids of each column.
        most: int. Indicators of a column.

    Returns:
        float32 array of shape (rows, indicators).
    """
    parts = [np.zeros((len(ids), 0), np.float32)]
    for column, count in zip(ids.T, counts, strict=True):
        parts.append(np.eye(min(count, most) + 1, dtype=np.float32)[np.minimum(column, most)])
    return np.concatenate(parts, axis=1)


def _sample(train: Source, method: SimpleMethod, classes: int) -> dict[str, np.ndarray]:
    width = method.features(train[np.zeros(1, np.int64)]).shape[1]
    most = max(FEWEST_ROWS, min(MOST_ROWS, MOST_CELLS // max(1, width * classes)))
    count = min(len(train), most)
    return train[np.linspace(0, len(train) - 1, count).astype(np.int64)]


def _prepared(kind: str, makers: Mapping[str, Callable[[], Any]]) -> Any:
    """Return an estimator, with what it needs of its features: scales, and no gaps."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if kind == "boosting":
        return makers[kind]()
    filled = SimpleImputer(add_indicator=True, keep_empty_features=True)
    return make_pipeline(filled, StandardScaler(), makers[kind]())
