"""Every public scheduler of `torch.optim.lr_scheduler` drives every optimizer."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from optim_db import OptimizerInfo, every_optimizer
from small_game import game, place, same_bits, snapshot
from torch import Tensor
from torch.optim import Optimizer, lr_scheduler

from gamedyn.optimizers import GameOptimizer

STEPS = 6

SCHEDULERS: dict[str, Callable[[Optimizer], Any]] = {
    "LambdaLR": lambda opt: lr_scheduler.LambdaLR(opt, [lambda step: 0.9**step, lambda step: 0.5**step]),
    "MultiplicativeLR": lambda opt: lr_scheduler.MultiplicativeLR(opt, lambda step: 0.9),
    "StepLR": lambda opt: lr_scheduler.StepLR(opt, 2, gamma=0.5),
    "MultiStepLR": lambda opt: lr_scheduler.MultiStepLR(opt, [1, 3], gamma=0.5),
    "ConstantLR": lambda opt: lr_scheduler.ConstantLR(opt, 0.3, total_iters=2),
    "LinearLR": lambda opt: lr_scheduler.LinearLR(opt, 0.3, total_iters=4),
    "ExponentialLR": lambda opt: lr_scheduler.ExponentialLR(opt, 0.8),
    "PolynomialLR": lambda opt: lr_scheduler.PolynomialLR(opt, total_iters=5, power=2.0),
    "CosineAnnealingLR": lambda opt: lr_scheduler.CosineAnnealingLR(opt, 5),
    "CosineAnnealingWarmRestarts": lambda opt: lr_scheduler.CosineAnnealingWarmRestarts(opt, 2),
    "CyclicLR": lambda opt: lr_scheduler.CyclicLR(opt, 0.01, 0.1, step_size_up=2, cycle_momentum=False),
    "OneCycleLR": lambda opt: lr_scheduler.OneCycleLR(opt, 0.1, total_steps=8, cycle_momentum=False),
    "ReduceLROnPlateau": lambda opt: lr_scheduler.ReduceLROnPlateau(opt, patience=0, factor=0.5),
    "SequentialLR": lambda opt: lr_scheduler.SequentialLR(
        opt, [lr_scheduler.ConstantLR(opt, 0.1), lr_scheduler.ExponentialLR(opt, 0.8)], [2]
    ),
    "ChainedScheduler": lambda opt: lr_scheduler.ChainedScheduler(
        [lr_scheduler.LinearLR(opt, 0.3), lr_scheduler.ExponentialLR(opt, 0.8)]
    ),
}
"""One constructor per public class."""

CHAINS = [
    ("StepLR", "ReduceLROnPlateau"),
    ("ExponentialLR", "LinearLR"),
    ("ConstantLR", "MultiStepLR", "ExponentialLR"),
    ("CosineAnnealingLR", "StepLR", "ReduceLROnPlateau"),
]
"""Several schedulers on one optimizer, each stepped after it."""


def test_no_public_scheduler_is_missing() -> None:
    public = {
        name
        for name, cls in vars(lr_scheduler).items()
        if inspect.isclass(cls) and not name.startswith("_") and name in lr_scheduler.__all__
    }
    assert set(SCHEDULERS) == public - {"LRScheduler"}


def play(opt: Optimizer, schedulers: list[Any], closure: Callable[[], Any], steps: int) -> list[list[float]]:
    """Step an optimizer and its schedulers; return the learning rates that the steps used."""
    rates = []
    for _ in range(steps):
        rates.append([float(group["lr"]) for group in opt.param_groups])
        opt.step(closure)
        for scheduler in schedulers:
            scheduler.step(1.0) if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau) else scheduler.step()
    return rates


def rates_of_sgd(names: tuple[str, ...], lr: float | Tensor, max_lr: float | Tensor) -> list[list[float]]:
    """Return the rates that the same schedulers give to torch's own SGD."""
    p, q = torch.nn.Parameter(torch.ones(1)), torch.nn.Parameter(torch.ones(1))
    sgd = torch.optim.SGD([{"params": [p], "lr": lr}, {"params": [q], "lr": max_lr}])
    return play(sgd, [SCHEDULERS[name](sgd) for name in names], lambda: torch.ones(()), STEPS)


@every_optimizer
@pytest.mark.parametrize("as_tensor", [False, True], ids=["float", "tensor"])
@pytest.mark.parametrize("names", [(name,) for name in SCHEDULERS] + CHAINS, ids="+".join)
def test_scheduler(info: OptimizerInfo, names: tuple[str, ...], as_tensor: bool) -> None:
    """The rates are those that torch's SGD gets, and each step uses its own rate."""
    pair, value = game()
    # float64, because schedulers compute in Python: each player may follow its own law
    lr, max_lr = (torch.tensor(r, dtype=torch.float64) if as_tensor else r for r in (0.04, 0.02))
    opt = info.cls(*pair, lr=lr, max_lr=max_lr)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # SequentialLR's own use of epochs
        schedulers = [SCHEDULERS[name](opt) for name in names]
        rates = play(opt, schedulers, value, STEPS)
        expected = rates_of_sgd(names, 0.04, 0.02)
        if as_tensor and names == ("SequentialLR",):  # torch 2.6 forgets where a tensor began
            expected = rates_of_sgd(names, *(torch.tensor(r, dtype=torch.float64) for r in (0.04, 0.02)))
        for ours, torchs in zip(rates, expected, strict=True):
            assert ours == pytest.approx(torchs, rel=1e-12)
    assert len({tuple(rate) for rate in rates}) > 1, "the schedule moved"

    reference, value = game()
    by_hand = info.cls(*reference, lr=1.0)
    for rate in rates:
        for group, lr in zip(by_hand.param_groups, rate, strict=True):
            group["lr"] = lr
        by_hand.step(value)
    assert same_bits(snapshot(pair), snapshot(reference))


@every_optimizer
@pytest.mark.parametrize("name", SCHEDULERS)
def test_optimizer_and_scheduler_resume_together(info: OptimizerInfo, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        reference, value = game()
        opt = info.build(reference)
        scheduler = SCHEDULERS[name](opt)
        play(opt, [scheduler], value, 3)
        saved = opt.state_dict(), scheduler.state_dict()

        pair, other_value = game()
        place(pair, snapshot(reference))
        other = info.cls(*pair, lr=0.05)
        other_scheduler = SCHEDULERS[name](other)
        other_scheduler.load_state_dict(saved[1])
        other.load_state_dict(saved[0])
        assert play(opt, [scheduler], value, 3) == play(other, [other_scheduler], other_value, 3)
    assert same_bits(snapshot(pair), snapshot(reference))


@every_optimizer
@pytest.mark.filterwarnings("ignore:nothing moves player")
def test_players_follow_their_own_law_though_they_share_a_tensor_lr(info: OptimizerInfo) -> None:
    """Schedulers fill a tensor lr in place: the groups that got one `lr` must not be one tensor."""
    lr = torch.tensor(0.08, dtype=torch.float64)
    opt = info.cls(*game()[0], lr=lr)
    scheduler = SCHEDULERS["LambdaLR"](opt)
    opt.step(lambda: torch.ones((), requires_grad=True) * 1.0)
    scheduler.step()
    assert [float(group["lr"]) for group in opt.param_groups] == pytest.approx([0.072, 0.04])
    assert lr.item() == 0.08


@every_optimizer
def test_momentum_cycles_are_refused(info: OptimizerInfo) -> None:
    opt: GameOptimizer = info.build(game()[0])
    for make in (
        lambda: lr_scheduler.CyclicLR(opt, 0.01, 0.1),
        lambda: lr_scheduler.OneCycleLR(opt, 0.1, total_steps=8),
    ):
        with pytest.raises(ValueError, match="momentum"):
            make()


@every_optimizer
def test_the_right_order_of_calls_does_not_warn(info: OptimizerInfo) -> None:
    pair, value = game()
    opt = info.build(pair)
    scheduler = lr_scheduler.StepLR(opt, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opt.step(value)
        scheduler.step()


@every_optimizer
def test_stepping_the_scheduler_first_warns_as_with_torchs(info: OptimizerInfo) -> None:
    scheduler = lr_scheduler.StepLR(info.build(game()[0]), 1)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        scheduler.step()
