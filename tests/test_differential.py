"""Differential tests: our steps against torch's SGD and RMSProp, and against each other."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from optim_db import OptimizerInfo, competitive
from small_game import Pair, everyone, game, general, same_bits, snapshot
from torch import Tensor

from gamedyn.optimizers import ACGD, CGD, AltGD, SimGD

dtypes = pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str
)
rates = pytest.mark.parametrize(("lr", "max_lr"), [(0.05, None), (1e-3, 0.07), (1 / 3, 0.0)])
sums = pytest.mark.parametrize("general_sum", [False, True], ids=["zero-sum", "general-sum"])


def closure_of(pair: Pair, value: Callable[[], Tensor], general_sum: bool) -> Callable[[], Any]:
    return general(value, pair) if general_sum else value


def sgds(pair: Pair, lr: float, max_lr: float | None, general_sum: bool, **kwargs: Any) -> list[Any]:
    """One SGD per player: the maximiser of a zero-sum game by torch's own `maximize`."""
    rate = lr if max_lr is None else max_lr
    return [
        torch.optim.SGD(pair[0], lr=lr, **kwargs),
        torch.optim.SGD(pair[1], lr=rate, maximize=not general_sum, **kwargs),
    ]


def backward(losses: Any, pair: Pair, player: int) -> None:
    loss = losses[player] if isinstance(losses, tuple) else losses
    for p, slope in zip(
        pair[player], torch.autograd.grad(loss, pair[player], retain_graph=True), strict=True
    ):
        p.grad = slope


@dtypes
@rates
@sums
@pytest.mark.parametrize("foreach", [False, True])
def test_simgd_is_two_sgds_bit_for_bit(
    dtype: torch.dtype, lr: float, max_lr: float | None, general_sum: bool, foreach: bool
) -> None:
    pair, value = game(dtype)
    opt = SimGD(*pair, lr=lr, max_lr=max_lr)
    reference, reference_value = game(dtype)
    players = sgds(reference, lr, max_lr, general_sum, foreach=foreach)
    for _ in range(5):
        opt.step(closure_of(pair, value, general_sum))
        losses = closure_of(reference, reference_value, general_sum)()
        for player in (0, 1):
            backward(losses, reference, player)
        for sgd in players:
            sgd.step()
        assert same_bits(snapshot(pair), snapshot(reference))


@dtypes
@rates
@sums
def test_altgd_is_two_sgds_in_turn_bit_for_bit(
    dtype: torch.dtype, lr: float, max_lr: float | None, general_sum: bool
) -> None:
    pair, value = game(dtype)
    opt = AltGD(*pair, lr=lr, max_lr=max_lr)
    reference, reference_value = game(dtype)
    players = sgds(reference, lr, max_lr, general_sum)
    for _ in range(5):
        opt.step(closure_of(pair, value, general_sum))
        for player, sgd in enumerate(players):
            backward(closure_of(reference, reference_value, general_sum)(), reference, player)
            sgd.step()
        assert same_bits(snapshot(pair), snapshot(reference))


def move(cls: type, lr: float, general_sum: bool, **kwargs: Any) -> Tensor:
    """Return the first step as a flat vector."""
    pair, value = game()
    before = torch.cat([p.reshape(-1) for p in snapshot(pair)])
    cls(*pair, lr=lr, **kwargs).step(closure_of(pair, value, general_sum))
    return torch.cat([p.reshape(-1) for p in snapshot(pair)]) - before


@sums
def test_cgd_minus_simgd_is_second_order(general_sum: bool) -> None:
    """Halving the learning rate quarters the difference, and the quotient by η² has a nonzero limit."""
    quotients = []
    for lr in (1e-2, 5e-3, 2.5e-3, 1.25e-3):
        difference = move(CGD, lr, general_sum, rtol=1e-13) - move(SimGD, lr, general_sum)
        quotients.append(difference.norm().item() / lr**2)
    assert quotients[-1] > 0.1
    errors = [abs(quotient / quotients[-1] - 1.0) for quotient in quotients]
    assert errors[0] < 0.1
    assert errors[2] < 0.3 * errors[0]


@sums
def test_altgd_minus_simgd_is_second_order_for_player_1_only(general_sum: bool) -> None:
    differences = [move(AltGD, lr, general_sum) - move(SimGD, lr, general_sum) for lr in (1e-3, 5e-4)]
    of_x = sum(p.numel() for p in game()[0][0])
    assert not differences[0][:of_x].any()
    ratio = differences[0][of_x:].norm() / differences[1][of_x:].norm()
    assert ratio.item() == pytest.approx(4.0, rel=0.01)


def separable(pair: Pair, general_sum: bool) -> Callable[[], Any]:
    x, y = pair

    def losses() -> Any:
        f = torch.cosh(x[0]).sum() + (x[1] ** 2).sum()
        g = torch.cosh(y[0]).sum() + (y[1] ** 4).sum()
        return (f, g) if general_sum else f - g

    return losses


@sums
def test_t8_cgd_on_a_separable_game_is_simgd(general_sum: bool) -> None:
    pair, reference = game()[0], game()[0]
    opt, sim = (cls(*players, lr=0.03, max_lr=0.01) for cls, players in ((CGD, pair), (SimGD, reference)))
    for _ in range(5):
        opt.step(separable(pair, general_sum))
        sim.step(separable(reference, general_sum))
        for p, q in zip(everyone(pair), everyone(reference), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-14, atol=1e-15)


@sums
@pytest.mark.parametrize("scaling", ["official", "paper"])
def test_t8_acgd_on_a_separable_game_is_bias_corrected_rmsprop(general_sum: bool, scaling: str) -> None:
    """The paper's form is Adam without first moment; the official one has its ε before the correction."""
    pair, reference = game()[0], game()[0]
    opt = ACGD(*pair, lr=0.03, beta=0.9, eps=1e-3, scaling=scaling)
    adams = [
        torch.optim.Adam(reference[0], lr=0.03, betas=(0.0, 0.9), eps=1e-3),
        torch.optim.Adam(reference[1], lr=0.03, betas=(0.0, 0.9), eps=1e-3, maximize=not general_sum),
    ]
    for step in range(1, 6):
        opt.step(separable(pair, general_sum))
        losses = separable(reference, general_sum)()
        for player, adam in enumerate(adams):
            backward(losses, reference, player)
            if scaling == "official":
                adam.param_groups[0]["eps"] = 1e-3 / math.sqrt(1.0 - 0.9**step)
        for adam in adams:
            adam.step()
        for p, q in zip(everyone(pair), everyone(reference), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-13, atol=1e-14)


@competitive
@sums
def test_engines_agree(info: OptimizerInfo, general_sum: bool) -> None:
    points = []
    for engine in ("torch", "scipy"):
        pair, value = game()
        opt = info.build(pair, engine=engine, rtol=1e-12)
        for _ in range(3):
            opt.step(closure_of(pair, value, general_sum))
            assert opt.last_step.converged
        points.append(snapshot(pair))
    for p, q in zip(*points, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-10, atol=1e-11)


@competitive
@sums
def test_warm_and_cold_starts_agree_and_warm_ones_cost_no_more(
    info: OptimizerInfo, general_sum: bool
) -> None:
    points, spent = [], []
    for warm_start in (False, True):
        pair, value = game()
        opt = info.build(pair, lr=0.02, warm_start=warm_start, rtol=1e-6)
        iterations = 0
        for _ in range(20):
            opt.step(closure_of(pair, value, general_sum))
            assert opt.last_step.converged
            iterations += opt.last_step.iterations
        points.append(snapshot(pair))
        spent.append(iterations)
    for p, q in zip(*points, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-5)
    assert spent[1] <= spent[0]


@competitive
def test_products_are_2k_plus_1_in_a_zero_sum_game(info: OptimizerInfo) -> None:
    pair, value = game()
    opt = info.build(pair)
    opt.step(value)
    report = opt.last_step
    assert report.converged
    assert report.iterations > 0
    assert report.products == 2 * report.iterations + 1
