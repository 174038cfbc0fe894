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

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, Self, TypeAlias

import torch
from torch import Tensor

Maybe = Tensor | None
Change: TypeAlias = Callable[[Tensor], Tensor]


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
    """The layer's parameters, in the order of the maps' `θ̇`; copies name the same ones."""
    of_samples: ClassVar[tuple[str, ...]] = ()
    """What the linear maps read whose first axis runs over samples: the names of its attributes."""
    of_weights: ClassVar[tuple[str, ...]] = ()
    """What else they read: weights, and statistics of all samples."""
    piecewise_linear = False
    """Whether the layer's second derivative in its input alone vanishes (almost everywhere)."""
    mixes_samples = False
    """Whether an output depends on other samples of the batch."""
    by_means = False
    """Whether it does so through means alone, which may be taken over fewer samples."""

    def copied(self, samples: Change, weights: Change) -> Self:
        """Return the same linear maps on changed tensors: fewer samples, or another precision.

        Args:
            samples: What becomes of a tensor whose first axis runs over samples.
            weights: What becomes of any other.

        Returns:
            The copy; nothing is run anew.
        """
        own = copy.copy(self)
        for names, change in ((self.of_samples, samples), (self.of_weights, weights)):
            for name in names:
                value = getattr(self, name)
                setattr(own, name, None if value is None else change(value))
        return own

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
    """Any linear map without parameters: padding, cropping, upsampling, average pooling."""

    piecewise_linear = True

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self.function = function

    def forward(self, value: Tensor) -> Tensor:
        self._probe(value)
        return self.image.detach()

    def _probe(self, value: Tensor) -> None:
        # the adjoint does not depend on the point, so one small graph serves every product
        with torch.enable_grad():
            self.probe = value.detach().requires_grad_(True)
            self.image = self.function(self.probe)

    def copied(self, samples: Change, weights: Change) -> Self:
        own = super().copied(samples, weights)
        own._probe(samples(self.probe.detach()))
        if own.image.shape != samples(self.image.detach()).shape:
            raise UnsupportedError("a linear map that holds the number of samples")
        return own

    def tangent(self, dot: Maybe, weights: Sequence[Maybe]) -> Maybe:
        return None if dot is None else self.function(dot)

    def cotangent(self, bar: Tensor) -> Tensor:
        return torch.autograd.grad(self.image, self.probe, bar, retain_graph=True)[0]

    def cotangent_dot(self, bar: Tensor, bar_dot: Maybe, dot: Maybe, weights: Sequence[Maybe]) -> Maybe:
        return None if bar_dot is None else self.cotangent(bar_dot)


class Reshape(Rule):
    """Another shape for the same numbers in the same order.

    The number of samples is read off the tangent, never off the call, which holds that of the whole batch.
    """

    piecewise_linear = True

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self.function = function

    def forward(self, value: Tensor) -> Tensor:
        image = self.function(value)
        self.before, self.after = value.shape, image.shape
        self.mixes_samples = not self.before or not self.after or self.before[0] != self.after[0]
        return image

    def _shaped(self, value: Tensor, shape: torch.Size) -> Tensor:
        return value.reshape(shape if self.mixes_samples else (len(value), *shape[1:]))

    def tangent(self, dot: Maybe, weights: Sequence[Maybe]) -> Maybe:
        return None if dot is None else self._shaped(dot, self.after)

    def cotangent(self, bar: Tensor) -> Tensor:
        return self._shaped(bar, self.before)

    def cotangent_dot(self, bar: Tensor, bar_dot: Maybe, dot: Maybe, weights: Sequence[Maybe]) -> Maybe:
        return None if bar_dot is None else self._shaped(bar_dot, self.before)
