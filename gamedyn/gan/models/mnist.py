"""The small convolutional pair of the ICR paper's runs on MNIST."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from gamedyn.gan.models.initialisation import Scheme, initialise

KERNEL = 5


class MNISTGenerator(nn.Module):
    """Map latent vectors to 28x28 images in [-1, 1]: two linear layers, two transposed convolutions.

    BatchNorm follows the ReLU, as in the authors' code.

    Args:
        dim: Width: a hidden layer of `32 * dim`, then maps of `4 * dim` and `2 * dim` channels.
        latent: Length of the latent vectors.
        init: Initial weights, see `initialise`.

    Example:
        >>> import torch
        >>> MNISTGenerator(dim=2)(torch.randn(3, 96)).shape
        torch.Size([3, 1, 28, 28])

    References:
        Schäfer, Zheng and Anandkumar, Implicit competitive regularization in GANs, 2020; its repository.
    """

    def __init__(self, *, dim: int = 32, latent: int = 96, init: Scheme = "icr") -> None:
        super().__init__()
        self.latent = latent
        hidden, wide, narrow = 32 * dim, 4 * dim, 2 * dim
        self.layers = nn.Sequential(
            nn.Linear(latent, hidden),
            nn.ReLU(),
            nn.BatchNorm1d(hidden),
            nn.Linear(hidden, wide * 7 * 7),
            nn.ReLU(),
            nn.BatchNorm1d(wide * 7 * 7),
            nn.Unflatten(1, (wide, 7, 7)),
            nn.ConvTranspose2d(wide, narrow, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.BatchNorm2d(narrow),
            nn.ConvTranspose2d(narrow, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )
        initialise(self, init)

    def forward(self, z: Tensor) -> Tensor:
        """Generate images.

        Args:
            z: Latent vectors, shape `(batch, latent)`.

        Returns:
            Images in [-1, 1], shape `(batch, 1, 28, 28)`.
        """
        return cast("Tensor", self.layers(z))


class MNISTDiscriminator(nn.Module):
    """Map 28x28 images to one logit each: two convolutions with max pooling, a hidden layer, no norm.

    Args:
        dim: Width: maps of `dim` and `2 * dim` channels, a hidden layer of `32 * dim`.
        init: Initial weights, see `initialise`.

    Example:
        >>> import torch
        >>> MNISTDiscriminator(dim=2)(torch.zeros(3, 1, 28, 28)).shape
        torch.Size([3])

    References:
        Schäfer, Zheng and Anandkumar, Implicit competitive regularization in GANs, 2020; its repository.
    """

    def __init__(self, *, dim: int = 32, init: Scheme = "icr") -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, dim, KERNEL),
            nn.LeakyReLU(0.01),
            nn.MaxPool2d(2),
            nn.Conv2d(dim, 2 * dim, KERNEL),
            nn.LeakyReLU(0.01),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * dim, 32 * dim),
            nn.LeakyReLU(0.01),
            nn.Linear(32 * dim, 1),
        )
        initialise(self, init)

    def forward(self, images: Tensor) -> Tensor:
        """Score images.

        Args:
            images: Shape `(batch, 1, 28, 28)`.

        Returns:
            Logits, shape `(batch,)`.
        """
        return cast("Tensor", self.layers(images)).squeeze(1)
