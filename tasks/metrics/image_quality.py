"""How good are images that were made? Evaluated by a classifier trained on real ones.

The classifier is a small one, of scikit-learn: an exported model is evaluated by the same numbers
in a process that has no Keras. Its hidden layer gives the features in which images are compared, so
distances mean something within one set of data, and nothing across two; none of them is the FID of
other papers, whose features come from another network. Of images without classes the features are
those of an autoencoder, a network that rebuilds the images.
"""

import warnings

import numpy as np

HIDDEN = 64  # features
LARGEST = 32  # pixels: longer sides are halved until they fit
NEIGHBOURS_OF_RECALL, NEIGHBOURS_OF_COVERAGE = 3, 5  # as the papers have them
BLOCK = 1000  # rows of a matrix of distances that are in memory at once
FEWEST_PIXELS = 4  # below, an image is a point of a plane
SPREAD = 3.0  # deviations from a mode within which a point belongs to it


class ImageEvaluator:
    """A classifier, or an autoencoder, and what it makes of generated images.

    Args:
        images: array of shape (images, height, width, channels), values 0 to 255. Real ones.
        labels: int array of shape (images,). With a single class, an autoencoder is trained.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray):
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        self.has_classes = len(np.unique(labels)) > 1
        network = MLPClassifier if self.has_classes else MLPRegressor
        self.network = network(
            hidden_layer_sizes=(HIDDEN,), alpha=1e-3, max_iter=60, random_state=0
        )
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
        return self.network.predict(_flatten(images))

    def features(self, images: np.ndarray) -> np.ndarray:
        """Return what the network's hidden layer makes of images, (images, HIDDEN)."""
        weights, bias = self.network.coefs_[0], self.network.intercepts_[0]
        return np.maximum(_flatten(images).astype(np.float64) @ weights + bias, 0)

    def compare(self, made: np.ndarray, real: np.ndarray) -> dict[str, float]:
        """Compare generated images with real ones.

        Args:
            made: array of shape (images, height, width, channels), values 0 to 255.
            real: array of the same shape but for the number of images.

        Returns:
            dict of str to number. Distances, lower is better: the Fréchet distance of features
            (Heusel et al. 2017), and the squared distance of their means under a cubic kernel
            (Bińkowski et al. 2018). Shares, higher is better: precision and recall (Kynkäänniemi
            et al. 2019), density, which may be above 1, and coverage (Naeem et al. 2020). And how
            many classes a classifier finds among those that were made; of points, how many modes
            were hit, and the share of points that hit one.
        """
        one, other = self.features(made), self.features(real)
        whose = "classifier" if self.has_classes else "autoencoder"
        found = {
            f"{whose}_frechet_distance": frechet_distance(one, other),
            f"{whose}_kernel_distance": kernel_distance(one, other),
            **neighbour_shares(one, other),
        }
        if self.has_classes:
            found["classes_made"] = len(np.unique(self.classify(made)))
        if self.modes is not None:
            points = made.reshape(len(made), -1).astype(np.float64)
            distances = _distances(points, self.modes)
            hit = distances.min(axis=1) <= SPREAD * self.spread
            found["modes_covered"] = len(np.unique(distances.argmin(axis=1)[hit]))
            found["share_in_modes"] = float(hit.mean())
        return found


def frechet_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Return the squared distance of the normal distributions that fit two sets of features.

    Args:
        one: float array of shape (examples, features).
        other: float array of shape (examples, features).
    """
    means = one.mean(axis=0) - other.mean(axis=0)
    first, second = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (one, other))
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0)).sum()
    return float(means @ means + np.trace(first) + np.trace(second) - 2 * shared)


def kernel_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Return the unbiased squared maximum mean discrepancy, kernel ``(x·y / features + 1)³``."""

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (a @ b.T / a.shape[1] + 1) ** 3

    def within(a: np.ndarray) -> float:
        matrix = kernel(a, a)
        return float((matrix.sum() - np.trace(matrix)) / max(len(a) * (len(a) - 1), 1))

    return within(one) + within(other) - 2 * float(kernel(one, other).mean())


def neighbour_shares(made: np.ndarray, real: np.ndarray) -> dict[str, float]:
    """Return precision, recall, density and coverage, from nearest neighbours.

    Args:
        made: float array of shape (examples, features).
        real: float array of shape (examples, features).
    """
    near, far = (
        _reach(real, neighbours) for neighbours in (NEIGHBOURS_OF_RECALL, NEIGHBOURS_OF_COVERAGE)
    )
    own = _reach(made, NEIGHBOURS_OF_RECALL)
    precise, dense = [], 0
    recalled, covered = np.zeros(len(real), bool), np.zeros(len(real), bool)
    for start in range(0, len(made), BLOCK):
        distances = _distances(made[start : start + BLOCK], real)
        precise.append((distances <= near).any(axis=1))
        dense += np.count_nonzero(distances <= far)
        recalled |= (distances <= own[start : start + BLOCK, None]).any(axis=0)
        covered |= (distances <= far).any(axis=0)
    return {
        "precision": float(np.concatenate(precise).mean()),
        "recall": float(recalled.mean()),
        "density": float(dense / (NEIGHBOURS_OF_COVERAGE * len(made))),
        "coverage": float(covered.mean()),
    }


def _reach(points: np.ndarray, neighbours: int) -> np.ndarray:
    """Return how far each point's so-manieth neighbour is."""
    place = min(neighbours, len(points) - 1)  # the nearest of all is the point itself
    return np.concatenate(
        [
            np.partition(_distances(points[start : start + BLOCK], points), place, axis=1)[:, place]
            for start in range(0, len(points), BLOCK)
        ]
    )


def _distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T
    return np.sqrt(np.maximum(squares, 0))


def _flatten(images: np.ndarray) -> np.ndarray:
    """Return images as rows of numbers from -1 to 1, larger ones halved until they fit."""
    while min(images.shape[1:3]) > LARGEST:
        height, width = (side - side % 2 for side in images.shape[1:3])
        even = images[:, :height, :width]
        images = (even[:, ::2, ::2] + even[:, 1::2, ::2] + even[:, ::2, 1::2]
                    + even[:, 1::2, 1::2]) / 4  # fmt: skip
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(127.5) - 1
