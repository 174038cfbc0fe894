"""The generator and discriminator that fit a data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from gamedyn.games.gaussian_mixture import mlp
from gamedyn.gan.architectures import ARCHITECTURES, NormName, architecture_for, critic_norm_for
from gamedyn.gan.models.bottleneck import BottleneckDiscriminator, BottleneckGenerator
from gamedyn.gan.models.conditional import ConditionalResNetDiscriminator, ConditionalResNetGenerator
from gamedyn.gan.models.dcgan import DCGANDiscriminator, DCGANGenerator
from gamedyn.gan.models.initialisation import Start, schemes_for
from gamedyn.gan.models.perceptron import MLPGenerator
from gamedyn.gan.models.random_networks import random_pair
from gamedyn.gan.models.regularised import add_dropout, add_spectral_norm
from gamedyn.gan.models.resnet import ResNetDiscriminator, ResNetGenerator

Pair = tuple[nn.Module, nn.Module]

# The networks of the unrolled-GAN notebook, whose mixtures these are.
PLANE: dict[str, Any] = {"depth": 2, "activation": "tanh", "gain": 1.4}
MLP_FACTOR = 8
"""Units of an MLP generator of images for each of `dim`: the paper's 512 at its DIM of 64."""
LARGE = 64
"""Height from which the 64x64 code's DCGAN is built, which normalises the first maps, not their features."""


def build_pair(
    shape: Sequence[int],
    *,
    dim: int,
    latent: int,
    seed: int,
    init: Start = "tflib",
    architecture: str | None = None,
    index: int = 0,
    classes: int = 0,
    critic_norm: NormName | None = None,
    spectral_norm: bool = False,
    dropout: float = 0.0,
) -> Pair:
    """Build the two networks for one shape of sample.

    Square images get the DCGAN of the WGAN-GP paper or another architecture of the papers by its name (see
    `gamedyn.gan.architectures.ARCHITECTURES`), from 4x4 maps where the image is 16 pixels or more and from
    2x2 maps below that (the 8x8 digits). Points get the MLPs of `gamedyn.games.GaussianMixtureGAN`, two
    hidden layers of tanh.

    Args:
        shape: Shape of one sample: `(channels, size, size)` or `(coordinates,)`.
        dim: Width: channels of the DCGAN's map nearest to the image, or units of a hidden layer on points;
            an MLP generator of images has `8 * dim`, random architectures have the filters that they drew
            times `dim / 64`.
        latent: Length of the latent vectors.
        seed: Seed of the initial weights; torch's global generator is left as it was.
        init: Scheme of the initial weights on images, or `tflib64` for those of each network in the WGAN-GP
            paper's code at 64x64, see `schemes_for`; MLPs on points are orthogonal.
        architecture: A name; None for the DCGAN on images and MLPs on points.
        index: Which of the random architectures.
        classes: Classes of the data; a conditional architecture needs them, any other ignores them.
        critic_norm: Normalisation of the discriminator; None for what the architecture has by itself.
        spectral_norm: Whether every layer of the discriminator is spectrally normalised.
        dropout: Probability of dropout after each nonlinearity of the discriminator.

    Returns:
        The generator (player 0) and the discriminator (player 1), in training mode. Of a conditional pair the
        generator takes latent vectors and labels, the discriminator gives scores and class logits, and both
        have the attribute `classes`.

    Raises:
        ValueError: If `shape` is neither a point nor a square image, there is no such architecture or it does
            not fit the shape, the normalisation or the number of classes, or dropout is no probability.

    Example:
        >>> generator, discriminator = build_pair((1, 8, 8), dim=8, latent=16, seed=0)
        >>> discriminator(generator(torch.randn(4, 16))).shape
        torch.Size([4])
        >>> generator, _ = build_pair((3, 32, 32), dim=8, latent=16, seed=0, architecture="resnet")
        >>> type(generator).__name__
        'ResNetGenerator'
    """
    name = architecture_for(shape, architecture)
    norm = critic_norm_for(name, critic_norm, index=index)
    if ARCHITECTURES[name].conditional and classes < 2:
        raise ValueError(
            f"architecture {name!r} needs labelled data of at least 2 classes, these have {classes}: "
            "use 'resnet', or a labelled data set such as cifar10"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if len(shape) == 1:
            pair: Pair = (
                mlp(latent, shape[0], width=dim, **PLANE),
                mlp(shape[0], 1, width=dim, **PLANE),
            )
        elif name == "random":
            sizes = image_sizes(shape)
            scheme, _ = schemes_for(name, init)
            pair = random_pair(index, **sizes, dim=dim, latent=latent, init=scheme, critic_norm=critic_norm)
        else:
            pair = image_pair(name, shape, dim=dim, latent=latent, init=init, norm=norm, classes=classes)
        generator, discriminator = pair
        add_dropout(discriminator, dropout)
        if spectral_norm:
            add_spectral_norm(discriminator)
    return generator, discriminator


def image_pair(
    name: str, shape: Sequence[int], *, dim: int, latent: int, init: Start, norm: NormName, classes: int
) -> Pair:
    """Build a named architecture for images.

    Args:
        name: The name.
        shape: `(channels, size, size)`.
        dim: Width.
        latent: Length of the latent vectors.
        init: Initial weights, see `schemes_for`.
        norm: Normalisation of the discriminator.
        classes: Classes of the data.

    Returns:
        The generator and the discriminator.

    Example:
        >>> sizes = {"dim": 8, "latent": 16, "init": "tflib", "norm": "none", "classes": 0}
        >>> len(image_pair("resnet", (3, 32, 32), **sizes))
        2
    """
    sizes = image_sizes(shape)
    first, second = schemes_for(name, init)
    own: dict[str, Any] = {**sizes, "dim": dim, "latent": latent, "init": first}
    other: dict[str, Any] = {**sizes, "dim": dim, "init": second, "norm": norm}
    maps: dict[str, Any] = {"project_norm": "maps"} if name != "dcgan" or sizes["size"] >= LARGE else {}
    match name:
        case "resnet":
            return ResNetGenerator(**own), ResNetDiscriminator(**other)
        case "conditional-resnet":
            return (
                ConditionalResNetGenerator(**own, classes=classes),
                ConditionalResNetDiscriminator(**other, classes=classes),
            )
        case "resnet101":
            return BottleneckGenerator(**own), BottleneckDiscriminator(**other)
        case "mlp-generator":
            generator = MLPGenerator(shape, width=MLP_FACTOR * dim, latent=latent, init=first)
            return generator, DCGANDiscriminator(**other)
        case "constant-filters":
            return DCGANGenerator(**own, norm=False, constant=True), DCGANDiscriminator(**other)
        case "no-norm":
            return DCGANGenerator(**own, norm=False), DCGANDiscriminator(**other)
        case "icr-dcgan":
            slope = "slightly-leaky-relu"
            return DCGANGenerator(**own, kernel=4), DCGANDiscriminator(**other, kernel=4, act=slope)
        case "gated" | "tanh":
            return DCGANGenerator(**own, **maps, act=name), DCGANDiscriminator(**other, act=name)
    return DCGANGenerator(**own, **maps), DCGANDiscriminator(**other)


def image_sizes(shape: Sequence[int]) -> dict[str, int]:
    """Name the sizes of an image and of its smallest map.

    Args:
        shape: `(channels, size, size)`.

    Returns:
        `channels`, `size` and `base`.

    Example:
        >>> image_sizes((1, 8, 8))
        {'channels': 1, 'size': 8, 'base': 2}
    """
    channels, size, _ = shape
    return {"channels": channels, "size": size, "base": 4 if size >= 16 else 2}
