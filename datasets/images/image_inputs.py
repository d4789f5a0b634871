"""Raw images for a prediction."""

import itertools
from collections.abc import Iterator

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.facts import ImageFacts
from threefold.datasets.images.image_files import (
    CONVERTIBLE,
    SUFFIXES,
    stack_images,
    try_read_batch,
)
from threefold.datasets.raw_inputs import Given, Inputs

READS = ("image",)


def read(given: Given, facts: ImageFacts, batch_size: int) -> Iterator[Inputs]:
    """Read images.

    Args:
        given: Given. Files, or `-` for their paths, one on each line.
        facts: ImageFacts. The shape of the run.
        batch_size: int. Images in one part.

    Returns:
        iterator of Inputs. `image` float32, in the shape of the run, or each in its own.
    """
    if facts.tile_size:  # one large image makes several batches
        batch_size = 1
    paths = given.paths(SUFFIXES)
    starts = range(0, len(paths), batch_size)
    parts = (_read_part(paths[start : start + batch_size], facts) for start in starts)
    unread = given.unread("images", CONVERTIBLE)
    none = Inputs([], {"image": _no_images(facts)}, unread)
    return itertools.chain(parts, [none]) if unread else parts


def _read_part(paths: list[str], facts: ImageFacts) -> Inputs:
    read = list(zip(paths, try_read_batch(paths, facts.image_shape, facts.levels), strict=True))
    errors = [found for _, found in read if isinstance(found, UserError)]
    good = [(path, found) for path, found in read if not isinstance(found, UserError)]
    images = stack_images([image for _, image in good]) if good else _no_images(facts)
    return Inputs([path for path, _ in good], {"image": images}, errors)


def _no_images(facts: ImageFacts) -> np.ndarray:
    return np.empty((0, *(side or 0 for side in facts.image_shape)))
