"""The networks of `fit gan` as a practitioner would train them with PyTorch alone."""

import itertools
from collections.abc import Callable

import numpy as np
import torch
from gan_choices import (
    AVERAGE,
    EPSILON,
    FILTERS,
    MOMENTUM,
    PENALTY,
    SLOPE,
    Choices,
    find_widths,
)
from torch import nn
from torch.nn.functional import softplus


def prepare(images: np.ndarray, batch_size: int, choices: Choices) -> tuple[int, Callable]:
    """Return the number of trained weights, and what trains an epoch.

    Args:
        images: float32 array of shape (images, side, side, channels), -1 to 1.
        batch_size: int. Images in a batch.
        choices: Choices. Of the recipe.
    """
    real_images = torch.tensor(images).permute(0, 3, 1, 2).contiguous()
    generator, discriminator = make_networks(*images.shape[2:], choices)
    weights = [list(network.parameters()) for network in (generator, discriminator)]
    optimizers = [torch.optim.Adam(some, choices.learning_rate, choices.betas) for some in weights]
    averages = [weight.detach().clone() for weight in weights[0]]

    def train_epoch():
        for rows in torch.randperm(len(real_images)).split(batch_size):
            real = real_images[rows]
            for _ in range(choices.critic_steps):
                optimizers[1].zero_grad()
                lose(generator, discriminator, real, choices).backward()
                optimizers[1].step()
            discriminator.requires_grad_(False)
            scores = discriminator(generator(torch.randn(len(real), choices.latent_dim)))
            loss = -scores.mean() if choices.penalized else softplus(-scores).mean()
            optimizers[0].zero_grad()
            loss.backward()
            optimizers[0].step()
            discriminator.requires_grad_(True)
            with torch.no_grad():
                torch._foreach_lerp_(averages, weights[0], 1 - AVERAGE)

    return sum(weight.numel() for weight in itertools.chain(*weights)), train_epoch


def make_networks(side: int, channels: int, choices: Choices) -> tuple[nn.Module, nn.Module]:
    """Return the generator and the discriminator."""
    start, widths = find_widths(side)
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
    return generator, nn.Sequential(*parts, nn.Flatten(), nn.Linear(widths[-1] * start**2, 1))


def normalize(width: int) -> nn.Module:
    """Return a batch normalisation as Keras has it."""
    return nn.BatchNorm2d(width, eps=EPSILON, momentum=1 - MOMENTUM)


def lose(generator: nn.Module, discriminator: nn.Module, real, choices: Choices):
    """Return the discriminator's loss."""
    with torch.no_grad():
        fake = generator(torch.randn(len(real), choices.latent_dim))
    found, taken = discriminator(real), discriminator(fake)
    if not choices.penalized:
        return softplus(-found).mean() + softplus(taken).mean()
    points = (fake + torch.rand(len(real), 1, 1, 1) * (real - fake)).requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(points).sum(), points, create_graph=True)
    lengths = (slope.square().sum(dim=(1, 2, 3)) + 1e-12).sqrt()
    return taken.mean() - found.mean() + PENALTY * (lengths - 1).square().mean()
