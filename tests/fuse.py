"""A fuse in a game's graph: it breaks the gradient, or the k-th product with the mixed Hessian."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from small_game import Pair, game
from torch import Tensor


class Fuse:
    """Multiplies the `at`-th derivative that passes through it by `factor`; 0 is the gradient itself."""

    def __init__(self, at: int, factor: float) -> None:
        self.at, self.factor, self.passed = at, factor, 0

    def __call__(self, derivative: Tensor) -> Tensor:
        self.passed += 1
        return derivative * self.factor if self.passed == self.at + 1 else derivative.clone()


class Fused(torch.autograd.Function):
    """The identity; its first derivative and every product that passes through it go through a fuse."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, fuse: Fuse) -> Tensor:
        ctx.fuse = fuse
        return value.clone()

    @staticmethod
    def backward(ctx: Any, derivative: Tensor) -> tuple[Tensor, None]:
        return FusedDerivative.apply(derivative, ctx.fuse), None


class FusedDerivative(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, derivative: Tensor, fuse: Fuse) -> Tensor:
        ctx.fuse = fuse
        return fuse(derivative)

    @staticmethod
    def backward(ctx: Any, second: Tensor) -> tuple[Tensor, None]:
        return ctx.fuse(second), None


def fused_game(dtype: torch.dtype = torch.float64) -> tuple[Pair, Callable[[Fuse | None], Tensor]]:
    """Return players and a game in which one of player 0's tensors goes through a fuse, if given."""
    (x, y), _ = game(dtype)

    def value(fuse: Fuse | None) -> Tensor:
        first = x[0] if fuse is None else Fused.apply(x[0], fuse)
        pure = 0.3 * ((x[1] ** 2).sum() - (y[1] ** 2).sum())
        return torch.tanh(first @ torch.sin(y[0]) + y[1]).sum() + (x[1] * (y[0] @ y[1])).sum() + pure

    return (x, y), value
