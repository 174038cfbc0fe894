"""The random architectures of the WGAN-GP paper's Table 1, each known by its index. Imports no torch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

Nonlinearity = Literal["relu", "leaky-relu", "softplus", "tanh"]

NONLINEARITIES: tuple[Nonlinearity, ...] = ("relu", "leaky-relu", "softplus", "tanh")
DEPTHS = (4, 8, 12, 20)
FILTERS = (32, 64, 128)


@dataclass(frozen=True)
class RandomArchitecture:
    """The choices of one random architecture.

    Attributes:
        generator_nonlinearity: Of the generator's hidden layers; `softplus` is `softplus(2x + 2)/2 - 1`.
        discriminator_nonlinearity: Of the discriminator's.
        generator_depth: Layers with weights.
        discriminator_depth: Layers with weights.
        generator_norm: Whether the generator has BatchNorm.
        critic_norm: Whether the discriminator is normalised: by BatchNorm, for WGAN-GP by LayerNorm.
        generator_filters: Channels of the generator's map nearest to the image.
        discriminator_filters: Channels of the discriminator's first map.
    """

    generator_nonlinearity: Nonlinearity
    discriminator_nonlinearity: Nonlinearity
    generator_depth: int
    discriminator_depth: int
    generator_norm: bool
    critic_norm: bool
    generator_filters: int
    discriminator_filters: int


def random_architecture(index: int) -> RandomArchitecture:
    """Draw the architecture of an index: every choice uniform and by itself.

    The draw is a hash of the index, so it is the same on every machine and in every version of Python, and
    no index depends on another. The paper does not list its 200: these are others of the same law.

    Args:
        index: A whole number from 0; the paper trained 200.

    Returns:
        The choices.

    Raises:
        ValueError: If the index is no such number.

    Example:
        >>> random_architecture(0) == random_architecture(0)
        True
        >>> random_architecture(0).generator_depth in DEPTHS
        True

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, Table 1.
    """
    if type(index) is not int or index < 0:
        raise ValueError(f"the index of a random architecture must be a whole number from 0, got {index!r}")
    digest = hashlib.sha256(f"gamedyn random architecture {index}".encode()).digest()
    number = int.from_bytes(digest, "big")  # of 2**256, so that the digits below are uniform

    def digit(base: int) -> int:
        nonlocal number
        number, rest = divmod(number, base)
        return rest

    return RandomArchitecture(
        generator_nonlinearity=NONLINEARITIES[digit(len(NONLINEARITIES))],
        discriminator_nonlinearity=NONLINEARITIES[digit(len(NONLINEARITIES))],
        generator_depth=DEPTHS[digit(len(DEPTHS))],
        discriminator_depth=DEPTHS[digit(len(DEPTHS))],
        generator_norm=bool(digit(2)),
        critic_norm=bool(digit(2)),
        generator_filters=FILTERS[digit(len(FILTERS))],
        discriminator_filters=FILTERS[digit(len(FILTERS))],
    )
