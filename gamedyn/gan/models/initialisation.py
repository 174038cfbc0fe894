"""Weight initialisation: of the WGAN-GP paper's released code, and of the DCGAN paper."""

from __future__ import annotations

import math
from typing import Literal

from torch import nn

Scheme = Literal["tflib", "dcgan"]

DCGAN_STD = 0.02


def initialise(network: nn.Module, scheme: Scheme = "tflib") -> None:
    r"""Initialise every linear and convolution layer in place.

    `tflib`, of the WGAN-GP paper's code: all weights are uniform on :math:`[-\sqrt{3}\,s, \sqrt{3}\,s]`,
    so their standard deviation is `s`:

    - linear: Glorot, :math:`s^2 = 2 / (\text{in} + \text{out})`;
    - convolution: :math:`s^2 = 4 / (\text{fan\_in} + \text{fan\_out})` with
      :math:`\text{fan\_in} = \text{in}\,k^2` and :math:`\text{fan\_out} = \text{out}\,k^2 / \text{stride}^2`;
    - transposed convolution: the same with the stride dividing `fan_in` instead.

    `dcgan`, of the DCGAN paper: all weights are normal with standard deviation 0.02. A critic that
    starts this flat is what an unregularised Wasserstein game needs: with `tflib` its values are of
    order one from the start and it runs away from the generator.

    Biases are zero. Normalisation layers keep torch's defaults (scale 1, offset 0).

    Args:
        network: The network to initialise; draws from torch's global generator.
        scheme: `tflib` or `dcgan`.

    Raises:
        ValueError: If the scheme is unknown.

    Example:
        >>> layer = nn.Linear(8, 8)
        >>> initialise(layer)
        >>> bool((layer.weight.abs() <= (6 / 16) ** 0.5).all()), bool((layer.bias == 0).all())
        (True, True)

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017; `tflib/ops` of its repository.
        Radford, Metz and Chintala, Unsupervised Representation Learning with DCGANs, 2016, section 4.
    """
    if scheme not in {"tflib", "dcgan"}:
        raise ValueError(f"scheme must be 'tflib' or 'dcgan', got {scheme!r}")
    for layer in network.modules():
        if not isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            continue
        if scheme == "dcgan":
            nn.init.normal_(layer.weight, std=DCGAN_STD)
        else:
            bound = math.sqrt(3.0 * tflib_variance(layer))
            nn.init.uniform_(layer.weight, -bound, bound)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def tflib_variance(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d) -> float:
    """Give the variance of a layer's initial weights in the WGAN-GP paper's code.

    Args:
        layer: The layer.

    Returns:
        The variance.

    Example:
        >>> tflib_variance(nn.Linear(3, 5))
        0.25
    """
    if isinstance(layer, nn.Linear):
        return 2.0 / (layer.in_features + layer.out_features)
    area, strides = math.prod(layer.kernel_size), math.prod(layer.stride)
    fan_in, fan_out = float(layer.in_channels * area), float(layer.out_channels * area)
    if isinstance(layer, nn.ConvTranspose2d):
        return 4.0 / (fan_in / strides + fan_out)
    return 4.0 / (fan_in + fan_out / strides)
