"""Recurrent networks: padding means nothing, and reading both ways is reading both ways."""

import keras
import numpy as np
import pytest

from threefold.blueprints import rnn
from threefold.training.backend import seed_everything

pytestmark = pytest.mark.each_backend

CELLS = ("simple", "lstm", "gru")
VARIANTS = (
    {"convolutions": (4, 3)},
    {"pooling": ("last",)},
    {"pooling": ("mean", "max"), "skip_connection": False},
    {"bidirectional": False},
)
OPTIONS = [{}, *(pytest.param(given, marks=pytest.mark.variant) for given in VARIANTS)]
TOKENS = np.array([[5, 3, 7, 0], [4, 0, 0, 0], [6, 6, 2, 9]], np.int32)


def predict_with(model, **inputs):
    return np.asarray(model.predict_on_batch(inputs))


def lengthen(array, steps, fill=0):
    return np.pad(array, [(0, 0), (0, steps)] + [(0, 0)] * (array.ndim - 2), constant_values=fill)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_padding_changes_no_class(cell, options):
    model = rnn.build_text_classifier(12, 3, embedding_dim=5, units=(4, 3), cell=cell, **options)
    wanted = predict_with(model, tokens=TOKENS)
    np.testing.assert_allclose(predict_with(model, tokens=lengthen(TOKENS, 5)), wanted, atol=1e-6)
    alone = predict_with(model, tokens=TOKENS[1:2, :1])
    np.testing.assert_allclose(alone, wanted[1:2], atol=1e-6)


@pytest.mark.parametrize("convolutions", [(), (4,)], ids=str)
def test_padding_changes_no_tag(convolutions):
    model = rnn.build_tagger(12, 3, embedding_dim=5, convolutions=convolutions, units=(4,))
    wanted = predict_with(model, tokens=TOKENS)
    longer = predict_with(model, tokens=lengthen(TOKENS, 3))
    for row, length in enumerate((3, 1, 4)):
        np.testing.assert_allclose(longer[row, :length], wanted[row, :length], atol=1e-6)


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_what_fills_a_series_up_changes_nothing(pooling):
    model = rnn.build_sequence_classifier(((1.0, 2.0), (0.0, 1.0)), 2, units=(4,),
                                          pooling=(pooling,))  # fmt: skip
    values = np.random.default_rng(0).normal(size=(3, 6, 2)).astype(np.float32)
    lengths = np.array([6, 2, 4], np.int32)
    wanted = predict_with(model, values=values, lengths=lengths)
    longer = lengthen(values, 3, fill=99.0)
    longer[1, 2:], longer[2, 4:] = -99.0, 99.0
    np.testing.assert_allclose(
        predict_with(model, values=longer, lengths=lengths), wanted, atol=1e-6
    )


def test_a_missing_value_counts_as_the_mean():
    model = rnn.build_sequence_classifier(((3.0, 2.0),), 2, units=(4,))
    values = np.array([[[1.0], [3.0], [5.0]]], np.float32)
    missing = values.copy()
    missing[0, 1] = np.nan
    lengths = np.array([3], np.int32)
    np.testing.assert_allclose(
        predict_with(model, values=missing, lengths=lengths),
        predict_with(model, values=values, lengths=lengths),
    )


def test_backwards_a_text_is_read_from_its_own_end():
    """The state that pools the last step of a short text must have read all of it, both ways."""
    model = rnn.build_text_classifier(12, 2, embedding_dim=5, units=(4,), skip_connection=False)
    one, other = TOKENS.copy(), TOKENS.copy()
    other[0, 2] = 8  # the last true token of the first text
    assert not np.allclose(predict_with(model, tokens=one)[0], predict_with(model, tokens=other)[0])
    tagger = rnn.build_tagger(12, 2, embedding_dim=5, units=(4,))
    first = [predict_with(tagger, tokens=tokens)[0, 0] for tokens in (one, other)]
    assert not np.allclose(*first)  # the first tag knows of the last token
    alone = rnn.build_tagger(12, 2, embedding_dim=5, units=(4,), bidirectional=False)
    first = [predict_with(alone, tokens=tokens)[0, 0] for tokens in (one, other)]
    np.testing.assert_array_equal(*first)


@pytest.mark.parametrize("cell", CELLS)
def test_a_step_of_decoding_goes_on_where_the_text_was_left(cell):
    model = rnn.build_language_model(12, embedding_dim=5, units=(4, 3), cell=cell)
    whole = predict_with(model, tokens=TOKENS)
    first_state, decoder = model.get_layer("first_state"), model.get_layer("decoder")
    state = {name: np.asarray(value.numpy() if hasattr(value, "numpy") else value)
             for name, value in first_state(TOKENS).items()}  # fmt: skip
    for step in range(TOKENS.shape[1]):
        found = decoder.predict_on_batch({"target": TOKENS[:, step : step + 1], **state})
        np.testing.assert_allclose(np.asarray(found["logits"])[:, 0], whole[:, step], atol=1e-5)
        state = {name: np.asarray(found[name]) for name in state}


def test_the_future_changes_no_prediction():
    model = rnn.build_language_model(12, embedding_dim=5, units=(4,))
    other = TOKENS.copy()
    other[:, 3] = 11
    np.testing.assert_array_equal(
        predict_with(model, tokens=TOKENS)[:, :3], predict_with(model, tokens=other)[:, :3]
    )


def test_a_kernel_without_convolutions_is_refused():
    with pytest.raises(ValueError, match="kernel_size is that of convolutions"):
        rnn.build_tagger(12, 3, kernel_size=7)


@pytest.fixture(scope="module")
def sampler():
    from threefold.blueprints.parts.sampling import Sampler

    seed_everything(0)
    return Sampler(rnn.build_language_model(9, embedding_dim=5, units=(6,)))


def write(sampler, uniforms, temperature=1.0, top_k=9.0, top_p=1.0, tokens=((2, 5),)):
    rows = len(uniforms)
    settings = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    found = sampler.predict_on_batch(
        {
            "tokens": np.tile(np.array(tokens, np.int32), (rows, 1)),
            "uniforms": np.asarray(uniforms, np.float32),
            **{name: np.full(rows, value, np.float32) for name, value in settings.items()},
        }
    )
    return {name: np.asarray(array) for name, array in found.items()}


def test_tokens_are_drawn_as_often_as_they_are_probable(sampler):
    random_state = (np.arange(2000)[:, None] + 0.5) / 2000
    found = write(sampler, random_state)
    share = np.bincount(found["written"][:, 0], minlength=9) / 2000
    wanted = found["next_probabilities"][0].copy()
    wanted[:3] = 0  # padding, unknown and start are never written
    np.testing.assert_allclose(share, wanted / wanted.sum(), atol=2e-3)


def test_temperature_top_k_and_top_p_leave_what_they_say(sampler):
    random_state = (np.arange(500)[:, None] + 0.5) / 500
    probabilities = write(sampler, random_state)["next_probabilities"][0].copy()
    probabilities[:3] = 0
    order = np.argsort(-probabilities)
    assert set(write(sampler, random_state, temperature=0.0)["written"][:, 0]) == {order[0]}
    assert set(write(sampler, random_state, top_k=2.0)["written"][:, 0]) == set(order[:2])
    share = probabilities[order[:3]].sum() / probabilities.sum()
    assert set(write(sampler, random_state, top_p=share - 1e-3)["written"][:, 0]) == set(order[:3])
    hot, cold = (write(sampler, random_state, temperature=t)["written"][:, 0] for t in (9.0, 0.2))
    assert np.mean(cold == order[0]) > np.mean(hot == order[0])


def test_what_is_written_is_read_again(sampler):
    """The tokens that follow depend on those that were written, as if they had been given."""
    random_state = np.full((1, 4), 0.3)
    whole = write(sampler, random_state)["written"][0]
    again = write(sampler, random_state[:, :2], tokens=((2, 5, *whole[:2]),))["written"][0]
    np.testing.assert_array_equal(again, whole[2:])


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_jax_hands_cudnn_float32_alone(precision, request):
    """It takes nothing else, and says so when a step is compiled: no fall back, but an error."""
    request.addfinalizer(lambda: keras.config.set_dtype_policy("float32"))
    keras.config.set_dtype_policy(precision)
    model = rnn.build_text_classifier(12, 3, embedding_dim=5, units=(4,))
    layer = model.get_layer("recurrent_1_forwards")
    kept = keras.config.backend() != "jax" or precision == "float32"
    assert layer.use_cudnn == ("auto" if kept else False)
