"""What networks share that choose a span of a text: where it starts and where it ends."""

import keras
from keras import layers, ops

from threefold.blueprints.parts.layers import make_dropout

MASKED = -1e4  # the logit of padding: no exponential of it is above zero


def predict_spans(x, context, dropout: float):
    """Return logits (batch, 2, 1 + time) of where spans start and end.

    Args:
        x: tensor of shape (batch, 1 + time, features). Of no span at all, then of each token.
        context: int32 tensor of shape (batch, time). Those tokens, filled up with 0 at the end.
        dropout: float. Share dropped of the features.
    """
    x = make_dropout(dropout, "tokens_dropout")(x)
    logits = layers.Dense(2, dtype="float32", name="head")(x)
    return MaskSpans(dtype="float32", name="spans")([logits, context])


@keras.saving.register_keras_serializable("threefold")
class MaskSpans(layers.Layer):
    """Put the logits (batch, 1 + time, 2) of starts and ends one after the other, and those of
    padding far below all others: (batch, 2, 1 + time).
    """

    def call(self, inputs):
        """Return the logits."""
        logits, context = inputs
        true = ops.pad(ops.cast(ops.not_equal(context, 0), "int32"), [(0, 0), (1, 0)],
                       constant_values=1)  # fmt: skip
        chosen = ops.equal(true, 1)[:, None]  # (batch, 1, 1 + time)
        return ops.where(chosen, ops.transpose(logits, (0, 2, 1)), MASKED)

    def compute_output_spec(self, inputs):
        """Return the shape and type of the logits."""
        logits, _ = inputs
        return keras.KerasTensor((logits.shape[0], 2, logits.shape[1]), "float32")


@keras.saving.register_keras_serializable("threefold")
class PickContext(layers.Layer):
    """Return the first place of a sequence, and those of the text that is the last part of it.

    Args:
        trailing: int. Places after that text: its end mark, say.
    """

    def __init__(self, trailing: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.trailing = trailing

    def call(self, inputs):
        """Pick.

        Args:
            inputs: list of tensors: features (batch, places, features), and the text (batch, time).

        Returns:
            tensor of shape (batch, 1 + time, features).
        """
        x, context = inputs
        last = ops.shape(x)[1] - self.trailing
        return ops.concatenate([x[:, :1], x[:, last - ops.shape(context)[1] : last]], axis=1)

    def compute_output_spec(self, inputs):
        """Return the shape and type of what is picked."""
        x, context = inputs
        time = None if context.shape[1] is None else context.shape[1] + 1
        return keras.KerasTensor((x.shape[0], time, x.shape[2]), self.compute_dtype)

    def get_config(self):
        """Return the arguments."""
        return super().get_config() | {"trailing": self.trailing}


@keras.saving.register_keras_serializable("threefold")
class PutMark(layers.Layer):
    """Put a token before texts (batch, time), and nothing after them.

    Args:
        token: int. Which.
    """

    def __init__(self, token: int, **kwargs):
        super().__init__(**kwargs)
        self.token = token

    def call(self, tokens):
        """Return the tokens, (batch, 1 + time)."""
        return ops.pad(tokens, [(0, 0), (1, 0)], constant_values=self.token)

    def compute_output_spec(self, tokens):
        """Return the shape and type of the tokens."""
        time = None if tokens.shape[1] is None else tokens.shape[1] + 1
        return keras.KerasTensor((tokens.shape[0], time), tokens.dtype)

    def get_config(self):
        """Return the arguments."""
        return super().get_config() | {"token": self.token}


@keras.saving.register_keras_serializable("threefold")
class FindShared(layers.Layer):
    """Say of each place of two texts, int32 (batch, 1 + question time + context time), what it is:
    0 of the question, 1 of the context, 2 of the context where the question has that token, too.
    """

    def call(self, inputs):
        """Return the kinds, of a question with a mark before it and a context."""
        question, context = inputs
        same = ops.cast(ops.equal(context[:, :, None], question[:, None, 1:]), "int32")
        shared = ops.max(ops.pad(same, [(0, 0), (0, 0), (0, 1)]), axis=-1)  # (batch, time)
        return ops.concatenate([ops.zeros_like(question), 1 + shared], axis=1)

    def compute_output_spec(self, inputs):
        """Return the shape and type of the kinds."""
        times = [text.shape[1] for text in inputs]
        return keras.KerasTensor(
            (inputs[0].shape[0], None if None in times else sum(times)), "int32"
        )
