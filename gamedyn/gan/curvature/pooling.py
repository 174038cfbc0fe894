"""The rule of max pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from torch import Tensor, nn
from torch.nn import functional

from gamedyn.gan.curvature.rule import Change, Maybe, Rule, UnsupportedError


class MaxPool(Rule):
    """Max pooling: near a point without ties it selects the same places, a linear map.

    Args:
        module: The layer.
    """

    piecewise_linear = True

    def __init__(self, module: nn.MaxPool2d) -> None:
        self.module = module

    def forward(self, value: Tensor) -> Tensor:
        if value.dim() != 4:
            raise UnsupportedError("max pooling of one sample without a batch axis")
        pool = self.module
        image, self.chosen = functional.max_pool2d(
            value, pool.kernel_size, pool.stride, pool.padding, pool.dilation, pool.ceil_mode, True
        )
        self.sizes = value.shape[1:]
        self.samples = value.new_empty(len(value))
        return image

    def copied(self, samples: Change, weights: Change) -> Self:
        own = super().copied(samples, weights)
        # What is done to samples tells their number here: places must not be cast.
        own.samples = samples(self.samples)
        own.chosen = self.chosen[: len(own.samples)]
        return own

    def tangent(self, dot: Maybe, weights: Sequence[Maybe]) -> Maybe:
        if dot is None:
            return None
        return dot.flatten(2).gather(2, self.chosen.flatten(2)).reshape(self.chosen.shape)

    def cotangent(self, bar: Tensor) -> Tensor:
        channels, height, width = self.sizes
        out = bar.new_zeros(len(bar), channels, height * width)
        out.scatter_add_(2, self.chosen.flatten(2), bar.flatten(2))
        return out.reshape(len(bar), channels, height, width)

    def cotangent_dot(self, bar: Tensor, bar_dot: Maybe, dot: Maybe, weights: Sequence[Maybe]) -> Maybe:
        return None if bar_dot is None else self.cotangent(bar_dot)
