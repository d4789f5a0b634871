"""What BERT puts around texts, and how it sums them up."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("threefold")
class FrameTexts(keras.layers.Layer):
    """Put marks around texts: `[CLS] first [SEP]`, and `second [SEP]` after it.

    Padding stays where it is, between a text and its mark: positions count true tokens alone, and
    attention must see nothing else, so that nothing has to be moved.

    Args:
        cls_token: int. The token before the first text.
        sep_token: int. The token after each text.
        max_length: int. Positions there are; those beyond count as the last.
    """

    def __init__(self, cls_token: int, sep_token: int, max_length: int, **kwargs):
        super().__init__(**kwargs)
        self.cls_token, self.sep_token, self.max_length = cls_token, sep_token, max_length

    def call(self, texts):
        """Frame texts.

        Args:
            texts: list of int32 tensors of shape (batch, time), filled up with 0 at the end.

        Returns:
            dict of str to int32 tensor of shape (batch, the sum of the times + marks): the `token`,
            `position` and `segment` (0 for the first text, 1 for the second) of each place.
        """
        mark = ops.zeros((ops.shape(texts[0])[0], 1), "int32")
        parts, segments = [mark + self.cls_token], [mark]
        for number, text in enumerate(texts):
            parts += [text, mark + self.sep_token]
            segments += [ops.zeros_like(text) + number, mark + number]
        token = ops.concatenate(parts, axis=1)
        true = ops.cast(ops.not_equal(token, 0), "int32")
        position = ops.minimum(ops.cumsum(true, axis=1) - 1, self.max_length - 1)
        return {"token": token, "position": position, "segment": ops.concatenate(segments, axis=1)}

    def compute_output_spec(self, texts):
        """Return the shapes and types."""
        times = [text.shape[1] for text in texts]
        time = None if None in times else sum(times) + len(times) + 1
        shape = (texts[0].shape[0], time)
        return {
            name: keras.KerasTensor(shape, "int32") for name in ("token", "position", "segment")
        }

    def get_config(self):
        """Return the arguments."""
        own = {"cls_token": self.cls_token, "sep_token": self.sep_token}
        return super().get_config() | own | {"max_length": self.max_length}


@keras.saving.register_keras_serializable("threefold")
class MeanOfTexts(keras.layers.Layer):
    """Average features (batch, time, features) over the places of tokens (batch, time) but 0."""

    def call(self, inputs):
        """Return the mean, (batch, features)."""
        x, tokens = inputs
        true = ops.cast(ops.not_equal(tokens, 0), x.dtype)[:, :, None]
        return ops.sum(x * true, axis=1) / ops.sum(true, axis=1)

    def compute_output_spec(self, inputs):
        """Return the shape and type of the mean."""
        x, _ = inputs
        return keras.KerasTensor((x.shape[0], x.shape[2]), self.compute_dtype)
