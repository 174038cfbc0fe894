"""Functions that can be differentiated once only are named instead of taken for flat ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from gamedyn.gan.losses import LOSSES
from gamedyn.gan.objective import GANObjective
from gamedyn.optimizers import ACGD, CGD, AltGD, GameOptimizer, SimGD
from gamedyn.solvers import MixedHessian


class Twice(torch.autograd.Function):
    """A product whose backward is differentiable."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return x * weight

    @staticmethod
    def backward(ctx: Any, bar: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        return bar * weight, (bar * x).sum(0)


class Once(Twice):
    """The same as most custom operators are written."""

    backward = staticmethod(once_differentiable(Twice.backward))


class Scaled(nn.Module):
    """A layer that scales by way of a custom function."""

    def __init__(self, function: type[torch.autograd.Function], width: int) -> None:
        super().__init__()
        self.function, self.weight = function, nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return self.function.apply(x, self.weight)


Where = Callable[[type[torch.autograd.Function]], tuple[nn.Module, nn.Module]]
WHERE: dict[str, Where] = {
    "generator": lambda f: (nn.Sequential(nn.Linear(4, 2), Scaled(f, 2)), critic()),
    "critic": lambda f: (nn.Linear(4, 2), nn.Sequential(Scaled(f, 2), *critic())),
    "end": lambda f: (nn.Linear(4, 2), nn.Sequential(*critic(), Scaled(f, 1))),
}
everywhere = pytest.mark.parametrize("where", WHERE.values(), ids=WHERE)
structured = pytest.mark.parametrize("structured", [False, True], ids=["plain", "structured"])


def critic() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 1))


def a_step(
    kind: type[GameOptimizer], pair: tuple[nn.Module, nn.Module], structured: bool, loss: str
) -> GameOptimizer:
    G, D = (network.double() for network in pair)
    real, latent = torch.randn(8, 2, dtype=torch.float64), torch.randn(8, 4, dtype=torch.float64)
    closure = GANObjective(G, D, LOSSES[loss]).on(real, latent)
    opt = kind(G.parameters(), D.parameters(), lr=0.1)
    opt.step(closure if structured else lambda: closure())
    return opt


@everywhere
@structured
@pytest.mark.parametrize("loss", ["wgan", "non-saturating", "rpgan"])
@pytest.mark.parametrize("kind", [CGD, ACGD])
def test_a_function_that_would_lose_the_curvature_is_refused(
    kind: type[GameOptimizer], where: Where, structured: bool, loss: str
) -> None:
    pair = where(Once)
    before = [parameter.detach().double() for network in pair for parameter in network.parameters()]
    with pytest.raises(RuntimeError, match=r"backward of Once is marked @once_diff.*use SimGD or AltGD, or"):
        a_step(kind, pair, structured, loss)
    after = [parameter.detach() for network in pair for parameter in network.parameters()]
    assert all(map(torch.equal, before, after))


@everywhere
@structured
def test_a_function_that_is_differentiable_is_not(where: Where, structured: bool) -> None:
    assert not a_step(CGD, where(Twice), structured, "minimax").last_step.skipped


@everywhere
@pytest.mark.parametrize("kind", [SimGD, AltGD])
def test_gradient_steps_take_it(kind: type[GameOptimizer], where: Where) -> None:
    assert not a_step(kind, where(Once), False, "minimax").last_step.skipped


def test_functions_on_the_data_do_not_matter() -> None:
    x, y = (torch.ones(2, requires_grad=True) for _ in range(2))
    data = Once.apply(torch.ones(2), torch.ones(2))
    assert MixedHessian.of((x * data * y).sum(), [x], [y]).apply([torch.ones(2)])[0].sum() == 2.0


@pytest.mark.parametrize(
    "value",
    [
        lambda x, y, one: (x * y).sum() + Once.apply(x, one).sum(),
        lambda x, y, one: (x * y).sum() - 0.1 * Once.apply(y, one).mean(),
        lambda x, y, one: (x * y).sum() + (Once.apply(x, one) * one).sum(),
    ],
)
def test_functions_of_one_player_alone_do_not_matter(value: Any) -> None:
    x, y = (torch.ones(2, requires_grad=True) for _ in range(2))
    K = MixedHessian.of(value(x, y, torch.ones(2)), [x], [y])
    assert torch.equal(K.apply([torch.tensor([1.0, 2.0])])[0], torch.tensor([1.0, 2.0]))


@pytest.mark.parametrize(
    "value",
    [
        lambda x, y, one: (Once.apply(x, one) * y).sum(),
        lambda x, y, one: Once.apply(x * y, one).sum(),
        lambda x, y, one: Once.apply(x + y, one).mean(),
    ],
)
def test_functions_that_the_players_meet_in_or_behind_are_refused(value: Any) -> None:
    x, y = (torch.ones(2, requires_grad=True) for _ in range(2))
    with pytest.raises(RuntimeError, match="once_differentiable"):
        MixedHessian.of(value(x, y, torch.ones(2)), [x], [y])


def test_where_a_player_is_frozen_nothing_is_differentiated_twice() -> None:
    x = torch.ones(2, requires_grad=True)
    assert not CGD([x], [torch.ones(2)], lr=0.1).step(lambda: Once.apply(x, torch.ones(2)).sum()).isnan()


def test_an_operator_of_it_is_refused() -> None:
    x, y = torch.ones(1, 2, requires_grad=True), torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="Once"):
        MixedHessian.of(Once.apply(x, y).sum(), [x], [y])
    (slope,) = torch.autograd.grad(Once.apply(x, y).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):  # as in a gradient penalty
        MixedHessian.of((slope * y).sum(), [x], [y])
