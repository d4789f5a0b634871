"""How completed images are judged, and what simple methods put into a hole."""

import numpy as np
import pytest

from threefold.tasks.metrics.images.inpainting_scores import (
    fill_by_diffusion,
    fill_with_border_mean,
    map_ssim,
    score_holes,
)


def make_pair(side=24):
    sample = np.random.default_rng(0)
    real = sample.integers(0, 256, (3, side, side + 2, 2)).astype(np.float64)
    found = np.clip(real + sample.normal(0, 30, real.shape), 0, 255)
    holes = np.zeros(real.shape[:3], np.uint8)
    holes[0, 2:7, 3:9], holes[1, 10:12, :], holes[2, -1, -1] = 1, 1, 1
    return found, real, holes


def ssim_at(one, other, row, column):
    """Return SSIM of the window around a pixel, as the formula of Wang et al. 2004 says it."""
    offsets = np.arange(-5, 6)
    line = np.exp(-(offsets**2) / (2 * 1.5**2))
    weights = np.outer(line, line) / np.outer(line, line).sum()
    rows, columns = slice(row - 5, row + 6), slice(column - 5, column + 6)
    x, y = one[rows, columns], other[rows, columns]
    mean_x, mean_y = (weights * x).sum(), (weights * y).sum()
    var_x, var_y = (weights * (x - mean_x) ** 2).sum(), (weights * (y - mean_y) ** 2).sum()
    shared = (weights * (x - mean_x) * (y - mean_y)).sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    light = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return light * (2 * shared + c2) / (var_x + var_y + c2)


def test_ssim_is_the_formula_of_the_paper():
    found, real, _ = make_pair()
    mapped = map_ssim(found, real)
    assert mapped.shape == real.shape and mapped.max() <= 1
    for image, row, column, channel in ((0, 5, 5, 0), (1, 12, 9, 1), (2, 18, 20, 0)):
        wanted = ssim_at(found[image, ..., channel], real[image, ..., channel], row, column)
        assert mapped[image, row, column, channel] == pytest.approx(wanted, rel=1e-9)


def test_the_scores_are_of_the_pixels_in_holes_alone():
    found, real, holes = make_pair()
    scores = score_holes(found, real, holes)
    off = np.concatenate(
        [(a - b)[h == 1].ravel() for a, b, h in zip(found, real, holes, strict=True)]
    )
    assert scores["l1"] == pytest.approx(np.abs(off).mean())
    assert scores["psnr"] == pytest.approx(10 * np.log10(255**2 / (off**2).mean()))
    mapped = map_ssim(found, real)
    assert scores["ssim"] == pytest.approx(mapped[holes == 1].mean())
    assert scores["share_in_holes"] == holes.mean()
    elsewhere = np.where(holes[..., None] == 1, found, 0)
    spoilt = score_holes(elsewhere, real, holes)
    assert (spoilt["l1"], spoilt["psnr"]) == (scores["l1"], scores["psnr"])


def test_what_is_right_has_a_finite_score_that_nothing_beats():
    found, real, holes = make_pair()
    best = score_holes(real, real, holes)
    assert best["l1"] == 0 and best["ssim"] == pytest.approx(1) and 58 < best["psnr"] < 60
    assert best["psnr"] > score_holes(found, real, holes)["psnr"]
    tiny = score_holes(real[:, :3, :2], real[:, :3, :2], np.ones((3, 3, 2)))
    assert tiny["ssim"] == pytest.approx(1)


def test_diffusion_solves_laplace():
    rows, columns = np.mgrid[:9, :12].astype(float)
    plane = np.stack([3 * rows + 5 * columns + 7, 100 - 2 * rows], axis=-1)  # harmonic
    hole = np.zeros((9, 12), np.uint8)
    hole[2:6, 3:9], hole[7, 1] = 1, 1
    damaged = np.where(hole[..., None] == 1, -999, plane)
    np.testing.assert_allclose(fill_by_diffusion(damaged, hole), plane, atol=1e-9)
    hole = np.ones((9, 12), np.uint8)
    hole[4, 4] = 0  # one pixel is known: it flows everywhere
    flat = fill_by_diffusion(damaged, hole)
    np.testing.assert_allclose(flat, np.broadcast_to(damaged[4, 4], flat.shape), atol=1e-6)


def test_each_part_of_a_hole_gets_the_mean_of_its_own_border():
    image = np.zeros((5, 9, 1))
    image[:, 5:] = 80
    hole = np.zeros((5, 9), np.uint8)
    hole[2, 1:3], hole[2, 7] = 1, 1
    image[hole == 1] = 200
    filled = fill_with_border_mean(image, hole)
    assert filled[2, 1, 0] == filled[2, 2, 0] == 0 and filled[2, 7, 0] == 80
    np.testing.assert_array_equal(filled[hole == 0], image[hole == 0])
