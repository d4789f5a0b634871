"""The networks of `fit gan` as a practitioner would train them: in PyTorch alone, in JAX alone."""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

FILTERS, SLOPE, MOMENTUM, EPSILON = 32, 0.2, 0.9, 1e-3
AVERAGE = 0.99  # what stays of the averaged weights in a step
PENALTY = 10.0


class Choices(NamedTuple):
    """What a recipe chooses; with a penalty, the loss is Wasserstein's."""

    latent_dim: int
    learning_rate: float
    betas: tuple[float, float]
    critic_steps: int
    penalized: bool


CHOICES = {
    "dcgan": Choices(100, 2e-4, (0.5, 0.999), 1, False),
    "wgan_gp": Choices(64, 2e-4, (0.0, 0.9), 5, True),
}


def find_widths(side: int) -> tuple[int, list[int]]:
    """Return the side of the smallest image, and the filters of each stage."""
    stages = 2
    while side >> stages > 4:
        stages += 1
    return side >> stages, [FILTERS << stage for stage in range(stages)]


def in_torch(images: np.ndarray, batch_size: int, choices: Choices) -> tuple[int, Callable]:
    """Return the number of trained weights, and what trains an epoch.

    Args:
        images: float32 array of shape (images, side, side, channels), -1 to 1.
        batch_size: int. Images in a batch.
        choices: Choices. Of the recipe.
    """
    import torch
    from torch import nn
    from torch.nn.functional import softplus

    start, widths = find_widths(images.shape[1])
    real_images = torch.tensor(images).permute(0, 3, 1, 2).contiguous()
    channels = real_images.shape[1]

    def normalize(width: int) -> nn.Module:
        return nn.BatchNorm2d(width, eps=EPSILON, momentum=1 - MOMENTUM)

    parts = [nn.Linear(choices.latent_dim, widths[-1] * start**2)]
    parts += [nn.Unflatten(1, (widths[-1], start, start)), normalize(widths[-1]), nn.ReLU()]
    for before, after in itertools.pairwise(widths[::-1]):
        parts.append(nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False))
        parts += [normalize(after), nn.ReLU()]
    generator = nn.Sequential(*parts, nn.ConvTranspose2d(FILTERS, channels, 4, 2, 1), nn.Tanh())
    parts = []
    for stage, (before, after) in enumerate(itertools.pairwise([channels, *widths])):
        parts.append(nn.Conv2d(before, after, 4, 2, 1))
        parts += [normalize(after)] * (stage > 0 and not choices.penalized) + [nn.LeakyReLU(SLOPE)]
    discriminator = nn.Sequential(*parts, nn.Flatten(), nn.Linear(widths[-1] * start**2, 1))
    weights = [list(network.parameters()) for network in (generator, discriminator)]
    rules = [torch.optim.Adam(some, choices.learning_rate, choices.betas) for some in weights]
    averages = [weight.detach().clone() for weight in weights[0]]

    def make_noise(count: int):
        return torch.randn(count, choices.latent_dim)

    def lose(real):
        """Return the discriminator's loss."""
        with torch.no_grad():
            fake = generator(make_noise(len(real)))
        found, taken = discriminator(real), discriminator(fake)
        if not choices.penalized:
            return softplus(-found).mean() + softplus(taken).mean()
        points = (fake + torch.rand(len(real), 1, 1, 1) * (real - fake)).requires_grad_()
        (slope,) = torch.autograd.grad(discriminator(points).sum(), points, create_graph=True)
        lengths = (slope.square().sum(dim=(1, 2, 3)) + 1e-12).sqrt()
        return taken.mean() - found.mean() + PENALTY * (lengths - 1).square().mean()

    def train_epoch():
        for rows in torch.randperm(len(real_images)).split(batch_size):
            real = real_images[rows]
            for _ in range(choices.critic_steps):
                rules[1].zero_grad()
                lose(real).backward()
                rules[1].step()
            discriminator.requires_grad_(False)
            scores = discriminator(generator(make_noise(len(real))))
            loss = -scores.mean() if choices.penalized else softplus(-scores).mean()
            rules[0].zero_grad()
            loss.backward()
            rules[0].step()
            discriminator.requires_grad_(True)
            with torch.no_grad():
                torch._foreach_lerp_(averages, weights[0], 1 - AVERAGE)

    return sum(weight.numel() for weight in itertools.chain(*weights)), train_epoch


def in_jax(images: np.ndarray, batch_size: int, choices: Choices) -> tuple[int, Callable]:
    """Return the number of trained weights, and what trains an epoch, as `in_torch` does."""
    import jax
    from jax import nn, numpy as jnp

    start, widths = find_widths(images.shape[1])
    real_images = jnp.asarray(images)
    networks, state = _make_jax_weights(images.shape[3], start, widths, choices)
    layout = ("NHWC", "HWIO", "NHWC")

    def normalize(x, weights, moments):
        axes = (0, 1, 2)
        mean, variance = x.mean(axes), x.var(axes)
        moments = jax.tree.map(
            lambda old, new: MOMENTUM * old + (1 - MOMENTUM) * new, moments, (mean, variance)
        )
        scale = weights[0] * jax.lax.rsqrt(variance + EPSILON)
        return (x - mean) * scale + weights[1], moments

    def generate(weights, moments, noise):
        (kernel, bias), *stages = weights
        x = (noise @ kernel + bias).reshape(-1, start, start, widths[-1])
        after = []
        for (gamma, beta, kernel, *bias), found in zip(stages, moments, strict=True):
            x, found = normalize(x, (gamma, beta), found)
            x = jax.lax.conv_transpose(nn.relu(x), kernel, (2, 2), "SAME", dimension_numbers=layout)
            x = x + bias[0] if bias else x
            after.append(found)
        return jnp.tanh(x), after

    def discriminate(weights, moments, x):
        *stages, (kernel, bias) = weights
        after = []
        for stage, (taps, offset, *scales) in enumerate(stages):
            x = jax.lax.conv_general_dilated(x, taps, (2, 2), "SAME", dimension_numbers=layout)
            x = x + offset
            if scales:
                x, found = normalize(x, scales, moments[stage - 1])
                after.append(found)
            x = nn.leaky_relu(x, SLOPE)
        return x.reshape(len(x), -1) @ kernel + bias, after

    def lose(weights, moments, real, fake, key):
        found, moments = discriminate(weights, moments, real)
        taken, moments = discriminate(weights, moments, fake)
        if not choices.penalized:
            return nn.softplus(-found).mean() + nn.softplus(taken).mean(), moments
        points = fake + jax.random.uniform(key, (len(real), 1, 1, 1)) * (real - fake)
        slope = jax.grad(lambda x: discriminate(weights, moments, x)[0].sum())(points)
        lengths = jnp.sqrt((slope**2).sum((1, 2, 3)) + 1e-12)
        return taken.mean() - found.mean() + PENALTY * ((lengths - 1) ** 2).mean(), moments

    def lose_generator(weights, moments, critic, critic_moments, noise):
        fake, moments = generate(weights, moments, noise)
        scores, _ = discriminate(critic, critic_moments, fake)
        return -scores.mean() if choices.penalized else nn.softplus(-scores).mean(), moments

    def step(carried, state, averages, key, rows):
        (made, seen), (moments, seen_moments) = carried, state
        real = real_images[rows]
        for _ in range(choices.critic_steps):
            key, noise_key, mix_key = jax.random.split(key, 3)
            noise = jax.random.normal(noise_key, (len(rows), choices.latent_dim))
            fake, moments = generate(made[0], moments, noise)
            gradients, seen_moments = jax.grad(lose, has_aux=True)(
                seen[0], seen_moments, real, fake, mix_key
            )
            seen = _update_by_adam(seen, gradients, choices)
        key, noise_key = jax.random.split(key)
        noise = jax.random.normal(noise_key, (len(rows), choices.latent_dim))
        gradients, moments = jax.grad(lose_generator, has_aux=True)(
            made[0], moments, seen[0], seen_moments, noise
        )
        made = _update_by_adam(made, gradients, choices)
        averages = jax.tree.map(
            lambda old, new: AVERAGE * old + (1 - AVERAGE) * new, averages, made[0]
        )
        return (made, seen), (moments, seen_moments), averages, key

    step = jax.jit(step, donate_argnums=(0, 1, 2, 3))
    zeros = [jax.tree.map(jnp.zeros_like, network) for network in networks]
    carried = tuple(
        (network, (zero, jax.tree.map(jnp.copy, zero), jnp.zeros(())))
        for network, zero in zip(networks, zeros, strict=True)
    )
    now = [carried, state, jax.tree.map(jnp.copy, networks[0]), jax.random.key(0)]
    random = np.random.default_rng(0)

    def train_epoch():
        for rows in random.permutation(len(images)).reshape(-1, batch_size):
            now[:] = step(*now, rows)
        jax.block_until_ready(now)

    return sum(weight.size for weight in jax.tree.leaves(networks)), train_epoch


def _make_jax_weights(channels: int, start: int, widths: list[int], choices: Choices):
    """Return the weights of generator and discriminator, and their means and variances."""
    import jax
    from jax import numpy as jnp

    keys = iter(jax.random.split(jax.random.key(1), 20))

    def draw(*shape):
        return 0.02 * jax.random.normal(next(keys), shape)

    numbers = start**2 * widths[-1]
    generator = [[draw(choices.latent_dim, numbers), jnp.zeros(numbers)]]
    for before, after in itertools.pairwise([*widths[::-1], channels]):
        generator.append([jnp.ones(before), jnp.zeros(before), draw(4, 4, before, after)])
    generator[-1].append(jnp.zeros(channels))
    discriminator, bounded = [], choices.penalized
    for stage, (before, after) in enumerate(itertools.pairwise([channels, *widths])):
        discriminator.append([draw(4, 4, before, after), jnp.zeros(after)])
        if stage and not bounded:
            discriminator[-1] += [jnp.ones(after), jnp.zeros(after)]
    discriminator.append([draw(numbers, 1), jnp.zeros(1)])
    state = tuple(
        [(jnp.zeros(width), jnp.ones(width)) for width in some]
        for some in (widths[::-1], [] if bounded else widths[1:])
    )
    return (generator, discriminator), state


def _update_by_adam(carried, gradients, choices: Choices):
    """Return weights and moments after a step of Adam."""
    import jax
    from jax import numpy as jnp

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
