"""Nonlinearities by name: torch's own, a gated one and a shifted softplus."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

LEAK = 0.2
SLIGHT_LEAK = 0.01


class Gated(nn.Module):
    r"""Multiplicative nonlinearity: every second channel gates its neighbour.

    .. math:: o_c = \sigma(a_{2c}) \tanh(a_{2c + 1})

    Twice as many channels go in as come out.

    Example:
        >>> Gated()(torch.zeros(1, 6, 4, 4)).shape
        torch.Size([1, 3, 4, 4])

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, section 5.2; van den Oord et al.,
        Conditional Image Generation with PixelCNN Decoders, 2016, equation 2.
    """

    def forward(self, value: Tensor) -> Tensor:
        """Gate.

        Args:
            value: Shape `(batch, 2 * channels, ...)`.

        Returns:
            Shape `(batch, channels, ...)`.
        """
        return torch.sigmoid(value[:, ::2]) * torch.tanh(value[:, 1::2])


class ShiftedSoftplus(nn.Module):
    r"""The smooth stand-in for ELU of the random architectures.

    .. math:: \phi(a) = \tfrac12 \log(1 + e^{2a + 2}) - 1

    Example:
        >>> round(float(ShiftedSoftplus()(torch.tensor(0.0))), 4)
        0.0635

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, Table 1.
    """

    def forward(self, value: Tensor) -> Tensor:
        """Apply it elementwise.

        Args:
            value: Any shape.

        Returns:
            The same shape.
        """
        return functional.softplus(value + 1.0, beta=2.0) - 1.0


_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky-relu": lambda: nn.LeakyReLU(LEAK),
    "slightly-leaky-relu": lambda: nn.LeakyReLU(SLIGHT_LEAK),
    "softplus": ShiftedSoftplus,
    "tanh": nn.Tanh,
    "gated": Gated,
}


def activation(name: str) -> nn.Module:
    """Make a nonlinearity.

    Args:
        name: `relu`, `leaky-relu` (slope 0.2), `slightly-leaky-relu` (0.01), `softplus` (shifted), `tanh` or
            `gated`.

    Returns:
        The module.

    Raises:
        ValueError: If there is no such nonlinearity.

    Example:
        >>> activation("leaky-relu")
        LeakyReLU(negative_slope=0.2)
    """
    if name not in _ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(_ACTIVATIONS)}, got {name!r}")
    return _ACTIVATIONS[name]()


def inflation(name: str) -> int:
    """Say how many channels a nonlinearity takes for each that it gives.

    Args:
        name: The nonlinearity.

    Returns:
        2 for `gated`, else 1.

    Example:
        >>> inflation("gated"), inflation("relu")
        (2, 1)
    """
    return 2 if name == "gated" else 1
