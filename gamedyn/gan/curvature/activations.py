"""Rules of the activations: elementwise ones, a gated one, and dropout."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from gamedyn.gan.curvature.rule import Maybe, Rule, plus


class Elementwise(Rule):
    """An activation `φ`, by its first and second derivative."""

    of_samples: ClassVar[tuple[str, ...]] = ("first",)

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self.function = function

    @abstractmethod
    def slope(self, value: Tensor, out: Tensor) -> Tensor:
        """Return `φ′(a)`."""

    def bend(self) -> Maybe:
        """Return `φ″(a)`; None where it vanishes."""
        return None

    def forward(self, value: Tensor) -> Tensor:
        out = self.function(value)
        self.first = self.slope(value, out)
        if "out" in self.of_samples:
            self.out = out
        return out

    def tangent(self, dot: Maybe, weights: Sequence[Maybe]) -> Maybe:
        return None if dot is None else dot * self.first

    def cotangent(self, bar: Tensor) -> Tensor:
        return bar * self.first

    def cotangent_dot(self, bar: Tensor, bar_dot: Maybe, dot: Maybe, weights: Sequence[Maybe]) -> Maybe:
        out = None if bar_dot is None else bar_dot * self.first
        second = None if dot is None else self.bend()
        return out if second is None or dot is None else plus(out, second * dot * bar)


class LeakyReLU(Elementwise):
    """`φ(a) = max(a, s·a)`, ReLU for `s = 0`."""

    piecewise_linear = True

    def __init__(self, negative_slope: float = 0.0) -> None:
        super().__init__(lambda value: functional.leaky_relu(value, negative_slope))
        self.negative_slope = negative_slope

    def slope(self, value: Tensor, out: Tensor) -> Tensor:
        # several times faster than a comparison and a cast, or torch.where
        ones = value.new_ones(()).expand_as(value)
        slopes: Tensor = torch.ops.aten.leaky_relu_backward(ones, value, self.negative_slope, False)
        return slopes


class Tanh(Elementwise):
    """`φ = tanh`, `φ′ = 1 − φ²`, `φ″ = −2 φ φ′`."""

    of_samples = ("first", "out")

    def __init__(self) -> None:
        super().__init__(torch.tanh)

    def slope(self, value: Tensor, out: Tensor) -> Tensor:
        return 1 - out * out

    def bend(self) -> Maybe:
        return -2 * self.out * self.first


class Sigmoid(Elementwise):
    """`φ = σ`, `φ′ = σ(1 − σ)`, `φ″ = φ′(1 − 2σ)`."""

    of_samples = ("first", "out")

    def __init__(self) -> None:
        super().__init__(torch.sigmoid)

    def slope(self, value: Tensor, out: Tensor) -> Tensor:
        return out * (1 - out)

    def bend(self) -> Maybe:
        return self.first * (1 - 2 * self.out)


class Softplus(Elementwise):
    """`φ(a) = log(1 + e^{βa})/β`, `φ′ = σ(βa)`, `φ″ = β φ′(1 − φ′)`; linear above torch's threshold."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__(lambda value: functional.softplus(value, beta, threshold))
        self.beta = beta
        self.threshold = threshold

    def slope(self, value: Tensor, out: Tensor) -> Tensor:
        scaled = self.beta * value
        return torch.where(scaled > self.threshold, 1.0, torch.sigmoid(scaled))

    def bend(self) -> Maybe:
        return self.beta * self.first * (1 - self.first)


class Dropout(Rule):
    """Dropout in training, `o = m a`: one mask for the step, drawn as torch's own layer draws it.

    Args:
        function: The layer's function, given what to drop out of.
        whole: Whether it drops whole channels, so that the mask needs no positions.
    """

    piecewise_linear = True
    of_samples = ("mask",)

    def __init__(self, function: Callable[[Tensor], Tensor], *, whole: bool) -> None:
        self.function = function
        self.whole = whole

    def forward(self, value: Tensor) -> Tensor:
        ones = torch.ones_like(value)  # in its memory format, by which torch draws
        if self.whole:
            ones = value.new_ones(*value.shape[:2], *(1 for _ in value.shape[2:]))
        self.mask = self.function(ones)
        return value * self.mask

    def tangent(self, dot: Maybe, weights: Sequence[Maybe]) -> Maybe:
        return None if dot is None else dot * self.mask

    def cotangent(self, bar: Tensor) -> Tensor:
        return bar * self.mask

    def cotangent_dot(self, bar: Tensor, bar_dot: Maybe, dot: Maybe, weights: Sequence[Maybe]) -> Maybe:
        return None if bar_dot is None else bar_dot * self.mask


class Gated(Rule):
    """`o = σ(a) τ(b)`, `τ = tanh`, of every second channel `a` and its neighbour `b`."""

    of_samples = ("gate", "signal", "of_gate", "of_signal")

    def forward(self, value: Tensor) -> Tensor:
        self.gate, self.signal = torch.sigmoid(value[:, ::2]), torch.tanh(value[:, 1::2])
        self.of_gate = (self.gate - self.gate**2) * self.signal
        self.of_signal = self.gate * (1 - self.signal**2)
        return self.gate * self.signal

    def tangent(self, dot: Maybe, weights: Sequence[Maybe]) -> Maybe:
        return None if dot is None else dot[:, ::2] * self.of_gate + dot[:, 1::2] * self.of_signal

    def cotangent(self, bar: Tensor) -> Tensor:
        return _interleaved(bar * self.of_gate, bar * self.of_signal)

    def cotangent_dot(self, bar: Tensor, bar_dot: Maybe, dot: Maybe, weights: Sequence[Maybe]) -> Maybe:
        out = None if bar_dot is None else self.cotangent(bar_dot)
        if dot is None:
            return out
        first, second = dot[:, ::2], dot[:, 1::2]
        mixed = (1 - self.gate) * self.of_signal
        even = self.of_gate * (1 - 2 * self.gate) * first + mixed * second
        odd = mixed * first - 2 * self.signal * self.of_signal * second
        return plus(out, _interleaved(bar * even, bar * odd))


def _interleaved(even: Tensor, odd: Tensor) -> Tensor:
    """Put two maps' channels in turn."""
    return torch.stack((even, odd), 2).flatten(1, 2)
