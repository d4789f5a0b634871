"""BERT: marks around texts, padding that means nothing, blocks that are not trained."""

import keras
import numpy as np
import pytest

from threefold.blueprints import bert
from threefold.blueprints.parts.bert.encoder import CompareTexts, FrameTexts
from threefold.training.backend import seed_everything

pytestmark = pytest.mark.each_backend

SIZES = {"num_layers": 2, "num_heads": 2, "model_dim": 8, "feed_forward_dim": 12, "dropout": 0.0}
FIRST = np.array([[5, 3, 7, 0], [4, 0, 0, 0], [6, 6, 2, 9]], np.int32)
SECOND = np.array([[8, 0], [9, 10], [0, 0]], np.int32)


def build(builder, **options):
    seed_everything(0)
    return builder(12, 3, 8, 2, 1, max_positions=30, **SIZES, **options)


def predict_with(model, **inputs):
    return np.asarray(model.predict_on_batch(inputs))


def longer(tokens):
    return np.pad(tokens, [(0, 0), (0, 5)])


def test_marks_stand_around_texts_and_positions_count_true_tokens():
    from keras import ops

    found = FrameTexts(2, 1, 30)([ops.convert_to_tensor(part) for part in (FIRST, SECOND)])
    found = {name: ops.convert_to_numpy(tensor) for name, tensor in found.items()}
    assert found["token"][0].tolist() == [2, 5, 3, 7, 0, 1, 8, 0, 1]
    assert found["position"][0].tolist() == [0, 1, 2, 3, 3, 4, 5, 5, 6]
    assert found["segment"][0].tolist() == [0, 0, 0, 0, 0, 0, 1, 1, 1]
    # As if the texts had been put together without padding.
    for row in range(3):
        true = found["token"][row] != 0
        assert found["position"][row][true].tolist() == list(range(true.sum()))


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_padding_changes_no_class(pooling):
    model = build(bert.build_text_classifier, pooling=pooling)
    wanted = predict_with(model, tokens=FIRST)
    np.testing.assert_allclose(predict_with(model, tokens=longer(FIRST)), wanted, atol=1e-6)
    np.testing.assert_allclose(predict_with(model, tokens=FIRST[1:2, :1]), wanted[1:2], atol=1e-6)


@pytest.mark.parametrize("pooling", ["cls", "mean", "compare"])
def test_padding_changes_no_class_of_a_pair(pooling):
    pairs = build(bert.build_pair_classifier, pooling=pooling)
    wanted = predict_with(pairs, first=FIRST, second=SECOND)
    found = predict_with(pairs, first=longer(FIRST), second=longer(SECOND))
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_without_pretrained_weights_two_texts_are_compared():
    names = {layer.name for layer in build(bert.build_pair_classifier).layers}
    assert "comparison" in names and "pooler" not in names
    frozen = build(bert.build_pair_classifier, freeze="all")
    assert [weight.path.split("/")[-2] for weight in frozen.trainable_weights] == [
        "comparison", "comparison", "head", "head"
    ]  # fmt: skip


def test_a_comparison_is_of_the_means_of_two_texts():
    x = np.array([[[1.0], [2.0], [4.0], [100.0]]], "float32")
    tokens, segments = np.array([[7, 7, 7, 0]]), np.array([[0, 0, 1, 1]])
    found = keras.ops.convert_to_numpy(CompareTexts()([x, tokens, segments]))
    np.testing.assert_allclose(found, [[1.5, 4.0, 2.5, 6.0]])


def test_padding_changes_no_tag():
    model = build(bert.build_tagger)
    wanted, found = predict_with(model, tokens=FIRST), predict_with(model, tokens=longer(FIRST))
    assert wanted.shape == (3, 4, 3)
    for row, length in enumerate((3, 1, 4)):
        np.testing.assert_allclose(found[row, :length], wanted[row, :length], atol=1e-6)


def test_the_order_of_two_texts_matters():
    model = build(bert.build_pair_classifier)
    one, other = (
        predict_with(model, first=FIRST, second=SECOND),
        predict_with(model, first=SECOND, second=FIRST),
    )
    assert not np.allclose(one[:2], other[:2], atol=1e-4)


def test_every_tag_depends_on_every_token():
    model, other = build(bert.build_tagger), FIRST.copy()
    other[2, 3] = 4
    assert (
        not np.isclose(predict_with(model, tokens=FIRST)[2], predict_with(model, tokens=other)[2])
        .all(-1)
        .any()
    )


@pytest.mark.parametrize(
    ("freeze", "trained"),
    [
        (0, {"embeddings", "encoder_1", "encoder_2", "pooler", "head"}),
        (1, {"encoder_2", "pooler", "head"}),
        (2, {"pooler", "head"}),
        ("all", {"pooler", "head"}),
    ],
)
def test_blocks_that_are_frozen_are_not_trained(freeze, trained):
    model = build(bert.build_text_classifier, freeze=freeze)
    found = {
        "embeddings" if "embedding" in weight.path else weight.path[:9].partition("/")[0]
        for weight in model.trainable_weights
    }
    assert found == trained


def test_more_blocks_than_there_are_cannot_be_frozen():
    with pytest.raises(ValueError, match="freeze must be at most 2, .* or all"):
        build(bert.build_text_classifier, freeze=3)


def test_texts_must_fit_into_the_positions():
    with pytest.raises(ValueError, match="max_positions 9 leaves room for -d max_tokens=3"):
        bert.build_pair_classifier(12, 3, 4, 2, 1, max_positions=9, **SIZES)


def build_masked(**options):
    seed_everything(0)
    sizes = SIZES | {"max_positions": 30}
    return bert.TASKS["masked_language_modeling"](12, 8, 2, 1, **sizes, **options)


MASKED = np.array([[0, 3, -1], [1, 2, -1], [3, -1, -1]], np.int32)


def test_masked_tokens_are_told_from_their_own_places():
    model = build_masked()
    wanted = predict_masked(model, FIRST, SECOND)
    padded = predict_masked(model, longer(FIRST), longer(SECOND))
    for name, logits in wanted.items():
        np.testing.assert_allclose(padded[name], logits, atol=1e-5)


def predict_masked(model, first, second):
    found = model.predict_on_batch({"first": first, "second": second, "masked": MASKED})
    return {name: np.asarray(array) for name, array in found.items()}


def test_places_count_true_tokens_of_both_texts():
    import keras

    layer = build_masked().get_layer("gathered")
    x, *given = layer.input
    probe = keras.Model([x, *given], layer.output)
    features = np.random.default_rng(0).normal(size=(3, 9, 8)).astype(np.float32)
    found = np.asarray(probe.predict_on_batch([features, MASKED, FIRST, SECOND]))
    # [CLS] 5 3 7 0 [SEP] 8 0 [SEP]: the place 3 is that of the second text's first token.
    for row, places in enumerate([[1, 6], [6, 7], [4]]):
        np.testing.assert_allclose(found[row, : len(places)], features[row, places], rtol=1e-6)


def test_a_second_text_of_nothing_is_as_none():
    empty = np.zeros_like(SECOND)
    framed = FrameTexts(2, 1, 30)([np.array(FIRST), empty])
    tokens = np.asarray(framed["token"])[0]
    assert tokens[tokens != 0].tolist() == [2, 5, 3, 7, 1]


def test_masked_tokens_are_told_by_the_vectors_that_are_read():
    model = build_masked(next_sentence=False)
    before = model.predict_on_batch({"tokens": FIRST, "masked": MASKED})["masked"]
    tables = [w.path for w in model.weights if w.shape == (12, 8) and "feed_forward" not in w.path]
    assert tables == ["token_embedding/embeddings"]
    model.get_layer("masked_bias").set_weights([np.arange(12.0)])
    after = model.predict_on_batch({"tokens": FIRST, "masked": MASKED})["masked"]
    difference = np.asarray(after) - np.asarray(before)
    np.testing.assert_allclose(
        difference, np.broadcast_to(np.arange(12.0), difference.shape), atol=1e-5
    )


def test_padding_changes_no_answer_and_is_none():
    seed_everything(0)
    model = bert.build_question_answerer(12, 4, 4, 2, 1, max_positions=30, **SIZES)
    wanted = predict_with(model, question=SECOND[:2], context=FIRST[:2])
    assert wanted.shape == (2, 2, 5) and (wanted[0, :, 4] < -1e3).all()
    found = predict_with(model, question=longer(SECOND[:2]), context=longer(FIRST[:2]))
    np.testing.assert_allclose(found[:, :, :5], wanted, atol=1e-5)
    assert (found[:, :, 5:] < -1e3).all()
    # The question decides.
    other = predict_with(model, question=SECOND[[1, 0]], context=FIRST[:2])
    assert not np.isclose(other[0, :, :4], wanted[0, :, :4], atol=1e-4).any()


def test_a_question_and_a_context_must_fit_into_the_positions_together():
    with pytest.raises(ValueError, match="room for 7 .* max_question_tokens=3 and -d max_tokens=5"):
        bert.build_question_answerer(12, 5, 3, 2, 1, max_positions=10, **SIZES)
    bert.build_question_answerer(12, 4, 3, 2, 1, max_positions=10, **SIZES)
