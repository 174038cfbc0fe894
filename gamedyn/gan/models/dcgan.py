"""The DCGAN of the WGAN-GP paper, for square images of any power-of-two size."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from gamedyn.gan.models.initialisation import Scheme, initialise

KERNEL = 5
LEAK = 0.2


def stages_between(base: int, size: int) -> int:
    """Count the doublings that lead from the smallest feature map to the image.

    Args:
        base: Height and width of the smallest map, in pixels.
        size: Height and width of the image, in pixels.

    Returns:
        The number `n` with `base * 2**n == size`.

    Raises:
        ValueError: If there is no such number, or it is zero.

    Example:
        >>> stages_between(4, 32)
        3
    """
    stages = (size // base).bit_length() - 1
    if stages < 1 or base << stages != size:
        raise ValueError(
            f"a DCGAN doubles its maps from {base}x{base}, which never gives {size}x{size}: "
            f"use images of size {base} times a power of two"
        )
    return stages


class DCGANGenerator(nn.Module):
    """Map latent vectors to images in [-1, 1].

    A linear layer to `base x base` maps, then stride-2 transposed 5x5 convolutions that halve the
    width and double the size, each but the last followed by BatchNorm and ReLU; tanh at the end.
    With `size=32, base=4` it is the generator of the paper's `gan_cifar.py` (its DIM is `dim`).

    TensorFlow's SAME padding is kept: the transposed convolution has padding 1 and loses its last
    row and column, which makes it the adjoint of the discriminator's convolution.

    Args:
        channels: Colour channels of the images.
        size: Height and width of the images, in pixels.
        dim: Width of the last hidden map, in channels.
        latent: Length of the latent vectors.
        base: Height and width of the first map, in pixels.
        init: Initial weights, see `initialise`; the paper's are `tflib`.

    Raises:
        ValueError: If `size` is not `base` times a power of two.

    Example:
        >>> import torch
        >>> DCGANGenerator(channels=3, size=32, dim=8)(torch.randn(2, 128)).shape
        torch.Size([2, 3, 32, 32])

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, section 5.4.
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        size: int = 32,
        dim: int = 64,
        latent: int = 128,
        base: int = 4,
        init: Scheme = "tflib",
    ) -> None:
        super().__init__()
        stages = stages_between(base, size)
        width = dim << (stages - 1)
        self.latent = latent
        self.base = base
        self.project = nn.Linear(latent, width * base * base)
        # One statistic per feature, not per map: the paper's code normalises before it reshapes.
        self.project_norm = nn.BatchNorm1d(width * base * base)
        self.convolutions = nn.ModuleList()
        self.norms = nn.ModuleList()
        for stage in range(stages):
            last = stage == stages - 1
            out = channels if last else width // 2
            self.convolutions.append(nn.ConvTranspose2d(width, out, KERNEL, stride=2, padding=1))
            if not last:
                self.norms.append(nn.BatchNorm2d(out))
            width = out
        initialise(self, init)

    def forward(self, z: Tensor) -> Tensor:
        """Generate images.

        Args:
            z: Latent vectors, shape `(batch, latent)`.

        Returns:
            Images in [-1, 1], shape `(batch, channels, size, size)`.
        """
        x = functional.relu(self.project_norm(self.project(z)))
        x = x.reshape(x.shape[0], -1, self.base, self.base)
        for index, convolution in enumerate(self.convolutions):
            x = convolution(x)[:, :, :-1, :-1]
            x = functional.relu(self.norms[index](x)) if index < len(self.norms) else functional.tanh(x)
        return x


class DCGANDiscriminator(nn.Module):
    """Score images: stride-2 5x5 convolutions with LeakyReLU(0.2), then a linear layer.

    There is no normalisation, so that the score of an image does not depend on its batch and the
    curvature of a gradient penalty is right. TensorFlow's SAME padding at stride 2 is (1, 2).

    Args:
        channels: Colour channels of the images.
        size: Height and width of the images, in pixels.
        dim: Width of the first hidden map, in channels.
        base: Height and width of the last map, in pixels.
        init: Initial weights, see `initialise`; the paper's are `tflib`.

    Raises:
        ValueError: If `size` is not `base` times a power of two.

    Example:
        >>> import torch
        >>> DCGANDiscriminator(channels=3, size=32, dim=8)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2])

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, section 5.4.
    """

    def __init__(
        self, *, channels: int = 3, size: int = 32, dim: int = 64, base: int = 4, init: Scheme = "tflib"
    ) -> None:
        super().__init__()
        stages = stages_between(base, size)
        self.convolutions = nn.ModuleList()
        width = channels
        for stage in range(stages):
            self.convolutions.append(nn.Conv2d(width, dim << stage, KERNEL, stride=2))
            width = dim << stage
        self.score = nn.Linear(width * base * base, 1)
        initialise(self, init)

    def forward(self, images: Tensor) -> Tensor:
        """Score images.

        Args:
            images: Shape `(batch, channels, size, size)`.

        Returns:
            One real number an image (a logit, or a critic's value), shape `(batch,)`.
        """
        x = images
        for convolution in self.convolutions:
            x = functional.leaky_relu(convolution(functional.pad(x, (1, 2, 1, 2))), LEAK)
        return cast("Tensor", self.score(x.flatten(1))).squeeze(1)
