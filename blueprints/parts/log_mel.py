"""The front end of networks that listen: from samples to log-mel spectra, inside the network.

It is made of a convolution and a product with fixed numbers, which every backend and every runtime
of exported models has, rather than of a Fourier transform, which ONNX files cannot be made of.
"""

import math

import keras
import numpy as np
from keras import ops

from threefold.blueprints.parts.layers import true_steps

# Power of a window below which all is silence: that of noise of 16-bit samples' last bits.
FLOOR = 1e-6


@keras.saving.register_keras_serializable("threefold")
class LogMel(keras.layers.Layer):
    """Spectra of overlapping windows, in bands as the ear has them (Davis and Mermelstein 1980).

    Of each recording the mean of every band is taken away, which is the microphone's, and all is
    divided by one deviation, which is the distance of sound from noise.

    Args:
        rate: int. Samples a second.
        window: int. Milliseconds that a spectrum is made of.
        hop: int. Milliseconds from a spectrum to the next.
        bands: int. Numbers of a spectrum.
    """

    def __init__(self, rate: int, window: int, hop: int, bands: int, **kwargs):
        # Half precision has neither the range of powers nor the digits of sines.
        super().__init__(**kwargs | {"dtype": "float32"})
        self.rate, self.window, self.hop, self.bands = rate, window, hop, bands
        self.window_samples = rate * window // 1000
        self.step = max(1, rate * hop // 1000)
        if self.window_samples < self.step:
            raise ValueError(f"windows of {window} ms leave gaps at hops of {hop} ms; widen them")
        self.waves = fourier_weights(self.window_samples)
        self.mel = mel_weights(rate, self.window_samples, bands)

    def call(self, inputs):
        """Return the spectra.

        Args:
            inputs: pair of tensors: samples (batch, time) float32, lengths (batch,) int.

        Returns:
            tensor of shape (batch, ⌈time / step⌉, bands). Zeros after a recording's end.
        """
        samples, lengths = inputs
        waves = samples[:, :, None]
        waves = waves * ops.cast(true_steps(waves, lengths), waves.dtype)
        # The middle of a window is that of its step, so that there are as many as steps begun.
        before = (self.window_samples - self.step) // 2
        after = self.window_samples - 1 - before
        waves = ops.pad(waves, [(0, 0), (before, after), (0, 0)])
        parts = ops.conv(waves, ops.convert_to_tensor(self.waves), self.step, padding="valid")
        powers = ops.matmul(ops.square(parts), ops.convert_to_tensor(self.mel))
        # Of silence exactly 0: the rounding of any other number would be taken for a sound.
        spectra = ops.log(1 + powers / FLOOR)  # (batch, frames, bands)
        return _normalise(spectra, self.count_frames(lengths))

    def count_frames(self, lengths):
        """Return how many spectra there are of so many samples, shape (batch,) in and out."""
        return (lengths + (self.step - 1)) // self.step

    def compute_output_shape(self, input_shape):
        """Return (batch, frames, bands)."""
        batch, time = input_shape[0]
        return (batch, None if time is None else -(-time // self.step), self.bands)

    def get_config(self):
        """Return the arguments."""
        own = {name: getattr(self, name) for name in ("rate", "window", "hop", "bands")}
        return super().get_config() | own


def fourier_weights(size: int) -> np.ndarray:
    """Return sines and cosines under a Hann window.

    Args:
        size: int. Samples in a window.

    Returns:
        float32 array of shape (size, 1, 2 × frequencies). The frequencies' cosines come first.
    """
    angles = 2 * math.pi / size * np.outer(np.arange(size), np.arange(size // 2 + 1))
    hann = 0.5 - 0.5 * np.cos(2 * math.pi / size * np.arange(size))
    waves = np.concatenate([np.cos(angles), np.sin(angles)], axis=1) * hann[:, None]
    return waves[:, None].astype(np.float32)


def mel_weights(rate: int, size: int, bands: int) -> np.ndarray:
    """Return the triangles that sum powers up to bands of equal width on the mel scale.

    Args:
        rate: int. Samples a second.
        size: int. Samples in a window.
        bands: int. How many, from 0 Hz to half the rate.

    Returns:
        float32 array of shape (2 × frequencies, bands). For the squares of cosines, then of sines.

    Raises:
        ValueError: where the window does not distinguish so many bands.
    """
    frequencies = np.arange(size // 2 + 1) * rate / size
    mels = np.linspace(0, 1127 * np.log1p(rate / 2 / 700), bands + 2)
    edges = 700 * np.expm1(mels / 1127)  # Hz
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rise = (frequencies[:, None] - low) / (middle - low)
    fall = (high - frequencies[:, None]) / (high - middle)
    triangles = np.maximum(0, np.minimum(rise, fall))
    if not triangles.sum(axis=0).all():
        raise ValueError(
            f"{bands} mel_bands are more than windows of {1000 * size / rate:g} ms distinguish at "
            f"{rate:,} Hz; use fewer bands or a longer window"
        )
    return np.concatenate([triangles, triangles]).astype(np.float32)


def _normalise(spectra, frames):
    true = ops.cast(true_steps(spectra, frames), spectra.dtype)  # (batch, frames, 1)
    count = ops.maximum(ops.sum(true, axis=1, keepdims=True), 1.0)
    mean = ops.sum(spectra * true, axis=1, keepdims=True) / count  # (batch, 1, bands)
    centred = (spectra - mean) * true
    variance = ops.sum(ops.square(centred), axis=(1, 2), keepdims=True) / count
    return centred / ops.sqrt(variance / spectra.shape[-1] + 1e-2)
