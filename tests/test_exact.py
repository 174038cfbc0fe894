"""Exact answers, T3 and T5–T12 of the list that the papers' algebra gives.

T1, T2, T4 and the rest of T3 (spectral radii, AltGD's invariant, stability boundaries, golden trajectories
of games with a closed form) are in `test_games.py` and `test_dynamics.py`, T8 in `test_differential.py`,
T10 and T11 in `test_exact_losses.py`.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from net_game import NetGame, dense_step, joined, relative, split
from torch import Tensor, nn

from gamedyn.optimizers import ACGD, CGD, GameOptimizer
from gamedyn.solvers import MixedHessian

SEEDS = range(5)
seeds = pytest.mark.parametrize("seed", SEEDS)
TIGHT: dict[str, Any] = {"rtol": 1e-12, "max_iter": 500, "restart": 40}
ETA = (0.7, 0.3)


def play(
    game: NetGame, cls: type, closure: str, steps: int = 1, **kwargs: Any
) -> tuple[GameOptimizer, list[Tensor], list[Tensor]]:
    """Step a fresh optimizer on a net game; `closure` is "f", "f, -f" or "f, g"."""
    u, v = game.start
    x, y = split(u, [6, 3]), split(v, [9])
    opt = cls(x, y, **{"lr": ETA[0], "max_lr": ETA[1], **TIGHT, **kwargs})

    def evaluate() -> Any:
        f = game.f(joined(x), joined(y))
        return f if closure == "f" else (f, -f) if closure == "f, -f" else (f, game.g(joined(x), joined(y)))

    for _ in range(steps):
        opt.step(evaluate)
        assert opt.last_step.converged, opt.last_step
    return opt, x, y


def adaptive_rates(
    gradient: Tensor, lr: float, scaling: str, beta: float = 0.99, eps: float = 1e-5
) -> Tensor:
    """Return ACGD's diagonal at its first step."""
    v, correction = (1.0 - beta) * gradient**2, 1.0 - beta
    if scaling == "official":
        return math.sqrt(correction) * lr / (v.sqrt() + eps)
    return lr / ((v / correction).sqrt() + eps)


def second(game: NetGame, closure: str) -> Callable[[Tensor, Tensor], Tensor]:
    return game.g if closure == "f, g" else lambda u, v: -game.f(u, v)


@pytest.mark.parametrize(
    ("scaling", "exact"),
    [
        (
            "official",
            [(0.8911007732, 1.0891011672), (0.7790923577, 1.1713781144), (0.6647734038, 1.2457422210)],
        ),
        ("paper", [(0.8910902755, 1.0891081364), (0.7790746937, 1.1713889404), (0.6647501682, 1.2457551643)]),
    ],
)
@pytest.mark.parametrize("closure", ["f", "f, -f"])
def test_t3_golden_acgd_on_xy(scaling: str, exact: list[tuple[float, float]], closure: str) -> None:
    x, y = (torch.ones(1, dtype=torch.float64, requires_grad=True) for _ in range(2))
    opt = ACGD([x], [y], lr=0.1, scaling=scaling, **TIGHT)
    for point in exact:
        opt.step(lambda: (x * y).sum() if closure == "f" else ((x * y).sum(), -(x * y).sum()))
        assert (x.item(), y.item()) == pytest.approx(point, abs=1e-10)


def test_t3_acgd_converges_on_xy() -> None:
    x, y = (torch.ones(1, dtype=torch.float64, requires_grad=True) for _ in range(2))
    opt = ACGD([x], [y], lr=0.1, **TIGHT)
    for _ in range(100):
        opt.step(lambda: (x * y).sum())
    assert math.hypot(x.item(), y.item()) == pytest.approx(0.347, abs=6e-4)


SMOKE = [
    (0.833359722, -1.999900010, 4.416659028, 1.416659028),
    (-0.193423815, -2.999829127, 4.290191108, 1.290191108),
    (-0.937567070, -3.999771105, 3.540541676, 0.540541676),
    (-1.300626023, -4.999720731, 2.437490769, -0.562509231),
    (-1.255880178, -5.999675562, 1.395189633, -1.604810367),
]
"""The official package's own smoke test, (D.w each, D.b, G.w each, G.b each) after steps 1 to 5.

These are its digits with solves started in float64 and carried to rounding; as it ships they are up to 1e-8
off, and 3e-6 in D.b.
"""


def smoke_networks() -> tuple[nn.Linear, nn.Linear]:
    critic, generator = nn.Linear(2, 1).double(), nn.Linear(1, 2).double()
    for parameter, value in (
        (critic.weight, 2.0),
        (critic.bias, -1.0),
        (generator.weight, 4.0),
        (generator.bias, 1.0),
    ):
        nn.init.constant_(parameter, value)
    return critic, generator


@pytest.mark.parametrize("engine", ["torch", "scipy"])
def test_t3_official_smoke_test(engine: str) -> None:
    critic, generator = smoke_networks()
    opt = ACGD(critic.parameters(), generator.parameters(), lr=1.0, engine=engine, **TIGHT)
    for row in SMOKE:
        opt.step(lambda: critic(generator(torch.ones(1, 1, dtype=torch.float64))).sum())
        for p, exact in zip([*critic.parameters(), *generator.parameters()], row, strict=True):
            assert p.flatten().tolist() == pytest.approx([exact] * p.numel(), abs=2e-9)


@seeds
@pytest.mark.parametrize("closure", ["f", "f, -f", "f, g"])
@pytest.mark.parametrize("engine", ["torch", "scipy"])
def test_t5_cgd_is_the_dense_solution(seed: int, closure: str, engine: str) -> None:
    """CG and GMRES, ours and scipy's, against one dense joint solve, within 1e-8."""
    game = NetGame(seed)
    du, dv = dense_step(game.f, second(game, closure), *game.start, *ETA)
    _, x, y = play(game, CGD, closure, engine=engine)
    u, v = game.start
    assert relative([joined(x) - u, joined(y) - v], [du, dv]) < 1e-8


@seeds
@pytest.mark.parametrize("closure", ["f", "f, -f", "f, g"])
@pytest.mark.parametrize("scaling", ["official", "paper"])
def test_t5_acgd_is_the_dense_solution(seed: int, closure: str, scaling: str) -> None:
    game, (u, v), lr = NetGame(seed), NetGame(seed).start, 0.02
    g = second(game, closure)
    a = adaptive_rates(torch.func.grad(game.f, 0)(u, v), lr, scaling)
    b = adaptive_rates(torch.func.grad(g, 1)(u, v), lr, scaling)
    du, dv = dense_step(game.f, g, u, v, a, b)
    _, x, y = play(game, ACGD, closure, lr=lr, max_lr=None, scaling=scaling)
    assert relative([joined(x) - u, joined(y) - v], [du, dv]) < 1e-8


@seeds
def test_t5_p1_adjointness(seed: int) -> None:
    game, (u, v) = NetGame(seed), NetGame(seed).start
    x, y = split(u, [9]), split(v, [6])
    K = MixedHessian.of(game.f(joined(x), joined(y)), x, y)
    p, q = split(torch.randn_like(u), [9]), split(torch.randn_like(v), [6])
    left, right = joined(K.apply(p)) @ joined(q), joined(p) @ joined(K.adjoint(q))
    assert left.item() == pytest.approx(right.item(), rel=1e-12, abs=1e-13)


@seeds
def test_t5_p2_quadratics_step_semi_implicitly(seed: int) -> None:
    """`x+ = x − η_x (A x + B y+)`, `y+ = y + η_y (C y + Bᵀ x+)`: implicit in the coupling only."""
    generator = torch.Generator().manual_seed(seed)
    A, B, C = (
        torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((4, 4), (4, 3), (3, 3))
    )
    A, C = A + A.T, C + C.T
    x, y = (torch.randn(n, generator=generator, dtype=torch.float64).requires_grad_() for n in (4, 3))
    x0, y0 = x.detach().clone(), y.detach().clone()
    CGD([x], [y], lr=ETA[0], max_lr=ETA[1], **TIGHT).step(lambda: x @ A @ x / 2 + x @ B @ y + y @ C @ y / 2)
    torch.testing.assert_close(x.detach(), x0 - ETA[0] * (A @ x0 + B @ y.detach()), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(y.detach(), y0 + ETA[1] * (C @ y0 + B.T @ x.detach()), rtol=1e-10, atol=1e-10)


@seeds
def test_t5_p4_never_longer_than_the_gradient_step(seed: int) -> None:
    """In the metric `‖A^{-1/2} d‖`, and strictly shorter where the players are coupled."""
    game, (u, v) = NetGame(seed), NetGame(seed).start
    _, x, y = play(game, CGD, "f")
    step = torch.cat([(joined(x) - u) / ETA[0] ** 0.5, (joined(y) - v) / ETA[1] ** 0.5]).norm()
    of_u, of_v = torch.func.grad(game.f, (0, 1))(u, v)
    gradient = torch.cat([of_u * ETA[0] ** 0.5, of_v * ETA[1] ** 0.5]).norm()
    assert 0.0 < step < gradient


@seeds
@pytest.mark.parametrize("cls", [CGD, ACGD])
def test_t5_p7_exchanged_players_give_the_same_trajectory(seed: int, cls: type) -> None:
    """`f → −f`, `x ↔ y`: the other player's system is solved, to the same step."""
    game, (u, v) = NetGame(seed), NetGame(seed).start
    lr, max_lr = ETA if cls is CGD else (0.02, 0.01)
    _, x, y = play(game, cls, "f", steps=3, lr=lr, max_lr=max_lr)
    other_x, other_y = split(u, [6, 3]), split(v, [9])
    opt = cls(other_y, other_x, lr=max_lr, max_lr=lr, **TIGHT)
    for _ in range(3):
        opt.step(lambda: -game.f(joined(other_x), joined(other_y)))
    assert relative([*other_x, *other_y], [*x, *y]) < 1e-9


@seeds
def test_t5_p8_the_matrix_is_positive_definite(seed: int) -> None:
    """Eigenvalues `1 + η_x η_y σᵢ²`, so at most one iteration for each of the distinct ones."""
    game, (u, v) = NetGame(seed), NetGame(seed).start
    D = torch.func.hessian(game.f, argnums=(0, 1))(u, v)[0][1]
    matrix = torch.eye(17, dtype=torch.float64) + ETA[0] * ETA[1] * D @ D.T
    singular = torch.linalg.svdvals(D)
    exact = torch.cat([1.0 + ETA[0] * ETA[1] * singular**2, torch.ones(4, dtype=torch.float64)])
    torch.testing.assert_close(torch.linalg.eigvalsh(matrix).flip(0), exact, rtol=1e-10, atol=1e-10)
    opt, _, _ = play(game, CGD, "f", rtol=1e-9)
    assert opt.last_step.iterations <= 14


@seeds
@pytest.mark.parametrize("closure", ["f", "f, -f", "f, g"])
@pytest.mark.parametrize("cls", [CGD, ACGD])
def test_t6_the_pair_satisfies_both_coupled_equations(seed: int, closure: str, cls: type) -> None:
    """`Δx = −A_x (∇ₓf + D_xy f Δy)` and `Δy = −A_y (∇_y g + D_yx g Δx)`, each to rounding."""
    game, (u, v) = NetGame(seed), NetGame(seed).start
    g = second(game, closure)
    of_f, of_g = torch.func.grad(game.f, 0)(u, v), torch.func.grad(g, 1)(u, v)
    lr, max_lr = ETA if cls is CGD else (0.02, 0.01)
    a: Any = lr if cls is CGD else adaptive_rates(of_f, lr, "official")
    b: Any = max_lr if cls is CGD else adaptive_rates(of_g, max_lr, "official")
    _, x, y = play(game, cls, closure, lr=lr, max_lr=max_lr)
    du, dv = joined(x).detach() - u, joined(y).detach() - v
    D_f = torch.func.hessian(game.f, argnums=(0, 1))(u, v)[0][1]
    D_g = torch.func.hessian(g, argnums=(0, 1))(u, v)[1][0]
    torch.testing.assert_close(du, -a * (of_f + D_f @ dv), rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(dv, -b * (of_g + D_g @ du), rtol=1e-8, atol=1e-10)


@seeds
@pytest.mark.parametrize(("cls", "kwargs"), [(CGD, {}), (ACGD, {"lr": 0.02}), (CGD, {"warm_start": True})])
def test_t7_general_sum_with_exact_negatives_is_zero_sum(
    seed: int, cls: type, kwargs: dict[str, Any]
) -> None:
    points = [play(NetGame(seed), cls, closure, steps=4, **kwargs)[1:] for closure in ("f", "f, -f")]
    assert relative([*points[1][0], *points[1][1]], [*points[0][0], *points[0][1]]) < 1e-9


@pytest.mark.parametrize("closure", ["f", "f, g"])
@pytest.mark.parametrize("cls", [CGD, ACGD])
def test_t9_a_saved_run_resumes_in_the_same_bits(cls: type, closure: str) -> None:
    """Warm starts included: the resumed run takes the same iterations to the same point."""
    game, options = NetGame(0), {"lr": 0.02, "max_lr": 0.01, "warm_start": True, "rtol": 1e-6}
    whole, x, y = play(game, cls, closure, steps=6, **options)
    half, *pair = play(game, cls, closure, steps=3, **options)
    file = io.BytesIO()
    torch.save({"opt": half.state_dict(), "pair": [[p.detach() for p in player] for player in pair]}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    xs, ys = ([p.requires_grad_() for p in player] for player in saved["pair"])
    resumed = cls(xs, ys)
    resumed.load_state_dict(saved["opt"])
    for _ in range(3):
        f = lambda: game.f(joined(xs), joined(ys))  # noqa: E731
        resumed.step(f if closure == "f" else lambda f=f: (f(), game.g(joined(xs), joined(ys))))
    assert all(torch.equal(a, b) for a, b in zip([*xs, *ys], [*x, *y], strict=True))
    assert resumed.last_step == whole.last_step


@pytest.mark.parametrize("closure", ["f", "f, -f"])
@pytest.mark.parametrize("engine", ["torch", "scipy"])
@pytest.mark.parametrize("cls", [CGD, ACGD])
def test_t12_a_changed_rate_leaves_the_warm_start_where_it_was(cls: type, engine: str, closure: str) -> None:
    """With rates times s and losses over s the physical step is unchanged: the guess is the solution."""
    game = NetGame(1)
    (u, v), scale = game.start, 16.0
    x, y = split(u, [6, 3]), split(v, [9])
    options = {**TIGHT, "engine": engine, "warm_start": True}
    if cls is CGD:
        opt: GameOptimizer = CGD(x, y, lr=40.0, max_lr=20.0, **options)
    else:  # without memory and ε its metric is 1/|g|, which rescales by itself
        opt = ACGD(x, y, lr=0.5, max_lr=0.3, beta=0.0, eps=0.0, **options)

    def step(divisor: float) -> Tensor:
        with torch.no_grad():
            for piece, start in zip([*x, *y], [*split(u, [6, 3]), *split(v, [9])], strict=True):
                piece.copy_(start)
        f = lambda: game.f(joined(x), joined(y)) / divisor  # noqa: E731
        opt.step(f if closure == "f" else lambda: (f(), -f()))
        return torch.cat([joined(x) - u, joined(y) - v]).detach()

    first = step(1.0)
    assert opt.last_step.products >= 15
    for group in opt.param_groups:
        group["lr"] *= scale if cls is CGD else 1.0
        group["rtol"] = 1e-9
    again = step(scale)
    assert opt.last_step.converged
    assert opt.last_step.products <= 8, "no more than it takes to see that the guess is the solution"
    assert relative([again], [first]) < 1e-8
    stored = torch.cat([opt.state[p]["direction"].reshape(-1) for p in x])
    assert relative([stored], [first[: len(u)]]) < 1e-8, "the state holds the move itself, in no metric"
