"""A network that writes down what it hears: spectra, convolutions, recurrent layers, CTC.

The choice for speech and other sounds with a transcript that says what, but not when: connectionist
temporal classification needs no alignment. It learns from hundreds of short recordings of few
symbols, or from tens of hours of speech. It takes raw samples.

Sources: Graves et al. 2006, "Connectionist temporal classification"; Amodei et al. 2016, "Deep
Speech 2", for convolutions that shorten time before recurrent layers.
"""

import keras
from keras import layers, ops

from threefold.blueprints.parts.layers import ZeroPadding, make_dropout, subsample, true_steps
from threefold.blueprints.parts.log_mel import LogMel
from threefold.blueprints.parts.options import Cell, Count, Rate
from threefold.blueprints.parts.recurrent import build_recurrent

DATASETS = {"speech_recognition": "dtmf"}
TRAINING = {"epochs": 8, "batch_size": 32, "optimizer": "adamw", "learning_rate": 3e-3,
            "weight_decay": 0.01, "clip_norm": 1.0, "ema": 0.95}  # fmt: skip
# The logit of a symbol where nothing can be heard any more; its probability is exactly 0.
NEVER = -1000.0


def build(
    rate: int,
    num_symbols: int,
    window: Count = 32,
    hop: Count = 10,
    mel_bands: Count = 40,
    filters: tuple[Count, ...] = (64, 64),
    kernel_size: Count = 5,
    stride: Count = 2,
    units: tuple[Count, ...] = (64,),
    cell: Cell = "gru",
    bidirectional: bool = True,
    dropout: Rate = 0.1,
    recurrent_dropout: Rate = 0.0,
) -> keras.Model:
    """Build the network.

    Args:
        rate: int. Samples a second.
        num_symbols: int. Symbols of the transcripts.
        window: int. Milliseconds that a spectrum is made of.
        hop: int. Milliseconds from a spectrum to the next.
        mel_bands: int. Numbers of a spectrum.
        filters: tuple of int. Filters of each convolution over time.
        kernel_size: int. Steps that a convolution sees.
        stride: int. Each convolution shortens time by this factor. A recording needs a frame for
            each symbol of its transcript, and one more between two that are the same.
        units: tuple of int. Units of each recurrent layer, in each direction.
        cell: str. `simple`, `lstm` or `gru`.
        bidirectional: bool. Whether to listen from both ends.
        dropout: float. Share dropped after the convolutions and after each recurrent layer.
        recurrent_dropout: float. Share of the state dropped from step to step; above 0 it forbids
            the fused kernels of a GPU.

    Returns:
        keras.Model. From `samples` (batch, time) float32, -1 to 1, and `lengths` (batch,) int32,
        the true samples of each recording, to (batch, frames, num_symbols + 1): one logit a symbol
        in each frame, that of CTC's blank first. Frames after a recording's end are surely blank.

    Raises:
        ValueError: where windows, hops and bands do not go together.
    """
    samples = keras.Input((None,), name="samples")
    lengths = keras.Input((), dtype="int32", name="lengths")
    listen = LogMel(rate, window, hop, mel_bands, name="log_mel")
    x = listen([samples, lengths])  # (batch, frames, mel_bands)
    frames = listen.count_frames(lengths)  # (batch,)
    for step, width in enumerate(filters, 1):
        # Padded by hand: `same` would depend on the length of the whole batch.
        sides = ((kernel_size - 1) // 2, kernel_size // 2)
        x = layers.ZeroPadding1D(sides, name=f"convolution_{step}_sides")(x)
        step_stride = stride
        if kernel_size == 1:
            x, step_stride = subsample(x, stride, f"convolution_{step}_frames"), 1
        x = layers.Conv1D(width, kernel_size, step_stride, name=f"convolution_{step}")(x)
        x = layers.LayerNormalization(name=f"convolution_{step}_norm")(x)
        x = layers.Activation("relu", name=f"convolution_{step}_activation")(x)
        frames = (frames + (stride - 1)) // stride
        x = ZeroPadding(name=f"convolution_{step}_end")([x, frames])
    x = make_dropout(dropout, "convolutions_dropout")(x)  # (batch, frames, the last of filters)
    x = build_recurrent(
        x,
        frames,
        units,
        cell,
        bidirectional=bidirectional,
        dropout=dropout,
        recurrent_dropout=recurrent_dropout,
        name="recurrent",
    )
    logits = layers.Dense(num_symbols + 1, dtype="float32", name="head")(x)
    outputs = BlankEnding(name="ending")([logits, frames])  # (batch, frames, num_symbols + 1)
    return keras.Model({"samples": samples, "lengths": lengths}, outputs, name="ctc")


TASKS = {"speech_recognition": build}


@keras.saving.register_keras_serializable("threefold")
class BlankEnding(layers.Layer):
    """Make the frames after a recording's end surely blank.

    So a loss over all frames is that over the true ones, and whoever decodes hears nothing there:
    neither has to know the lengths.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs | {"dtype": "float32"})

    def call(self, inputs):
        """Return the logits (batch, frames, symbols + 1) with an end after `frames` (batch,)."""
        logits, frames = inputs
        blank = [0.0] + [NEVER] * (logits.shape[-1] - 1)
        return ops.where(true_steps(logits, frames), logits, ops.convert_to_tensor(blank))

    def compute_output_shape(self, input_shape):
        """Return the shape of the logits."""
        return input_shape[0]
