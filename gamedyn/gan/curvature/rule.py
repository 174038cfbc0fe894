"""First-order rules: what each layer needs to push tangents forward and cotangents back.

A rule is one call of one layer at one point. `forward` runs the layer and keeps what the linear maps need;
after that nothing of it is recomputed. With input `a`, output `o`, tangents `ȧ`, `ȯ` and cotangents `ā`, `ō`:

- `tangent(ȧ, θ̇)` is `ȯ`, the directional derivative;
- `cotangent(ō)` is `ā`, its adjoint in the input, and `weights(ō)` its adjoint in the parameters;
- `cotangent_dot(ō, ō̇, ȧ, θ̇)` and `weights_dot(ō, ō̇, ȧ, θ̇)` are the derivatives of those two along a
  direction in which the input, the parameters and the incoming cotangent all move: the second derivatives.

Everything is made of first-order primitives, so it compiles, and no double backward is ever asked for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Maybe = Tensor | None


def plus(left: Maybe, right: Maybe) -> Maybe:
    """Add two terms either of which may be absent (zero)."""
    if left is None or right is None:
        return right if left is None else left
    return left + right


class UnsupportedError(Exception):
    """Raised for a network that the rules do not cover; carries the reason."""


class Rule(ABC):
    """One layer at one point; see the module's text for the five maps."""

    parameters: Sequence[Tensor] = ()
    """The layer's parameters, in the order of the maps' `θ̇`."""
    piecewise_linear = False
    """Whether the layer's second derivative in its input alone vanishes (almost everywhere)."""
    mixes_samples = False
    """Whether an output depends on other samples of the batch."""

    @abstractmethod
    def forward(self, value: Tensor) -> Tensor:
        """Run the layer, keeping what the linear maps need."""

    @abstractmethod
    def tangent(self, dot: Maybe, weights: Sequence[Maybe]) -> Maybe:
        """Return the output's tangent."""

    @abstractmethod
    def cotangent(self, bar: Tensor) -> Tensor:
        """Return the input's cotangent."""

    def weights(self, bar: Tensor) -> list[Tensor]:
        """Return the parameters' cotangents."""
        return []

    @abstractmethod
    def cotangent_dot(self, bar: Tensor, bar_dot: Maybe, dot: Maybe, weights: Sequence[Maybe]) -> Maybe:
        """Return the derivative of the input's cotangent."""

    def weights_dot(self, bar: Tensor, bar_dot: Maybe, dot: Maybe, weights: Sequence[Maybe]) -> list[Maybe]:
        """Return the derivative of the parameters' cotangents."""
        return []


class LinearMap(Rule):
    """A linear map without parameters: reshaping, padding, cropping, upsampling, average pooling."""

    piecewise_linear = True

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self.function = function

    def forward(self, value: Tensor) -> Tensor:
        # its adjoint does not depend on the point, so one small graph serves every product
        with torch.enable_grad():
            self.probe = torch.zeros_like(value, requires_grad=True)
            self.image = self.function(self.probe)
        return self.function(value)

    def tangent(self, dot: Maybe, weights: Sequence[Maybe]) -> Maybe:
        return None if dot is None else self.function(dot)

    def cotangent(self, bar: Tensor) -> Tensor:
        return torch.autograd.grad(self.image, self.probe, bar, retain_graph=True)[0]

    def cotangent_dot(self, bar: Tensor, bar_dot: Maybe, dot: Maybe, weights: Sequence[Maybe]) -> Maybe:
        return None if bar_dot is None else self.cotangent(bar_dot)
