"""The networks of `fit gan` as a practitioner would train them with JAX alone."""

import itertools
from collections.abc import Callable
from functools import partial

import jax
import numpy as np
from gan_choices import AVERAGE, EPSILON, MOMENTUM, PENALTY, SLOPE, Choices, find_widths
from jax import nn
from jax import numpy as jnp

LAYOUT = ("NHWC", "HWIO", "NHWC")


def prepare(images: np.ndarray, batch_size: int, choices: Choices) -> tuple[int, Callable]:
    """Return the number of trained weights, and what trains an epoch.

    Args:
        images: float32 array of shape (images, side, side, channels), -1 to 1.
        batch_size: int. Images in a batch.
        choices: Choices. Of the recipe.
    """
    real_images, random = jnp.asarray(images), np.random.default_rng(0)
    networks, moments = make_weights(images.shape[3], *find_widths(images.shape[1]), choices)
    carried = tuple(
        (weights, (*(jax.tree.map(jnp.zeros_like, weights) for _ in "mv"), jnp.zeros(())))
        for weights in networks
    )
    state = [carried, moments, jax.tree.map(jnp.copy, networks[0]), jax.random.key(0)]
    compiled = jax.jit(partial(step, choices), donate_argnums=(0, 1, 2, 3))

    def train_epoch():
        for rows in random.permutation(len(images)).reshape(-1, batch_size):
            state[:] = compiled(*state, real_images, rows)
        jax.block_until_ready(state)

    return sum(weight.size for weight in jax.tree.leaves(networks)), train_epoch


def step(choices: Choices, carried, state, averages, key, real_images, rows):
    """Return all that is carried on, after a step of the generator and those that belong to it."""
    (made, seen), (moments, seen_moments) = carried, state
    real = real_images[rows]
    for _ in range(choices.critic_steps):
        key, noise_key, mix_key = jax.random.split(key, 3)
        noise = jax.random.normal(noise_key, (len(rows), choices.latent_dim))
        fake, moments = generate(made[0], moments, noise)
        gradients, seen_moments = jax.grad(partial(lose, choices), has_aux=True)(
            seen[0], seen_moments, real, fake, mix_key
        )
        seen = update_by_adam(seen, gradients, choices)
    key, noise_key = jax.random.split(key)
    noise = jax.random.normal(noise_key, (len(rows), choices.latent_dim))
    gradients, moments = jax.grad(partial(lose_generator, choices), has_aux=True)(
        made[0], moments, seen[0], seen_moments, noise
    )
    made = update_by_adam(made, gradients, choices)
    averages = jax.tree.map(lambda old, new: AVERAGE * old + (1 - AVERAGE) * new, averages, made[0])
    return (made, seen), (moments, seen_moments), averages, key


def lose(choices: Choices, weights, moments, real, fake, key):
    """Return the discriminator's loss, and its means and variances."""
    found, moments = discriminate(weights, moments, real)
    taken, moments = discriminate(weights, moments, fake)
    if not choices.penalized:
        return nn.softplus(-found).mean() + nn.softplus(taken).mean(), moments
    points = fake + jax.random.uniform(key, (len(real), 1, 1, 1)) * (real - fake)
    slope = jax.grad(lambda x: discriminate(weights, moments, x)[0].sum())(points)
    lengths = jnp.sqrt((slope**2).sum((1, 2, 3)) + 1e-12)
    return taken.mean() - found.mean() + PENALTY * ((lengths - 1) ** 2).mean(), moments


def lose_generator(choices: Choices, weights, moments, critic, critic_moments, noise):
    """Return the generator's loss, and its means and variances."""
    fake, moments = generate(weights, moments, noise)
    scores, _ = discriminate(critic, critic_moments, fake)
    return -scores.mean() if choices.penalized else nn.softplus(-scores).mean(), moments


def generate(weights, moments, noise):
    """Return images (batch, side, side, channels), and means and variances."""
    (kernel, bias), *stages = weights
    channels = len(stages[0][0])
    x = noise @ kernel + bias
    side = round((x.shape[1] // channels) ** 0.5)
    x, after = x.reshape(-1, side, side, channels), []
    for (gamma, beta, taps, *offset), found in zip(stages, moments, strict=True):
        x, found = normalize(x, (gamma, beta), found)
        x = jax.lax.conv_transpose(nn.relu(x), taps, (2, 2), "SAME", dimension_numbers=LAYOUT)
        x = x + offset[0] if offset else x
        after.append(found)
    return jnp.tanh(x), after


def discriminate(weights, moments, x):
    """Return scores (batch, 1), and means and variances."""
    *stages, (kernel, bias) = weights
    after = []
    for stage, (taps, offset, *scales) in enumerate(stages):
        x = jax.lax.conv_general_dilated(x, taps, (2, 2), "SAME", dimension_numbers=LAYOUT)
        x = x + offset
        if scales:
            x, found = normalize(x, scales, moments[stage - 1])
            after.append(found)
        x = nn.leaky_relu(x, SLOPE)
    return x.reshape(len(x), -1) @ kernel + bias, after


def normalize(x, scales, moments):
    """Return features normalised over the batch, and means and variances."""
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    moments = jax.tree.map(
        lambda old, new: MOMENTUM * old + (1 - MOMENTUM) * new, moments, (mean, variance)
    )
    return (x - mean) * scales[0] * jax.lax.rsqrt(variance + EPSILON) + scales[1], moments


def make_weights(channels: int, start: int, widths: list[int], choices: Choices):
    """Return the weights of generator and discriminator, and their means and variances."""
    keys = iter(jax.random.split(jax.random.key(1), 20))

    def sample_normal(*shape):
        return 0.02 * jax.random.normal(next(keys), shape)

    numbers = start**2 * widths[-1]
    generator = [[sample_normal(choices.latent_dim, numbers), jnp.zeros(numbers)]]
    for before, after in itertools.pairwise([*widths[::-1], channels]):
        generator.append([jnp.ones(before), jnp.zeros(before), sample_normal(4, 4, before, after)])
    generator[-1].append(jnp.zeros(channels))
    discriminator, bounded = [], choices.penalized
    for stage, (before, after) in enumerate(itertools.pairwise([channels, *widths])):
        discriminator.append([sample_normal(4, 4, before, after), jnp.zeros(after)])
        if stage and not bounded:
            discriminator[-1] += [jnp.ones(after), jnp.zeros(after)]
    discriminator.append([sample_normal(numbers, 1), jnp.zeros(1)])
    state = tuple(
        [(jnp.zeros(width), jnp.ones(width)) for width in some]
        for some in (widths[::-1], [] if bounded else widths[1:])
    )
    return (generator, discriminator), state


def update_by_adam(carried, gradients, choices: Choices):
    """Return weights and moments after a step of Adam."""
    weights, (first, second, count) = carried
    one, two = choices.betas
    count = count + 1
    first = jax.tree.map(lambda m, g: one * m + (1 - one) * g, first, gradients)
    second = jax.tree.map(lambda v, g: two * v + (1 - two) * g * g, second, gradients)
    rate = choices.learning_rate * jnp.sqrt(1 - two**count) / (1 - one**count)
    weights = jax.tree.map(
        lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-8), weights, first, second
    )
    return weights, (first, second, count)
