"""`suppression.find_objects` as TensorFlow operations of an exported graph."""

from threefold.tasks.boxes.suppression import CANDIDATES, MAX_IOU, MIN_SCORE, MOST, ROUNDS


def find_objects_in_graph(outputs, scale, offset, limit) -> dict:
    """Return the objects of images; see `find_objects`.

    Args:
        outputs: float32 tensor of shape (batch, points, 5 + classes).
        scale: float32 tensor of shape (4,). One for all images: a batch is of one size.
        offset: float32 tensor of shape (4,).
        limit: float32 tensor of shape (4,).

    Returns:
        dict of str to tensor. `boxes`, `scores`, `class_index`, `count`.
    """
    import tensorflow as tf

    probabilities = tf.sigmoid(outputs[..., 5:])
    classes = tf.argmax(probabilities, axis=-1)  # (batch, points)
    scores = tf.sqrt(tf.reduce_max(probabilities, axis=-1) * tf.sigmoid(outputs[..., 4]))
    size = min(CANDIDATES, outputs.shape[1])
    top, places = tf.math.top_k(scores, size)
    boxes = tf.gather(outputs[..., :4], places, batch_dims=1)
    kinds = tf.gather(classes, places, batch_dims=1)

    earlier = tf.linalg.band_part(tf.ones((size, size)), -1, 0) - tf.eye(size)
    same = tf.cast(tf.equal(kinds[:, :, None], kinds[:, None, :]), tf.float32)
    middles = (boxes[..., :2] + boxes[..., 2:]) / 2
    end = offset[:2] + scale[:2] * limit[:2]
    inside = tf.reduce_all((middles >= offset[:2]) & (middles <= end), axis=-1)
    good = tf.cast((top >= MIN_SCORE) & inside, tf.float32)
    rivals = tf.cast(_pairwise_iou(boxes) > MAX_IOU, tf.float32) * same * earlier
    kept = good
    for _ in range(ROUNDS):
        better = tf.linalg.matvec(rivals, kept)  # how many that are kept overlap it
        kept = good * tf.cast(better < 0.5, tf.float32)

    # The kept ones first, in their order: ranks as numbers that no two share.
    ranks = kept * size - tf.range(size, dtype=tf.float32)
    order = tf.math.top_k(ranks, min(MOST, size))[1]
    there = tf.gather(kept, order, batch_dims=1)
    found = (tf.gather(boxes, order, batch_dims=1) - offset) / scale
    found = tf.clip_by_value(found, 0.0, limit) * there[..., None]
    missing = MOST - min(MOST, size)
    kinds = tf.gather(kinds, order, batch_dims=1) * tf.cast(there, tf.int64)
    return {
        "boxes": tf.pad(found, [(0, 0), (0, missing), (0, 0)]),
        "scores": tf.pad(tf.gather(top, order, batch_dims=1) * there, [(0, 0), (0, missing)]),
        "class_index": tf.pad(kinds, [(0, 0), (0, missing)]),
        "count": tf.cast(tf.reduce_sum(there, axis=1), tf.int64),
    }


def _pairwise_iou(boxes):
    import tensorflow as tf

    one, other = boxes[:, :, None], boxes[:, None]
    sides = tf.minimum(one[..., 2:], other[..., 2:]) - tf.maximum(one[..., :2], other[..., :2])
    common = tf.reduce_prod(tf.maximum(sides, 0.0), axis=-1)
    sides = tf.maximum(boxes[..., 2:] - boxes[..., :2], 0.0)
    area = tf.reduce_prod(sides, axis=-1)
    either = area[:, :, None] + area[:, None] - common
    return common / tf.maximum(either, 1.1754944e-38)
