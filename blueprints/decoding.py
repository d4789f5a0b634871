"""From a model that tells the next token to whole texts: greedy and beam search.

A model that can be decoded holds two models as layers. `encoder` makes a state of a source: a
dictionary of tensors, the batch first. `decoder` makes `logits` (batch, time, tokens) and the next
state out of `target` tokens (batch, time) and a state; what it does not return of the state stays
as it was. A step of decoding asks it for one token and never runs over the prefix again.

The search is written in Keras's operations alone, so that one code answers on all backends and,
drawn by TensorFlow, is the graph that is exported.
"""

import keras
from keras import ops

PAD, START, END = 0, 2, 3
IMPOSSIBLE = -1e9


class BeamSearch(keras.Model):
    """Find the most probable texts, several at a time; with a width of 1, greedily.

    A beam that has ended is frozen: it keeps its place and its score, until better ones push it
    out. Scores are divided by a power of the length, as long texts are less probable than short
    ones by their length alone (Wu et al. 2016, "Google's neural machine translation system",
    equation 14, with ``length ** penalty``).

    Args:
        model: keras.Model. With the layers `encoder` and `decoder`.
        longest: int. Tokens of an answer at most, its end among them.
        width: int. Beams, at least 1.
        length_penalty: float. The power; 0 for none.
    """

    def __init__(self, model: keras.Model, longest: int, width: int, length_penalty: float):
        super().__init__(name="search")
        self.encoder, self.decoder = model.get_layer("encoder"), model.get_layer("decoder")
        self.longest, self.width, self.length_penalty = longest, width, length_penalty

    def call(self, inputs):
        """Search.

        Args:
            inputs: dict of tensors. What the encoder takes, the batch first.

        Returns:
            dict: `tokens` int32 (batch, width, longest), the best beam first, each ended by END
            where it ends and filled up with PAD; `scores` float32 (batch, width).
        """
        width, longest = self.width, self.longest
        state = self.encoder(inputs, training=False)
        state = {name: ops.repeat(value, width, axis=0) for name, value in state.items()}
        rows = ops.shape(next(iter(state.values())))[0]
        batch = rows // width
        first = ops.one_hot(ops.zeros((batch,), "int32"), width)  # the others are copies of it
        totals = (1.0 - first) * IMPOSSIBLE  # (batch, width)
        blank = ops.zeros((batch, width), "int32")
        tokens = ops.zeros((batch, width, longest), "int32")
        names = sorted(state)

        def go_on(step, tokens, last, lengths, totals, ended, *values):
            return ops.logical_not(ops.all(ended))

        def advance(step, tokens, last, lengths, totals, ended, *values):
            found = self.decoder(
                {"target": ops.reshape(last, (rows, 1)), **dict(zip(names, values, strict=True))},
                training=False,
            )
            log = ops.log_softmax(ops.cast(found["logits"][:, 0], "float32"))
            log = ops.reshape(log, (batch, width, log.shape[-1]))
            beam, token, totals, lengths = self._choose(log, totals, lengths, ended)
            origin = ops.reshape(ops.arange(batch)[:, None] * width + beam, (rows,))
            # No end in time is an end, too.
            ended = ops.logical_or(_pick(ended, beam), ops.equal(token, END))
            ended = ops.logical_or(ended, ops.equal(step + 1, longest))
            here = ops.equal(ops.arange(longest), step)
            tokens = ops.where(here, token[:, :, None], _pick(tokens, beam))
            values = [
                ops.take(found.get(name, value), origin, axis=0)
                for name, value in zip(names, values, strict=True)
            ]
            return step + 1, tokens, token, lengths, totals, ended, *values

        _, tokens, _, lengths, totals, _, *_ = ops.while_loop(
            go_on,
            advance,
            (
                ops.zeros((), "int32"),
                tokens,
                blank + START,
                blank,
                totals,
                ops.cast(blank, "bool"),
                *(state[name] for name in names),
            ),
            maximum_iterations=longest,
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


class Sampler(keras.Model):
    """Go on with texts, token by token, as chance has it.

    Chance comes in as numbers, so that the same seed writes the same text on every backend and in
    an exported model. Fan et al. 2018 for the best `top_k` tokens, Holtzman et al. 2020 for those
    that make up `top_p` of the probability.

    Args:
        model: keras.Model. With the layers `first_state` and `decoder`.
    """

    def __init__(self, model: keras.Model):
        super().__init__(name="sampler")
        self.first_state, self.decoder = model.get_layer("first_state"), model.get_layer("decoder")

    def call(self, inputs):
        """Write.

        Args:
            inputs: dict of tensors: `tokens` (batch, time), what there is, at least one token and
                no padding; `uniforms` (batch, steps) from 0 to 1, chance, one number for each
                token to write; `temperature`, `top_k`, `top_p` (batch,). A temperature of 0 writes
                the most probable token.

        Returns:
            dict: `log_probabilities` (batch, time - 1) of each token that there is but the first;
            `next_probabilities` (batch, tokens) behind the last; `written` int32 (batch, steps).
        """
        tokens, uniforms = inputs["tokens"], inputs["uniforms"]
        found = self.decoder({"target": tokens, **self.first_state(tokens)}, training=False)
        log = ops.log_softmax(ops.cast(found["logits"], "float32"))
        chosen = ops.take_along_axis(log[:, :-1], tokens[:, 1:, None], axis=-1)
        settings = [inputs[name][:, None] for name in ("temperature", "top_k", "top_p")]
        names = sorted(name for name in found if name.startswith("state_"))
        steps = ops.shape(uniforms)[1]
        places = ops.arange(steps)

        def go_on(step, written, logits, *values):
            return step < steps

        def advance(step, written, logits, *values):
            here = ops.cast(ops.equal(places, step), "float32")
            token = _draw(logits, ops.sum(uniforms * here, axis=1, keepdims=True), *settings)
            written = ops.where(ops.equal(places, step), token, written)
            found = self.decoder(
                {"target": token, **dict(zip(names, values, strict=True))}, training=False
            )
            logits = ops.cast(found["logits"][:, 0], "float32")
            return step + 1, written, logits, *(found[name] for name in names)

        _, written, *_ = ops.while_loop(
            go_on,
            advance,
            (
                ops.zeros((), "int32"),
                ops.zeros_like(uniforms, "int32"),
                ops.cast(found["logits"][:, -1], "float32"),
                *(found[name] for name in names),
            ),
        )
        return {
            "log_probabilities": ops.squeeze(chosen, axis=-1),
            "next_probabilities": ops.exp(log[:, -1]),
            "written": written,
        }


def _draw(logits, uniform, temperature, top_k, top_p):
    """Draw a token of each row (batch, tokens); all else is (batch, 1), what is drawn too."""
    size = logits.shape[-1]
    # A start or padding is never written.
    logits = ops.where(ops.less(ops.arange(size), END), IMPOSSIBLE, logits)
    values, tokens = ops.top_k(logits, size)  # sorted: the most probable first
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
