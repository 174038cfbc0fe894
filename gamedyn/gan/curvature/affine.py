"""Rules of the layers that are linear in their input and in their weight."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from gamedyn.gan.curvature.rule import Maybe, Rule, UnsupportedError, plus


class Bilinear(Rule):
    """A layer that is linear in its input and in its weight, with a bias: a linear layer or a convolution."""

    piecewise_linear = True
    of_samples = ("value",)
    of_weights = ("weight",)

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight = weight
        self.has_bias = bias is not None
        self.parameters = [weight] if bias is None else [weight, bias]

    @abstractmethod
    def apply(self, value: Tensor, weight: Tensor) -> Tensor:
        """Return `W a`."""

    @abstractmethod
    def input_adjoint(self, bar: Tensor, weight: Tensor) -> Tensor:
        """Return `Wᵀ ō`."""

    @abstractmethod
    def weight_adjoint(self, bar: Tensor, value: Tensor) -> Tensor:
        """Return the cotangent of `W`."""

    @abstractmethod
    def spread(self, bias: Tensor) -> Tensor:
        """Shape a bias so that it broadcasts against an output."""

    @abstractmethod
    def gather(self, bar: Tensor) -> Tensor:
        """Return the cotangent of the bias."""

    def forward(self, value: Tensor) -> Tensor:
        self.value = value
        out = self.apply(value, self.weight)
        return out + self.spread(self.parameters[1]) if self.has_bias else out

    def tangent(self, dot: Maybe, weights: Sequence[Maybe]) -> Maybe:
        out = None if dot is None else self.apply(dot, self.weight)
        if weights and weights[0] is not None:
            out = plus(out, self.apply(self.value, weights[0]))
        if len(weights) > 1 and weights[1] is not None:
            bias = self.spread(weights[1])
            out = bias.expand_as(self.apply(self.value, self.weight)) if out is None else out + bias
        return out

    def cotangent(self, bar: Tensor) -> Tensor:
        return self.input_adjoint(bar, self.weight)

    def weights(self, bar: Tensor) -> list[Tensor]:
        of_weight = self.weight_adjoint(bar, self.value)
        return [of_weight, self.gather(bar)] if self.has_bias else [of_weight]

    def cotangent_dot(self, bar: Tensor, bar_dot: Maybe, dot: Maybe, weights: Sequence[Maybe]) -> Maybe:
        out = None if bar_dot is None else self.input_adjoint(bar_dot, self.weight)
        if weights and weights[0] is not None:
            out = plus(out, self.input_adjoint(bar, weights[0]))
        return out

    def weights_dot(self, bar: Tensor, bar_dot: Maybe, dot: Maybe, weights: Sequence[Maybe]) -> list[Maybe]:
        of_weight = None if dot is None else self.weight_adjoint(bar, dot)
        if bar_dot is not None:
            of_weight = plus(of_weight, self.weight_adjoint(bar_dot, self.value))
        if not self.has_bias:
            return [of_weight]
        return [of_weight, None if bar_dot is None else self.gather(bar_dot)]


class Linear(Bilinear):
    """`o = a Wᵀ + b`."""

    def __init__(self, module: nn.Linear) -> None:
        super().__init__(module.weight, module.bias)

    def apply(self, value: Tensor, weight: Tensor) -> Tensor:
        return functional.linear(value, weight)

    def input_adjoint(self, bar: Tensor, weight: Tensor) -> Tensor:
        return bar @ weight

    def weight_adjoint(self, bar: Tensor, value: Tensor) -> Tensor:
        return bar.flatten(0, -2).T @ value.flatten(0, -2)

    def spread(self, bias: Tensor) -> Tensor:
        return bias

    def gather(self, bar: Tensor) -> Tensor:
        return bar.flatten(0, -2).sum(0)


class Convolution(Bilinear):
    """A convolution or transposed convolution in one or two dimensions."""

    def __init__(self, module: nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d | nn.ConvTranspose2d) -> None:
        super().__init__(module.weight, module.bias)
        transposed = isinstance(module, nn.ConvTranspose1d | nn.ConvTranspose2d)
        self._geometry: tuple[Any, ...] = (
            list(module.stride),
            list(module.padding),
            list(module.dilation),
            transposed,
            list(module.output_padding),
            module.groups,
        )
        self._bias_shape = (1, -1, *(1 for _ in module.kernel_size))

    def apply(self, value: Tensor, weight: Tensor) -> Tensor:
        if value.dim() != weight.dim():
            raise UnsupportedError("a convolution of one sample without a batch axis")
        out: Tensor = torch.ops.aten.convolution(value, weight, None, *self._geometry)
        return out

    def input_adjoint(self, bar: Tensor, weight: Tensor) -> Tensor:
        return self._backward(bar, self.value, weight, [True, False, False])[0]

    def weight_adjoint(self, bar: Tensor, value: Tensor) -> Tensor:
        return self._backward(bar, value, self.weight, [False, True, False])[1]

    def _backward(self, bar: Tensor, value: Tensor, weight: Tensor, wanted: list[bool]) -> tuple[Tensor, ...]:
        parts: tuple[Tensor, ...] = torch.ops.aten.convolution_backward(
            bar, value, weight, None, *self._geometry, wanted
        )
        return parts

    def spread(self, bias: Tensor) -> Tensor:
        return bias.view(self._bias_shape)

    def gather(self, bar: Tensor) -> Tensor:
        return bar.sum([0, *range(2, bar.dim())])
