"""Networks that choose a span: padding is never chosen, and changes nothing."""

import numpy as np
import pytest

from threefold.blueprints import transformer
from threefold.blueprints.parts.spans import FindShared
from threefold.training.backend import seed_everything

pytestmark = pytest.mark.each_backend

CONTEXT = np.array([[5, 3, 7, 0], [4, 0, 0, 0], [6, 6, 2, 9]], np.int32)
QUESTION = np.array([[8, 0], [9, 10], [7, 0]], np.int32)


def build(**options):
    seed_everything(0)
    sizes = {"num_layers": 2, "num_heads": 2, "model_dim": 8, "feed_forward_dim": 12}
    return transformer.build_question_answerer(12, 9, 7, 2, **sizes, dropout=0.0, **options)


def predict_with(model, question, context):
    return np.asarray(model.predict_on_batch({"question": question, "context": context}))


def longer(tokens):
    return np.pad(tokens, [(0, 0), (0, 5)])


@pytest.mark.parametrize("positions", ["sine", "learned"])
def test_padding_changes_no_answer_and_is_none(positions):
    model = build(positions=positions)
    wanted = predict_with(model, QUESTION, CONTEXT)
    assert wanted.shape == (3, 2, 5)
    for row, length in enumerate((3, 1, 4)):
        assert (wanted[row, :, 1 + length :] < -1e3).all()
        assert (wanted[row, :, : 1 + length] > -1e3).all()
    found = predict_with(model, longer(QUESTION), longer(CONTEXT))
    np.testing.assert_allclose(found[:, :, :5], wanted, atol=1e-5)
    assert (found[:, :, 5:] < -1e3).all()
    alone = predict_with(model, QUESTION[2:, :1], CONTEXT[2:])
    np.testing.assert_allclose(alone, wanted[2:], atol=1e-5)


def test_the_question_decides_the_answer_and_that_there_is_none():
    model = build()
    one, other = (
        predict_with(model, QUESTION, CONTEXT),
        predict_with(model, QUESTION[[1, 0, 1]], CONTEXT),
    )
    assert not np.isclose(one[2], other[2], atol=1e-4).any()


def test_a_word_of_the_question_is_not_one_of_the_context():
    """Else the same tokens on either side of the border would be answered alike."""
    model = build()
    one = predict_with(model, np.array([[5, 3]], np.int32), np.array([[7, 4]], np.int32))
    other = predict_with(model, np.array([[7, 4]], np.int32), np.array([[5, 3]], np.int32))
    assert not np.isclose(one[:, :, 0], other[:, :, 0], atol=1e-4).any()


def test_tokens_of_the_context_that_the_question_has_are_known_but_for_the_mark():
    from keras import ops

    question = np.array([[5, 8, 7, 0], [5, 9, 0, 0]], np.int32)  # 5 is the mark
    context = np.array([[7, 5, 8, 8, 2], [8, 7, 9, 5, 4]], np.int32)
    found = FindShared()([ops.convert_to_tensor(question), ops.convert_to_tensor(context)])
    assert ops.convert_to_numpy(found).tolist() == [
        [0, 0, 0, 0, 2, 1, 2, 2, 1], [0, 0, 0, 0, 1, 1, 2, 1, 1],
    ]  # fmt: skip
