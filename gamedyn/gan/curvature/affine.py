"""Rules of the layers that are linear in their input and in their weight."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from gamedyn.gan.curvature.rule import Maybe, Rule, UnsupportedError, plus

SMALL_MAP = 16
"""Positions of a map up to which weight gradients are taken as one matrix product (measured on AMX)."""


class Bilinear(Rule):
    """A layer that is linear in its input and in its weight, with a bias: a linear layer or a convolution.

    Where the weight is computed from parameters, it stands for them; see `ComputedWeight`.
    """

    piecewise_linear = True
    of_samples = ("value",)
    of_weights = ("weight",)

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight = weight
        self.has_bias = bias is not None
        self.parameters = [weight] if bias is None else [weight, bias]

    @abstractmethod
    def apply(self, value: Tensor, weight: Tensor, bias: Maybe = None) -> Tensor:
        """Return `W a + b`."""

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
        """Return the cotangents of the bias, one a sample."""

    def forward(self, value: Tensor) -> Tensor:
        self.value = value
        return self.apply(value, self.weight, self.parameters[1] if self.has_bias else None)

    def tangent(self, dot: Maybe, weights: Sequence[Maybe]) -> Maybe:
        weight, bias = [*weights, None, None][:2]
        out = None if dot is None else self.apply(dot, self.weight)
        if weight is not None:
            return plus(out, self.apply(self.value, weight, bias))
        if bias is None:
            return out
        like = self.apply(self.value, self.weight) if out is None else out
        return plus(out, self.spread(bias).expand_as(like))

    def cotangent(self, bar: Tensor) -> Tensor:
        return self.input_adjoint(bar, self.weight)

    def weights(self, bar: Tensor) -> list[Tensor]:
        of_weight = self.weight_adjoint(bar, self.value)
        return [of_weight, self.gather(bar).sum(0)] if self.has_bias else [of_weight]

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
        return [of_weight, None if bar_dot is None else self.gather(bar_dot).sum(0)]


class Linear(Bilinear):
    """`o = a Wᵀ + b`."""

    def __init__(self, module: nn.Linear, weight: Maybe = None) -> None:
        super().__init__(module.weight if weight is None else weight, module.bias)

    def apply(self, value: Tensor, weight: Tensor, bias: Maybe = None) -> Tensor:
        return functional.linear(value, weight, bias)

    def input_adjoint(self, bar: Tensor, weight: Tensor) -> Tensor:
        return bar @ weight

    def weight_adjoint(self, bar: Tensor, value: Tensor) -> Tensor:
        return bar.flatten(0, -2).T @ value.flatten(0, -2)

    def spread(self, bias: Tensor) -> Tensor:
        return bias

    def gather(self, bar: Tensor) -> Tensor:
        return bar if bar.dim() == 2 else bar.flatten(1, -2).sum(1)


class Convolution(Bilinear):
    """A convolution or transposed convolution in one or two dimensions."""

    def __init__(
        self, module: nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d | nn.ConvTranspose2d, weight: Maybe = None
    ) -> None:
        super().__init__(module.weight if weight is None else weight, module.bias)
        self.weight = fast_format(self.weight)
        self._transposed = isinstance(module, nn.ConvTranspose1d | nn.ConvTranspose2d)
        self._groups = module.groups
        self._geometry: tuple[Any, ...] = (
            list(module.stride),
            list(module.padding),
            list(module.dilation),
            self._transposed,
            list(module.output_padding),
            module.groups,
        )
        self._stride, self._padding, self._dilation = self._geometry[:3]
        self._bias_shape = (1, -1, *(1 for _ in module.kernel_size))

    _shape: torch.Size | None = None
    """Of an output, once there was one."""

    def forward(self, value: Tensor) -> Tensor:
        out = super().forward(value)
        self._shape = out.shape[1:]
        return out

    def apply(self, value: Tensor, weight: Tensor, bias: Maybe = None) -> Tensor:
        if value.dim() != weight.dim():
            raise UnsupportedError("a convolution of one sample without a batch axis")
        relaxed = value.device.type == "cpu" and value.dtype is torch.bfloat16
        if self._transposed and relaxed and self._shape is not None:
            return self._by_adjoint(value, weight, bias, self._shape)
        out: Tensor = torch.ops.aten.convolution(value, weight, bias, *self._geometry)
        return out

    def _by_adjoint(self, value: Tensor, weight: Tensor, bias: Maybe, shape: torch.Size) -> Tensor:
        """Run a transposed convolution as the backward pass of its adjoint: up to three times faster."""
        target = torch.empty(  # of which only the shape and the format count
            (len(value), *shape),
            dtype=value.dtype,
            device=value.device,
            memory_format=torch.channels_last if value.dim() == 4 else torch.contiguous_format,
        )
        geometry = (*self._geometry[:3], False, [0] * len(self._stride), self._groups)
        out: Tensor = torch.ops.aten.convolution_backward(
            value, target, weight, None, *geometry, [True, False, False]
        )[0]
        return out if bias is None else out + self.spread(bias)

    def input_adjoint(self, bar: Tensor, weight: Tensor) -> Tensor:
        return self._backward(bar, self.value, weight, [True, False, False])[0]

    def weight_adjoint(self, bar: Tensor, value: Tensor) -> Tensor:
        small, large = (value, bar) if self._transposed else (bar, value)
        if self._has_fast_windows(small):
            return self._by_windows(small, large)
        return self._backward(bar, value, self.weight, [False, True, False])[1]

    def _has_fast_windows(self, small: Tensor) -> bool:
        """Whether one matrix product beats oneDNN's weight gradient: on small maps, by up to six times."""
        return (
            small.device.type == "cpu"
            and small.dim() == 4
            and self._groups == 1
            and small.dtype is torch.bfloat16
            and small.shape[2] * small.shape[3] <= SMALL_MAP
        )

    def _by_windows(self, small: Tensor, large: Tensor) -> Tensor:
        """Return the weight gradient as one product of the small map with the large one's windows."""
        rows, columns, down, right, upper, left = (*self._stride, *self._dilation, *self._padding)
        height, width = self.weight.shape[2:]
        if upper or left:
            large = functional.pad(large, (left, left, upper, upper))
        last = large.contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1)
        a, b, c, d = last.stride()
        windows = last.as_strided(
            (len(last), *small.shape[2:], height, width, last.shape[3]),
            (a, rows * b, columns * c, down * b, right * c, d),
            last.storage_offset(),
        ).reshape(-1, height * width * last.shape[3])
        positions = small.permute(0, 2, 3, 1).reshape(-1, small.shape[1])
        return (positions.T @ windows).view(-1, height, width, last.shape[3]).permute(0, 3, 1, 2)

    def _backward(self, bar: Tensor, value: Tensor, weight: Tensor, wanted: list[bool]) -> tuple[Tensor, ...]:
        parts: tuple[Tensor, ...] = torch.ops.aten.convolution_backward(
            bar, value, weight, None, *self._geometry, wanted
        )
        return parts

    def spread(self, bias: Tensor) -> Tensor:
        return bias.view(self._bias_shape)

    def gather(self, bar: Tensor) -> Tensor:
        return bar.flatten(2).sum(2)


def fast_format(weight: Tensor) -> Tensor:
    """Put a convolution's weight into the memory format that its products are fastest in.

    Where the weight leads, oneDNN lets all maps of the network follow: channels last takes 5 to 20 % off a
    float32 step on a CPU. The parameter itself keeps its format.

    Args:
        weight: The weight.

    Returns:
        The weight itself, or a copy.
    """
    if weight.dim() == 4 and weight.device.type == "cpu" and weight.dtype is torch.float32:
        return weight.detach().contiguous(memory_format=torch.channels_last)
    return weight
