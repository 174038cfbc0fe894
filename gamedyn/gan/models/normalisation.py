"""Normalisations by name, for maps of shape (batch, channels, height, width)."""

from __future__ import annotations

from typing import get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from gamedyn.gan.architectures import NormName


class ChannelLayerNorm(nn.Module):
    r"""LayerNorm over all of a sample's map, with one gain and offset a channel.

    .. math:: o = \gamma_c \frac{a - \operatorname{mean}_{chw} a}
        {\sqrt{\operatorname{var}_{chw} a + \epsilon}} + \beta_c

    It is the normalisation of WGAN-GP's critics. `torch.nn.GroupNorm(1, channels)` is the same function; this
    one runs torch's LayerNorm kernel, whose *third* derivatives are silently wrong (torch 2.13), so the
    curvature of a loss that already holds an input gradient must not be asked of it. Use `group` there.

    Args:
        channels: Channels of the map.
        eps: Added to the variance.

    Example:
        >>> x = torch.randn(2, 3, 4, 4)
        >>> torch.allclose(ChannelLayerNorm(3)(x), nn.GroupNorm(1, 3)(x), atol=1e-6)
        True

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, section 4; `tflib/ops/layernorm.py` of
        its repository.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, value: Tensor) -> Tensor:
        """Normalise.

        Args:
            value: Shape `(batch, channels, height, width)`.

        Returns:
            The same shape.
        """
        normal = functional.layer_norm(value, value.shape[1:], eps=self.eps)
        return torch.addcmul(self.bias[:, None, None], normal, self.weight[:, None, None])


def normalisation(kind: NormName, channels: int) -> nn.Module:
    """Make a normalisation of maps.

    Args:
        kind: `none`, `batch`, `group` (GroupNorm with one group) or `layer` (LayerNorm over channels and
            positions). The last two are one function; `group` is right up to third derivatives.
        channels: Channels of the maps.

    Returns:
        The module; the identity for `none`.

    Raises:
        ValueError: If there is no such normalisation.

    Example:
        >>> normalisation("group", 8).num_groups
        1
    """
    match kind:
        case "none":
            return nn.Identity()
        case "batch":
            return nn.BatchNorm2d(channels)
        case "group":
            return nn.GroupNorm(1, channels)
        case "layer":
            return ChannelLayerNorm(channels)
    raise ValueError(f"the normalisation must be one of {', '.join(get_args(NormName))}, got {kind!r}")
