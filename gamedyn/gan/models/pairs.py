"""The generator and discriminator that fit a data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from gamedyn.games.gaussian_mixture import mlp
from gamedyn.gan.models.dcgan import DCGANDiscriminator, DCGANGenerator
from gamedyn.gan.models.initialisation import Scheme

# The networks of the unrolled-GAN notebook, whose mixtures these are.
PLANE: dict[str, Any] = {"depth": 2, "activation": "tanh", "gain": 1.4}


def build_pair(
    shape: Sequence[int], *, dim: int, latent: int, seed: int, init: Scheme = "tflib"
) -> tuple[nn.Module, nn.Module]:
    """Build the two networks for one shape of sample.

    Square images get the DCGAN of the WGAN-GP paper, from 4x4 maps where the image is 16 pixels or
    more and from 2x2 maps below that (the 8x8 digits); points get the MLPs of
    `gamedyn.games.GaussianMixtureGAN`, two hidden layers of tanh.

    Args:
        shape: Shape of one sample: `(channels, size, size)` or `(coordinates,)`.
        dim: Width: channels of the DCGAN's map nearest to the image, or units of a hidden layer.
        latent: Length of the latent vectors.
        seed: Seed of the initial weights; torch's global generator is left as it was.
        init: Scheme of a DCGAN's initial weights; MLPs are orthogonal.

    Returns:
        The generator (player 0) and the discriminator (player 1), in training mode.

    Raises:
        ValueError: If `shape` is neither a point nor a square image.

    Example:
        >>> generator, discriminator = build_pair((1, 8, 8), dim=8, latent=16, seed=0)
        >>> discriminator(generator(torch.randn(4, 16))).shape
        torch.Size([4])
    """
    generator: nn.Module
    discriminator: nn.Module
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if len(shape) == 1:
            generator = mlp(latent, shape[0], width=dim, **PLANE)
            discriminator = mlp(shape[0], 1, width=dim, **PLANE)
        elif len(shape) == 3 and shape[1] == shape[2]:
            channels, size, _ = shape
            base = 4 if size >= 16 else 2
            generator = DCGANGenerator(
                channels=channels, size=size, dim=dim, latent=latent, base=base, init=init
            )
            discriminator = DCGANDiscriminator(channels=channels, size=size, dim=dim, base=base, init=init)
        else:
            raise ValueError(
                f"samples of shape {tuple(shape)} are neither points (n,) nor square images (c, n, n)"
            )
    return generator, discriminator
