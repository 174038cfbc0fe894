"""A fully connected generator of images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from gamedyn.gan.models.initialisation import Scheme, initialise

LAYERS = 4


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
