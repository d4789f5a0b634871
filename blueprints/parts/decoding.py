"""From a model that predicts the next token to whole texts: how it is run, and beam search.

A model that can be decoded holds two models as layers. `encoder`, or `first_state` of a model that
goes on with what it is given, makes a state: a dictionary of tensors, the batch first. `decoder`
makes `logits` (batch, time, tokens) and the next state out of `target` tokens (batch, time) and a
state. What it does not return of the state stays as it was. Of what begins with `cache_` it returns
the part that its tokens add, which goes where `position` (batch,) says; all else is the next value.
A step of decoding asks it for one token and never runs over the prefix again.

The search is written in Keras's operations alone, so that one code answers on all backends and,
built by TensorFlow, is the graph that is exported.
"""

import keras
from keras import ops

PAD, START, END = 0, 2, 3
IMPOSSIBLE = -1e9
CACHE = "cache_"


class Decoding(keras.Model):
    """How a model is asked for the next token.

    Args:
        model: keras.Model. With the layers `encoder` or `first_state`, and `decoder`.
        name: str. The name of this.
    """

    def __init__(self, model: keras.Model, name: str):
        super().__init__(name=name)
        known = {layer.name: layer for layer in model.layers}
        self.encoder, self.decoder = known.get("encoder"), known["decoder"]
        self.first_state = known.get("first_state")

    def begin(self, inputs, room: int):
        """Read what there is.

        Args:
            inputs: dict of tensors. What the encoder takes, the batch first; for a model without
                one, `tokens` (batch, time), at least one.
            room: int. Tokens that will be read after these, one at a time.

        Returns:
            (what the decoder predicts after each token, the state after the last).
        """
        if self.encoder is None:
            tokens, state = inputs["tokens"], self.first_state(inputs["tokens"])
        else:
            state = self.encoder(inputs, training=False)
            tokens = ops.full((ops.shape(inputs["source"])[0], 1), START, "int32")
        found = self.decoder({"target": tokens, **state}, training=False)
        after = {}
        for name, value in state.items():
            if name.startswith(CACHE):
                batch, _, width = ops.shape(value)
                empty = ops.zeros((batch, room, width), value.dtype)
                after[name] = ops.concatenate([value, found[name], empty], axis=1)
            else:
                after[name] = found.get(name, value)
        return found, after

    def step(self, tokens, state):
        """Read one more token of each text.

        Args:
            tokens: int32 tensor of shape (batch, 1).
            state: dict of tensors. From `begin` or the last step.

        Returns:
            (what the decoder predicts after it, the next state).
        """
        found = self.decoder({"target": tokens, **state}, training=False)
        after = {}
        for name, value in state.items():
            if name.startswith(CACHE):
                places = ops.arange(ops.shape(value)[1], dtype="int32")
                here = ops.equal(places[None], state["position"][:, None])
                after[name] = ops.where(here[:, :, None], found[name], value)
            else:
                after[name] = found.get(name, value)
        return found, after

    def moving(self, state) -> list[str]:
        """Return the names of what changes in a state from token to token."""
        stated = self.decoder.output
        return sorted(name for name in state if name in stated)


# KerasHub's `BeamSampler` has no penalty for length, and ONNX Runtime refuses the loop it exports.
class BeamSearch(Decoding):
    """Find the most probable texts, several at a time; with a width of 1, greedily.

    A beam that has ended is frozen: it keeps its place and its score, until better ones push it
    out. Scores are divided by a power of the length, as long texts are less probable than short
    ones by their length alone (Wu et al. 2016, "Google's neural machine translation system",
    equation 14, with ``length ** penalty``).

    Args:
        model: keras.Model. As for Decoding.
        max_length: int. Tokens of an answer at most, its end among them.
        width: int. Beams, at least 1.
        length_penalty: float. The power; 0 for none.
    """

    def __init__(self, model: keras.Model, max_length: int, width: int, length_penalty: float):
        super().__init__(model, "search")
        self.max_length, self.width, self.length_penalty = max_length, width, length_penalty

    def call(self, inputs):
        """Search.

        Args:
            inputs: dict of tensors. As for `begin`.

        Returns:
            dict: `tokens` int32 (batch, width, longest), the best beam first, each ended by END
            where it ends and filled up with PAD; `scores` float32 (batch, width).
        """
        width, max_length = self.width, self.max_length
        found, state = self.begin(inputs, max_length)
        state = {name: ops.repeat(value, width, axis=0) for name, value in state.items()}
        logits = ops.repeat(found["logits"][:, -1], width, axis=0)
        rows = ops.shape(logits)[0]
        batch = rows // width
        first = ops.one_hot(ops.zeros((batch,), "int32"), width)  # the others are copies of it
        totals = (1.0 - first) * IMPOSSIBLE  # (batch, width)
        blank = ops.zeros((batch, width), "int32")
        moving = self.moving(state)

        def go_on(step, tokens, lengths, totals, ended, logits, *values):
            return ops.logical_not(ops.all(ended))

        def advance(step, tokens, lengths, totals, ended, logits, *values):
            log = ops.log_softmax(ops.cast(logits, "float32"))
            log = ops.reshape(log, (batch, width, log.shape[-1]))
            beam, token, totals, lengths = self._choose(log, totals, lengths, ended)
            # No end in time is an end, too.
            ended = ops.logical_or(_pick(ended, beam), ops.equal(token, END))
            ended = ops.logical_or(ended, ops.equal(step + 1, max_length))
            here = ops.equal(ops.arange(max_length), step)
            tokens = ops.where(here, token[:, :, None], _pick(tokens, beam))
            # Beams of one text differ in what moves alone.
            origin = ops.reshape(ops.arange(batch)[:, None] * width + beam, (rows,))
            kept = {
                name: ops.take(value, origin, axis=0)
                for name, value in zip(moving, values, strict=True)
            }
            found, after = self.step(ops.reshape(token, (rows, 1)), state | kept)
            values = [after[name] for name in moving]
            return step + 1, tokens, lengths, totals, ended, found["logits"][:, 0], *values

        _, tokens, lengths, totals, *_ = ops.while_loop(
            go_on,
            advance,
            (
                ops.zeros((), "int32"),
                ops.zeros((batch, width, max_length), "int32"),
                blank,
                totals,
                ops.cast(blank, "bool"),
                logits,
                *(state[name] for name in moving),
            ),
            maximum_iterations=max_length,
        )
        # Pruned by their scores, the beams are in order already.
        return {"tokens": tokens, "scores": self._score(totals, lengths)}

    def _choose(self, log, totals, lengths, ended):
        """Return the best continuations: the beam of each, its token, total and length."""
        batch, size = ops.shape(log)[0], log.shape[-1]
        number = ops.arange(size)
        # What has ended goes on with padding alone, for nothing.
        frozen = ops.where(ops.equal(number, PAD), 0.0, IMPOSSIBLE)
        # Nor is padding, "unknown" or a second start an answer to anything.
        never = ops.where(ops.less(number, END), IMPOSSIBLE, 0.0)
        log = ops.where(ended[:, :, None], frozen, log + never)
        totals = totals[:, :, None] + log  # (batch, width, tokens)
        lengths = lengths + ops.cast(ops.logical_not(ended), "int32")
        scores = self._score(totals, lengths[:, :, None])
        flat = ops.reshape(scores, (batch, self.width * size))
        _, best = ops.top_k(flat, self.width)
        best = ops.cast(best, "int32")
        beam, token = best // size, best % size
        totals = ops.take_along_axis(ops.reshape(totals, (batch, self.width * size)), best, axis=1)
        return beam, token, totals, _pick(lengths, beam)

    def _score(self, totals, lengths):
        if not self.length_penalty:
            return totals
        return totals / ops.power(
            ops.maximum(ops.cast(lengths, "float32"), 1.0), self.length_penalty
        )


def _pick(values, beam):
    """Return, of values (batch, width, ...), those of the beams chosen (batch, width)."""
    beam = ops.reshape(beam, (*ops.shape(beam), *[1] * (len(values.shape) - 2)))
    return ops.take_along_axis(values, beam, axis=1)
