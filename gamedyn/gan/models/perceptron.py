"""Fully connected networks: of any sizes, and a generator of images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from gamedyn.gan.models.initialisation import Scheme, initialise

LAYERS = 4


def perceptron(
    inputs: int, outputs: int, *, width: int = 512, depth: int = 3, norm: bool = False
) -> nn.Sequential:
    """Make a ReLU network with the initial weights of the WGAN-GP paper's code.

    Hidden weights are He's and those of the last layer Glorot's, all uniform; biases are zero.

    Args:
        inputs: Numbers in.
        outputs: Numbers out.
        width: Units of each hidden layer.
        depth: Hidden layers.
        norm: Whether BatchNorm stands before each ReLU.

    Returns:
        The network, its output linear.

    Example:
        >>> import torch
        >>> perceptron(2, 1, width=16, depth=3)(torch.zeros(5, 2)).shape
        torch.Size([5, 1])

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017; `gan_toy.py` of its code, where width
        and depth are these defaults.
    """
    hidden: list[nn.Module] = []
    for layer in range(depth):
        hidden.append(nn.Linear(width if layer else inputs, width))
        hidden += [nn.BatchNorm1d(width), nn.ReLU()] if norm else [nn.ReLU()]
    network = nn.Sequential(*hidden, nn.Linear(width if depth else inputs, outputs))
    initialise(network, "tflib", he=hidden)
    return network


class MLPGenerator(nn.Module):
    """Map latent vectors to images in [-1, 1] by four ReLU layers and a linear one, without convolutions.

    Args:
        shape: Shape of one image, `(channels, height, width)`.
        width: Units of each hidden layer; the paper's are 512.
        latent: Length of the latent vectors.
        init: Initial weights, see `initialise`; the paper's are `tflib`, He's before a ReLU.

    Example:
        >>> import torch
        >>> MLPGenerator((3, 32, 32), width=16)(torch.randn(2, 128)).shape
        torch.Size([2, 3, 32, 32])

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, section 5.2.
    """

    def __init__(
        self, shape: Sequence[int], *, width: int = 512, latent: int = 128, init: Scheme = "tflib"
    ) -> None:
        super().__init__()
        self.latent = latent
        layers: list[nn.Module] = []
        for layer in range(LAYERS):
            layers += [nn.Linear(width if layer else latent, width), nn.ReLU()]
        self.hidden = nn.Sequential(*layers)
        self.out = nn.Sequential(nn.Linear(width, math.prod(shape)), nn.Tanh(), nn.Unflatten(1, tuple(shape)))
        initialise(self, init, he=layers)

    def forward(self, z: Tensor) -> Tensor:
        """Generate images.

        Args:
            z: Latent vectors, shape `(batch, latent)`.

        Returns:
            Images in [-1, 1], shape `(batch, *shape)`.
        """
        return cast("Tensor", self.out(self.hidden(z)))
