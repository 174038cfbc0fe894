"""The weight initialisation of the WGAN-GP paper's released code (its `tflib`)."""

from __future__ import annotations

import math

from torch import nn


def initialise(network: nn.Module) -> None:
    r"""Initialise every linear and convolution layer in place as the WGAN-GP code does.

    All weights are uniform on :math:`[-\sqrt{3}\,s, \sqrt{3}\,s]`, whose standard deviation is `s`:

    - linear: Glorot, :math:`s^2 = 2 / (\text{in} + \text{out})`;
    - convolution: :math:`s^2 = 4 / (\text{fan\_in} + \text{fan\_out})` with
      :math:`\text{fan\_in} = \text{in}\,k^2` and :math:`\text{fan\_out} = \text{out}\,k^2 / \text{stride}^2`;
    - transposed convolution: the same with the stride dividing `fan_in` instead.

    Biases are zero. Normalisation layers keep torch's defaults (scale 1, offset 0).

    Args:
        network: The network to initialise; draws from torch's global generator.

    Example:
        >>> layer = nn.Linear(8, 8)
        >>> initialise(layer)
        >>> bool((layer.weight.abs() <= (6 / 16) ** 0.5).all()), bool((layer.bias == 0).all())
        (True, True)

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017; `tflib/ops` of its repository.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            variance = 2.0 / (layer.in_features + layer.out_features)
        elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            area = math.prod(layer.kernel_size)
            strides = math.prod(layer.stride)
            fan_in, fan_out = layer.in_channels * area, layer.out_channels * area
            if isinstance(layer, nn.ConvTranspose2d):
                variance = 4.0 / (fan_in / strides + fan_out)
            else:
                variance = 4.0 / (fan_in + fan_out / strides)
        else:
            continue
        bound = math.sqrt(3.0 * variance)
        nn.init.uniform_(layer.weight, -bound, bound)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
