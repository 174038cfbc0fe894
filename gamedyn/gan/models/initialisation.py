"""Initial weights: those of the papers' released codes, or torch's own."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Literal, get_args

from torch import nn

Scheme = Literal["tflib", "torch", "uniform", "normal", "icr", "icr-adam"]
Start = Literal[Scheme, "tflib64"]
Kind = Literal["usual", "glorot", "he"]

SMALL = 0.02
"""Standard deviation of `uniform` and `normal`."""
SMALLER: dict[str, float] = {"icr": 0.01, "icr-adam": 0.005}
"""Standard deviations of the ICR code's convolutions."""
STARTS_64: dict[str, tuple[Scheme, Scheme]] = {
    "dcgan": ("uniform", "uniform"),
    "no-norm": ("uniform", "uniform"),
    "tanh": ("uniform", "uniform"),
    "constant-filters": ("tflib", "uniform"),
    "mlp-generator": ("tflib", "uniform"),
}
"""Schemes of generator and discriminator where `gan_64x64.py` leaves one not to its default, `tflib`."""


def initialise(
    network: nn.Module,
    scheme: Scheme = "tflib",
    *,
    glorot: Collection[nn.Module] = (),
    he: Collection[nn.Module] = (),
) -> None:
    r"""Initialise every linear and convolution layer in place.

    `tflib`, of the WGAN-GP paper's code: all weights are uniform on :math:`[-\sqrt{3}\,s, \sqrt{3}\,s]`,
    so their standard deviation is `s`:

    - linear: Glorot, :math:`s^2 = 2 / (\text{in} + \text{out})`; among `he`, :math:`2 / \text{in}`;
    - convolution: :math:`s^2 = 4 / (\text{fan\_in} + \text{fan\_out})` with
      :math:`\text{fan\_in} = \text{in}\,k^2` and :math:`\text{fan\_out} = \text{out}\,k^2 / \text{stride}^2`;
      among `glorot` half of that;
    - transposed convolution: the same with the stride dividing `fan_in` instead.

    Biases are zero.

    `uniform`, of most of the same code's DCGANs at 64x64 (see `schemes_for`): all weights uniform with
    standard deviation 0.02, biases zero. `normal`, of the DCGAN and WGAN-GP papers' texts: all weights from
    N(0, 0.02²), biases zero.

    `icr`, of the ICR code's runs with ACGD: convolutions' weights from N(0, 0.01²), all else torch's own.
    `icr-adam`, of its WGAN-GP by Adam: the same with 0.005.

    `torch`: what the layers draw by themselves, uniform with variance :math:`1 / (3\,\text{fan\_in})`, biases
    included. A critic that starts this flat suits an unregularised Wasserstein game on larger images:
    with `tflib` its values are of order one from the start and it runs away from the generator.

    Normalisation layers keep torch's defaults (scale 1, offset 0) in all.

    Args:
        network: The network to initialise; draws from torch's global generator.
        scheme: `tflib`, `torch`, `uniform`, `normal`, `icr` or `icr-adam`.
        glorot: Convolutions that `tflib` takes at Glorot's variance: shortcuts and outputs.
        he: Linear layers that `tflib` takes at He's variance: those before a ReLU in MLPs.

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
    if scheme not in get_args(Scheme):
        raise ValueError(f"scheme must be one of {', '.join(get_args(Scheme))}, got {scheme!r}")
    for layer in network.modules():
        if not isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d):
            continue
        if scheme == "torch" or scheme in SMALLER:
            layer.reset_parameters()
            if scheme in SMALLER and not isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=SMALLER[scheme])
            continue
        if scheme == "normal":
            nn.init.normal_(layer.weight, std=SMALL)
        else:
            kind: Kind = "he" if layer in he else "glorot" if layer in glorot else "usual"
            variance = SMALL**2 if scheme == "uniform" else tflib_variance(layer, kind)
            bound = math.sqrt(3.0 * variance)
            nn.init.uniform_(layer.weight, -bound, bound)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def schemes_for(architecture: str, init: Start) -> tuple[Scheme, Scheme]:
    """Say by which scheme each network of an architecture starts.

    Args:
        architecture: Its name, see `gamedyn.gan.architectures.ARCHITECTURES`.
        init: A scheme for both networks, or `tflib64` for what the WGAN-GP paper's `gan_64x64.py` gives each:
            `uniform` to its DCGANs, `tflib` to MLPs and residual networks, and also to its gated networks
            and to the generator of constant width, which the paper's text starts as the other DCGANs.

    Returns:
        The schemes of the generator and of the discriminator.

    Example:
        >>> schemes_for("mlp-generator", "tflib64"), schemes_for("resnet101", "tflib64")
        (('tflib', 'uniform'), ('tflib', 'tflib'))
        >>> schemes_for("mlp-generator", "normal")
        ('normal', 'normal')
    """
    return STARTS_64.get(architecture, ("tflib", "tflib")) if init == "tflib64" else (init, init)


def tflib_variance(
    layer: nn.Linear | nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d, kind: Kind = "usual"
) -> float:
    """Give the variance of a layer's initial weights in the WGAN-GP paper's code.

    Args:
        layer: The layer.
        kind: `usual`, the code's defaults, is Glorot's for linear layers and twice that for convolutions.

    Returns:
        The variance.

    Example:
        >>> tflib_variance(nn.Linear(3, 5)), tflib_variance(nn.Linear(4, 5), "he")
        (0.25, 0.5)
    """
    if isinstance(layer, nn.Linear):
        return 2.0 / (layer.in_features if kind == "he" else layer.in_features + layer.out_features)
    area, strides = math.prod(layer.kernel_size), math.prod(layer.stride)
    fan_in, fan_out = float(layer.in_channels * area), float(layer.out_channels * area)
    if isinstance(layer, nn.ConvTranspose2d):
        fan_in /= strides
    else:
        fan_out /= strides
    return (2.0 if kind == "glorot" else 4.0) / (fan_in + fan_out)
