"""No loss, gradient or product, however broken, makes a parameter or a state entry non-finite.

The step is skipped and reported, parameters and state keep their bits, and the later steps are those of a
run that never had the fault.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from fuse import Fuse, Fused, fused_game
from optim_db import OPTIMIZERS, OptimizerInfo, every_optimizer
from small_game import Pair, everyone, game, general, same_bits, snapshot, state_of
from torch import Tensor

from gamedyn.optimizers import DivergenceError, GameOptimizer

# scipy's own arithmetic warns of what it was given
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

VALUES = {"NaN": math.nan, "Inf": math.inf, "-Inf": -math.inf, "1e38": 1e38}


def assert_harmless(
    info: OptimizerInfo,
    fault: Callable[[Pair, Callable[[Fuse | None], Tensor]], Callable[[], Any]],
    *,
    must_skip: bool,
    dtype: torch.dtype = torch.float64,
    general_sum: bool = False,
    **kwargs: Any,
) -> GameOptimizer:
    """Play 2 good steps, a faulty one and 2 good ones, beside a run without the fault."""

    def closure(pair: Pair, value: Callable[[Fuse | None], Tensor]) -> Callable[[], Any]:
        return general(lambda: value(None), pair) if general_sum else lambda: value(None)

    pair, value = fused_game(dtype)
    opt = info.build(pair, **kwargs)
    for _ in range(2):
        opt.step(closure(pair, value))
    before, state, versions = snapshot(pair), state_of(opt), [p._version for p in everyone(pair)]
    opt.step(fault(pair, value))
    assert all(torch.isfinite(tensor).all() for tensor in [*snapshot(pair), *state_of(opt)])
    assert opt.last_step.skipped or not must_skip
    if not opt.last_step.skipped:
        return opt
    report = opt.last_step
    assert report.skipped_total == 1
    assert report.reason.startswith("Skipped: ")
    assert not report.converged
    assert math.isnan(report.residual)
    assert same_bits(before, snapshot(pair))
    assert same_bits(state, state_of(opt))
    if info.evaluations == 1:
        assert versions == [p._version for p in everyone(pair)]

    reference, reference_value = fused_game(dtype)
    twin = info.build(reference, **kwargs)
    for _ in range(2):
        twin.step(closure(reference, reference_value))
    for _ in range(2):
        losses = opt.step(closure(pair, value)), twin.step(closure(reference, reference_value))
        assert losses[0] == losses[1]
        assert not opt.last_step.skipped
        assert opt.last_step.skipped_total == 1
        assert same_bits(snapshot(pair), snapshot(reference))
        assert same_bits(state_of(opt), state_of(twin))
    assert opt.last_step.iterations == twin.last_step.iterations
    return opt


def variants() -> list[Any]:
    """Return every optimizer, the competitive ones also with warm starts and with scipy's solvers."""
    rows = [pytest.param(info, {}, id=info.name) for info in OPTIMIZERS]
    for info in OPTIMIZERS:
        if info.competitive:
            rows.append(pytest.param(info, {"warm_start": True, "rtol": 1e-8}, id=f"{info.name}-warm"))
            rows.append(pytest.param(info, {"engine": "scipy", "rtol": 1e-8}, id=f"{info.name}-scipy"))
    return rows


every_variant = pytest.mark.parametrize(("info", "kwargs"), variants())
every_value = pytest.mark.parametrize("bad", VALUES.values(), ids=VALUES)
sums = pytest.mark.parametrize("general_sum", [False, True], ids=["zero-sum", "general-sum"])
dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)


@every_variant
@every_value
@sums
@dtypes
def test_a_broken_loss(
    info: OptimizerInfo, kwargs: dict[str, Any], bad: float, general_sum: bool, dtype: torch.dtype
) -> None:
    for player in (0, 1) if general_sum else (0,):

        def fault(pair: Pair, value: Any, player: int = player) -> Callable[[], Any]:
            if not general_sum:
                return lambda: value(None) * bad
            losses = general(lambda: value(None), pair)
            return lambda: tuple(loss * bad if i == player else loss for i, loss in enumerate(losses()))

        must_skip = not math.isfinite(bad)
        assert_harmless(info, fault, must_skip=must_skip, dtype=dtype, general_sum=general_sum, **kwargs)


@every_variant
@every_value
@sums
@dtypes
def test_a_broken_gradient(
    info: OptimizerInfo, kwargs: dict[str, Any], bad: float, general_sum: bool, dtype: torch.dtype
) -> None:
    """The loss is fine, a derivative of it is not."""
    fuses: list[Fuse] = []

    def fault(pair: Pair, value: Any) -> Callable[[], Any]:
        fuses.append(Fuse(0, bad))
        faulty = lambda: value(fuses[0])  # noqa: E731
        return general(faulty, pair) if general_sum else faulty

    must_skip = not math.isfinite(bad)
    assert_harmless(info, fault, must_skip=must_skip, dtype=dtype, general_sum=general_sum, **kwargs)
    assert fuses[0].passed > 0


@pytest.mark.parametrize(("info", "kwargs"), [row for row in variants() if row.values[0].competitive])
@pytest.mark.parametrize("bad", [math.nan, -math.inf, 1e38], ids=["NaN", "-Inf", "1e38"])
@sums
@pytest.mark.parametrize("product", [1, 2, 3, 5, 8])
def test_a_broken_product(
    info: OptimizerInfo, kwargs: dict[str, Any], bad: float, general_sum: bool, product: int
) -> None:
    """Loss and gradient are fine, the k-th product with the mixed Hessian is not."""
    fuses: list[Fuse] = []

    def fault(pair: Pair, value: Any) -> Callable[[], Any]:
        gradients = 2 if general_sum else 1  # both losses are differentiated before the first product
        fuses.append(Fuse(gradients - 1 + product, bad))
        faulty = lambda: value(fuses[0])  # noqa: E731
        return general(faulty, pair) if general_sum else faulty

    options = {"rtol": 1e-10, **kwargs}
    # what breaks at a warm guess only (the second product) costs the guess, not the step
    guess_only = bool(kwargs.get("warm_start")) and product == 2 and not general_sum
    must_skip = not math.isfinite(bad) and not guess_only
    opt = assert_harmless(info, fault, must_skip=must_skip, general_sum=general_sum, **options)
    assert fuses[0].passed > fuses[0].at, "the fuse has blown"
    assert opt.last_step.skipped_total or opt.last_step.converged or opt.last_step.reason


@pytest.mark.parametrize(("info", "kwargs"), [row for row in variants() if row.values[0].competitive])
@sums
@pytest.mark.parametrize("from_last", [1, 0])
@pytest.mark.parametrize("spent", [False, True])
def test_a_broken_verification(
    info: OptimizerInfo, kwargs: dict[str, Any], general_sum: bool, from_last: int, spent: bool
) -> None:
    """The products that check a finished solve break: nothing is known of it, so it is not taken."""
    unreachable = {**kwargs, "rtol": 0.0}
    for _ in range(2 if spent else 1):
        pair, value = fused_game()
        opt = info.build(pair, **unreachable)
        for _ in range(3):
            opt.step(general(lambda v=value: v(None), pair) if general_sum else lambda v=value: v(None))
        if spent:  # the limit and the rounding level are reached together
            unreachable["max_iter"] = opt.last_step.iterations
    last = opt.last_step.products
    fuses: list[Fuse] = []

    def fault(pair: Pair, value: Any) -> Callable[[], Any]:
        fuses.append(Fuse((1 if general_sum else 0) + last - from_last, math.nan))
        faulty = lambda: value(fuses[0])  # noqa: E731
        return general(faulty, pair) if general_sum else faulty

    assert_harmless(info, fault, must_skip=True, general_sum=general_sum, **unreachable)
    assert fuses[0].passed > fuses[0].at


@pytest.mark.parametrize("info", [info for info in OPTIMIZERS if info.evaluations > 1], ids=lambda i: i.name)
@every_value
@pytest.mark.parametrize("where", ["loss", "gradient"])
@sums
@dtypes
def test_a_broken_second_half(
    info: OptimizerInfo, bad: float, where: str, general_sum: bool, dtype: torch.dtype
) -> None:
    """Player 0 has moved when player 1's half breaks: its move is taken back bit for bit."""
    calls: list[int] = []

    def fault(pair: Pair, value: Any) -> Callable[[], Any]:
        def faulty() -> Any:
            calls.append(1)
            broken = len(calls) == 2

            def one() -> Tensor:
                loss = value(None)
                if broken and where == "loss":
                    return loss * bad
                if broken:
                    return loss + Fused.apply(pair[1][1], Fuse(0, bad)).sum()
                return loss

            return general(one, pair)() if general_sum else one()

        return faulty

    must_skip = not math.isfinite(bad)
    assert_harmless(info, fault, must_skip=must_skip, dtype=dtype, general_sum=general_sum)
    assert len(calls) == 2


@every_optimizer
@dtypes
def test_an_update_that_overflows(info: OptimizerInfo, dtype: torch.dtype) -> None:
    """Loss and gradient are finite; parameter plus update is not."""
    top = torch.finfo(dtype).max
    x = torch.full((1,), 0.9 * top, dtype=dtype, requires_grad=True)
    y = torch.ones(2, dtype=dtype, requires_grad=True)
    before = x.detach().clone()
    opt = info.cls([x], [y], lr=0.5 * top)
    opt.step(lambda: ((x / top).sum() * -top) + y.sum())
    assert opt.last_step.skipped
    assert torch.equal(x, before)
    assert torch.equal(y, torch.ones(2, dtype=dtype))
    opt.param_groups[0]["lr"] = opt.param_groups[1]["lr"] = 0.01
    opt.step(lambda: (x / top).sum() + y.sum())
    assert not opt.last_step.skipped


@every_optimizer
@dtypes
def test_gradients_of_any_size(info: OptimizerInfo, dtype: torch.dtype) -> None:
    """Gradients scaled by 1e±25 neither raise, nor are lost, nor make anything non-finite."""
    for scale in (1e25, 1e-25):
        pair, value = game(dtype)
        before = snapshot(pair)
        opt = info.build(pair, lr=0.05 / scale)
        opt.step(lambda value=value, scale=scale: value() * scale)
        assert not opt.last_step.skipped
        assert all(torch.isfinite(tensor).all() for tensor in [*snapshot(pair), *state_of(opt)])
        if scale == 1e25 and not info.stateful:
            assert not same_bits(before, snapshot(pair))


@every_optimizer
def test_a_broken_learning_rate(info: OptimizerInfo) -> None:
    pair, value = game()
    opt = info.build(pair)
    before = snapshot(pair)
    opt.param_groups[0]["lr"] = math.nan
    opt.step(value)
    assert opt.last_step.skipped
    assert same_bits(before, snapshot(pair))


@every_optimizer
@pytest.mark.parametrize(
    ("dtype", "lr"), [(torch.float32, 1e39), (torch.float32, 1e300), (torch.float16, 1e5)], ids=str
)
def test_a_learning_rate_beyond_the_dtype(info: OptimizerInfo, dtype: torch.dtype, lr: float) -> None:
    x, y = ([torch.ones(3, dtype=dtype, requires_grad=True)] for _ in range(2))
    opt = info.cls(x, y, lr=lr)
    opt.step(lambda: 10.0 * (x[0] * y[0]).sum() + x[0].sum())
    assert all(torch.isfinite(tensor).all() for tensor in [*snapshot((x, y)), *state_of(opt)])
    if not info.competitive:  # the others may find a finite step at any rate
        assert opt.last_step.reason == f"Skipped: the learning rate {lr:g} is beyond the range of {dtype}."
        assert same_bits(snapshot((x, y)), [torch.ones(3, dtype=dtype)] * 2)


@every_optimizer
@pytest.mark.parametrize("general_sum", [False, True])
def test_a_learning_rate_below_zero(info: OptimizerInfo, general_sum: bool) -> None:
    pair, value = game()
    closure = general(value, pair) if general_sum else value
    opt = info.build(pair)
    before, state = snapshot(pair), state_of(opt)
    opt.param_groups[-1]["lr"] = -0.1
    with pytest.raises(ValueError, match=r"Invalid learning rate: -0.1 .*schedule"):
        opt.step(closure)
    assert same_bits(before, snapshot(pair))
    assert same_bits(state, state_of(opt))
    for group in opt.param_groups:
        group["lr"] = -1.4e-17  # where torch's LinearLR from 1/3 to 0 may end
    opt.step(closure)
    assert not opt.last_step.skipped
    assert same_bits(before, snapshot(pair))


@every_optimizer
def test_divergence_is_raised_after_max_skips_in_a_row(info: OptimizerInfo) -> None:
    pair, value = game()
    opt = info.build(pair, max_skips=3)
    before, state = snapshot(pair), state_of(opt)

    def broken() -> Tensor:
        return value() * math.nan

    for _ in range(2):
        assert math.isnan(opt.step(broken).item())
    opt.step(value)  # the count starts anew after a good step
    moved, moved_state = snapshot(pair), state_of(opt)
    assert not same_bits(before, moved)
    assert same_bits(state, moved_state) != info.stateful
    opt.step(broken)
    opt.step(broken)
    assert opt.last_step.skipped_total == 4
    with pytest.raises(
        DivergenceError, match=r"3 steps in a row were skipped.*the loss is nan.*last finite values"
    ):
        opt.step(broken)
    assert opt.last_step.skipped_total == 5
    assert opt.last_step.reason == "Skipped: the loss is nan."
    assert same_bits(moved, snapshot(pair))
    assert same_bits(moved_state, state_of(opt))
    assert issubclass(DivergenceError, RuntimeError)
    with pytest.raises(DivergenceError, match="4 steps in a row"):
        opt.step(broken)
    opt.step(value)
    assert not opt.last_step.skipped


@every_optimizer
def test_the_default_patience_is_twenty(info: OptimizerInfo) -> None:
    pair, value = game()
    opt = info.build(pair)
    for _ in range(19):
        opt.step(lambda: value() / 0.0)
    with pytest.raises(DivergenceError, match="20 steps in a row"):
        opt.step(lambda: value() / 0.0)
