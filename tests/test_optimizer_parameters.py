"""Parameters of every kind: frozen, unused, 0-dim, empty, of several dtypes; and losses that miss some."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from optim_db import OptimizerInfo, every_optimizer
from small_game import Pair, everyone, game, general, ones, same_bits, snapshot, state_of
from torch import Tensor, nn
from torch.nn import Parameter
from torch.utils.checkpoint import checkpoint


@every_optimizer
def test_frozen_parameters_stay(info: OptimizerInfo) -> None:
    """A frozen parameter is no part of the game, and rejoins it when it is thawed."""
    (x, y), value = game()
    before = snapshot((x, y))
    x[1].requires_grad_(False)
    y[0].requires_grad_(False)
    opt = info.build((x, y))
    opt.step(value)
    moved = [not torch.equal(a, b) for a, b in zip(before, snapshot((x, y)), strict=True)]
    assert moved == [True, False, False, True]
    assert x[1] not in opt.state

    reference, value = game()
    info.build(([reference[0][0]], [reference[1][1]])).step(value)
    assert same_bits(snapshot((x, y)), snapshot(reference)), "frozen is the same as absent"

    x[1].requires_grad_(True)
    opt.step(lambda: (x[1] * y[1][:2]).sum())
    assert not torch.equal(before[1], x[1])


@every_optimizer
def test_a_player_all_frozen_waits(info: OptimizerInfo) -> None:
    """The other player then plays plain gradient steps against a fixed opponent."""
    (x, y), value = game()
    for p in y:
        p.requires_grad_(False)
    before = snapshot((x, y))
    gradient = torch.autograd.grad(value(), x)
    opt = info.build((x, y))
    opt.step(value)
    assert opt.last_step.converged
    assert same_bits(before[2:], snapshot((x, y))[2:])
    if not info.stateful:
        for p, start, slope in zip(x, before, gradient, strict=False):
            torch.testing.assert_close(p.detach(), start - 0.05 * slope, rtol=1e-12, atol=1e-14)
    for p in x:
        p.requires_grad_(False)
    before = snapshot((x, y))
    opt.step(value)
    assert same_bits(before, snapshot((x, y)))
    assert not opt.last_step.skipped


@every_optimizer
@pytest.mark.parametrize("general_sum", [False, True], ids=["zero-sum", "general-sum"])
def test_unused_parameters_stay(info: OptimizerInfo, general_sum: bool) -> None:
    (x, y), value = game()
    spare_x, spare_y = ones(3, dtype=torch.float64), ones(2, 2, dtype=torch.float64)
    closure = general(value, (x, y)) if general_sum else value
    opt = info.build(([spare_x, *x], [*y, spare_y]))
    opt.step(closure)
    assert torch.equal(spare_x, torch.ones(3, dtype=torch.float64))
    assert torch.equal(spare_y, torch.ones(2, 2, dtype=torch.float64))
    reference, value = game()
    info.build(reference).step(general(value, reference) if general_sum else value)
    for p, exact in zip(snapshot((x, y)), snapshot(reference), strict=True):
        torch.testing.assert_close(p, exact, rtol=1e-13, atol=1e-15)


@every_optimizer
def test_a_step_is_nothing_for_zero_gradients(info: OptimizerInfo) -> None:
    """At a stationary point nothing moves, however often, and momentum-free state stays zero."""
    x, y = ones(3, dtype=torch.float64), ones(2, dtype=torch.float64)
    opt = info.build(([x], [y]))

    def closure() -> Tensor:
        return ((x - 1.0) ** 2).sum() - ((y - 1.0) ** 2).sum() + (x[:2] - 1.0) @ (y - 1.0)

    for _ in range(3):
        opt.step(closure)
        opt.step(lambda: (closure(), -closure()))
        assert opt.last_step.converged
        assert opt.last_step.residual == 0.0
        assert opt.last_step.iterations == 0
    assert torch.equal(x, torch.ones(3, dtype=torch.float64))
    assert torch.equal(y, torch.ones(2, dtype=torch.float64))
    assert all(not tensor.any() or tensor.dim() == 0 for tensor in state_of(opt))


@every_optimizer
def test_a_loss_that_misses_a_player(info: OptimizerInfo) -> None:
    """One player's gradient is missing: that player stays, the other steps along its own gradient."""
    (x, y), _ = game()
    before = snapshot((x, y))
    opt = info.build((x, y))
    with pytest.warns(UserWarning, match="nothing moves player 1, whose"):
        opt.step(lambda: (x[0] ** 2).sum() + x[1].sum())
    assert not torch.equal(before[0], x[0])
    assert same_bits(before[2:], snapshot((x, y))[2:])
    opt.step(lambda: (torch.zeros((), dtype=torch.float64), y[1].sum()))
    assert torch.equal(before[2], y[0])
    assert (y[1] < before[3]).all()


Forms = dict[str, Callable[[nn.Module, nn.Module, Tensor], Any]]
FROZEN: Forms = {
    "detached": lambda G, D, z: D(G(z).detach()).mean(),
    "of a copy": lambda G, D, z: D(copy.deepcopy(G)(z)).mean(),
    "checkpointed": lambda G, D, z: D(checkpoint(G, z.requires_grad_(), use_reentrant=True)).mean(),
    "in its own loss": lambda G, D, z: (D(G(z).detach()).mean(), D(G(z)).square().mean()),
}


@every_optimizer
@pytest.mark.parametrize("form", FROZEN.values(), ids=FROZEN)
def test_a_player_frozen_by_accident_is_named_once(info: OptimizerInfo, form: Any) -> None:
    G, D, z = nn.Linear(4, 2), nn.Linear(2, 1), torch.randn(8, 4)
    before = G.weight.detach().clone()
    opt = info.build((G.parameters(), D.parameters()))
    with pytest.warns(
        UserWarning, match=r"nothing moves player 0, .*detached.*requires_grad_\(False\)"
    ) as caught:
        opt.step(lambda: form(G, D, z))
    assert [warning.filename for warning in caught] == [__file__], "once, and it names who took the step"
    assert torch.equal(before, G.weight)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opt.step(lambda: form(G, D, z))
        copy.deepcopy(opt).step(lambda: form(G, D, z))


@every_optimizer
def test_a_player_frozen_on_purpose_is_not(info: OptimizerInfo) -> None:
    G, D, z = nn.Linear(4, 2).requires_grad_(False), nn.Linear(2, 1), torch.randn(8, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        info.build((G.parameters(), D.parameters())).step(lambda: D(G(z)).mean())


@every_optimizer
def test_gradients_that_are_constant(info: OptimizerInfo) -> None:
    """The last bias of a Wasserstein critic: its gradient is exactly zero, or a constant without a graph."""
    torch.manual_seed(0)
    generator, critic = nn.Linear(2, 3).double(), nn.Linear(3, 1).double()
    z, real = torch.randn(8, 2).double(), torch.randn(8, 3).double()
    opt = info.build((generator.parameters(), critic.parameters()))
    bias = critic.bias.detach().clone()
    for _ in range(3):
        opt.step(lambda: critic(generator(z)).mean() - critic(real).mean())
        assert opt.last_step.converged
    assert torch.equal(bias, critic.bias)
    opt.step(lambda: critic(generator(z)).mean())
    assert not torch.equal(bias, critic.bias)
    opt.step(lambda: (generator.bias.sum(), critic.bias.sum()))
    assert opt.last_step.converged
    assert opt.last_step.residual <= 1e-15


@every_optimizer
def test_zero_dimensional_and_empty_tensors(info: OptimizerInfo) -> None:
    scalar = Parameter(torch.tensor(0.7, dtype=torch.float64))
    empty, hollow = Parameter(torch.zeros(0, 3, dtype=torch.float64)), Parameter(torch.zeros(0))
    y = Parameter(torch.tensor([0.3, -0.2], dtype=torch.float64))
    opt = info.build(([scalar, empty], [hollow, y]))
    twin_scalar, twin_y = Parameter(scalar.detach().reshape(1).clone()), Parameter(y.detach().clone())
    twin = info.build(([twin_scalar], [twin_y]))
    for _ in range(3):
        opt.step(lambda: torch.sin(scalar) * y.sum() + (scalar**2) + empty.sum() + hollow.double().sum())
        twin.step(lambda: torch.sin(twin_scalar).squeeze() * twin_y.sum() + (twin_scalar**2).squeeze())
        assert not opt.last_step.skipped
    assert torch.equal(scalar, twin_scalar[0])
    assert torch.equal(y, twin_y)
    assert scalar.shape == ()
    assert empty.shape == (0, 3)


@every_optimizer
@pytest.mark.parametrize("general_sum", [False, True], ids=["zero-sum", "general-sum"])
@pytest.mark.parametrize("engine", ["torch", "scipy"])
def test_mixed_dtypes(info: OptimizerInfo, general_sum: bool, engine: str) -> None:
    """Float32 and float64 tensors in one game, within a player and between the players."""

    def build(dtypes: tuple[torch.dtype, ...]) -> tuple[Pair, Any]:
        (x, y), _ = game()
        for p, dtype in zip(everyone((x, y)), dtypes, strict=True):
            p.data = p.data.to(dtype)

        def value() -> Tensor:
            a, b, c, d = (p.double() for p in everyone((x, y)))
            return torch.tanh(a @ c + d).sum() + (b * (c @ d)).sum() + 0.1 * ((b**2).sum() - (d**2).sum())

        return (x, y), general(value, (x, y)) if general_sum else value

    single, double = torch.float32, torch.float64
    kwargs = {"engine": engine, "rtol": 1e-6} if info.competitive else {}
    mixed, closure = build((single, double, double, single))
    opt = info.build(mixed, **kwargs)
    exact, exact_closure = build((double,) * 4)
    reference = info.build(exact, **kwargs)
    for _ in range(2):
        opt.step(closure)
        reference.step(exact_closure)
        assert not opt.last_step.skipped
    assert [p.dtype for p in everyone(mixed)] == [single, double, double, single]
    for p, q in zip(everyone(mixed), everyone(exact), strict=True):
        torch.testing.assert_close(p.double(), q, rtol=1e-5, atol=1e-5)


@every_optimizer
@pytest.mark.parametrize("general_sum", [False, True], ids=["zero-sum", "general-sum"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_parameters_run(info: OptimizerInfo, dtype: torch.dtype, general_sum: bool) -> None:
    (x, y), _ = game(torch.float32)
    before = snapshot((x, y))
    halves = [p.detach().to(dtype).requires_grad_() for p in everyone((x, y))]

    def losses(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Any:
        f = torch.tanh((a @ c + d).float()).sum() + (b * (c @ d)).float().sum()
        return (f, -0.5 * f) if general_sum else f

    opt = info.build((halves[:2], halves[2:]))
    opt.step(lambda: losses(*halves))
    assert not opt.last_step.skipped, opt.last_step
    assert {p.dtype for p in halves} == {dtype}
    info.build((x, y)).step(lambda: losses(*x, *y))
    for half, exact, start in zip(halves, snapshot((x, y)), before, strict=True):
        torch.testing.assert_close(half.detach().float(), exact, rtol=0.02, atol=0.02)
        assert not torch.equal(half.float(), start)


@every_optimizer
@pytest.mark.parametrize("lr", [1e-4, 1e-2, 1.0])
@pytest.mark.parametrize("general_sum", [False, True], ids=["zero-sum", "general-sum"])
def test_a_wasserstein_game_in_float16(info: OptimizerInfo, lr: float, general_sum: bool) -> None:
    """The last bias has no gradient: nothing overflows where one would be divided by it."""
    torch.manual_seed(0)
    real, z = torch.randn(8, 2).half(), torch.randn(8, 4).half()
    half = nn.ModuleList([nn.Linear(4, 2), nn.Linear(2, 1)]).half()
    exact = copy.deepcopy(half).double()
    for G, D in (half, exact):
        opt = info.build((G.parameters(), D.parameters()), lr=lr)
        for _ in range(3):

            def closure(G: nn.Module = G, D: nn.Module = D) -> Any:
                fake = D(G(z.to(G.weight.dtype))).mean()
                value = D(real.to(D.weight.dtype)).mean() - fake
                return (-fake, -value) if general_sum else value

            opt.step(closure)
            assert not opt.last_step.skipped, opt.last_step
    for p, q in zip(half.parameters(), exact.parameters(), strict=True):
        assert p.dtype is torch.float16
        torch.testing.assert_close(p.double(), q, rtol=0.05, atol=0.05)


@every_optimizer
def test_a_parameter_list_is_one_of_parameters(info: OptimizerInfo) -> None:
    opt = info.build((nn.ParameterList([ones(), ones()]), [{"params": nn.ParameterList([ones()])}]))
    assert [len(player) for player in opt.players] == [2, 1]


@every_optimizer
def test_memory_layouts(info: OptimizerInfo) -> None:
    """Transposed and channels-last parameters move as contiguous ones do, and keep their strides."""
    torch.manual_seed(0)
    start = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    y_start = torch.randn(5, 4, dtype=torch.float64)
    results = []
    for contiguous in (True, False):
        x, y = start.clone(), y_start.clone()
        if not contiguous:
            x, y = x.contiguous(memory_format=torch.channels_last), y.t().contiguous().t()
        x.requires_grad_()
        y.requires_grad_()
        strides = x.stride(), y.stride()
        opt = info.build(([x], [y]))
        for _ in range(2):
            opt.step(lambda x=x, y=y: torch.tanh(x @ y).sum() + (x**2).sum() - (y**2).sum())
        assert (x.stride(), y.stride()) == strides
        results.append((x.detach(), y.detach()))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


@every_optimizer
def test_separable_losses_have_no_coupling(info: OptimizerInfo) -> None:
    """Without a mixed term there is nothing to solve: no iterations, no more than the one product."""
    (x, y), _ = game()
    opt = info.build((x, y))
    for closure in (
        lambda: (x[0] ** 2).sum() + torch.cos(x[1]).sum() - (y[0] ** 4).sum() - y[1].sum(),
        lambda: ((x[0] ** 2).sum() + x[1].sum(), (y[0] ** 4).sum() + (y[1] ** 2).sum()),
    ):
        opt.step(closure)
        assert opt.last_step.converged
        assert opt.last_step.residual <= 1e-15
        assert opt.last_step.iterations <= 1


@every_optimizer
def test_many_float16_parameters_are_no_overflow(info: OptimizerInfo) -> None:
    """A sum over a hundred thousand halves is beyond float16; the step is fine all the same."""
    x, y = ones(100_000, dtype=torch.float16), ones(100_000, dtype=torch.float16)
    opt = info.build(([x], [y]))
    opt.step(lambda: (x.float() * y.float()).sum())
    assert not opt.last_step.skipped, opt.last_step
    assert torch.allclose(x, x[0])
    assert torch.allclose(y, y[0])
    exact = info.build(([p := ones(1)], [q := ones(1)]))
    exact.step(lambda: (p * q).sum())
    assert x[0].item() == pytest.approx(p.item(), rel=2e-3)
    assert y[0].item() == pytest.approx(q.item(), rel=2e-3)


@every_optimizer
def test_sparse_gradients(info: OptimizerInfo) -> None:
    """First-order steps take them; a competitive one says what to build instead, and changes nothing."""
    torch.manual_seed(0)
    table, y = nn.Embedding(5, 3, sparse=True), ones(3)
    before = table.weight.detach().clone()
    opt = info.build(([table.weight], [y]))

    def value() -> Tensor:
        return (table(torch.tensor([1, 3])).sum(0) * y).sum()

    if not info.competitive:
        opt.step(value)
        assert not torch.equal(before, table.weight)
        return
    with pytest.raises(TypeError, match="sparse=False"):
        opt.step(value)
    assert torch.equal(before, table.weight)
