"""The loss of tokens, error rates, and the search for the best texts."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threefold.datasets.texts.tokenizing import END, START
from threefold.tasks.decoding import error_rate, token_loss, token_weights, until_end

pytestmark = pytest.mark.each_backend


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_that_of_one_hot_targets(smoothing):
    import keras

    sample = np.random.default_rng(0)
    outputs, targets = (
        sample.normal(size=(3, 4, 5)).astype(np.float32),
        sample.integers(0, 5, (3, 4)),
    )
    wanted = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=smoothing, reduction=None
    )(np.eye(5, dtype=np.float32)[targets], outputs)
    found = token_loss(smoothing)(targets, outputs)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(found), keras.ops.convert_to_numpy(wanted), rtol=1e-5
    )


def test_padding_weighs_nothing_and_the_mean_is_that_of_the_tokens():
    targets = np.array([[4, 5, 3], [6, 3, 0], [3, 0, 0]])
    weights = token_weights(targets)
    assert not weights[targets == 0].any()
    losses = np.arange(9.0).reshape(3, 3)
    assert (weights * losses).mean() == pytest.approx(losses[targets > 0].mean())


def test_an_error_rate_counts_edits_by_the_true_length():
    assert error_rate([[1, 2, 3], []], [[1, 3], [4, 4]]) == pytest.approx(3 / 4)
    assert until_end(np.array([5, 6, END, 0, 7])).tolist() == [5, 6]
    assert until_end(np.array([5, 6])).tolist() == [5, 6]


def table_model(table: np.ndarray):
    """A model whose logits after each token are a row of a table; its state counts its steps."""
    import keras
    from keras import layers, ops

    class Look(layers.Layer):
        def call(self, target, steps):
            return ops.take(ops.array(table, "float32"), target, axis=0), steps + 1

        def compute_output_spec(self, target, steps):
            shape = (*target.shape, table.shape[-1])
            return keras.KerasTensor(shape), keras.KerasTensor(steps.shape, steps.dtype)

    source = keras.Input((None,), dtype="int32", name="source")
    first = ops.cast(source[:, 0], "float32")
    encoder = keras.Model({"source": source}, {"steps": first}, name="encoder")
    target = keras.Input((None,), dtype="int32", name="target")
    steps = keras.Input((), name="steps")
    logits, after = Look()(target, steps)
    decoder = keras.Model(
        {"target": target, "steps": steps}, {"logits": logits, "steps": after}, name="decoder"
    )
    found = decoder({"target": target, **encoder({"source": source})})
    return keras.Model({"source": source, "target": target}, found["logits"])


def log_softmax(rows):
    return rows - np.log(np.exp(rows).sum(-1, keepdims=True))


@settings(deadline=None, max_examples=5)
@given(st.integers(0, 1000), st.sampled_from([0.0, 1.0]))
def test_a_wide_search_finds_the_best_of_all_texts(seed, penalty):
    """Against all texts of up to three tokens; nothing can be pruned that is among the best."""
    from threefold.blueprints.parts.decoding import BeamSearch

    size, max_length, width = 6, 3, 40
    table = np.random.default_rng(seed).normal(0, 2, (size, size))
    found = BeamSearch(table_model(table), max_length, width, penalty).predict_on_batch(
        {"source": np.ones((2, 1), np.int32)}
    )
    tokens, scores = np.asarray(found["tokens"]), np.asarray(found["scores"])
    log = log_softmax(table)
    texts = []
    for length in range(1, max_length + 1):
        for text in itertools.product(range(END, size), repeat=length):
            ended = text[-1] == END or length == max_length
            if ended and END not in text[:-1]:
                total = sum(log[a, b] for a, b in zip((START, *text), text, strict=False))
                texts.append((total / length**penalty, text))
    texts.sort(reverse=True)
    for row in range(2):
        for place, (score, text) in enumerate(texts[:5]):
            assert scores[row, place] == pytest.approx(score, abs=1e-4)
            assert tuple(tokens[row, place, : len(text)]) == text
            assert not tokens[row, place, len(text) :].any()


def test_a_narrow_search_takes_the_best_token_each_time_and_stops_at_the_end():
    from threefold.blueprints.parts.decoding import BeamSearch

    table = np.full((6, 6), -9.0)
    for before, behind in ((START, 4), (4, 5), (5, END)):
        table[before, behind] = 9
    found = BeamSearch(table_model(table), 7, 1, 1.0).predict_on_batch(
        {"source": np.ones((1, 1), np.int32)}
    )
    assert np.asarray(found["tokens"])[0, 0].tolist() == [4, 5, END, 0, 0, 0, 0]


def test_what_must_never_be_written_is_not():
    from threefold.blueprints.parts.decoding import BeamSearch

    table = np.zeros((6, 6))
    table[:, :END] = 50  # padding, unknown and start are all but certain
    found = BeamSearch(table_model(table), 5, 3, 0.0).predict_on_batch(
        {"source": np.ones((1, 1), np.int32)}
    )
    for row in np.asarray(found["tokens"])[0]:
        assert min(until_end(row), default=END) >= END
