"""Attention, and the blocks of Transformers that are made of it.

Vaswani et al. 2017, "Attention is all you need"; Xiong et al. 2020, "On layer normalization in the
Transformer architecture", for normalising first; Su et al. 2021, "RoFormer", for rotary positions.

What a block attends to may come from earlier steps: a cache (batch, slots, 2 × model_dim) of keys
and values, of which those before `position` count. It is empty while a network is trained.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
from keras import layers, ops

from threefold.blueprints.parts.layers import make_dropout

# Against Keras's `MultiHeadAttention`, which has no cache, ours take 0.8 to 1.0 of the time (small
# ones 0.7 to 1.6); against KerasHub's `CachedMultiHeadAttention` 0.7 to 1.4 for a step. It has one
# position for the whole batch, and ONNX Runtime refuses its export (`XlaDynamicUpdateSlice`).
LONGEST_WAVE = 10_000.0


@dataclass(frozen=True)
class Block:
    """What all blocks of a network have in common.

    Args:
        model_dim: int. Features of a step.
        num_heads: int. Heads of each attention; a divisor of `model_dim`.
        feed_forward_dim: int. Hidden units of each step's own network.
        activation: str. Of these units.
        dropout: float. Share dropped after every part.
        norm_first: bool. Whether a part reads what is normalised, rather than what it adds to the
            sum being normalised, as in the paper.
        rotary: bool. Whether queries and keys are turned by their positions.
        epsilon: float. Added to variances where features are normalised.
    """

    model_dim: int
    num_heads: int
    feed_forward_dim: int
    activation: str
    dropout: float
    norm_first: bool
    rotary: bool = False
    epsilon: float = 1e-5

    def __post_init__(self):
        features, rest = divmod(self.model_dim, self.num_heads)
        if rest:
            raise ValueError(
                f"num_heads must divide model_dim, {self.model_dim}, without rest; "
                f"got {self.num_heads}"
            )
        if self.rotary and features % 2:
            raise ValueError(
                "rotary positions need an even number of features a head; model_dim "
                f"{self.model_dim} and num_heads {self.num_heads} make {features}"
            )

    def add(self, x, part: Callable, name: str):
        """Build a part alongside a shortcut: `part` is a function from a tensor to one like it."""
        norm = layers.LayerNormalization(epsilon=self.epsilon, name=f"{name}_norm")
        if self.norm_first:
            return x + make_dropout(self.dropout, f"{name}_dropout")(part(norm(x)))
        return norm(x + make_dropout(self.dropout, f"{name}_dropout")(part(x)))

    def feed_forward(self, x, name: str):
        """Build each step's own network."""
        name = f"{name}_feed_forward"

        def part(x):
            x = layers.Dense(self.feed_forward_dim, self.activation, name=f"{name}_hidden")(x)
            return layers.Dense(self.model_dim, name=f"{name}_output")(x)

        return self.add(x, part, name)

    def self_attention(self, x, mask, name: str, *, position=None, cache=None):
        """Build attention of steps to one another.

        Args:
            x: tensor of shape (batch, steps, model_dim).
            mask: bool tensor of shape (batch, 1 or steps, slots + steps). What is seen.
            name: str. What the layers' names begin with.
            position: int tensor of shape (batch,). Of the first step; for rotary positions.
            cache: tensor of shape (batch, slots, 2 × model_dim), where steps came before.

        Returns:
            tensor like `x`; and what belongs into the cache, (batch, steps, 2 × model_dim).
        """
        name, made = f"{name}_self_attention", []

        def part(x):
            queries, keys, values = (
                layers.Dense(self.model_dim, name=f"{name}_{kind}")(x)
                for kind in ("query", "key", "value")
            )
            if self.rotary:
                rotate = Rotate(self.num_heads, name=f"{name}_rotate")
                queries, keys = rotate([queries, position]), rotate([keys, position])
            both = layers.Concatenate(name=f"{name}_keys_values")([keys, values])
            made.append(both)
            if cache is not None:
                both = layers.Concatenate(axis=1, name=f"{name}_cached")([cache, both])
            return self._attend(queries, both, mask, name)

        return self.add(x, part, name), made[0]

    def cross_attention(self, x, memory, mask, name: str):
        """Build attention of steps to a memory, (batch, time, 2 × model_dim) from
        `project_key_value`.
        """
        name = f"{name}_cross_attention"

        def part(x):
            queries = layers.Dense(self.model_dim, name=f"{name}_query")(x)
            return self._attend(queries, memory, mask, name)

        return self.add(x, part, name)

    def project_key_value(self, x, name: str):
        """Build the keys and values of what a block of that name will attend to."""
        name = f"{name}_cross_attention"
        both = [layers.Dense(self.model_dim, name=f"{name}_{k}")(x) for k in ("key", "value")]
        return layers.Concatenate(name=f"{name}_memory")(both)

    def end(self, x, name: str):
        """Build what comes after the last block."""
        if not self.norm_first:
            return x
        return layers.LayerNormalization(epsilon=self.epsilon, name=f"{name}_norm")(x)

    def _attend(self, queries, keys_values, mask, name: str):
        seen = [] if mask is None else [mask]
        found = Attend(self.num_heads, name=name)([queries, keys_values, *seen])
        return layers.Dense(self.model_dim, name=f"{name}_output")(found)


def build_encoder(x, mask, block: Block, count: int, name: str):
    """Build blocks in which all steps see one another.

    Args:
        x: tensor of shape (batch, time, model_dim).
        mask: bool tensor of shape (batch, 1, time). The true steps; `None` where all are.
        block: Block. What they are like.
        count: int. How many.
        name: str. What the layers' names begin with.

    Returns:
        tensor of the same shape.
    """
    for step in range(1, count + 1):
        x, _ = block.self_attention(x, mask, f"{name}_{step}")
        x = block.feed_forward(x, f"{name}_{step}")
    return block.end(x, name)


@keras.saving.register_keras_serializable("threefold")
class Attend(layers.Layer):
    """Scaled dot-product attention of several heads; the backend's fused kernel, if it has one.

    Args:
        num_heads: int. How many.
    """

    def __init__(self, num_heads: int, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads

    def call(self, inputs):
        """Attend.

        Args:
            inputs: list of tensors: queries (batch, steps, features), keys and values together
                (batch, time, 2 × features), and, where not all is seen, a bool mask (batch, 1 or
                steps, time) of what is: for each query something.

        Returns:
            tensor of shape (batch, steps, features).
        """
        queries, keys_values, *seen = inputs
        batch, steps, features = ops.shape(queries)
        keys, values = ops.split(keys_values, 2, axis=-1)
        apart = (batch, -1, self.num_heads, features // self.num_heads)
        mask = seen[0] if seen else None
        if mask is not None and keras.config.backend() == "jax":
            # cuDNN's kernel takes no mask that is to be repeated for each query: Keras then writes
            # a traceback for each layer and goes on without the kernel.
            mask = ops.broadcast_to(mask, (batch, steps, ops.shape(keys)[1]))
        found = ops.dot_product_attention(
            *(ops.reshape(x, apart) for x in (queries, keys, values)),
            mask=None if mask is None else mask[:, None],
        )
        return ops.reshape(found, (batch, steps, features))

    def compute_output_shape(self, input_shape):
        """Return the shape of the queries."""
        return input_shape[0]

    def get_config(self):
        """Return the arguments."""
        return super().get_config() | {"num_heads": self.num_heads}


@keras.saving.register_keras_serializable("threefold")
class Rotate(layers.Layer):
    """Turn pairs of features by angles that grow with the step's position (Su et al. 2021).

    Args:
        num_heads: int. Each head has the same angles.
    """

    def __init__(self, num_heads: int, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads

    def call(self, inputs):
        """Turn steps (batch, steps, features), the first of which is at `position` (batch,)."""
        x, position = inputs
        batch, steps, features = ops.shape(x)
        size = features // self.num_heads
        rates = LONGEST_WAVE ** (-ops.arange(0, size, 2, dtype="float32") / size)
        angles = (_positions(position, steps)[:, :, None] * rates)[:, :, None]  # of each head
        sine, cosine = (ops.cast(wave(angles), x.dtype) for wave in (ops.sin, ops.cos))
        one, other = ops.split(ops.reshape(x, (batch, steps, self.num_heads, size)), 2, axis=-1)
        turned = ops.concatenate(
            [one * cosine - other * sine, other * cosine + one * sine], axis=-1
        )
        return ops.reshape(turned, (batch, steps, features))

    def compute_output_shape(self, input_shape):
        """Return the shape of the steps."""
        return input_shape[0]

    def get_config(self):
        """Return the arguments."""
        return super().get_config() | {"num_heads": self.num_heads}


@keras.saving.register_keras_serializable("threefold")
class AddPositions(layers.Layer):
    """Add to each step what encodes its position: waves, or a vector that is learned.

    Args:
        max_length: int. Positions that can be learned; `None` for waves (Vaswani et al. 2017,
            section 3.5, the sines first and then the cosines).
    """

    def __init__(self, max_length: int | None, **kwargs):
        super().__init__(**kwargs)
        self.max_length = max_length

    def build(self, x_shape, position_shape=None):
        """Make the table."""
        if self.max_length:
            self.table = self.add_weight(
                (self.max_length, x_shape[-1]),
                initializer=keras.initializers.RandomNormal(stddev=0.02),
                name="table",
            )

    def call(self, x, position=None):
        """Add, to steps (batch, steps, features), the first of which is at `position` (batch,)."""
        batch, steps, features = ops.shape(x)
        first = ops.zeros((batch,), "int32") if position is None else position
        places = _positions(first, steps)  # (batch, steps)
        if self.max_length:
            # Gathered densely: TensorFlow would update only the rows that were met.
            table = ops.multiply(self.table, ops.ones((), self.compute_dtype))
            return x + ops.take(table, ops.cast(places, "int32"), axis=0)
        half = -(-features // 2)
        rates = LONGEST_WAVE ** (-ops.arange(half, dtype="float32") / half)
        angles = places[:, :, None] * rates
        waves = ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)[:, :, :features]
        return x + ops.cast(waves, x.dtype)

    def compute_output_spec(self, x, position=None):
        """Return the shape and type of the steps."""
        return keras.KerasTensor(x.shape, self.compute_dtype)

    def get_config(self):
        """Return the arguments."""
        return super().get_config() | {"max_length": self.max_length}


@keras.saving.register_keras_serializable("threefold")
class PaddingMask(layers.Layer):
    """Say which tokens (batch, time) are seen, bool (batch, 1, time): all but padding.

    The first always is, as attention to nothing is no number.
    """

    def call(self, tokens):
        """Return the mask."""
        first = ops.equal(ops.arange(ops.shape(tokens)[1]), 0)
        return ops.logical_or(ops.not_equal(tokens, 0), first)[:, None]

    def compute_output_spec(self, tokens):
        """Return the mask's shape and type."""
        return keras.KerasTensor((tokens.shape[0], 1, tokens.shape[1]), "bool")


@keras.saving.register_keras_serializable("threefold")
class CausalMask(layers.Layer):
    """Say what each step sees, bool (batch, steps, slots + steps): itself and those before it."""

    def call(self, inputs):
        """Return the mask.

        Args:
            inputs: list of tensors: the steps (batch, steps, ...), a cache (batch, slots, ...), and
                how much of it is filled, int (batch,).
        """
        x, cache, position = inputs
        batch, steps = ops.shape(x)[:2]
        slots = ops.arange(ops.shape(cache)[1], dtype="int32")
        filled = (slots[None] < position[:, None])[:, None]  # (batch, 1, slots)
        order = ops.arange(steps)
        earlier = (order[None] <= order[:, None])[None]  # (1, steps, steps)
        filled = ops.broadcast_to(filled, (batch, steps, ops.shape(cache)[1]))
        return ops.concatenate([filled, ops.broadcast_to(earlier, (batch, steps, steps))], axis=-1)

    def compute_output_spec(self, inputs):
        """Return the mask's shape and type."""
        x, cache, _ = inputs
        seen = None if None in (x.shape[1], cache.shape[1]) else x.shape[1] + cache.shape[1]
        return keras.KerasTensor((x.shape[0], x.shape[1], seen), "bool")


@keras.saving.register_keras_serializable("threefold")
class NextPosition(layers.Layer):
    """Count the steps: what follows on steps that begin at a position (batch,)."""

    def call(self, inputs):
        """Return the position after `steps` (batch, steps, ...)."""
        position, steps = inputs
        return position + ops.shape(steps)[1]

    def compute_output_spec(self, inputs):
        """Return the shape and type of the position."""
        return keras.KerasTensor(inputs[0].shape, "int32")


@keras.saving.register_keras_serializable("threefold")
class InitialKVCache(layers.Layer):
    """The state of blocks that have seen nothing: `position` (batch,) and empty caches.

    Args:
        count: int. Blocks; their caches are `cache_1`, ...
        width: int. Of a cache.
        context: int. How many tokens the blocks can see; `None` for any number.
    """

    def __init__(self, count: int, width: int, context: int | None, **kwargs):
        super().__init__(**kwargs)
        self.count, self.width, self.context = count, width, context

    def call(self, tokens):
        """Return the state by name, for tokens (batch, time)."""
        batch = ops.shape(tokens)[0]
        caches = {
            name: ops.zeros((batch, 0, self.width), self.compute_dtype) for name in self._names()
        }
        return {"position": ops.zeros((batch,), "int32"), **caches}

    def compute_output_spec(self, tokens):
        """Return the shapes and types."""
        batch = tokens.shape[0]
        caches = {
            # Symbolically of any length: a decoder is built once, for empty caches and full ones.
            name: keras.KerasTensor((batch, None, self.width), self.compute_dtype)
            for name in self._names()
        }
        return {"position": keras.KerasTensor((batch,), "int32"), **caches}

    def get_config(self):
        """Return the arguments."""
        own = {"count": self.count, "width": self.width, "context": self.context}
        return super().get_config() | own

    def _names(self) -> list[str]:
        return [f"cache_{step}" for step in range(1, self.count + 1)]


def _positions(position, steps):
    """Return the positions of steps, float32 (batch, steps), from that of the first (batch,)."""
    return ops.cast(position, "float32")[:, None] + ops.arange(steps, dtype="float32")
