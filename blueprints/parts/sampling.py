"""Texts that go on at random, or by what is probable and yet new.

Written, as beam search is, in Keras's operations alone.
"""

import keras
from keras import ops

from threefold.blueprints.parts.decoding import END, IMPOSSIBLE, Decoding


# KerasHub's samplers take a seed, not numbers: three backends write three texts, a SavedModel
# another at each call, and tf2onnx fails on them: the seed is a variable that a loop changes.
class Sampler(Decoding):
    """Go on with texts, token by token, at random.

    Chance comes in as numbers, so that the same seed writes the same text on every backend and in
    an exported model. Fan et al. 2018 for the best `top_k` tokens, Holtzman et al. 2020 for those
    that make up `top_p` of the probability.

    A model that sees no more than a context of tokens reads the latter half of it anew whenever
    it is full: so texts of any length are written, at the cost of reading every token twice.

    Args:
        model: keras.Model. As for Decoding, with `first_state`, whose `context` says how many
            tokens the model can see, if that is limited.
    """

    def __init__(self, model: keras.Model):
        super().__init__(model, "sampler")
        self.context = getattr(self.first_state, "context", None)

    def call(self, inputs):
        """Write.

        Args:
            inputs: dict of tensors: `tokens` (batch, time), what there is, at least one token and
                no padding, of which as many are seen, from the last, as the context holds;
                `uniforms` (batch, steps) from 0 to 1, chance, one number for each token to write;
                `temperature`, `top_k`, `top_p` (batch,). A temperature of 0 writes the most
                probable token.

        Returns:
            dict: `log_probabilities` (batch, time - 1) of each token that there is but the first;
            `next_probabilities` (batch, tokens) after the last; `written` int32 (batch, steps).
        """
        tokens, uniforms = inputs["tokens"], inputs["uniforms"]
        if self.context:
            tokens = tokens[:, -self.context :]
        time, steps = ops.shape(tokens)[1], ops.shape(uniforms)[1]
        found, state = self.begin({"tokens": tokens}, self.context - time if self.context else 0)
        log = ops.log_softmax(ops.cast(found["logits"], "float32"))
        # All places and then all but the last: of a single token onnxruntime gathers nothing.
        following = ops.concatenate([tokens[:, 1:], tokens[:, :1]], axis=1)
        chosen = ops.take_along_axis(log, following[:, :, None], axis=-1)[:, :-1]
        settings = [inputs[name][:, None] for name in ("temperature", "top_k", "top_p")]
        moving = self.moving(state)
        text = ops.concatenate([tokens, ops.zeros_like(uniforms, "int32")], axis=1)
        places = ops.arange(steps), ops.arange(time + steps)

        def sample(step, text, logits):
            here = ops.cast(ops.equal(places[0], step), "float32")
            token = _sample(logits, ops.sum(uniforms * here, axis=1, keepdims=True), *settings)
            return token, ops.where(ops.equal(places[1], time + step), token, text)

        def has_room(step, text, logits, *values):
            if not self.context:
                return step < steps
            filled = values[moving.index("position")][0]
            return ops.logical_and(step < steps, filled < self.context)

        def advance(step, text, logits, *values):
            token, text = sample(step, text, logits)
            found, after = self.step(token, state | dict(zip(moving, values, strict=True)))
            return step + 1, text, _last(found), *(after[name] for name in moving)

        def go_on(step, text, logits, *values):
            return step < steps

        def begin_anew(step, text, logits, *values):
            _, text = sample(step, text, logits)
            half = self.context // 2
            latest = ops.take(text, time + step + 1 - half + ops.arange(half), axis=1)
            found, after = self.begin({"tokens": latest}, self.context - half)
            values = [after[name] for name in moving]
            return ops.while_loop(has_room, advance, (step + 1, text, _last(found), *values))

        first = (ops.zeros((), "int32"), text, _last(found), *(state[name] for name in moving))
        written = ops.while_loop(has_room, advance, first)
        # A branch within the loop would do, but its tensors' shapes get lost on the way to ONNX.
        if self.context:
            written = ops.while_loop(go_on, begin_anew, written)
        return {
            "log_probabilities": ops.squeeze(chosen, axis=-1),
            "next_probabilities": ops.exp(log[:, -1]),
            "written": written[1][:, time:],
        }


def _last(found):
    """Return the logits after the last token, (batch, tokens)."""
    return ops.cast(found["logits"][:, -1], "float32")


class ContrastiveSearch(Decoding):
    """Go on with texts by what is probable and yet unlike all that was said.

    Su et al. 2022, "A contrastive framework for neural text generation", equation 5.

    Args:
        model: keras.Model. As for Decoding; its decoder also returns `hidden` (batch, time,
            features).
        steps: int. Tokens to write.
        top_k: int. How many of the most probable tokens are tried.
        penalty: float. From 0, the most probable, to 1, the most unlike.
    """

    def __init__(self, model: keras.Model, steps: int, top_k: int, penalty: float):
        super().__init__(model, "contrastive_search")
        self.steps, self.top_k, self.penalty = steps, top_k, penalty

    def call(self, inputs):
        """Write.

        Args:
            inputs: dict of tensors. As for `begin`.

        Returns:
            int32 tensor of shape (batch, steps).
        """
        found, state = self.begin(inputs, self.steps)
        before = _unit(found["hidden"])  # (batch, time, features)
        batch, time, features = ops.shape(before)
        room = ops.zeros((batch, self.steps, features), before.dtype)
        places, moving = ops.arange(time + self.steps), self.moving(state)

        def go_on(step, written, seen, logits, *values):
            return step < self.steps

        def advance(step, written, seen, logits, *values):
            odds = ops.softmax(_allow(ops.cast(logits, "float32")))
            odds, tokens = ops.top_k(odds, self.top_k)  # (batch, top_k)
            now = state | dict(zip(moving, values, strict=True))
            wide = {name: ops.repeat(value, self.top_k, axis=0) for name, value in now.items()}
            tokens = ops.cast(tokens, "int32")
            found, after = self.step(ops.reshape(tokens, (-1, 1)), wide)
            tried = ops.reshape(_unit(found["hidden"]), (batch, self.top_k, features))
            likeness = ops.matmul(tried, ops.transpose(seen, (0, 2, 1)))  # (batch, top_k, time)
            likeness = ops.max(ops.where(places < time + step, likeness, -1.0), axis=-1)
            best = ops.argmax((1 - self.penalty) * odds - self.penalty * likeness, axis=-1)
            best = ops.cast(best, "int32")[:, None]
            token = ops.take_along_axis(tokens, best, axis=1)
            written = ops.where(ops.equal(ops.arange(self.steps), step), token, written)
            newest = ops.take_along_axis(tried, best[:, :, None], axis=1)
            seen = ops.where(ops.equal(places, time + step)[:, None], newest, seen)
            origin = ops.arange(batch) * self.top_k + best[:, 0]
            values = [ops.take(after[name], origin, axis=0) for name in moving]
            return step + 1, written, seen, ops.take(found["logits"][:, 0], origin, axis=0), *values

        _, written, *_ = ops.while_loop(
            go_on,
            advance,
            (
                ops.zeros((), "int32"),
                ops.zeros((batch, self.steps), "int32"),
                ops.concatenate([before, room], axis=1),
                found["logits"][:, -1],
                *(state[name] for name in moving),
            ),
        )
        return written


def _unit(vectors):
    vectors = ops.cast(vectors, "float32")
    return vectors / ops.sqrt(ops.sum(ops.square(vectors), axis=-1, keepdims=True) + 1e-12)


def _allow(logits):
    """Return logits (batch, tokens) by which a start or padding is never written."""
    return ops.where(ops.less(ops.arange(logits.shape[-1]), END), IMPOSSIBLE, logits)


def _sample(logits, uniform, temperature, top_k, top_p):
    """Build a token of each row (batch, tokens); all else is (batch, 1), what is built too."""
    size = logits.shape[-1]
    values, tokens = ops.top_k(_allow(logits), size)  # sorted: the most probable first
    greedy = ops.less_equal(temperature, 0.0)
    odds = ops.softmax(values / ops.where(greedy, 1.0, temperature))
    before = ops.cumsum(odds, axis=-1) - odds
    rank = ops.cast(ops.arange(size), "float32")
    kept = ops.logical_and(rank < top_k, before < top_p)
    # The first is always kept: nothing is before it.
    odds = ops.where(ops.logical_or(kept, rank < 1), odds, 0.0)
    reached = ops.cumsum(odds, axis=-1) / ops.sum(odds, axis=-1, keepdims=True)
    place = ops.sum(ops.cast(reached <= uniform, "int32"), axis=-1, keepdims=True)
    place = ops.where(greedy, 0, ops.minimum(place, size - 1))
    return ops.cast(ops.take_along_axis(tokens, place, axis=-1), "int32")
