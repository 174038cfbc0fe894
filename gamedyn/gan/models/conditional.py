"""The class-conditional CIFAR-10 ResNet of the WGAN-GP paper: conditional BatchNorm and an AC-GAN head."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from gamedyn.gan.architectures import NormName
from gamedyn.gan.models.initialisation import Scheme, initialise
from gamedyn.gan.models.resnet import ResidualBlock, ResNetDiscriminator, ResNetGenerator, shortcuts


class ConditionalBatchNorm2d(nn.Module):
    r"""BatchNorm whose gain and offset depend on each sample's class.

    .. math:: o = \gamma_{y, c} \frac{a - \operatorname{mean}_{nhw} a}{\sqrt{\operatorname{var}_{nhw} a +
        \epsilon}} + \beta_{y, c}

    The statistics are those of the whole batch, all classes together. In evaluation the running ones are
    used; the paper's code always uses the batch's.

    Args:
        channels: Channels of the maps.
        classes: Number of classes.

    Example:
        >>> norm = ConditionalBatchNorm2d(3, classes=10)
        >>> norm(torch.randn(4, 3, 2, 2), torch.tensor([0, 1, 9, 1])).shape
        torch.Size([4, 3, 2, 2])

    References:
        Dumoulin, Shlens and Kudlur, A Learned Representation for Artistic Style, 2017, equation 5.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.weight = nn.Parameter(torch.ones(classes, channels))
        self.bias = nn.Parameter(torch.zeros(classes, channels))

    def forward(self, value: Tensor, labels: Tensor) -> Tensor:
        """Normalise.

        Args:
            value: Shape `(batch, channels, height, width)`.
            labels: Classes, whole numbers of shape `(batch,)`.

        Returns:
            The shape of `value`.
        """
        gain, offset = self.weight[labels], self.bias[labels]
        return torch.addcmul(offset[:, :, None, None], self.norm(value), gain[:, :, None, None])


class ConditionalResidualBlock(ResidualBlock):
    """A `ResidualBlock` that doubles the size, its normalisation conditional on classes.

    Args:
        width: Channels in and out.
        classes: Number of classes.

    Example:
        >>> ConditionalResidualBlock(4, 10)(torch.randn(2, 4, 4, 4), torch.tensor([3, 7])).shape
        torch.Size([2, 4, 8, 8])
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__(width, width, resample="up")
        self.norm1 = ConditionalBatchNorm2d(width, classes)
        self.norm2 = ConditionalBatchNorm2d(width, classes)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Apply the block.

        Args:
            x: Shape `(batch, width, height, width)`.
            labels: Classes, shape `(batch,)`.

        Returns:
            Shape `(batch, width, 2 * height, 2 * width)`.
        """
        inner = self.conv1(self.up(self.act(self.norm1(x, labels))))
        inner = self.conv2(self.act(self.norm2(inner, labels)))
        return cast("Tensor", self.up(self.shortcut(x)) + inner)


class ConditionalResNetGenerator(ResNetGenerator):
    """Map latent vectors and classes to images in [-1, 1].

    The `ResNetGenerator` with class-conditional BatchNorm in its blocks; the BatchNorm before the output is
    not conditional, as in the released code. 1,218,307 parameters at 32x32, `dim=128` and ten classes.

    Args:
        channels: Colour channels of the images.
        size: Height and width of the images, in pixels.
        dim: Channels of all maps; the paper's are 128.
        latent: Length of the latent vectors.
        base: Height and width of the first map, in pixels.
        init: Initial weights, see `initialise`.
        classes: Number of classes.

    Example:
        >>> generator = ConditionalResNetGenerator(dim=8, classes=10)
        >>> generator(torch.randn(2, 128), torch.tensor([3, 7])).shape
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
        classes: int = 10,
    ) -> None:
        super().__init__(channels=channels, size=size, dim=dim, latent=latent, base=base, init=init)
        self.classes = classes
        self.blocks = nn.Sequential(*(ConditionalResidualBlock(dim, classes) for _ in self.blocks))
        initialise(self.blocks, init, glorot=shortcuts(self.blocks))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Generate images.

        Args:
            z: Latent vectors, shape `(batch, latent)`.
            labels: The classes of the images to be, whole numbers of shape `(batch,)`.

        Returns:
            Images in [-1, 1], shape `(batch, channels, size, size)`.

        Raises:
            ValueError: If there are no labels.
        """
        if labels is None:
            raise ValueError("a conditional generator takes latent vectors and labels, got no labels")
        x = self.project(z)
        for block in self.blocks:
            x = block(x, labels)
        return cast("Tensor", self.head(x))


class ConditionalResNetDiscriminator(ResNetDiscriminator):
    """Score images and tell their classes: the `ResNetDiscriminator` with an AC-GAN head.

    Both heads are linear in the same pooled features. 1,055,115 parameters at 32x32, `dim=128` and ten
    classes.

    Args:
        channels: Colour channels of the images.
        size: Height and width of the images, in pixels.
        dim: Channels of all maps; the paper's are 128.
        base: Half of the height and width of the last map, in pixels.
        init: Initial weights, see `initialise`.
        norm: Normalisation before each ReLU of all blocks but the first.
        classes: Number of classes.

    Example:
        >>> scores, logits = ConditionalResNetDiscriminator(dim=8, classes=10)(torch.zeros(2, 3, 32, 32))
        >>> scores.shape, logits.shape
        (torch.Size([2]), torch.Size([2, 10]))

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, section 5.4 and appendix F; Odena, Olah
        and Shlens, Conditional Image Synthesis with Auxiliary Classifier GANs, 2017.
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
        classes: int = 10,
    ) -> None:
        super().__init__(channels=channels, size=size, dim=dim, base=base, init=init, norm=norm)
        self.classes = classes
        self.classifier = nn.Linear(dim, classes)
        initialise(self.classifier, init)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Score images and tell their classes.

        Args:
            images: Shape `(batch, channels, size, size)`.

        Returns:
            One real number an image, shape `(batch,)`, and one logit a class, shape `(batch, classes)`.
        """
        features = self.features(images)
        return self.score(features).squeeze(1), self.classifier(features)
