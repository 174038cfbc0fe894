"""The networks of the random architectures: DCGANs of other depths, widths and nonlinearities."""

from __future__ import annotations

from torch import nn

from gamedyn.gan.architectures import NormName, critic_norm_for
from gamedyn.gan.models.dcgan import DCGANDiscriminator, DCGANGenerator, stages_between
from gamedyn.gan.models.initialisation import Scheme
from gamedyn.gan.random_architectures import random_architecture

NOMINAL = 64


def further_convolutions(depth: int, stages: int) -> list[int]:
    """Share a depth out among the stages of a DCGAN.

    Args:
        depth: Layers with weights, the linear one included.
        stages: How many of them change the size.

    Returns:
        How many more convolutions each stage has, from the smallest map on, as evenly as can be and the
        smaller maps first; none where the size alone needs that many layers.

    Example:
        >>> [further_convolutions(depth, 3) for depth in (4, 8, 12, 20)]
        [[0, 0, 0], [2, 1, 1], [3, 3, 2], [6, 5, 5]]
    """
    each, more = divmod(max(depth - 1 - stages, 0), stages)
    return [each + (stage < more) for stage in range(stages)]


def random_pair(
    index: int,
    *,
    channels: int,
    size: int,
    dim: int,
    latent: int,
    base: int,
    init: Scheme = "tflib",
    critic_norm: NormName | None = None,
) -> tuple[nn.Module, nn.Module]:
    """Build the networks of one random architecture.

    The paper says what was drawn, not how a depth is laid out. Here both are the 32x32 DCGAN, whose depth is
    4: a linear layer and three convolutions that change the size. Deeper ones have further 3x3 convolutions
    of the same width between these, each with normalisation and nonlinearity like the others, the smaller
    maps first: 4, 8 and 16 pixels get 2, 1, 1 at depth 8; 3, 3, 2 at depth 12; 6, 5, 5 at depth 20. Larger
    images need more layers that change the size and have fewer others.

    Args:
        index: Which one, see `random_architecture`.
        channels: Colour channels of the images.
        size: Height and width of the images, in pixels.
        dim: 64 for the numbers of filters that were drawn; another number scales them in proportion.
        latent: Length of the latent vectors.
        base: Height and width of the smallest map, in pixels.
        init: Initial weights, see `initialise`.
        critic_norm: How the discriminator is normalised where the architecture says that it is; None for
            BatchNorm. WGAN-GP wants `layer`, with curvature `group`.

    Returns:
        The generator and the discriminator.

    Example:
        >>> import torch
        >>> sizes = {"channels": 1, "size": 8, "dim": 4, "latent": 16, "base": 2}
        >>> generator, discriminator = random_pair(0, **sizes)
        >>> discriminator(generator(torch.randn(4, 16))).shape
        torch.Size([4])

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, section 5.1, Table 1 and appendix B.
    """
    choice = random_architecture(index)
    stages = stages_between(base, size)
    generator = DCGANGenerator(
        channels=channels,
        size=size,
        dim=max(choice.generator_filters * dim // NOMINAL, 1),
        latent=latent,
        base=base,
        init=init,
        norm=choice.generator_norm,
        act=choice.generator_nonlinearity,
        extra=further_convolutions(choice.generator_depth, stages),
    )
    discriminator = DCGANDiscriminator(
        channels=channels,
        size=size,
        dim=max(choice.discriminator_filters * dim // NOMINAL, 1),
        base=base,
        init=init,
        norm=critic_norm_for("random", critic_norm, index=index),
        act=choice.discriminator_nonlinearity,
        extra=further_convolutions(choice.discriminator_depth, stages),
    )
    return generator, discriminator
