"""The CIFAR-10 ResNet of the WGAN-GP paper, for square images of any power-of-two size."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, cast

from torch import Tensor, nn

from gamedyn.gan.architectures import NormName
from gamedyn.gan.models.dcgan import stages_between
from gamedyn.gan.models.initialisation import Scheme, initialise
from gamedyn.gan.models.normalisation import normalisation


class ResidualBlock(nn.Module):
    """A pre-activation residual block of two 3x3 convolutions that may change the size.

    .. code-block:: text

        up:    [norm ReLU up conv  norm ReLU conv]       + up(1x1 conv)
        down:  [norm ReLU conv     norm ReLU conv pool]  + 1x1 conv(pool)

    The upsampling stands before the first convolution, as in the released code; the paper's appendix says
    before the second. In the shortcut, upsampling follows and mean pooling precedes the 1x1 convolution: the
    code has them the other way round, which is the same function at four times the price.

    Args:
        before: Channels in.
        after: Channels out.
        resample: `up` doubles height and width (nearest), `down` halves them (means), None keeps them.
        norm: Normalisation before each ReLU.

    Example:
        >>> import torch
        >>> ResidualBlock(4, 8, resample="down")(torch.zeros(1, 4, 8, 8)).shape
        torch.Size([1, 8, 4, 4])

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, appendix F; `gan_cifar_resnet.py` of
        its repository.
    """

    def __init__(
        self,
        before: int,
        after: int,
        *,
        resample: Literal["up", "down"] | None = None,
        norm: NormName = "none",
    ) -> None:
        super().__init__()
        between = before if resample == "down" else after
        self.norm1, self.norm2 = normalisation(norm, before), normalisation(norm, between)
        self.conv1 = nn.Conv2d(before, between, 3, padding=1)
        self.conv2 = nn.Conv2d(between, after, 3, padding=1)
        self.act = nn.ReLU()
        self.up = nn.Upsample(scale_factor=2) if resample == "up" else nn.Identity()
        self.down = nn.AvgPool2d(2) if resample == "down" else nn.Identity()
        self.shortcut: nn.Module = nn.Identity()
        if resample is not None or before != after:
            self.shortcut = nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x: Shape `(batch, before, height, width)`.

        Returns:
            Shape `(batch, after, ...)`.
        """
        inner = self.conv1(self.up(self.act(self.norm1(x))))
        inner = self.down(self.conv2(self.act(self.norm2(inner))))
        return cast("Tensor", self.up(self.shortcut(self.down(x))) + inner)


class FirstBlock(nn.Module):
    """The discriminator's first block: without pre-activation, halving the image.

    .. code-block:: text

        [conv ReLU conv pool] + 1x1 conv(pool)

    Args:
        channels: Colour channels of the images.
        width: Channels out.

    Example:
        >>> import torch
        >>> FirstBlock(3, 8)(torch.zeros(1, 3, 8, 8)).shape
        torch.Size([1, 8, 4, 4])

    References:
        `OptimizedResBlockDisc1` in `gan_cifar_resnet.py` of the repository of Gulrajani et al., 2017.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1)
        self.act = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.down = nn.AvgPool2d(2)
        self.shortcut = nn.Conv2d(channels, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x: Images, shape `(batch, channels, height, width)`.

        Returns:
            Shape `(batch, width, height / 2, width / 2)`.
        """
        inner = self.down(self.conv2(self.act(self.conv1(x))))
        return cast("Tensor", self.shortcut(self.down(x)) + inner)


class ResNetGenerator(nn.Module):
    """Map latent vectors to images in [-1, 1].

    A linear layer to `base x base` maps, residual blocks that double the size at constant width, BatchNorm,
    ReLU, a 3x3 convolution, tanh. Three blocks lead to 32x32: 1,204,483 parameters at `dim=128`.

    Args:
        channels: Colour channels of the images.
        size: Height and width of the images, in pixels.
        dim: Channels of all maps; the paper's are 128.
        latent: Length of the latent vectors.
        base: Height and width of the first map, in pixels.
        init: Initial weights, see `initialise`; the paper's are `tflib`, Glorot's in shortcuts and output.

    Raises:
        ValueError: If `size` is not `base` times a power of two.

    Example:
        >>> import torch
        >>> ResNetGenerator(dim=8)(torch.randn(2, 128)).shape
        torch.Size([2, 3, 32, 32])

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, section 5.4 and appendix F.
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        size: int = 32,
        dim: int = 128,
        latent: int = 128,
        base: int = 4,
        init: Scheme = "tflib",
    ) -> None:
        super().__init__()
        self.latent = latent
        self.project = nn.Sequential(nn.Linear(latent, dim * base * base), nn.Unflatten(1, (dim, base, base)))
        self.blocks = nn.Sequential(
            *(ResidualBlock(dim, dim, resample="up", norm="batch") for _ in range(stages_between(base, size)))
        )
        self.out = nn.Conv2d(dim, channels, 3, padding=1)
        self.head = nn.Sequential(nn.BatchNorm2d(dim), nn.ReLU(), self.out, nn.Tanh())
        initialise(self, init, glorot=[*shortcuts(self.blocks), self.out])

    def forward(self, z: Tensor) -> Tensor:
        """Generate images.

        Args:
            z: Latent vectors, shape `(batch, latent)`.

        Returns:
            Images in [-1, 1], shape `(batch, channels, size, size)`.
        """
        return cast("Tensor", self.head(self.blocks(self.project(z))))


class ResNetDiscriminator(nn.Module):
    """Score images: residual blocks that halve the size, two that keep it, a mean over positions, a score.

    Without normalisation, as in the paper. At 32x32 two blocks halve the size: 1,053,825 parameters at
    `dim=128`. Other sizes halve down to the same 8x8 maps (4x4 below 16x16).

    Args:
        channels: Colour channels of the images.
        size: Height and width of the images, in pixels.
        dim: Channels of all maps; the paper's are 128.
        base: Half of the height and width of the last map, in pixels.
        init: Initial weights, see `initialise`; the paper's are `tflib`, Glorot's in shortcuts.
        norm: Normalisation before each ReLU of all blocks but the first; the code offers `layer`.

    Raises:
        ValueError: If `size` is not `base` times a power of two, or less than four times `base`.

    Example:
        >>> import torch
        >>> ResNetDiscriminator(dim=8)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2])

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, section 5.4 and appendix F.
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        size: int = 32,
        dim: int = 128,
        base: int = 4,
        init: Scheme = "tflib",
        norm: NormName = "none",
    ) -> None:
        super().__init__()
        halvings = stages_between(2 * base, size)
        self.blocks = nn.Sequential(
            FirstBlock(channels, dim),
            *(ResidualBlock(dim, dim, resample="down", norm=norm) for _ in range(halvings - 1)),
            *(ResidualBlock(dim, dim, norm=norm) for _ in range(2)),
        )
        self.act = nn.ReLU()
        self.score = nn.Linear(dim, 1)
        initialise(self, init, glorot=shortcuts(self.blocks))

    def features(self, images: Tensor) -> Tensor:
        """Give what the score is a linear function of.

        Args:
            images: Shape `(batch, channels, size, size)`.

        Returns:
            Shape `(batch, dim)`.
        """
        return cast("Tensor", self.act(self.blocks(images)).mean((2, 3)))

    def forward(self, images: Tensor) -> Tensor:
        """Score images.

        Args:
            images: Shape `(batch, channels, size, size)`.

        Returns:
            One real number an image, shape `(batch,)`.
        """
        return cast("Tensor", self.score(self.features(images))).squeeze(1)


def shortcuts(blocks: Iterable[nn.Module]) -> list[nn.Module]:
    """List the shortcuts of residual blocks, which the paper's code initialises apart.

    Args:
        blocks: The blocks.

    Returns:
        Their shortcuts, identities included.

    Example:
        >>> shortcuts([ResidualBlock(4, 4)])
        [Identity()]
    """
    return [cast("nn.Module", block.shortcut) for block in blocks]
