"""The gradients of a discriminator's scores in its samples."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from gamedyn.gan.auxiliary import scores_and_classes
from gamedyn.gan.models.normalisation import ChannelLayerNorm


def slopes(discriminator: nn.Module, samples: Tensor) -> Tensor:
    """Differentiate each sample's score in the sample.

    Args:
        discriminator: From samples to one score each, and possibly class logits.
        samples: The samples, shape `(batch, *shape)`.

    Returns:
        `∇D(x)` of each, shape `(batch, numbers of a sample)`, carrying the graph to the weights.

    Raises:
        ValueError: If BatchNorm makes a score depend on the other samples.

    Example:
        >>> slopes(nn.Linear(3, 1), torch.zeros(2, 3)).shape
        torch.Size([2, 3])
    """
    for module in discriminator.modules():
        couples = isinstance(module, _BatchNorm) and not isinstance(module, _InstanceNorm)
        if couples and (module.training or module.running_mean is None):
            raise ValueError(
                f"a gradient penalty is one of single samples, but the discriminator's "
                f"{type(module).__name__} couples them: use GroupNorm in its place, or no normalisation"
            )
    with torch.enable_grad():
        points = samples.detach().requires_grad_(True)
        scores, _ = scores_and_classes(discriminator(points))
        (slope,) = torch.autograd.grad(scores.sum(), points, create_graph=True, materialize_grads=True)
    return slope.flatten(1)


MISLEADING = (nn.LayerNorm, ChannelLayerNorm, _BatchNorm, _InstanceNorm)


def misleading_layers(discriminator: nn.Module) -> list[str]:
    """Name the layers whose third derivatives torch gets wrong, as a gradient penalty's curvature needs them.

    First and second derivatives are exact, and so are the mixed blocks of a penalty on detached fakes; what
    is 20 to 34 % off is its second derivative in the discriminator's own weights (torch 2.13).

    Args:
        discriminator: The discriminator.

    Returns:
        The kinds of layers, each once.

    Example:
        >>> misleading_layers(nn.Sequential(nn.Linear(2, 4), nn.LayerNorm(4), nn.Linear(4, 1)))
        ['LayerNorm']
    """
    found = (m for m in discriminator.modules() if isinstance(m, MISLEADING))
    return list(dict.fromkeys(type(module).__name__ for module in found))
