"""The Transformer that writes: cached or not, the same tokens; also beyond its context."""

import numpy as np
import pytest

from threefold.blueprints import gpt, rnn
from threefold.blueprints.parts.decoding import END, BeamSearch
from threefold.blueprints.parts.sampling import ContrastiveSearch, Sampler
from threefold.training.backend import seed_everything

pytestmark = pytest.mark.each_backend

CONTEXT = 7
LEARNED = pytest.param("learned", marks=pytest.mark.variant)
PROMPT = np.array([[2, 5, 4], [2, 8, 8]], np.int32)


def build(positions):
    seed_everything(0)
    model = gpt.build(9, CONTEXT, num_layers=2, num_heads=2, model_dim=8, positions=positions)
    for weight in model.weights:  # of a size at which what is read matters
        weight.assign(3 * weight.numpy() if "kernel" in weight.path else weight.numpy())
    return model


@pytest.fixture(scope="module", params=["rotary", LEARNED])
def model(request):
    return build(request.param)


def predict_tokens(model, tokens):
    return np.asarray(model.predict_on_batch({"tokens": np.asarray(tokens, np.int32)}))


def write(model, tokens, steps, **settings):
    settings = {"temperature": 0.0, "top_k": 9.0, "top_p": 1.0} | settings
    found = Sampler(model).predict_on_batch(
        {
            "tokens": tokens,
            "uniforms": np.random.default_rng(0).random((len(tokens), steps), np.float32),
            **{name: np.full(len(tokens), value, np.float32) for name, value in settings.items()},
        }
    )
    return np.asarray(found["written"])


def test_no_token_depends_on_a_later_one(model):
    other = PROMPT.copy()
    other[:, 2] = 3
    np.testing.assert_array_equal(
        predict_tokens(model, other)[:, :2], predict_tokens(model, PROMPT)[:, :2]
    )


def test_what_is_written_is_what_the_whole_text_tells_anew(model):
    """Greedily: uncached, the same; when the context is full, from the latter half of it on."""
    steps, room = 12, CONTEXT + 1
    text = PROMPT
    seen = PROMPT
    for _ in range(steps):
        logits = predict_tokens(model, seen)[:, -1]
        token = logits[:, END:].argmax(-1)[:, None] + END
        text, full = np.append(text, token, axis=1), seen.shape[1] == room
        seen = text[:, -(room // 2) :] if full else np.append(seen, token, axis=1)
    np.testing.assert_array_equal(write(model, PROMPT, steps), text[:, PROMPT.shape[1] :])


@pytest.mark.variant
def test_of_a_prompt_beyond_the_context_its_end_is_read(model):
    long = np.random.default_rng(1).integers(4, 9, (2, 30)).astype(np.int32)
    found = write(model, long, 5)
    np.testing.assert_array_equal(found, write(model, long[:, -(CONTEXT + 1) :], 5))


def test_beams_are_as_probable_as_the_model_says(model):
    search = BeamSearch(model, 4, 3, 0.0)
    found = {k: np.asarray(v) for k, v in search.predict_on_batch({"tokens": PROMPT}).items()}
    for row in range(2):
        for beam, score in zip(found["tokens"][row], found["scores"][row], strict=True):
            length, place = np.count_nonzero(beam), PROMPT.shape[1] - 1
            logits = predict_tokens(model, np.concatenate([PROMPT[row], beam[:length]])[None])[
                0, place:-1
            ]
            log = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
            assert score == pytest.approx(log[np.arange(length), beam[:length]].sum(), abs=1e-3)


def language_models():
    recurrent = rnn.build_language_model(9, embedding_dim=5, units=(6,))
    return {"gpt": build("rotary"), "rnn": recurrent}


@pytest.mark.parametrize("name", ["gpt", pytest.param("rnn", marks=pytest.mark.variant)])
def test_contrast_is_that_of_the_paper(name):
    """Against the equation, on hidden features of whole texts."""
    model, steps, count, penalty = language_models()[name], 3, 3, 0.6
    search = ContrastiveSearch(model, steps, count, penalty)
    found = np.asarray(search.predict_on_batch({"tokens": PROMPT}))
    for row in range(2):
        text = PROMPT[row]
        for step in range(steps):
            logits = read(model, text)["logits"][-1]
            odds = np.exp(logits - logits.max())
            odds[:END] = 0
            odds /= odds.sum()
            best, score = None, -np.inf
            for token in np.argsort(-odds)[:count]:
                hidden = read(model, np.append(text, token))["hidden"]
                hidden /= np.linalg.norm(hidden, axis=-1, keepdims=True)
                likeness = (hidden[:-1] @ hidden[-1]).max()
                value = (1 - penalty) * odds[token] - penalty * likeness
                best, score = (token, value) if value > score else (best, score)
            assert found[row, step] == best
            text = np.append(text, best)


def read(model, text):
    from keras import ops

    tokens = ops.convert_to_tensor(text[None].astype(np.int32))
    found = model.get_layer("decoder")(
        {"target": tokens, **model.get_layer("first_state")(tokens)}, training=False
    )
    return {name: ops.convert_to_numpy(found[name])[0] for name in ("logits", "hidden")}
