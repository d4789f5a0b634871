"""Attention and the positions of steps, against what the papers' equations give."""

import keras
import numpy as np
import pytest
from keras import ops

from threefold.blueprints.parts.attention import AddPositions, Attend, Block, CausalMask, Rotate

pytestmark = pytest.mark.each_backend

RANDOM = np.random.default_rng(0)


def numbers(x):
    return ops.convert_to_numpy(x)


def sample(*shape):
    return RANDOM.normal(size=shape).astype(np.float32)


def test_attention_is_the_equation_of_the_paper():
    queries, keys, values = sample(2, 3, 8), sample(2, 5, 8), sample(2, 5, 8)
    mask = np.ones((2, 1, 5), bool)
    mask[1, 0, 2:] = False
    found = numbers(Attend(2)([queries, np.concatenate([keys, values], -1), mask]))
    for row in range(2):
        for head in range(2):
            part = slice(4 * head, 4 * head + 4)
            scores = queries[row, :, part] @ keys[row, :, part].T / np.sqrt(4)
            scores[:, ~mask[row, 0]] = -np.inf
            weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
            np.testing.assert_allclose(
                found[row, :, part], weights @ values[row, :, part], atol=1e-5
            )


def test_jax_gets_a_mask_of_every_query(monkeypatch):
    """Else cuDNN's kernel is not used, and each layer writes a traceback to the terminal."""
    masks, attend = [], ops.dot_product_attention

    def watch(*arrays, mask):
        masks.append(tuple(mask.shape))
        return attend(*arrays, mask=mask)

    monkeypatch.setattr(ops, "dot_product_attention", watch)
    Attend(2)([sample(2, 3, 8), sample(2, 5, 16), np.ones((2, 1, 5), bool)])
    wanted = (2, 1, 3, 5) if keras.config.backend() == "jax" else (2, 1, 1, 5)
    assert masks == [wanted]


def test_without_a_mask_all_is_seen():
    queries, both = sample(2, 3, 8), sample(2, 5, 16)
    everything = np.ones((2, 1, 5), bool)
    np.testing.assert_allclose(
        numbers(Attend(2)([queries, both])), numbers(Attend(2)([queries, both, everything])),
        atol=1e-6,
    )  # fmt: skip


def test_a_step_sees_itself_what_came_before_and_what_the_cache_holds():
    filled = np.array([0, 2], np.int32)
    found = numbers(CausalMask()([np.zeros((2, 3)), np.zeros((2, 4, 6)), filled]))
    assert found.shape == (2, 3, 7)
    assert not found[0, :, :4].any()
    assert found[1, :, :2].all() and not found[1, :, 2:4].any()
    np.testing.assert_array_equal(found[1, :, 4:], np.tril(np.ones((3, 3), bool)))


def test_waves_are_those_of_the_paper_wherever_a_text_is_gone_on_with():
    found = numbers(AddPositions(None)(np.zeros((2, 3, 6)), np.array([0, 4])))
    for row, first in enumerate((0, 4)):
        for step in range(3):
            angles = (first + step) / 10_000 ** (np.arange(3) / 3)
            wanted = np.concatenate([np.sin(angles), np.cos(angles)])
            np.testing.assert_allclose(found[row, step], wanted, atol=1e-5)


def test_learned_positions_differ_and_go_on():
    layer = AddPositions(7)
    whole = numbers(layer(np.zeros((1, 7, 4))))[0]
    assert len(np.unique(whole, axis=0)) == 7
    part = numbers(layer(np.zeros((1, 2, 4)), np.array([5])))[0]
    np.testing.assert_array_equal(part, whole[5:])


def test_rotation_keeps_lengths_and_products_depend_on_distance_alone():
    x, y = sample(1, 1, 8), sample(1, 1, 8)
    rotate = Rotate(2)

    def product(one, other):
        a, b = (numbers(rotate([v, np.array([p])])) for v, p in ((x, one), (y, other)))
        return a.reshape(2, 4) @ b.reshape(2, 4).T

    assert np.linalg.norm(numbers(rotate([x, np.array([9])]))) == pytest.approx(
        np.linalg.norm(x), rel=1e-5
    )
    near, same, far = product(3, 5), product(13, 15), product(3, 9)
    np.testing.assert_allclose(np.diag(near), np.diag(same), atol=1e-4)
    assert not np.allclose(np.diag(near), np.diag(far), atol=1e-3)


def test_steps_that_are_turned_together_are_turned_as_each_alone():
    x = sample(1, 4, 8)
    whole = numbers(Rotate(2)([x, np.array([2])]))
    for step in range(4):
        alone = numbers(Rotate(2)([x[:, step : step + 1], np.array([2 + step])]))
        np.testing.assert_allclose(alone[:, 0], whole[:, step], atol=1e-5)


def test_heads_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="num_heads must divide model_dim, 8, .* got 3"):
        Block(8, 3, 16, "relu", 0.0, norm_first=True)
    with pytest.raises(ValueError, match="even number of features a head"):
        Block(6, 2, 16, "relu", 0.0, norm_first=True, rotary=True)
