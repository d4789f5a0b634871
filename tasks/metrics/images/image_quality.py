"""How good are images that were made? Evaluated by a classifier trained on real ones.

The classifier is a small one, of scikit-learn: an exported model is evaluated by the same numbers
in a process that has no Keras. Its hidden layer gives the features in which images are compared, so
distances mean something within one set of data, and nothing across two; none of them is the FID of
other papers, whose features come from another network. Of images without classes the features are
those of an autoencoder, a network that rebuilds the images.
"""

import functools
import warnings
from typing import Any

import numpy as np

from threefold.tasks.metrics.bootstrap import interval, sample_counts

HIDDEN = 64  # features
LARGEST = 32  # pixels: longer sides are halved until they fit
NEIGHBOURS_OF_RECALL, NEIGHBOURS_OF_COVERAGE = 3, 5  # as the papers have them
OF_MADE = ("precision", "density")  # shares of the generated images; others are of real ones
BLOCK = 1000  # rows of a matrix of distances that are in memory at once
FEWEST_PIXELS = 4  # below, an image is a point of a plane
SPREAD = 3.0  # deviations from a mode within which a point belongs to it


class ImageEvaluator:
    """A classifier, or an autoencoder, and what it makes of generated images.

    Args:
        images: array of shape (images, height, width, channels), values 0 to 255. Real ones.
        labels: int array of shape (images,). With a single class, an autoencoder is trained.
        symbols: int. Where each channel shows one of so many symbols, and the class is the number
            that they write, the first the highest digit: the classifier is then one of single
            channels, and features are those of all channels, one after the other.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, symbols: int | None = None):
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        self.has_classes = len(np.unique(labels)) > 1
        network = MLPClassifier if self.has_classes else MLPRegressor
        self.network = network(
            hidden_layer_sizes=(HIDDEN,), alpha=1e-3, max_iter=60, random_state=0
        )
        self.symbols = symbols
        if symbols:
            shown = _read_symbols(labels, symbols, images.shape[-1])  # (images, channels)
            shares = [np.bincount(of, minlength=symbols) / len(of) for of in shown.T]
            self.mode_shares = functools.reduce(np.multiply.outer, shares).ravel()
            images, labels = _separate(images), shown.ravel()
            first = np.unique(images.reshape(len(images), -1), axis=0, return_index=True)[1]
            images, labels = images[first], labels[first]
        rows = _flatten(images)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.network.fit(rows, labels if self.has_classes else rows)
        self.modes = None
        if images[0].size < FEWEST_PIXELS:
            points = images.reshape(len(images), -1).astype(np.float64)
            parts = [points[labels == label] for label in np.unique(labels)]
            self.modes = np.stack([part.mean(axis=0) for part in parts])
            self.spread = float(np.mean([part.std(axis=0).mean() for part in parts]))

    def classify(self, images: np.ndarray) -> np.ndarray:
        """Return the class that each image is taken for, where there are classes."""
        if self.symbols is None:
            return self.network.predict(_flatten(images))
        channels = images.shape[-1]
        shown = self.network.predict(_flatten(_separate(images))).reshape(-1, channels)
        return shown @ self.symbols ** np.arange(channels)[::-1]

    def features(self, images: np.ndarray) -> np.ndarray:
        """Return what the network's hidden layer makes of images, (images, HIDDEN), or of each
        channel alone, (images, channels × HIDDEN).
        """
        count = len(images)
        images = _separate(images) if self.symbols else images
        weights, bias = self.network.coefs_[0], self.network.intercepts_[0]
        found = np.maximum(_flatten(images).astype(np.float64) @ weights + bias, 0)
        return found.reshape(count, -1)

    def compare(
        self, made: np.ndarray, real: np.ndarray, *, intervals: bool = False
    ) -> dict[str, Any]:
        """Compare generated images with real ones.

        Args:
            made: array of shape (images, height, width, channels), values 0 to 255.
            real: array of the same shape but for the number of images.
            intervals: bool. Whether to say how sure the distances and shares are, as `intervals`;
                see `compare_features`.

        Returns:
            dict of str to number. Distances, lower is better: the Fréchet distance of features
            (Heusel et al. 2017), and the squared distance of their means under a cubic kernel
            (Bińkowski et al. 2018). Shares, higher is better: precision and recall (Kynkäänniemi
            et al. 2019), density, which may be above 1, and coverage (Naeem et al. 2020). And how
            many classes a classifier finds among those that were made; of points, how many modes
            were hit, and the share of points that hit one; of stacked symbols, how many of their
            combinations were found, and the Kullback-Leibler divergence of what was found from
            their shares in training (as if channels were independent), in nats. Few images cannot
            find all modes: compare with what as many real ones find.
        """
        whose = "classifier" if self.has_classes else "autoencoder"
        found = compare_features(self.features(made), self.features(real), whose, intervals)
        if self.has_classes:
            classes = self.classify(made)
            found["classes_made"] = len(np.unique(classes))
        if self.symbols:
            shares = np.bincount(classes, minlength=len(self.mode_shares)) / len(made)
            there = shares > 0
            wanted = self.mode_shares[there]
            found["modes_covered"] = found.pop("classes_made")
            found["modes_kl_divergence"] = float(shares[there] @ np.log(shares[there] / wanted))
        if self.modes is not None:
            points = made.reshape(len(made), -1).astype(np.float64)
            distances = _distances(points, self.modes)
            hit = distances.min(axis=1) <= SPREAD * self.spread
            found["modes_covered"] = len(np.unique(distances.argmin(axis=1)[hit]))
            found["share_in_modes"] = float(hit.mean())
        return found


def compare_features(
    made: np.ndarray, real: np.ndarray, whose: str, intervals: bool
) -> dict[str, Any]:
    """Return the distances and shares of two sets of features, see `ImageEvaluator.compare`.

    Args:
        made: float array of shape (images, features).
        real: float array of shape (images, features).
        whose: str. The network of the features, which the names of distances begin with.
        intervals: bool. Whether to add `intervals`: of each number the bounds `low` and `high` of
            95 %, by a bootstrap over images whose features stay as they are. For the distances,
            generated and real images are sampled again, each among themselves. For the shares, what
            was found of each image: of generated ones for precision and density, of real ones for
            recall and coverage; the neighbours are those among all images, because an image that a
            sample has twice would be its own neighbour. A share on which all images agree has none.
    """
    per_image = neighbours_found(made, real)
    found = {
        f"{whose}_frechet_distance": frechet_distance(made, real),
        f"{whose}_kernel_distance": kernel_distance(made, real),
        **{name: float(values.mean()) for name, values in per_image.items()},
    }
    if not intervals:
        return found
    of_made, of_real = sample_counts(len(made), 0), sample_counts(len(real), 1)
    samples = {name: (of_made if name in OF_MADE else of_real) @ values / len(values)
               for name, values in per_image.items()}  # fmt: skip
    sampled = _frechet(*_sample_moments(made, of_made), *_sample_moments(real, of_real))
    # Images that a sample has twice narrow its spread, which moves this distance and only this one.
    moved = found[f"{whose}_frechet_distance"] - sampled.mean()
    samples[f"{whose}_frechet_distance"] = np.maximum(sampled + moved, 0)
    samples[f"{whose}_kernel_distance"] = _kernel_distances(made, real, of_made, of_real)
    bounds = {name: interval(samples[name]) for name in found}
    found["intervals"] = {
        name: {"low": pair[0], "high": pair[1]} for name, pair in bounds.items() if pair
    }
    return found


def frechet_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Return the squared distance of the normal distributions that fit two sets of features.

    Args:
        one: float array of shape (examples, features).
        other: float array of shape (examples, features).
    """
    first, second = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (one, other))
    return float(_frechet(one.mean(axis=0), first, other.mean(axis=0), second))


def _frechet(
    mean: np.ndarray, covariance: np.ndarray, other_mean: np.ndarray, other_covariance: np.ndarray
) -> np.ndarray:
    """Return the distance of normal distributions; all may have the same leading axes."""

    def trace(matrix: np.ndarray) -> np.ndarray:
        return np.trace(matrix, axis1=-2, axis2=-1)

    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0))[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ other_covariance @ root), 0))
    apart = ((mean - other_mean) ** 2).sum(axis=-1)
    found = apart + trace(covariance) + trace(other_covariance) - 2 * shared.sum(axis=-1)
    return np.maximum(found, 0)  # which rounding may pass


def _sample_moments(features: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return means (samples, features) and covariances (samples, features, features)."""
    number, width = features.shape
    middle = features.mean(axis=0)
    features = features - middle  # squares of what is far from 0 would lose digits
    counts = counts.astype(np.float64)
    products = np.zeros((len(counts), width * width))
    block = max(BLOCK * HIDDEN**2 // width**2, 1)  # of more features, fewer rows at once
    for start in range(0, number, block):
        part = features[start : start + block]
        pairs = (part[:, :, None] * part[:, None, :]).reshape(len(part), -1)
        products += counts[:, start : start + block] @ pairs
    means = counts @ features / number
    squares = products.reshape(-1, width, width) / number
    covariances = (squares - means[:, :, None] * means[:, None, :]) * (number / (number - 1))
    return means + middle, covariances


def kernel_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Return the unbiased squared maximum mean discrepancy, kernel ``(x·y / features + 1)³``."""
    once = (np.ones((1, len(features)), np.int64) for features in (one, other))
    return float(_kernel_distances(one, other, *once)[0])


def _kernel_distances(
    one: np.ndarray, other: np.ndarray, counts: np.ndarray, other_counts: np.ndarray
) -> np.ndarray:
    """Return the kernel distance of each sample, where examples count so often, (samples,).

    A pair of an example with itself counts in none, not even of one that a sample has twice.
    """

    def between(a: np.ndarray, b: np.ndarray, of_a: np.ndarray, of_b: np.ndarray) -> np.ndarray:
        total, same = np.zeros(len(of_a)), a is b
        for start in range(0, len(a), BLOCK):
            rows = slice(start, start + BLOCK)
            kernel = (a[rows] @ b.T / a.shape[1] + 1) ** 3
            if same:
                np.fill_diagonal(kernel[:, rows], 0)
            total += np.einsum("sr,sr->s", of_a[:, rows], of_b @ kernel.T)
        pairs = of_a.sum(axis=1) * of_b.sum(axis=1)
        pairs -= (of_a**2).sum(axis=1) if same else 0
        return total / np.maximum(pairs, 1)

    counts, other_counts = counts.astype(np.float64), other_counts.astype(np.float64)
    within = between(one, one, counts, counts) + between(other, other, other_counts, other_counts)
    return within - 2 * between(one, other, counts, other_counts)


def neighbours_found(made: np.ndarray, real: np.ndarray) -> dict[str, np.ndarray]:
    """Return precision, recall, density and coverage of each image, from nearest neighbours.

    Args:
        made: float array of shape (examples, features).
        real: float array of shape (other examples, features).

    Returns:
        dict of str to float array. Precision and density of shape (examples,), recall and coverage
        of shape (other examples,); the metrics are their means.
    """
    near, far = _reach(real, (NEIGHBOURS_OF_RECALL, NEIGHBOURS_OF_COVERAGE))
    (own,) = _reach(made, (NEIGHBOURS_OF_RECALL,))
    precise, dense = [], []
    recalled, covered = np.zeros(len(real), bool), np.zeros(len(real), bool)
    for start in range(0, len(made), BLOCK):
        distances = _distances(made[start : start + BLOCK], real)
        precise.append((distances <= near).any(axis=1))
        dense.append(np.count_nonzero(distances <= far, axis=1) / NEIGHBOURS_OF_COVERAGE)
        recalled |= (distances <= own[start : start + BLOCK, None]).any(axis=0)
        covered |= (distances <= far).any(axis=0)
    found = {
        "precision": np.concatenate(precise),
        "recall": recalled,
        "density": np.concatenate(dense),
        "coverage": covered,
    }
    return {name: values.astype(np.float64) for name, values in found.items()}


def _reach(points: np.ndarray, neighbours: tuple[int, ...]) -> np.ndarray:
    """Return how far each point's so-manieth neighbours are, (neighbours, points)."""
    # The nearest of all is the point itself.
    places = [min(neighbour, len(points) - 1) for neighbour in neighbours]
    found = []
    for start in range(0, len(points), BLOCK):
        distances = _distances(points[start : start + BLOCK], points)
        distances.partition(places, axis=1)
        found.append(distances[:, places].T)
    return np.concatenate(found, axis=1)


def _distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T
    return np.sqrt(np.maximum(squares, 0))


def _separate(images: np.ndarray) -> np.ndarray:
    """Return each channel as a gray image, (images × channels, height, width, 1)."""
    return np.moveaxis(images, -1, 1).reshape(-1, *images.shape[1:3], 1)


def _read_symbols(labels: np.ndarray, symbols: int, channels: int) -> np.ndarray:
    """Return the symbol of each channel, (images, channels)."""
    return labels[:, None] // symbols ** np.arange(channels)[::-1] % symbols


def _flatten(images: np.ndarray) -> np.ndarray:
    """Return images as rows of numbers from -1 to 1, larger ones halved until they fit."""
    while min(images.shape[1:3]) > LARGEST:
        height, width = (side - side % 2 for side in images.shape[1:3])
        even = images[:, :height, :width]
        images = (even[:, ::2, ::2] + even[:, 1::2, ::2] + even[:, ::2, 1::2]
                    + even[:, 1::2, 1::2]) / 4  # fmt: skip
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(127.5) - 1
