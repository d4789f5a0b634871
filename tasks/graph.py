"""Preprocessing inside an exported graph. TensorFlow draws all of them, whoever trained.

TensorFlow is imported where it is used: everything else of a task works without it.
"""

from collections.abc import Sequence


def fit_images(images, height: int, width: int, channels: int):
    """Resize images of any size as `datasets.images.resize` does, one size at a time.

    Args:
        images: uint8 tensor of shape (batch, any height, any width, channels).
        height: int. The network's.
        width: int. The network's.
        channels: int. The network's.

    Returns:
        float32 tensor of shape (batch, height, width, channels), values 0 to 255.
    """
    import tensorflow as tf

    images = tf.cast(images, tf.float32)
    batch, rows, columns, _ = tf.unstack(tf.shape(images))

    # Images that fit already meet the identity matrix. A branch around it would cost less, but
    # some runtimes of ONNX answer otherwise behind one.
    lines = tf.reshape(images, (batch, rows, columns * channels))
    lines = tf.matmul(_resize_weights(rows, height), lines)  # (batch, height, columns × ch)
    lines = tf.reshape(lines, (batch, height, columns, channels))
    lines = tf.reshape(tf.transpose(lines, (0, 2, 1, 3)), (batch, columns, height * channels))
    lines = tf.matmul(_resize_weights(columns, width), lines)  # (batch, width, height × ch)
    lines = tf.reshape(lines, (batch, width, height, channels))
    return tf.reshape(tf.transpose(lines, (0, 2, 1, 3)), (-1, height, width, channels))


def word_table(vocabulary: Sequence[str]):
    """Return a table of ids: a word's position in the vocabulary, from 1; 0 for any other word.

    Args:
        vocabulary: sequence of str. Not empty.

    Returns:
        tf.lookup.StaticHashTable. From string to int64; the exported model must hold on to it.
    """
    import tensorflow as tf

    ids = tf.range(1, len(vocabulary) + 1, dtype=tf.int64)
    initializer = tf.lookup.KeyValueTensorInitializer(tf.constant(vocabulary), ids)
    return tf.lookup.StaticHashTable(initializer, default_value=0)


def _resize_weights(size_in, size_out: int):
    """The matrix of `resizing.resize_weights`, for a size that is known at run time."""
    import tensorflow as tf

    size = tf.cast(size_in, tf.float32)
    scale = size / size_out
    centres = (tf.range(size_out, dtype=tf.float32) + 0.5) * scale
    distances = tf.abs(tf.range(size, dtype=tf.float32) + 0.5 - centres[:, None])
    weights = tf.maximum(1 - distances / tf.maximum(scale, 1.0), 0.0)
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)
