"""Fully connected networks for points in the plane."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

from torch import Tensor, nn

from gamedyn.gan.models.initialisation import initialise


class MLP(nn.Module):
    """A ReLU network with equally wide hidden layers; a single output is returned as a vector.

    Args:
        inputs: Length of the input vectors.
        outputs: Length of the output vectors; with 1 the last dimension is dropped, as for scores.
        width: Units of each hidden layer.
        depth: Number of hidden layers.

    Example:
        >>> MLP(2, 1, width=16)(torch.zeros(5, 2)).shape
        torch.Size([5])
    """

    def __init__(self, inputs: int, outputs: int, *, width: int = 128, depth: int = 2) -> None:
        super().__init__()
        sizes = [inputs, *[width] * depth]
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise(sizes):
            layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], outputs))
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the network.

        Args:
            x: Shape `(batch, inputs)`.

        Returns:
            Shape `(batch, outputs)`, or `(batch,)` for one output.
        """
        out = cast("Tensor", self.layers(x))
        return out.squeeze(1) if out.shape[1] == 1 else out
