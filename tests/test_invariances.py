"""Invariances as properties: exchanged players, split tensors, rotated coordinates, scaled losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from net_game import NetGame, joined, relative, split
from optim_db import OPTIMIZERS, OptimizerInfo
from torch import Tensor

from gamedyn.optimizers import GameOptimizer

seeds = st.integers(0, 20)
rates = st.floats(1e-3, 0.5)
slow = st.floats(1e-3, 0.03)  # a general-sum step may be near-singular, which amplifies rounding at will
optimizers = st.sampled_from(OPTIMIZERS)
simultaneous = st.sampled_from([info for info in OPTIMIZERS if info.evaluations == 1])
rotatable = st.sampled_from([info for info in OPTIMIZERS if not info.stateful])
sums = st.sampled_from(["f", "f, g"])
quick = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.differing_executors]
)

Losses = Callable[[Tensor, Tensor], Any]


def losses_of(game: NetGame, kind: str) -> Losses:
    return game.f if kind == "f" else lambda u, v: (game.f(u, v), game.g(u, v))


def build(info: OptimizerInfo, x: list[Tensor], y: list[Tensor], lr: float, max_lr: float) -> GameOptimizer:
    tight = {"rtol": 1e-13, "max_iter": 500, "restart": 40} if info.competitive else {}
    scale = 0.05 if info.stateful else 1.0  # an RMS step is a step in every coordinate
    return info.cls(x, y, lr=scale * lr, max_lr=scale * max_lr, **tight)


def trajectory(
    info: OptimizerInfo,
    losses: Losses,
    start: tuple[Tensor, Tensor],
    lr: float,
    max_lr: float,
    sizes: tuple[list[int], list[int]] = ([], []),
    steps: int = 3,
) -> list[Tensor]:
    """Return the end point of some steps from a start, the players' vectors cut into pieces."""
    x, y = (split(vector, cuts) for vector, cuts in zip(start, sizes, strict=True))
    opt = build(info, x, y, lr, max_lr)
    for _ in range(steps):
        opt.step(lambda: losses(joined(x), joined(y)))
        assert opt.last_step.residual < 1e-8
    return [joined(x).detach(), joined(y).detach()]


@quick
@given(simultaneous, seeds, rates, rates)
def test_exchanging_players_and_negating_f(info: OptimizerInfo, seed: int, lr: float, max_lr: float) -> None:
    game = NetGame(seed)
    u, v = trajectory(info, game.f, game.start, lr, max_lr)
    q, p = trajectory(info, lambda y, x: -game.f(x, y), game.start[::-1], max_lr, lr)
    assert relative([p, q], [u, v]) < 1e-9


@quick
@given(simultaneous, seeds, slow, slow)
def test_exchanging_players_and_losses(info: OptimizerInfo, seed: int, lr: float, max_lr: float) -> None:
    game = NetGame(seed)
    u, v = trajectory(info, losses_of(game, "f, g"), game.start, lr, max_lr)
    q, p = trajectory(info, lambda y, x: (game.g(x, y), game.f(x, y)), game.start[::-1], max_lr, lr)
    assert relative([p, q], [u, v]) < 1e-9


@st.composite
def cuts(draw: st.DrawFn, size: int) -> list[int]:
    """Draw piece sizes that sum to less than a vector's size; empty pieces included."""
    edges = sorted(draw(st.lists(st.integers(0, size - 1), max_size=5)))
    return [b - a for a, b in zip([0, *edges], edges, strict=False)]


@quick
@given(optimizers, seeds, slow, slow, sums, cuts(17), cuts(13))
def test_splitting_tensors_changes_nothing(
    info: OptimizerInfo, seed: int, lr: float, max_lr: float, kind: str, of_x: list[int], of_y: list[int]
) -> None:
    game = NetGame(seed)
    losses = losses_of(game, kind)
    whole = trajectory(info, losses, game.start, lr, max_lr)
    assert relative(trajectory(info, losses, game.start, lr, max_lr, (of_x, of_y)), whole) < 1e-9


@quick
@given(rotatable, seeds, slow, slow, sums, st.integers(0, 10**6))
def test_orthogonal_changes_of_each_players_coordinates(
    info: OptimizerInfo, seed: int, lr: float, max_lr: float, kind: str, rotation: int
) -> None:
    """Of each player alone, and for the methods with one rate per player: RMS scaling is not invariant."""
    game = NetGame(seed)
    losses = losses_of(game, kind)
    generator = torch.Generator().manual_seed(rotation)
    P, Q = (torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64))[0] for n in (17, 13))
    u, v = trajectory(info, losses, game.start, lr, max_lr)
    start = P @ game.start[0], Q @ game.start[1]
    p, q = trajectory(info, lambda x, y: losses(P.T @ x, Q.T @ y), start, lr, max_lr)
    assert relative([P.T @ p, Q.T @ q], [u, v]) < 1e-9


@quick
@given(rotatable, seeds, slow, slow, sums, st.floats(1e-6, 1e6))
def test_scaling_losses_and_rates_inversely(
    info: OptimizerInfo, seed: int, lr: float, max_lr: float, kind: str, scale: float
) -> None:
    """`(s·f, η/s)` makes the same steps as `(f, η)`."""
    game = NetGame(seed)

    def scaled(u: Tensor, v: Tensor) -> Any:
        value = losses_of(game, kind)(u, v)
        return tuple(scale * loss for loss in value) if isinstance(value, tuple) else scale * value

    plain = trajectory(info, losses_of(game, kind), game.start, lr, max_lr)
    assert relative(trajectory(info, scaled, game.start, lr / scale, max_lr / scale), plain) < 1e-9


@quick
@given(optimizers, seeds, slow, slow, sums)
def test_one_rate_per_player_is_a_group_per_tensor(
    info: OptimizerInfo, seed: int, lr: float, max_lr: float, kind: str
) -> None:
    """Rates stored per group, one group a tensor, in any order of the groups."""
    game = NetGame(seed)
    losses = losses_of(game, kind)
    whole = trajectory(info, losses, game.start, lr, max_lr)
    x, y = split(game.start[0], [6, 3]), split(game.start[1], [9])
    opt = build(info, x, y, lr, max_lr)
    grouped = [
        {**opt.param_groups[player], "params": [piece], "player": player}
        for player, pieces in ((1, y), (0, x))
        for piece in pieces
    ]
    tight = {"rtol": 1e-13, "max_iter": 500, "restart": 40} if info.competitive else {}
    other = info.cls(grouped, **tight)
    for _ in range(3):
        other.step(lambda: losses(joined(x), joined(y)))
    assert relative([*x, *y], whole) < 1e-9
