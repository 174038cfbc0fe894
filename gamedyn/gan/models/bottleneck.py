"""The 101-layer ResNets of the WGAN-GP paper, for square images of any power-of-two size."""

from __future__ import annotations

from typing import Literal, cast

from torch import Tensor, nn
from torch.nn import functional

from gamedyn.gan.architectures import NormName
from gamedyn.gan.models.dcgan import stages_between
from gamedyn.gan.models.initialisation import Scheme, initialise
from gamedyn.gan.models.normalisation import normalisation
from gamedyn.gan.models.resnet import shortcuts

BLOCKS = 33
"""Blocks of three convolutions; with the first and the last layer they make 101."""
RESIDUAL = 0.3
TEMPERATURE = 5.0


def plain_blocks(stages: int) -> list[int]:
    """Say how many blocks keep the size at each resolution, from the smallest on.

    Args:
        stages: How many blocks change the size.

    Returns:
        The rest of the 33, as evenly as can be, the smaller maps first: at 64x64 the paper's.

    Example:
        >>> plain_blocks(4), plain_blocks(3)
        ([6, 6, 6, 6, 5], [8, 8, 7, 7])
    """
    each, more = divmod(BLOCKS - stages, stages + 1)
    return [each + (resolution < more) for resolution in range(stages + 1)]


class Bottleneck(nn.Module):
    """A residual block of 1x1, 3x3 and 1x1 convolutions at half width, its branch scaled by 0.3.

    .. code-block:: text

        0.3 norm(conv1x1 ReLU conv3x3 ReLU conv1x1 ReLU x) + shortcut(x)

    The 3x3 convolution changes the size: strided on the way down, transposed on the way up. The shortcut is
    the identity, a strided 1x1 convolution, or a subpixel 1x1 convolution.

    Args:
        before: Channels in.
        after: Channels out.
        resample: `up` doubles height and width, `down` halves them, None keeps them.
        norm: Normalisation at the end of the branch.

    Example:
        >>> import torch
        >>> Bottleneck(8, 4, resample="up")(torch.zeros(1, 8, 4, 4)).shape
        torch.Size([1, 4, 8, 8])

    References:
        `BottleneckResidualBlock` in `gan_64x64.py` of the repository of Gulrajani et al., 2017.
    """

    def __init__(
        self,
        before: int,
        after: int,
        *,
        resample: Literal["up", "down"] | None = None,
        norm: NormName = "batch",
    ) -> None:
        super().__init__()
        self.resample = resample
        self.act = nn.ReLU()
        self.conv1 = nn.Conv2d(before, before // 2, 1)
        self.shortcut: nn.Module
        if resample == "up":
            self.conv2: nn.Module = nn.ConvTranspose2d(before // 2, after // 2, 3, stride=2)
            self.shortcut = nn.Sequential(nn.Conv2d(before, 4 * after, 1), nn.PixelShuffle(2))
        elif resample == "down":
            self.conv2 = nn.Conv2d(before // 2, after // 2, 3, stride=2)
            self.shortcut = nn.Conv2d(before, after, 1, stride=2)
        else:
            self.conv2 = nn.Conv2d(before // 2, after // 2, 3, padding=1)
            self.shortcut = nn.Identity() if before == after else nn.Conv2d(before, after, 1)
        self.conv3 = nn.Conv2d(after // 2, after, 1, bias=False)
        self.norm = normalisation(norm, after)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x: Shape `(batch, before, height, width)`.

        Returns:
            Shape `(batch, after, ...)`.
        """
        inner = self.act(self.conv1(self.act(x)))
        if self.resample == "down":  # TensorFlow's SAME padding
            inner = functional.pad(inner, (0, 1, 0, 1))
        inner = self.conv2(inner)
        if self.resample == "up":
            inner = inner[:, :, :-1, :-1]
        inner = self.norm(self.conv3(self.act(inner)))
        return cast("Tensor", self.shortcut(x) + RESIDUAL * inner)


class BottleneckGenerator(nn.Module):
    """Map latent vectors to images in [-1, 1] by 101 layers.

    A linear layer to `base x base` maps, 33 bottleneck blocks, a 1x1 convolution, tanh of a fifth of it. The
    width halves from map to map down to `dim / 2` at the image; at 64x64 and `dim=64` it is the paper's, 512
    to 32. At other sizes the blocks are shared out among fewer or more maps.

    Args:
        channels: Colour channels of the images.
        size: Height and width of the images, in pixels.
        dim: Twice the width of the last map, in channels; a multiple of 4.
        latent: Length of the latent vectors.
        base: Height and width of the first map, in pixels.
        init: Initial weights, see `initialise`; the paper's are `tflib`, Glorot's in shortcuts and output.

    Raises:
        ValueError: If `size` is not `base` times a power of two, or `dim` not a multiple of 4.

    Example:
        >>> import torch
        >>> BottleneckGenerator(size=8, base=4, dim=4)(torch.randn(2, 128)).shape
        torch.Size([2, 3, 8, 8])

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, section 5.2 and appendix E.
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        size: int = 64,
        dim: int = 64,
        latent: int = 128,
        base: int = 4,
        init: Scheme = "tflib",
    ) -> None:
        super().__init__()
        stages = stages_between(base, size)
        width = widest(dim, stages)
        self.latent = latent
        self.project = nn.Sequential(
            nn.Linear(latent, width * base * base), nn.Unflatten(1, (width, base, base))
        )
        blocks: list[Bottleneck] = []
        for stage, count in enumerate(plain_blocks(stages)):
            if stage:
                blocks.append(Bottleneck(width, width // 2, resample="up"))
                width //= 2
            blocks += [Bottleneck(width, width) for _ in range(count)]
        self.blocks = nn.Sequential(*blocks)
        self.out = nn.Conv2d(width, channels, 1)
        skips = [layer for skip in shortcuts(blocks) for layer in skip.modules()]
        initialise(self, init, glorot=[*skips, self.out])

    def forward(self, z: Tensor) -> Tensor:
        """Generate images.

        Args:
            z: Latent vectors, shape `(batch, latent)`.

        Returns:
            Images in [-1, 1], shape `(batch, channels, size, size)`.
        """
        return functional.tanh(self.out(self.blocks(self.project(z))) / TEMPERATURE)


class BottleneckDiscriminator(nn.Module):
    """Score images by 101 layers: `BottleneckGenerator` in reverse, its score divided by five.

    Args:
        channels: Colour channels of the images.
        size: Height and width of the images, in pixels.
        dim: Twice the width of the first map, in channels; a multiple of 4.
        base: Height and width of the last map, in pixels.
        init: Initial weights, see `initialise`; the paper's are `tflib`, Glorot's in shortcuts and first
            layer.
        norm: Normalisation of the blocks; the paper's are `batch`, for WGAN-GP `layer`.

    Raises:
        ValueError: If `size` is not `base` times a power of two, or `dim` not a multiple of 4.

    Example:
        >>> import torch
        >>> BottleneckDiscriminator(size=8, base=4, dim=4)(torch.randn(2, 3, 8, 8)).shape
        torch.Size([2])

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, section 5.2 and appendix E.
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        size: int = 64,
        dim: int = 64,
        base: int = 4,
        init: Scheme = "tflib",
        norm: NormName = "batch",
    ) -> None:
        super().__init__()
        stages = stages_between(base, size)
        width = widest(dim, stages) >> stages
        self.first = nn.Conv2d(channels, width, 1)
        blocks: list[Bottleneck] = []
        for stage, count in enumerate(reversed(plain_blocks(stages))):
            if stage:
                blocks.append(Bottleneck(width, 2 * width, resample="down", norm=norm))
                width *= 2
            blocks += [Bottleneck(width, width, norm=norm) for _ in range(count)]
        self.blocks = nn.Sequential(*blocks)
        self.score = nn.Linear(width * base * base, 1)
        initialise(self, init, glorot=[*shortcuts(blocks), self.first])

    def forward(self, images: Tensor) -> Tensor:
        """Score images.

        Args:
            images: Shape `(batch, channels, size, size)`.

        Returns:
            One real number an image, shape `(batch,)`.
        """
        scores = cast("Tensor", self.score(self.blocks(self.first(images)).flatten(1)))
        return scores.squeeze(1) / TEMPERATURE


def widest(dim: int, stages: int) -> int:
    """Say how many channels the smallest map has.

    Args:
        dim: Twice the width of the map at the image's size.
        stages: How often the width doubles.

    Returns:
        The width.

    Raises:
        ValueError: If a bottleneck of half the width would not be whole.

    Example:
        >>> widest(64, 4)
        512
    """
    if dim < 4 or dim % 4:
        raise ValueError(f"dim must be a multiple of 4 for the 101-layer ResNet, got {dim}")
    return (dim // 2) << stages
