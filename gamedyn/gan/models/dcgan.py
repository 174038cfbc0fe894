"""The DCGAN of the WGAN-GP paper, for square images of any power-of-two size, and its variants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from torch import Tensor, nn
from torch.nn import functional

from gamedyn.gan.architectures import NormName
from gamedyn.gan.models.activations import activation, inflation
from gamedyn.gan.models.initialisation import Scheme, initialise
from gamedyn.gan.models.normalisation import normalisation

Kernel = Literal[4, 5]
"""Height of the strided convolutions: 5 with TensorFlow's SAME padding, or 4 with one pixel a side."""


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
            f"maps double from {base}x{base}, which never gives {size}x{size}: "
            f"use images of size {base} times a power of two"
        )
    return stages


def refinements_of(extra: Sequence[int], stages: int) -> list[int]:
    """Check how many further convolutions each stage has.

    Args:
        extra: One number a stage, from the smallest map on; empty for none.
        stages: How many stages there are.

    Returns:
        One number a stage.

    Raises:
        ValueError: If there is another number of them.

    Example:
        >>> refinements_of((), 2)
        [0, 0]
    """
    if extra and len(extra) != stages:
        raise ValueError(f"extra must hold {stages} numbers, one a stage, got {list(extra)}")
    return list(extra) or [0] * stages


class DCGANGenerator(nn.Module):
    """Map latent vectors to images in [-1, 1].

    A linear layer to `base x base` maps, then stride-2 transposed 5x5 convolutions that halve the
    width and double the size, each but the last followed by BatchNorm and ReLU; tanh at the end.
    With `size=32, base=4` it is the generator of the paper's `gan_cifar.py` (its DIM is `dim`), with
    `size=64, project_norm="maps"` that of `gan_64x64.py`.

    TensorFlow's SAME padding is kept: the transposed 5x5 convolution has padding 1 and loses its last
    row and column, which makes it the adjoint of the discriminator's convolution. With `kernel=4` it is the
    generator of the ICR paper's code (at `dim=64`).

    Args:
        channels: Colour channels of the images.
        size: Height and width of the images, in pixels.
        dim: Width of the last hidden map, in channels.
        latent: Length of the latent vectors.
        base: Height and width of the first map, in pixels.
        init: Initial weights, see `initialise`; the paper's are `tflib` at 32x32 and `uniform` at 64x64.
        norm: Whether BatchNorm stands before each nonlinearity.
        project_norm: What has a statistic of its own after the linear layer: each of its `features`, or each
            of the `maps` that they are shaped to.
        act: The nonlinearity, see `activation`; `gated` doubles the channels before it.
        constant: Whether all maps have `dim` channels.
        kernel: Height of the transposed convolutions, 5 or 4.
        extra: Further 3x3 convolutions, each with BatchNorm and nonlinearity, before each transposed
            convolution, from the smallest map on; none by default.

    Raises:
        ValueError: If `size` is not `base` times a power of two, or `extra` does not fit.

    Example:
        >>> import torch
        >>> DCGANGenerator(channels=3, size=32, dim=8)(torch.randn(2, 128)).shape
        torch.Size([2, 3, 32, 32])

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, sections 5.1, 5.2 and 5.4. Schäfer,
        Zheng and Anandkumar, Implicit competitive regularization in GANs, 2020; its repository.
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
        norm: bool = True,
        project_norm: Literal["features", "maps"] = "features",
        act: str = "relu",
        constant: bool = False,
        kernel: Kernel = 5,
        extra: Sequence[int] = (),
    ) -> None:
        super().__init__()
        stages = stages_between(base, size)
        width = dim if constant else dim << (stages - 1)
        fold = inflation(act)
        kind: NormName = "batch" if norm else "none"
        self.latent = latent
        self.base = base
        self.cropped = kernel == 5
        features = fold * width * base * base
        self.project = nn.Linear(latent, features)
        # The code normalises before it reshapes at 32x32, and after it at 64x64.
        self.project_norm: nn.Module = normalisation(kind, fold * width)
        if norm and project_norm == "features":
            self.project_norm = nn.BatchNorm1d(features)
        self.by_features = project_norm == "features"
        self.act = activation(act)
        self.refinements = nn.ModuleList()
        self.convolutions = nn.ModuleList()
        self.norms = nn.ModuleList()
        for stage, more in enumerate(refinements_of(extra, stages)):
            self.refinements.append(refined(width, more, kind, act))
            last = stage == stages - 1
            out = channels if last else width if constant else width // 2
            wide = out if last else fold * out
            self.convolutions.append(nn.ConvTranspose2d(width, wide, kernel, stride=2, padding=1))
            if not last:
                self.norms.append(normalisation(kind, wide))
            width = out
        initialise(self, init)

    def forward(self, z: Tensor) -> Tensor:
        """Generate images.

        Args:
            z: Latent vectors, shape `(batch, latent)`.

        Returns:
            Images in [-1, 1], shape `(batch, channels, size, size)`.
        """
        x: Tensor = self.project(z)
        if self.by_features:
            x = self.project_norm(x)
        x = x.reshape(x.shape[0], -1, self.base, self.base)
        x = self.act(x if self.by_features else self.project_norm(x))
        for index, convolution in enumerate(self.convolutions):
            x = convolution(self.refinements[index](x))
            x = x[:, :, :-1, :-1] if self.cropped else x
            x = self.act(self.norms[index](x)) if index < len(self.norms) else functional.tanh(x)
        return x


class DCGANDiscriminator(nn.Module):
    """Score images: stride-2 5x5 convolutions with LeakyReLU(0.2), then a linear layer.

    By default there is no normalisation, so that the score of an image does not depend on its batch and the
    curvature of a gradient penalty is right. TensorFlow's SAME padding at stride 2 is (1, 2). With `kernel=4`
    and `act="slightly-leaky-relu"` it is the discriminator of the ICR paper's code (at `dim=64`).

    Args:
        channels: Colour channels of the images.
        size: Height and width of the images, in pixels.
        dim: Width of the first hidden map, in channels.
        base: Height and width of the last map, in pixels.
        init: Initial weights, see `initialise`; the paper's are `tflib` at 32x32 and `uniform` at 64x64.
        norm: Normalisation after all convolutions but the first, see `normalisation`; the paper's are
            `batch`, and for WGAN-GP none at 32x32 and `layer` at 64x64.
        act: The nonlinearity, see `activation`; `gated` doubles the channels before it.
        kernel: Height of the strided convolutions, 5 or 4.
        extra: Further 3x3 convolutions, each with normalisation and nonlinearity, after each strided
            convolution, from the smallest map on; none by default.

    Raises:
        ValueError: If `size` is not `base` times a power of two, or `extra` does not fit.

    Example:
        >>> import torch
        >>> DCGANDiscriminator(channels=3, size=32, dim=8)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2])

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, sections 5.1, 5.2 and 5.4. Schäfer,
        Zheng and Anandkumar, Implicit competitive regularization in GANs, 2020; its repository.
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        size: int = 32,
        dim: int = 64,
        base: int = 4,
        init: Scheme = "tflib",
        norm: NormName = "none",
        act: str = "leaky-relu",
        kernel: Kernel = 5,
        extra: Sequence[int] = (),
    ) -> None:
        super().__init__()
        stages = stages_between(base, size)
        fold = inflation(act)
        self.act = activation(act)
        self.padding = (1, 2, 1, 2) if kernel == 5 else (1, 1, 1, 1)
        self.convolutions = nn.ModuleList()
        self.norms = nn.ModuleList()
        self.refinements = nn.ModuleList()
        width = channels
        for stage, more in enumerate(reversed(refinements_of(extra, stages))):
            out = dim << stage
            self.convolutions.append(nn.Conv2d(width, fold * out, kernel, stride=2))
            self.norms.append(normalisation("none" if stage == 0 else norm, fold * out))
            self.refinements.append(refined(out, more, norm, act))
            width = out
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
        for index, convolution in enumerate(self.convolutions):
            x = convolution(functional.pad(x, self.padding))
            x = self.refinements[index](self.act(self.norms[index](x)))
        return cast("Tensor", self.score(x.flatten(1))).squeeze(1)


def refined(width: int, count: int, norm: NormName, act: str) -> nn.Sequential:
    """Make 3x3 convolutions that keep size and width, each with normalisation and nonlinearity.

    Args:
        width: Channels of the maps.
        count: How many convolutions.
        norm: The normalisation.
        act: The nonlinearity.

    Returns:
        The layers; the identity for none.

    Example:
        >>> len(refined(8, 2, "batch", "relu"))
        6
    """
    layers: list[nn.Module] = []
    for _ in range(count):
        wide = inflation(act) * width
        layers += [nn.Conv2d(width, wide, 3, padding=1), normalisation(norm, wide), activation(act)]
    return nn.Sequential(*layers)
