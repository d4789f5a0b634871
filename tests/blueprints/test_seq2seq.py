"""Two recurrent networks: padding means nothing, and a step goes on where the text was left."""

import numpy as np
import pytest

from threefold.blueprints import seq2seq
from threefold.blueprints.decoding import BeamSearch

SOURCE = np.array([[5, 3, 7, 0], [4, 0, 0, 0], [6, 6, 2, 9]], np.int32)
TARGET = np.array([[2, 4, 5], [2, 6, 0], [2, 3, 0]], np.int32)
KINDS = [
    {"cell": cell, "attention": attention}
    for cell in ("simple", "lstm", "gru")
    for attention in ("multiplicative", "additive")
]


def build(**options):
    return seq2seq.build(
        12, 10, embedding_dim=5, encoder_units=(4,), decoder_units=(6, 5), **options
    )


def numbers(tree):
    return {name: np.asarray(array) for name, array in tree.items()}


@pytest.mark.parametrize("options", KINDS, ids=lambda o: "-".join(o.values()))
def test_padding_changes_no_token(options):
    model = build(**options)
    wanted = np.asarray(model.predict_on_batch({"source": SOURCE, "target": TARGET}))
    longer = np.pad(SOURCE, [(0, 0), (0, 4)])
    found = np.asarray(model.predict_on_batch({"source": longer, "target": TARGET}))
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    alone = {"source": SOURCE[1:2, :2], "target": TARGET[1:2]}
    np.testing.assert_allclose(np.asarray(model.predict_on_batch(alone)), wanted[1:2], atol=1e-5)


@pytest.mark.parametrize("options", KINDS, ids=lambda o: "-".join(o.values()))
def test_a_step_of_decoding_goes_on_where_the_text_was_left(options):
    model = build(**options)
    whole = np.asarray(model.predict_on_batch({"source": SOURCE, "target": TARGET}))
    encoder, decoder = model.get_layer("encoder"), model.get_layer("decoder")
    state = numbers(encoder.predict_on_batch({"source": SOURCE}))
    for step in range(TARGET.shape[1]):
        token = TARGET[:, step : step + 1]
        found = numbers(decoder.predict_on_batch({"target": token, **state}))
        np.testing.assert_allclose(found["logits"][:, 0], whole[:, step], atol=1e-5)
        state = {name: found.get(name, value) for name, value in state.items()}


def test_attention_is_a_share_of_the_true_tokens_alone():
    model = build()
    state = numbers(model.get_layer("encoder").predict_on_batch({"source": SOURCE}))
    found = model.get_layer("decoder").predict_on_batch({"target": TARGET, **state})
    attention = np.asarray(found["attention"])
    assert attention.shape == (3, 3, 4)
    np.testing.assert_allclose(attention.sum(axis=-1), 1, atol=1e-5)
    assert not attention[1, :, 1:].any()


def test_every_answer_of_the_search_is_as_probable_as_the_model_says():
    model = build()
    found = numbers(BeamSearch(model, 6, 3, 1.0).predict_on_batch({"source": SOURCE}))
    assert (np.diff(found["scores"], axis=1) <= 0).all()
    for row, (beams, scores) in enumerate(zip(found["tokens"], found["scores"], strict=True)):
        assert len({tuple(beam) for beam in beams}) == 3
        for beam, score in zip(beams, scores, strict=True):
            length = np.count_nonzero(beam)
            target = np.concatenate([[2], beam[: length - 1]])[None].astype(np.int32)
            logits = np.asarray(
                model.predict_on_batch({"source": SOURCE[row : row + 1], "target": target})
            )[0]
            log = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
            total = log[np.arange(length), beam[:length]].sum()
            assert score == pytest.approx(total / length, abs=1e-4)


def test_a_text_is_answered_alike_alone_and_among_others():
    model = build()
    search = BeamSearch(model, 6, 2, 1.0)
    together = numbers(search.predict_on_batch({"source": SOURCE}))
    alone = numbers(search.predict_on_batch({"source": SOURCE[:1, :3]}))
    np.testing.assert_array_equal(alone["tokens"][0], together["tokens"][0])
