"""Initial weights: those of the WGAN-GP paper's released code, or torch's own."""

from __future__ import annotations

import math
from typing import Literal

from torch import nn

Scheme = Literal["tflib", "torch"]


def initialise(network: nn.Module, scheme: Scheme = "tflib") -> None:
    r"""Initialise every linear and convolution layer in place.

    `tflib`, of the WGAN-GP paper's code: all weights are uniform on :math:`[-\sqrt{3}\,s, \sqrt{3}\,s]`,
    so their standard deviation is `s`:

    - linear: Glorot, :math:`s^2 = 2 / (\text{in} + \text{out})`;
    - convolution: :math:`s^2 = 4 / (\text{fan\_in} + \text{fan\_out})` with
      :math:`\text{fan\_in} = \text{in}\,k^2` and :math:`\text{fan\_out} = \text{out}\,k^2 / \text{stride}^2`;
    - transposed convolution: the same with the stride dividing `fan_in` instead.

    Biases are zero.

    `torch`: what the layers draw by themselves, uniform with variance :math:`1 / (3\,\text{fan\_in})`, biases
    included. A critic that starts this flat suits an unregularised Wasserstein game on larger images:
    with `tflib` its values are of order one from the start and it runs away from the generator.

    Normalisation layers keep torch's defaults (scale 1, offset 0) in both.

    Args:
        network: The network to initialise; draws from torch's global generator.
        scheme: `tflib` or `torch`.

    Raises:
        ValueError: If the scheme is unknown.

    Example:
        >>> layer = nn.Linear(8, 8)
        >>> initialise(layer)
        >>> bool((layer.weight.abs() <= (6 / 16) ** 0.5).all()), bool((layer.bias == 0).all())
        (True, True)

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017; `tflib/ops` of its repository.
    """
    if scheme not in {"tflib", "torch"}:
        raise ValueError(f"scheme must be 'tflib' or 'torch', got {scheme!r}")
    for layer in network.modules():
        if not isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            continue
        if scheme == "torch":
            layer.reset_parameters()
            continue
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
