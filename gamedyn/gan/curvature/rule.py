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
from torch.nn import functional

from gamedyn.gan.curvature.computed import ComputedWeight

Maybe = Tensor | None
Change: TypeAlias = Callable[[Tensor], Tensor]


def plus(left: Maybe, right: Maybe) -> Maybe:
    """Add two terms either of which may be absent (zero)."""
    if left is None or right is None:
        return right if left is None else left
    return left + right


def like(value: Tensor, model: Tensor) -> Tensor:
    """Return a value in another's memory format, dense."""
    last = model.dim() == 4 and model.is_contiguous(memory_format=torch.channels_last)
    return value.contiguous(
        memory_format=torch.channels_last if last and not model.is_contiguous() else torch.contiguous_format
    )


class UnsupportedError(Exception):
    """Raised for a network that the rules do not cover; carries the reason."""


class Rule(ABC):
    """One layer at one point; see the module's text for the five maps."""

    parameters: Sequence[Tensor] = ()
    """The layer's parameters, in the order of the maps' `θ̇`; copies name the same ones."""
    computed: ComputedWeight | None = None
    """What one of them is computed from, where it is no parameter of the network itself."""
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
    """Any linear map without parameters: upsampling, average pooling, means."""

    piecewise_linear = True

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self.function = function

    def forward(self, value: Tensor) -> Tensor:
        self.probe_at(value)
        return self.image.detach()

    def probe_at(self, value: Tensor) -> None:
        """Prepare the adjoint, for values of this one's shape."""
        # the adjoint does not depend on the point, so one small graph serves every product
        with torch.enable_grad():
            self.probe = value.detach().requires_grad_(True)
            self.image = self.function(self.probe)

    def copied(self, samples: Change, weights: Change) -> Self:
        own = super().copied(samples, weights)
        own.probe_at(samples(self.probe.detach()))
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


class Shift(Reshape):
    """A constant added, which no tangent sees."""


class Pad(Rule):
    """Zeros around every sample; a negative number of them crops.

    Args:
        amounts: Two numbers an axis, from the last axis on, as `torch.nn.functional.pad` takes them.
    """

    piecewise_linear = True

    def __init__(self, amounts: Sequence[int]) -> None:
        self.amounts = list(amounts)

    def forward(self, value: Tensor) -> Tensor:
        return _padded(value, self.amounts)

    def tangent(self, dot: Maybe, weights: Sequence[Maybe]) -> Maybe:
        return None if dot is None else _padded(dot, self.amounts)

    def cotangent(self, bar: Tensor) -> Tensor:
        return _padded(bar, [-amount for amount in self.amounts])

    def cotangent_dot(self, bar: Tensor, bar_dot: Maybe, dot: Maybe, weights: Sequence[Maybe]) -> Maybe:
        return None if bar_dot is None else self.cotangent(bar_dot)


def _padded(value: Tensor, amounts: Sequence[int]) -> Tensor:
    """Pad, cropping by views (torch's own way copies)."""
    for k in range(0, len(amounts), 2):
        before, after = (max(-amount, 0) for amount in amounts[k : k + 2])
        if before or after:
            axis = value.dim() - 1 - k // 2
            value = value.narrow(axis, before, value.shape[axis] - before - after)
    if max(amounts, default=0) > 0:
        value = functional.pad(value, [max(amount, 0) for amount in amounts])
    return value
