"""Encoders with decoders: padding means nothing, and a step goes on where the text was left."""

import numpy as np
import pytest

from threefold.blueprints import seq2seq, transformer
from threefold.blueprints.parts.attention_maps import align
from threefold.blueprints.parts.decoding import START, BeamSearch, Decoding

pytestmark = pytest.mark.each_backend

SOURCE = np.array([[5, 3, 7, 0], [4, 0, 0, 0], [6, 6, 2, 9]], np.int32)
TARGET = np.array([[2, 4, 5], [2, 6, 0], [2, 3, 0]], np.int32)
KINDS = [{"attention": "additive"}, {"positions": "sine"}]
VARIANTS = [
    *({"cell": cell} for cell in ("simple", "lstm", "gru")),
    {"positions": "learned", "norm": "post"},
    {"share_embeddings": False},
]
PARAMS = [*KINDS, *(pytest.param(kind, marks=pytest.mark.variant) for kind in VARIANTS)]


def build(**options):
    if "cell" in options or "attention" in options:
        sizes = {"embedding_dim": 5, "encoder_units": (4,), "decoder_units": (6, 5)}
        return seq2seq.build(12, 10, **sizes, **options)
    sizes = {"num_layers": 2, "num_heads": 2, "model_dim": 8, "feed_forward_dim": 12}
    return transformer.build_translator(12, 10, False, 8, 6, **sizes, **options)


def name_kind(options):
    return "-".join(f"{name}_{value}" for name, value in options.items())


@pytest.fixture(scope="module", params=PARAMS, ids=name_kind)
def model(request):
    return build(**request.param)


def numbers(tree):
    return {name: np.asarray(array) for name, array in tree.items()}


def predict_tokens(model, source, target):
    return np.asarray(model.predict_on_batch({"source": source, "target": target}))


def search(model, max_length, width, source):
    return numbers(BeamSearch(model, max_length, width, 1.0).predict_on_batch({"source": source}))


def test_padding_changes_no_token(model):
    wanted = predict_tokens(model, SOURCE, TARGET)
    longer = np.pad(SOURCE, [(0, 0), (0, 4)])
    np.testing.assert_allclose(predict_tokens(model, longer, TARGET), wanted, atol=1e-5)
    alone = predict_tokens(model, SOURCE[1:2, :2], TARGET[1:2])
    np.testing.assert_allclose(alone, wanted[1:2], atol=1e-5)


def test_a_source_of_nothing_but_padding_has_an_answer(model):
    assert np.isfinite(predict_tokens(model, np.zeros_like(SOURCE), TARGET)).all()


def test_no_token_depends_on_a_later_one(model):
    other = TARGET.copy()
    other[:, 2] = 9
    found = predict_tokens(model, SOURCE, other)
    np.testing.assert_array_equal(found[:, :2], predict_tokens(model, SOURCE, TARGET)[:, :2])
    assert not np.allclose(found[:, 2], predict_tokens(model, SOURCE, TARGET)[:, 2])


def test_every_token_depends_on_the_source(model):
    other = SOURCE.copy()
    other[:, 0] = 8
    assert (
        not np.isclose(predict_tokens(model, other, TARGET), predict_tokens(model, SOURCE, TARGET))
        .all(-1)
        .any()
    )


def test_a_step_of_decoding_goes_on_where_the_text_was_left(model):
    from keras import ops

    whole, asked = predict_tokens(model, SOURCE, TARGET), Decoding(model, "asked")
    assert (TARGET[:, 0] == START).all()
    found, state = asked.begin({"source": ops.convert_to_tensor(SOURCE)}, room=5)
    for step in range(TARGET.shape[1]):
        if step:
            found, state = asked.step(ops.convert_to_tensor(TARGET[:, step : step + 1]), state)
        logits = ops.convert_to_numpy(found["logits"])
        np.testing.assert_allclose(logits[:, 0], whole[:, step], atol=1e-5)


def test_attention_is_a_share_of_the_true_tokens_alone(model):
    attention = align(model, {"source": SOURCE, "target": TARGET})
    assert attention.shape == (3, 3, 4)
    np.testing.assert_allclose(attention.sum(axis=-1), 1, atol=1e-5)
    assert not attention[1, :, 1:].any()


def test_every_answer_of_the_search_is_as_probable_as_the_model_says(model):
    found = search(model, 6, 3, SOURCE)
    assert (np.diff(found["scores"], axis=1) <= 0).all()
    for row, (beams, scores) in enumerate(zip(found["tokens"], found["scores"], strict=True)):
        assert len({tuple(beam) for beam in beams}) == 3
        for beam, score in zip(beams, scores, strict=True):
            length = np.count_nonzero(beam)
            target = np.concatenate([[START], beam[: length - 1]])[None].astype(np.int32)
            logits = predict_tokens(model, SOURCE[row : row + 1], target)[0]
            log = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
            total = log[np.arange(length), beam[:length]].sum()
            assert score == pytest.approx(total / length, abs=1e-4)


@pytest.mark.variant
def test_a_text_is_answered_alike_alone_and_among_others(model):
    together = search(model, 6, 2, SOURCE)["tokens"]
    alone = search(model, 6, 2, SOURCE[:1, :3])["tokens"]
    np.testing.assert_array_equal(alone[0], together[0])


def test_one_vocabulary_has_one_set_of_vectors():
    sizes = {"num_layers": 1, "num_heads": 2, "model_dim": 8, "feed_forward_dim": 12}
    names = {}
    for shared_vocabulary in (False, True):
        model = transformer.build_translator(10, 10, shared_vocabulary, 8, 6, **sizes)
        names[shared_vocabulary] = [
            weight.path for weight in model.weights if "embeddings" in weight.path
        ]
    assert len(names[True]) == 1 and len(names[False]) == 2
