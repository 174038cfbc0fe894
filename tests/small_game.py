"""A smooth two-player game small enough for every generic optimizer test, and ways to compare its players."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from gamedyn.optimizers import GameOptimizer

Pair = tuple[list[Tensor], list[Tensor]]


def ones(*shape: int, **kwargs: Any) -> Parameter:
    return Parameter(torch.ones(shape or (2,), **kwargs))


def game(dtype: torch.dtype = torch.float64, seed: int = 0) -> tuple[Pair, Callable[[], Tensor]]:
    """Return two players of two tensors each and the closure of a smooth zero-sum game between them."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Parameter:
        return Parameter(torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype))

    x, y = [draw(3, 2), draw(2)], [draw(2, 3), draw(3)]

    def value() -> Tensor:
        hidden = torch.tanh(x[0] @ torch.sin(y[0]) + y[1])
        pure = (x[0] ** 2).mean() + (x[1] ** 2).sum() - (y[0] ** 2).mean() - (y[1] ** 2).sum()
        return hidden.sum() + (x[1] * (y[0] @ y[1])).sum() + 0.3 * pure

    return (x, y), value


def general(value: Callable[[], Tensor], pair: Pair) -> Callable[[], tuple[Tensor, Tensor]]:
    """Return a general-sum closure that is no zero-sum game in disguise."""
    x, y = pair

    def losses() -> tuple[Tensor, Tensor]:
        f = value()
        return f, -0.7 * f + (torch.cos(x[1]) * torch.cos(y[1][:2])).sum()

    return losses


def snapshot(pair: Pair) -> list[Tensor]:
    return [parameter.detach().clone() for player in pair for parameter in player]


def same_bits(left: list[Tensor], right: list[Tensor]) -> bool:
    return len(left) == len(right) and all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


def state_of(opt: GameOptimizer) -> list[Tensor]:
    """Return a copy of every tensor of the per-parameter state, in a fixed order."""
    state = opt.state_dict()["state"]
    return [state[index][name].clone() for index in sorted(state) for name in sorted(state[index])]


def everyone(pair: Pair) -> list[Tensor]:
    return [parameter for player in pair for parameter in player]


def place(pair: Pair, point: list[Tensor]) -> None:
    """Set all parameters to a point."""
    with torch.no_grad():
        for parameter, value in zip(everyone(pair), point, strict=True):
            parameter.copy_(value)
