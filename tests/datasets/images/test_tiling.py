"""Tiles of an image: where they lie, and that blended answers are those for the whole image."""

import numpy as np
import pytest

from threefold.datasets.images.tiling import blend_tiles, cut_tile, place_tiles

SIZES = [(1, 1), (3, 90), (90, 2), (16, 24), (10, 7), (17, 25), (32, 48), (50, 61)]
TILE = (16, 24)


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("side", [1, 2, 3, 7, 16])
def test_tiles_cover_a_length_and_overlap_as_far_as_they_are_asked_to(side, overlap):
    for length in range(1, 60):
        starts = place_tiles(length, side, overlap)
        assert starts[0] == 0 and starts[-1] == max(length - side, 0)
        steps = np.diff(starts)
        assert (steps > 0).all() and (steps <= max(1, np.ceil(side * (1 - overlap)))).all()


def by_pixel(images):
    """Answer for each pixel by its own colour alone: three classes whose sum is 1."""
    scores = np.exp(images.astype(np.float32) @ np.array([[3, -1, 2]], np.float32) / 255)
    return scores / scores.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
@pytest.mark.parametrize("tile", [TILE, (1, 1), (5, 5)], ids="{0[0]}x{0[1]}".format)
def test_what_depends_on_a_pixel_alone_is_the_same_in_tiles(size, tile):
    image = np.random.default_rng(0).integers(0, 256, (*size, 1), np.uint8)
    asked = []

    def answer(tiles):
        asked.append(len(tiles))
        assert tiles.shape[1:] == (*tile, 1)
        return by_pixel(tiles)

    found = blend_tiles(answer, image, tile, 4)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, by_pixel(image), rtol=0, atol=1e-6)
    assert max(asked) <= 4


def test_the_middle_of_a_tile_weighs_more_than_its_edge():
    """Tiles that say where in them a pixel lies: near a seam the one that has it inside wins."""
    middle = np.zeros((16, 16), np.float32)
    middle[4:12, 4:12] = 1
    found = blend_tiles(
        lambda tiles: np.repeat(middle[None, ..., None], len(tiles), axis=0),
        np.zeros((64, 64, 3), np.uint8),
        (16, 16),
        8,
    )[..., 0]
    assert found[8:56, 8:56].min() > 0.5  # of a plain mean it is 0.25
    assert found[0, 0] == 0


def test_a_small_image_is_mirrored_to_fill_a_tile():
    image = np.array([[1, 2], [3, 4]], np.uint8)[..., None]
    tile = cut_tile(image, 0, 0, (3, 4))[..., 0]
    assert tile.tolist() == [[1, 2, 2, 1], [3, 4, 4, 3], [3, 4, 4, 3]]
