"""Tiles of images and of their masks, cut when they are asked for."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from threefold.core.threads import worker_threads
from threefold.datasets.batching import CROP_STREAM, uniform
from threefold.datasets.images.augmentation import IGNORED
from threefold.datasets.images.image_files import Header
from threefold.datasets.images.tiling import cut_tile, place_tiles

MOST_BYTES = 2**29  # of decoded images that are kept, of which further tiles will be cut

# Reads the image (height, width, channels) and the mask (height, width) at a place.
ReadPair = Callable[[int], tuple[np.ndarray, np.ndarray]]


def keep_decoded(read: ReadPair, headers: Sequence[Header]) -> ReadPair:
    """Return a function that reads as another does, and keeps what it read last.

    An image is asked for once for each of its tiles; to decode it takes longer than all else.

    Args:
        read: function. Of the place of an image.
        headers: sequence of Header. Of all images.
    """
    largest = max(header.height * header.width for header in headers)
    return lru_cache(maxsize=max(1, MOST_BYTES // (4 * largest)))(read)  # 3 colours and a mask


class Tile(NamedTuple):
    """A part of an image.

    Args:
        image: int. Its place.
        top: int. The first row of the part.
        left: int. The first column.
        rows: int. How many of its first rows count for nothing.
        columns: int. How many of its first columns do.
    """

    image: int
    top: int
    left: int
    rows: int = 0
    columns: int = 0


class MaskedTiles:
    """Tiles of images and masks: as few as cover the images, of which each pixel counts in one.

    Those to train on are taken anew in each epoch (see `sample`).

    Args:
        read: function of int. Returns an image and its mask, in their own size.
        headers: sequence of Header. Of all images.
        images: int array. Those to cut, by their places.
        tile_size: tuple of two ints. Height and width of a tile.
        dtype: data type. Of images.
    """

    def __init__(
        self,
        read: ReadPair,
        headers: Sequence[Header],
        images: np.ndarray,
        tile_size: tuple[int, int],
        dtype: type[np.generic],
    ):
        self.read, self.headers, self.tile_size, self.dtype = read, headers, tile_size, dtype
        self.tiles = [
            Tile(image, top, left, rows, columns)
            for image in images.tolist()
            for top, rows in _find_starts(headers[image].height, tile_size[0])
            for left, columns in _find_starts(headers[image].width, tile_size[1])
        ]

    def __len__(self) -> int:
        return len(self.tiles)

    def __getitem__(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        return self._cut([self.tiles[index] for index in indices])

    def sample(self, seed: int, epoch: int, indices: np.ndarray) -> dict[str, np.ndarray]:
        """Return examples for training: tiles that are moved by up to half their side at random.

        They stay in their image, and all of their pixels count.

        Args:
            seed: int. The run's seed.
            epoch: int. Which epoch.
            indices: int array of shape (batch,). Which examples; with the others, all that their
                places depend on.
        """
        moves = uniform(seed + CROP_STREAM, epoch, indices, 2) - 0.5
        moves = np.rint(moves * self.tile_size).astype(np.int64).tolist()
        moved = []
        for index, (down, right) in zip(indices, moves, strict=True):
            image, top, left, *_ = self.tiles[index]
            header, (height, width) = self.headers[image], self.tile_size
            top = min(max(top + down, 0), max(header.height - height, 0))
            left = min(max(left + right, 0), max(header.width - width, 0))
            moved.append(Tile(image, top, left))
        return self._cut(moved)

    def _cut(self, tiles: Sequence[Tile]) -> dict[str, np.ndarray]:
        places: dict[int, list[int]] = {}
        for place, tile in enumerate(tiles):
            places.setdefault(tile.image, []).append(place)

        def cut_image(number: int) -> list[tuple[np.ndarray, np.ndarray]]:
            image, mask = self.read(number)
            return [
                (cut_tile(image, tile.top, tile.left, self.tile_size), self._cut_mask(mask, tile))
                for tile in (tiles[place] for place in places[number])
            ]

        order = np.argsort(np.concatenate(list(places.values())))
        cut = [pair for pairs in worker_threads().map(cut_image, places) for pair in pairs]
        images = np.stack([image for image, _ in cut])[order]
        masks = np.stack([mask for _, mask in cut])[order]
        return {"image": images.astype(self.dtype, copy=False), "mask": masks}

    def _cut_mask(self, mask: np.ndarray, tile: Tile) -> np.ndarray:
        height, width = self.tile_size
        cut = np.full(self.tile_size, IGNORED, np.uint8)
        rows, columns = slice(tile.rows, None), slice(tile.columns, None)
        there = mask[tile.top : tile.top + height, tile.left : tile.left + width]
        cut[: there.shape[0], : there.shape[1]][rows, columns] = there[rows, columns]
        return cut


def _find_starts(length: int, side: int) -> list[tuple[int, int]]:
    """Return where tiles begin along an axis, and how many pixels of each are in the one before."""
    starts = place_tiles(length, side, 0.0).tolist()
    ends = [0, *(start + side for start in starts[:-1])]
    return [(start, end - start) for start, end in zip(starts, ends, strict=True)]
