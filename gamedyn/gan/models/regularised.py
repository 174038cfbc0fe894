"""Regularisers that live inside a discriminator: spectral normalisation and dropout."""

from __future__ import annotations

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from gamedyn.gan.models.activations import Gated, ShiftedSoftplus

_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
_NONLINEARITIES = (nn.ReLU, nn.LeakyReLU, nn.Tanh, Gated, ShiftedSoftplus)


def add_spectral_norm(network: nn.Module) -> nn.Module:
    """Divide the weight of every linear and convolution layer by its largest singular value, in place.

    The singular value is estimated by one step of power iteration a forward pass in training, as by Miyato et
    al.; a convolution's weight counts as a matrix with one row an output channel.

    Args:
        network: The discriminator, in training or evaluation.

    Returns:
        The same network.

    Example:
        >>> layer = add_spectral_norm(nn.Linear(6, 4))
        >>> bool(abs(nn.utils.parameters_to_vector([layer.weight]).view(4, 6).norm(2)) >= 1)
        True

    References:
        Miyato et al., Spectral Normalization for Generative Adversarial Networks, 2018, algorithm 1.
    """
    for layer in list(network.modules()):
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            spectral_norm(layer)
    return network


def add_dropout(network: nn.Module, probability: float) -> nn.Module:
    """Drop out after every nonlinearity, in place: whole channels of maps, single units without convolutions.

    Args:
        network: The discriminator, its nonlinearities modules of their own.
        probability: How likely each is dropped, in [0, 1); 0 changes nothing.

    Returns:
        The same network.

    Raises:
        ValueError: If the probability is not in [0, 1).

    Example:
        >>> add_dropout(nn.Sequential(nn.Conv2d(3, 8, 3), nn.LeakyReLU(0.2)), 0.5)[1]
        Sequential(
          (0): LeakyReLU(negative_slope=0.2)
          (1): Dropout2d(p=0.5, inplace=False)
        )

    References:
        The dropout variant of the discriminator in the repository of Schäfer, Zheng and Anandkumar, Implicit
        competitive regularization in GANs, 2020: `Dropout2d(0.5)` after each LeakyReLU.
    """
    if not 0.0 <= probability < 1.0:
        raise ValueError(f"dropout must be a probability in [0, 1), got {probability!r}")
    if probability == 0.0:
        return network
    maps = any(isinstance(layer, _CONVOLUTIONS) for layer in network.modules())
    kind: type[nn.Module] = nn.Dropout2d if maps else nn.Dropout
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, _NONLINEARITIES):
                parent.add_module(name, nn.Sequential(layer, kind(probability)))
    return network
