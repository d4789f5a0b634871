"""Preprocessing inside an exported graph. TensorFlow draws all of them, whoever trained.

TensorFlow is imported where it is used: everything else of a task works without it.
"""

from collections.abc import Sequence

from threefold.datasets.images.letterbox import FILL


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


def letterbox(images, network: tuple[int, int]):
    """Bring images of one size, any size, to a network's as `datasets.images.letterbox` does.

    Args:
        images: uint8 tensor of shape (batch, any height, any width, channels).
        network: tuple of two ints. Height and width of the network's image.

    Returns:
        float32 tensor of shape (batch, height, width, channels), and tensors of shape (4,): how
        boxes go along, `scale × box + offset`, and the width and height of the images, twice.
    """
    import tensorflow as tf

    high, wide = network
    batch, rows, columns, channels = tf.unstack(tf.shape(images))
    height, width = tf.cast(rows, tf.int64), tf.cast(columns, tf.int64)
    by_height = high * width <= wide * height
    inner_height = tf.clip_by_value((2 * height * wide + width) // (2 * width), 1, high)
    inner_width = tf.clip_by_value((2 * width * high + height) // (2 * height), 1, wide)
    inner_height = tf.where(by_height, tf.constant(high, tf.int64), inner_height)
    inner_width = tf.where(by_height, inner_width, tf.constant(wide, tf.int64))
    top, left = (high - inner_height) // 2, (wide - inner_width) // 2

    down, rows_inside = _frame_weights(rows, inner_height, top, high)
    right, columns_inside = _frame_weights(columns, inner_width, left, wide)
    images = tf.cast(images, tf.float32)
    lines = tf.reshape(images, (batch, rows, columns * channels))
    lines = tf.reshape(tf.matmul(down, lines), (batch, high, columns, channels))
    lines = tf.reshape(tf.transpose(lines, (0, 2, 1, 3)), (batch, columns, high * channels))
    lines = tf.reshape(tf.matmul(right, lines), (batch, wide, high, images.shape[-1]))
    resized = tf.reshape(tf.transpose(lines, (0, 2, 1, 3)), (-1, high, wide, images.shape[-1]))
    inside = (rows_inside[:, None] * columns_inside)[..., None]  # (height, width, 1)

    sides = tf.cast(tf.stack([width, height, width, height]), tf.float32)
    inner = tf.cast(tf.stack([inner_width, inner_height] * 2), tf.float32)
    offset = tf.cast(tf.stack([left, top, left, top]), tf.float32)
    return resized + FILL * (1 - inside), inner / sides, offset, sides


def _frame_weights(size_in, inner, start, size_out: int):
    """The matrix that resizes along one axis into a part of it, and where that part is.

    Rows beyond the part are 0: one product resizes and places, with shapes that are fixed.
    """
    import tensorflow as tf

    size, inner = tf.cast(size_in, tf.float32), tf.cast(inner, tf.float32)
    scale = size / inner
    places = tf.range(size_out, dtype=tf.float32) - tf.cast(start, tf.float32)
    inside = tf.cast((places >= 0) & (places < inner), tf.float32)
    centres = (places + 0.5) * scale
    distances = tf.abs(tf.range(size, dtype=tf.float32) + 0.5 - centres[:, None])
    weights = tf.maximum(1 - distances / tf.maximum(scale, 1.0), 0.0)
    total = tf.reduce_sum(weights, axis=1, keepdims=True)
    return weights / tf.where(total > 0, total, 1.0) * inside[:, None], inside


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
